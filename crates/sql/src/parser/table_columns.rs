//! Folds the columns of tables in statements that declare aliases of the same spelling.
//!
//! ```text
//! SELECT t."X" FROM t UNION SELECT u."Y" AS "X" FROM u      SELECT t."x" AS "X" FROM t UNION …
//! SELECT t."X" FROM t JOIN (SELECT y AS "X" FROM u) s ON s."X" = t."X"
//!                                                           … ON s."X" = t."x"
//! ```
//!
//! A table has columns in lower case only. A column that is an item of a list keeps its written name, which
//! the query around may use. Columns of subqueries, of WITH and of table functions are
//! left to [`super::normalize`].

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, JoinConstraint, ObjectNamePart, Query, Select, SelectItem, TableFactor,
    TableWithJoins, Visitor, VisitorMut,
};

use super::normalize::{alias_of, fold_ident, is_spelled};
use crate::join_constraint_mut;
use crate::walk::{walk, walk_mut};

/// Folds the columns of tables in a query, of the spellings that it declares, and returns the aliases that
/// columns got.
pub(super) fn fold(query: &mut Query, declared: &HashMap<String, usize>) -> Vec<Ident> {
    if declared.is_empty() {
        return Vec::new();
    }
    let mut names = CommonTables::default();
    let _: ControlFlow<()> = walk(&*query, &mut names);
    let mut columns = Columns {
        declared,
        common_tables: names.names,
        scopes: Vec::new(),
        written: Vec::new(),
        aliases: Vec::new(),
    };
    let _: ControlFlow<()> = walk_mut(query, &mut columns);
    columns.aliases
}

/// The names that a query defines by WITH, in lower case.
#[derive(Default)]
struct CommonTables {
    names: HashSet<String>,
}

impl Visitor for CommonTables {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(cte.alias.name.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }
}

/// A relation of a FROM clause.
struct Relation {
    /// In lower case; empty if it has none.
    name: String,
    /// Whether it is a table of the catalog.
    is_table: bool,
    has_alias: bool,
}

struct Columns<'a> {
    declared: &'a HashMap<String, usize>,
    common_tables: HashSet<String>,
    /// The relations of the SELECTs around what is visited, the innermost last.
    scopes: Vec<Vec<Relation>>,
    /// For each SELECT around what is visited, the columns that are items of its list and may be folded.
    written: Vec<Vec<Option<Ident>>>,
    /// The aliases that columns got.
    aliases: Vec<Ident>,
}

impl Columns<'_> {
    /// Adds the relations that a FROM clause names in one of its lists of joins.
    fn add_relations(&self, tables: &TableWithJoins, found: &mut Vec<Relation>) {
        let joined = tables.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&tables.relation).chain(joined) {
            match factor {
                TableFactor::NestedJoin {
                    table_with_joins,
                    alias: None,
                } => self.add_relations(table_with_joins, found),
                factor => found.push(self.relation(factor)),
            }
        }
    }

    fn relation(&self, factor: &TableFactor) -> Relation {
        let TableFactor::Table {
            name, alias, args, ..
        } = factor
        else {
            let alias = alias_of(factor).map(|alias| alias.name.value.to_lowercase());
            return Relation {
                name: alias.unwrap_or_default(),
                is_table: false,
                has_alias: true,
            };
        };
        let last = name.0.last().and_then(ObjectNamePart::as_ident);
        let last = last.map(|ident| ident.value.to_lowercase());
        let is_common = name.0.len() == 1
            && last
                .as_ref()
                .is_some_and(|last| self.common_tables.contains(last));
        let has_columns = alias
            .as_ref()
            .is_some_and(|alias| !alias.columns.is_empty());
        Relation {
            name: match alias {
                Some(alias) => alias.name.value.to_lowercase(),
                None => last.unwrap_or_default(),
            },
            is_table: args.is_none() && !is_common && !has_columns,
            has_alias: alias.is_some(),
        }
    }

    /// Returns the column that is an item of a list, if its spelling is declared.
    fn written(&self, item: &SelectItem) -> Option<Ident> {
        let SelectItem::UnnamedExpr(expr) = item else {
            return None;
        };
        let name = column(expr)?;
        (is_spelled(name) && self.declared.contains_key(&name.value)).then(|| name.clone())
    }

    /// Folds the column, and the table if it has no alias.
    fn fold_qualified(&self, table: &mut Ident, column: &mut Ident) {
        let name = table.value.to_lowercase();
        let mut visible = self.scopes.iter().rev().flatten();
        if let Some(relation) = visible.find(|relation| relation.name == name)
            && relation.is_table
        {
            fold_ident(column);
            if !relation.has_alias {
                fold_ident(table);
            }
        }
    }

    /// Folds the names without a table in what does not see the aliases of its own list, if there
    /// are no relations but tables that they may be of.
    fn fold_own(&self, select: &mut Select) {
        let has_tables = self.scopes.last().is_some_and(|own| !own.is_empty());
        let are_tables = self
            .scopes
            .iter()
            .flatten()
            .all(|relation| relation.is_table);
        if !has_tables || !are_tables {
            return;
        }
        let mut own = OwnNames {
            declared: self.declared,
            depth: 0,
        };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr)
            | SelectItem::ExprWithAlias { expr, .. }
            | SelectItem::ExprWithAliases { expr, .. } = item
            {
                let _: ControlFlow<()> = walk_mut(expr, &mut own);
            }
        }
        if let Some(selection) = &mut select.selection {
            let _: ControlFlow<()> = walk_mut(selection, &mut own);
        }
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let Some(JoinConstraint::On(condition)) = join_constraint_mut(join) {
                let _: ControlFlow<()> = walk_mut(condition, &mut own);
            }
        }
    }
}

impl VisitorMut for Columns<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut relations = Vec::new();
        for tables in &select.from {
            self.add_relations(tables, &mut relations);
        }
        self.scopes.push(relations);
        let written = select.projection.iter().map(|item| self.written(item));
        let written = written.collect();
        self.written.push(written);
        self.fold_own(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.scopes.pop();
        let written = self.written.pop().unwrap_or_default();
        for (item, written) in select.projection.iter_mut().zip(written) {
            if let Some(alias) = written
                && let SelectItem::UnnamedExpr(expr) = &*item
                && column(expr).is_some_and(|name| name.value != alias.value)
            {
                self.aliases.push(alias.clone());
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias,
                };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, column] = parts.as_mut_slice()
            && [&*table, &*column]
                .iter()
                .any(|name| self.declared.contains_key(&name.value))
        {
            self.fold_qualified(table, column);
        }
        ControlFlow::Continue(())
    }
}

/// Returns the name of a column, without its table; `None` for other expressions.
fn column(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    }
}

/// Folds names that are in no subquery.
struct OwnNames<'a> {
    declared: &'a HashMap<String, usize>,
    /// The number of subqueries around the visitor.
    depth: usize,
}

impl VisitorMut for OwnNames<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && self.depth == 0
            && is_spelled(name)
            && self.declared.contains_key(&name.value)
        {
            fold_ident(name);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    #[test]
    fn columns_of_tables_are_lower_case() {
        for (sql, expected) in [
            (
                r#"SELECT t."X" FROM t UNION SELECT u."Y" AS "X" FROM u"#,
                r#"SELECT t."x" AS "X" FROM t UNION SELECT u."y" AS "X" FROM u"#,
            ),
            (
                r#"SELECT "X" FROM t WHERE "X" > 1 UNION ALL SELECT NULL AS "X""#,
                r#"SELECT "x" AS "X" FROM t WHERE "x" > 1 UNION ALL SELECT NULL AS "X""#,
            ),
            (
                r#"SELECT "X", u."X" + 1 FROM t AS u GROUP BY "X" UNION SELECT 1 AS "X", 2"#,
                r#"SELECT "x" AS "X", u."x" + 1 FROM t AS u GROUP BY "X" UNION SELECT 1 AS "X", 2"#,
            ),
            (
                r#"SELECT s."X" FROM t JOIN (SELECT y AS "X" FROM u) AS s ON s."X" = t."X""#,
                r#"SELECT s."X" FROM t JOIN (SELECT y AS "X" FROM u) AS s ON s."X" = t."x""#,
            ),
            (
                r#"SELECT "T"."X" AS "T", "T"."X" AS "X" FROM "T" JOIN "U" ON "T"."X" = "U"."X""#,
                r#"SELECT "t"."x" AS "T", "t"."x" AS "X" FROM "t" JOIN "u" ON "t"."x" = "u"."x""#,
            ),
            (
                r#"WITH c AS (SELECT 1 AS "X") SELECT c."X", "X" FROM c"#,
                r#"WITH c AS (SELECT 1 AS "X") SELECT c."X", "X" FROM c"#,
            ),
            (
                r#"SELECT upper(a) AS "X" FROM t GROUP BY "X" ORDER BY "X""#,
                r#"SELECT upper(a) AS "X" FROM t GROUP BY "X" ORDER BY "X""#,
            ),
            (
                r#"SELECT 1 FROM t WHERE a IN (SELECT b AS "X" FROM u ORDER BY "X" LIMIT 1)"#,
                r#"SELECT 1 FROM t WHERE a IN (SELECT b AS "X" FROM u ORDER BY "X" LIMIT 1)"#,
            ),
            (
                r#"SELECT (SELECT s."X") FROM (SELECT a AS "X" FROM t) AS s"#,
                r#"SELECT (SELECT s."X") FROM (SELECT a AS "X" FROM t) AS s"#,
            ),
        ] {
            let statement = crate::parse(sql).unwrap().remove(0).statement;
            let Statement::Query(query) = statement else {
                panic!("{sql}")
            };
            assert_eq!(query.to_string(), expected, "{sql}");
        }
    }
}
