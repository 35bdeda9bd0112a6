//! Names the columns of subqueries in FROM, and of common table expressions, if the engine's names
//! differ from the dialect's.
//!
//! ```text
//! (SELECT count(*), x FROM t) AS q       … AS q (count, x): as marks, which the planner of relations reads
//! (SELECT count(*), x FROM t)            … AS "subquery:1" (_col0, x), in Trino's dialects
//! LATERAL (SELECT t.a) AS q              … AS q (a): the engine's name says that `a` is an outer column
//! WITH q AS (SELECT 1 AS a, 2 AS a)      WITH q AS (SELECT * FROM (SELECT 1 AS a, 2 AS a) AS q (a, a))
//! WITH q AS … (WITH q AS … q) … q        WITH q AS … (WITH "q:1" AS … "q:1" AS q) … q
//! ```

use lakegate_sql::walk::{walk, walk_mut};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, Ident, ObjectName, Query, SelectItem, SetExpr, Statement, TableAlias,
    TableAliasColumnDef, TableFactor, Visitor, VisitorMut, WildcardAdditionalOptions,
};
use lakegate_engine::{NUMBERED, Names, OutputNames, apart, apart_in_relation, encoded};
use lakegate_error::Error;

use super::{build, folded, parts, recursions};
use crate::postgres::output_names::{items_of, output_names};
use crate::trino;

/// Gives the dialect's names to columns that the engine names differently.
///
/// # Errors
///
/// None that depend on the statement.
pub(super) fn name(statement: &mut Statement, dialect: Names) -> Result<(), Error> {
    rename_hiding_tables(statement);
    let mut names = NameOutputs {
        dialect,
        unnamed: 0,
        subqueries: 0,
    };
    match walk_mut(statement, &mut names) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct NameOutputs {
    dialect: Names,
    /// Subqueries without a name that got one.
    unnamed: usize,
    /// The subqueries around that may read columns of the query outside: LATERAL ones and those in
    /// expressions.
    subqueries: usize,
}

impl VisitorMut for NameOutputs {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let Some(with) = &mut query.with else {
            return ControlFlow::Continue(());
        };
        for table in &mut with.cte_tables {
            let recurs = with.recursive && reads(&table.query, &folded(&table.alias.name));
            if recurs {
                alias_all(table, self.dialect);
                if let Err(error) = recursions::rewrite(&mut table.query, self.dialect) {
                    return ControlFlow::Break(error);
                }
            }
            if !recurs
                && (names_to_give(&table.query, self.dialect).is_some()
                    || !table.alias.columns.is_empty())
            {
                match enclosed(table) {
                    Ok(()) => {}
                    Err(error) => return ControlFlow::Break(error),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.subqueries += usize::from(has_subquery(expr));
        if let Expr::InSubquery { subquery, .. } = expr
            && let SetExpr::Select(select) = subquery.body.as_mut()
            && let [item] = select.projection.as_mut_slice()
            && let SelectItem::UnnamedExpr(column) = item
            && !matches!(column, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        {
            // The engine names a column of the join after the expression, and such a column may
            // already exist.
            let alias = Ident::with_quote('"', apart("item", 0));
            *item = build::aliased(column.clone(), alias);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        self.subqueries -= usize::from(has_subquery(expr));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        self.subqueries += usize::from(is_lateral(factor));
        let TableFactor::Derived {
            lateral,
            subquery,
            alias,
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let reads_outer = self.subqueries > 0 && has_columns(&subquery.body);
        let names = match reads_outer {
            true => names_of(subquery, self.dialect),
            false => names_to_give(subquery, self.dialect),
        };
        let is_list = self.dialect == Names::Postgres && is_listed(&subquery.body);
        if let Some(names) = names
            && (alias.is_some() || is_list || *lateral && reads_outer || names.count(NUMBERED) > 0)
        {
            let alias = alias.get_or_insert_with(|| {
                self.unnamed += 1;
                TableAlias {
                    explicit: true,
                    name: Ident::with_quote('"', apart("subquery", self.unnamed)),
                    columns: Vec::new(),
                    at: None,
                }
            });
            let columns = encoded(&names).into_iter().map(|name| TableAliasColumnDef {
                name,
                data_type: None,
            });
            alias.columns.extend(columns);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        self.subqueries -= usize::from(is_lateral(factor));
        ControlFlow::Continue(())
    }
}

fn has_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. }
    )
}

fn is_lateral(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::Derived { lateral: true, .. })
}

/// Returns whether a query has columns of tables among its own, some of which may be outer ones.
fn has_columns(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.projection.iter().any(|item| {
            matches!(
                item,
                SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_))
            )
        }),
        SetExpr::SetOperation { left, .. } => has_columns(left),
        SetExpr::Query(query) => has_columns(&query.body),
        _ => false,
    }
}

/// Returns the dialect's names of a query's columns.
fn names_of(query: &Query, dialect: Names) -> Option<OutputNames> {
    match dialect {
        Names::Postgres => output_names(query),
        // VALUES and UNNEST keep the engine's names.
        Names::Trino => match items_of(&query.body)? {
            [SelectItem::UnnamedExpr(Expr::Function(call))] if trino::is_unnest(call) => None,
            _ => trino::output_names(query),
        },
    }
}

/// Returns the names of a query's columns, if the engine uses others or may have to distinguish
/// them.
fn names_to_give(query: &Query, dialect: Names) -> Option<OutputNames> {
    let names = names_of(query, dialect)?;
    let mut seen = BTreeSet::new();
    let plain = names.last.is_none() && names.first.iter().all(|name| seen.insert(name));
    (!plain || !is_named(&query.body)).then_some(names)
}

/// Returns whether every column of a query has an alias or is a column of a table.
fn is_named(body: &SetExpr) -> bool {
    all_items(body, |item| match item {
        SelectItem::UnnamedExpr(expr) => {
            matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::ExprWithAlias { .. } => true,
        _ => false,
    })
}

/// Returns whether a query lists its columns, without `*`.
fn is_listed(body: &SetExpr) -> bool {
    all_items(body, |item| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    })
}

fn all_items(body: &SetExpr, is: fn(&SelectItem) -> bool) -> bool {
    match body {
        SetExpr::Select(select) => select.projection.iter().all(is),
        SetExpr::SetOperation { left, .. } => all_items(left, is),
        SetExpr::Query(query) => all_items(&query.body, is),
        _ => false,
    }
}

/// Returns whether a query reads a table of this name.
pub(super) fn reads(query: &Query, name: &str) -> bool {
    struct Reads<'a>(&'a str);
    impl Visitor for Reads<'_> {
        type Break = ();
        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            match parts(relation).as_deref() {
                Some([name]) if name == self.0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    walk(query, &mut Reads(name)).is_break()
}

/// Names the columns of a recursive query that have no alias, if the engine uses other names or
/// some columns have an alias.
fn alias_all(table: &mut Cte, dialect: Names) {
    let given = table.alias.columns.len();
    if given == 0 && names_to_give(&table.query, dialect).is_none() {
        return;
    }
    let Some(names @ OutputNames { last: None, .. }) = names_of(&table.query, dialect) else {
        return;
    };
    let count = names.first.len();
    let aliases = table.alias.columns.iter();
    let mut seen: BTreeSet<String> = aliases.map(|column| folded(&column.name)).collect();
    for place in given..count {
        let Some(name) = names.get(place, count) else {
            continue;
        };
        let own = match seen.insert(name.clone()) {
            true => name,
            false => apart_in_relation(&name, place),
        };
        table.alias.columns.push(TableAliasColumnDef {
            name: Ident::with_quote('"', own),
            data_type: None,
        });
    }
}

/// Wraps the query of a common table expression in a derived table whose columns are named.
fn enclosed(table: &mut Cte) -> Result<(), Error> {
    let alias = TableAlias {
        explicit: true,
        name: table.alias.name.clone(),
        columns: std::mem::take(&mut table.alias.columns),
        at: None,
    };
    let inner = std::mem::replace(table.query.as_mut(), build::select(Vec::new())?);
    let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    let mut outer = build::select_from(inner, "q", &[])?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        select.projection = vec![all];
        if let Some(tables) = select.from.first_mut()
            && let TableFactor::Derived { alias: of, .. } = &mut tables.relation
        {
            *of = Some(alias);
        }
    }
    *table.query = outer;
    Ok(())
}

/// Renames common table expressions that hide one of the same name, which the engine refuses.
fn rename_hiding_tables(statement: &mut Statement) {
    let mut counts = Count::default();
    // The visitors never break.
    let _ = walk(statement, &mut counts);
    if counts.0.values().any(|count| *count > 1) {
        let names = counts.0.into_iter().filter(|(_, count)| *count > 1);
        let mut rename = Rename {
            names: names.map(|(name, _)| name).collect(),
            renamed: 0,
        };
        let _ = walk_mut(statement, &mut rename);
    }
}

/// The number of WITH clauses that define each name.
#[derive(Default)]
struct Count(BTreeMap<String, usize>);

impl Visitor for Count {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        let names: BTreeSet<String> = tables.map(|table| folded(&table.alias.name)).collect();
        for name in names {
            *self.0.entry(name).or_default() += 1;
        }
        ControlFlow::Continue(())
    }
}

struct Rename {
    names: BTreeSet<String>,
    renamed: usize,
}

impl VisitorMut for Rename {
    type Break = ();

    /// Renames from the inside out: names inside an inner WITH are already renamed.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let Some(mut with) = query.with.take() else {
            return ControlFlow::Continue(());
        };
        let mut seen = BTreeSet::new();
        let twice = |table: &Cte| !seen.insert(folded(&table.alias.name));
        if with.cte_tables.iter().any(twice) {
            // An error, which the engine reports.
            query.with = Some(with);
            return ControlFlow::Continue(());
        }
        for place in 0..with.cte_tables.len() {
            let (before, after) = with.cte_tables.split_at_mut(place);
            let Some((table, after)) = after.split_first_mut() else {
                break;
            };
            let name = folded(&table.alias.name);
            if !self.names.contains(&name) {
                continue;
            }
            self.renamed += 1;
            let mut references = References {
                from: &name,
                to: Ident::with_quote('"', apart(&name, self.renamed)),
            };
            if with.recursive {
                let _ = walk_mut(&mut table.query, &mut references);
                for earlier in before {
                    let _ = walk_mut(&mut earlier.query, &mut references);
                }
            }
            for later in after {
                let _ = walk_mut(&mut later.query, &mut references);
            }
            let _ = walk_mut(query, &mut references);
            table.alias.name = references.to;
        }
        query.with = Some(with);
        ControlFlow::Continue(())
    }
}

/// Renames a table where it is read, and keeps its old name as the alias.
struct References<'a> {
    from: &'a str,
    to: Ident,
}

impl VisitorMut for References<'_> {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
            && parts(name).as_deref() == Some(&[self.from.to_owned()])
        {
            if alias.is_none()
                && let [part] = name.0.as_slice()
                && let Some(written) = part.as_ident()
            {
                *alias = Some(TableAlias {
                    explicit: true,
                    name: written.clone(),
                    columns: vec![],
                    at: None,
                });
            }
            *name = vec![self.to.clone()].into();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// Returns the rewritten statement, with `~` for the invisible mark.
    fn named(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let statement = statements.first_mut().unwrap();
        name(statement, Names::Postgres).unwrap();
        statement.to_string().replace('\u{2063}', "~")
    }

    #[test]
    fn subqueries_say_what_their_columns_are_called() {
        for (sql, expected) in [
            (
                "SELECT * FROM (SELECT count(*), x FROM t) AS q",
                "SELECT * FROM (SELECT count(*), x FROM t) AS q (\"~first:count\", \"~first:x\")",
            ),
            (
                "SELECT * FROM (SELECT 1, t.*, 2 AS b FROM t) AS q (x)",
                "SELECT * FROM (SELECT 1, t.*, 2 AS b FROM t) AS q (x, \"~first:?column?\", \"~*\", \"~last:b\")",
            ),
            (
                "SELECT * FROM (SELECT a, t.b, 1 AS c FROM t) AS q",
                "SELECT * FROM (SELECT a, t.b, 1 AS c FROM t) AS q",
            ),
            (
                "SELECT count FROM (SELECT count(*), 1 FROM t), (SELECT t.*, 1 FROM t), (SELECT a FROM t)",
                "SELECT count FROM (SELECT count(*), 1 FROM t) AS \"subquery~:1\" (\"~first:count\", \"~first:?column?\"), (SELECT t.*, 1 FROM t), (SELECT a FROM t)",
            ),
            (
                "WITH q AS (SELECT a FROM t), p (x) AS (SELECT 1) SELECT * FROM q, p",
                "WITH q AS (SELECT a FROM t), p AS (SELECT * FROM (SELECT 1) AS p (x, \"~first:?column?\")) SELECT * FROM q, p",
            ),
            (
                "WITH RECURSIVE q (n) AS (SELECT 1, 2 AS m UNION ALL SELECT n, m FROM q) SELECT * FROM q",
                "WITH RECURSIVE q (n, \"m\") AS (SELECT 1, 2 AS m UNION ALL SELECT n, m FROM q) SELECT * FROM q",
            ),
            (
                "SELECT * FROM t, LATERAL (SELECT t.a, 1 AS b) AS q, (SELECT a FROM u) AS r",
                "SELECT * FROM t, LATERAL (SELECT t.a, 1 AS b) AS q (\"~first:a\", \"~first:b\"), (SELECT a FROM u) AS r",
            ),
            (
                "SELECT (SELECT z.a FROM (SELECT t.a) AS z), x FROM t",
                "SELECT (SELECT z.a FROM (SELECT t.a) AS z (\"~first:a\")), x FROM t",
            ),
            (
                "SELECT x IN (SELECT max(y) FROM t)",
                "SELECT x IN (SELECT max(y) AS \"item~:0\" FROM t)",
            ),
        ] {
            assert_eq!(named(sql), expected);
        }
    }

    #[test]
    fn columns_without_a_name_are_numbered_in_trino() {
        for (sql, expected) in [
            (
                "SELECT * FROM (SELECT count(*), x FROM t)",
                "SELECT * FROM (SELECT count(*), x FROM t) AS \"subquery~:1\" (\"~first:~_col\", \"~first:x\")",
            ),
            (
                "SELECT * FROM (SELECT x, y AS z FROM t), (VALUES (1)), (SELECT * FROM u)",
                "SELECT * FROM (SELECT x, y AS z FROM t), (VALUES (1)), (SELECT * FROM u)",
            ),
            (
                "WITH q AS (SELECT x, count(*) FROM t) SELECT * FROM q",
                "WITH q AS (SELECT * FROM (SELECT x, count(*) FROM t) AS q (\"~first:x\", \"~first:~_col\")) SELECT * FROM q",
            ),
        ] {
            let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
            let statement = statements.first_mut().unwrap();
            name(statement, Names::Trino).unwrap();
            assert_eq!(statement.to_string().replace('\u{2063}', "~"), expected);
        }
    }

    #[test]
    fn a_table_of_an_inner_with_hides_an_outer_one() {
        let sql = "WITH q AS (SELECT a FROM t) SELECT q.a FROM q \
                   WHERE EXISTS (WITH q AS (SELECT b FROM q) SELECT b FROM q AS p)";
        let expected = "WITH \"q~:2\" AS (SELECT a FROM t) SELECT q.a FROM \"q~:2\" AS q \
                   WHERE EXISTS (WITH \"q~:1\" AS (SELECT b FROM \"q~:2\" AS q) SELECT b FROM \"q~:1\" AS p)";
        assert_eq!(named(sql), expected);
        let twice = "WITH q AS (SELECT 1 AS a), q AS (SELECT 2 AS a) SELECT a FROM q";
        assert_eq!(named(twice), twice);
    }
}
