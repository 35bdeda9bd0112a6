//! Aggregate functions in subqueries that have columns of the outermost query: they belong to that
//! query, whose groups become a table.
//!
//! ```text
//! SELECT t.a, (SELECT max(x) FROM u WHERE u.k = sum(t.b)) FROM t GROUP BY t.a
//!     SELECT g.k AS a, (SELECT max(x) FROM u WHERE u.k = g.s) AS max
//!     FROM (SELECT t.a AS k, sum(t.b) AS s FROM t GROUP BY t.a) AS g
//! ```
//!
//! A function belongs to the query if the columns that it reads are named with the query's tables. A
//! query stays as it is if it groups by anything but columns, or has a column that may not be one of
//! them: the engine then refuses the function.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Function, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem,
    SetExpr, Statement, TableFactor, TableWithJoins, VisitorMut,
};
use lakegate_error::Error;
use lakegate_sql::walk::{walk_expressions, walk_mut};

use super::conditions::{name, names};
use super::{build, folded, last_part};
use crate::postgres::output_names::{UNNAMED, item_name};
use crate::postgres::pg_catalog::overloads::FunctionKinds;

/// The table of groups.
const GROUPS: &str = "__groups";

/// Syntax of PostgreSQL that is parsed as calls.
const SYNTAX: [&str; 4] = ["coalesce", "greatest", "least", "nullif"];

/// Rewrites such a query.
///
/// # Errors
///
/// The query of the groups cannot be built, which is a defect.
pub(super) fn rewrite(statement: &mut Statement) -> Result<(), Error> {
    if let Statement::Query(query) = statement
        && let Some(of_groups) = of_groups(query)?
    {
        **query = of_groups;
    }
    Ok(())
}

/// Returns the query over a table of its groups; `None` if no function in a subquery needs it, or it
/// stays as it is.
fn of_groups(query: &Query) -> Result<Option<Query>, Error> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Ok(None);
    };
    if !has_subquery(query, select) || !is_plain(select) {
        return Ok(None);
    }
    let Some(keys) = keys_of(select) else {
        return Ok(None);
    };
    let mut groups = Groups {
        tables: names(&select.from),
        keys,
        calls: Vec::new(),
        scopes: Vec::new(),
        is_needed: false,
    };
    let items = select.projection.iter().map(|item| groups.item(item));
    let Some(items) = items.collect::<Option<Vec<SelectItem>>>() else {
        return Ok(None);
    };
    let mut of_groups = query.clone();
    let mut having = select.having.clone();
    let mut is_known = match &mut having {
        Some(condition) => walk_mut(condition, &mut groups).is_continue(),
        None => true,
    };
    if let Some(OrderBy {
        kind: OrderByKind::Expressions(keys),
        ..
    }) = &mut of_groups.order_by
    {
        let own = keys.iter_mut().filter(|key| !is_output(&key.expr, &items));
        for key in own {
            is_known &= walk_mut(&mut key.expr, &mut groups).is_continue();
        }
    }
    if !is_known || !groups.is_needed {
        return Ok(None);
    }
    let from = groups.table(select)?;
    if let SetExpr::Select(outer) = of_groups.body.as_mut() {
        outer.projection = items;
        outer.from = from;
        outer.selection = having;
        outer.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        outer.having = None;
    }
    Ok(Some(of_groups))
}

/// Returns whether an expression over the groups has a subquery.
fn has_subquery(query: &Query, select: &Select) -> bool {
    let is_subquery = |expr: &Expr| match expr {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let in_order = match query.order_by.as_ref().map(|order_by| &order_by.kind) {
        Some(OrderByKind::Expressions(keys)) => {
            let mut keys = keys.iter();
            keys.any(|key| walk_expressions(&key.expr, is_subquery).is_break())
        }
        _ => false,
    };
    in_order
        || walk_expressions(&select.projection, is_subquery).is_break()
        || walk_expressions(&select.having, is_subquery).is_break()
}

/// Returns whether a SELECT has no clauses but those that are rewritten here.
fn is_plain(select: &Select) -> bool {
    matches!(select.distinct, None | Some(Distinct::Distinct))
        && select.into.is_none()
        && select.qualify.is_none()
        && select.named_window.is_empty()
}

/// Returns whether a key of ORDER BY is the name of a column of the result.
fn is_output(key: &Expr, items: &[SelectItem]) -> bool {
    let Expr::Identifier(key) = key else {
        return false;
    };
    let key = folded(key);
    let mut items = items.iter();
    items.any(|item| item_name(item).is_some_and(|name| name == key))
}

/// A column in GROUP BY.
struct Key {
    /// The name of its table, if that is known.
    table: Option<String>,
    column: String,
    expr: Expr,
}

/// Returns the keys of the groups; `None` if one is not a column.
fn keys_of(select: &Select) -> Option<Vec<Key>> {
    let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else {
        return None;
    };
    if !modifiers.is_empty() {
        return None;
    }
    let only_table = match select.from.as_slice() {
        [only] if only.joins.is_empty() => name(&only.relation),
        _ => None,
    };
    let keys = keys.iter().map(|expr| {
        let (table, column) = match expr {
            Expr::Identifier(column) if !is_other_output(column, &select.projection) => {
                (only_table.clone(), column)
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => (Some(folded(table)), column),
                _ => return None,
            },
            _ => return None,
        };
        Some(Key {
            table,
            column: folded(column),
            expr: expr.clone(),
        })
    });
    keys.collect()
}

/// Returns whether a name may be that of a computed column of the result.
fn is_other_output(column: &Ident, items: &[SelectItem]) -> bool {
    items.iter().any(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => {
            let is_column = matches!(expr, Expr::Identifier(own) if folded(own) == folded(column));
            folded(alias) == folded(column) && !is_column
        }
        _ => false,
    })
}

/// The groups of a query, and the visitor that makes its expressions those of a query over them. It
/// breaks at a column that may not be one of the groups.
struct Groups {
    /// The names of the query's tables.
    tables: BTreeSet<String>,
    keys: Vec<Key>,
    /// The aggregate functions.
    calls: Vec<Expr>,
    /// The names of the tables of the subqueries that the visitor is in.
    scopes: Vec<BTreeSet<String>>,
    /// Whether a subquery has one of the functions.
    is_needed: bool,
}

/// The query that an aggregate function belongs to.
enum Owner {
    Groups,
    Other,
    /// It has a subquery or another aggregate function.
    Unknown,
}

impl Groups {
    /// Returns an item over the groups, with the name that it has; `None` if it is not known.
    fn item(&mut self, item: &SelectItem) -> Option<SelectItem> {
        let name = item_name(item).filter(|name| name != UNNAMED);
        let mut item = item.clone();
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &mut item
        else {
            return None;
        };
        if walk_mut(expr, self).is_break() {
            return None;
        }
        Some(match (item, name) {
            (SelectItem::UnnamedExpr(expr), Some(name)) => {
                build::aliased(expr, Ident::with_quote('"', name))
            }
            (item, _) => item,
        })
    }

    /// Returns the FROM of the groups.
    fn table(&self, select: &Select) -> Result<Vec<TableWithJoins>, Error> {
        let keys = self.keys.iter().enumerate();
        let keys = keys.map(|(place, key)| (key.expr.clone(), key_name(place)));
        let calls = self.calls.iter().enumerate();
        let calls = calls.map(|(place, call)| (call.clone(), call_name(place)));
        let items = keys
            .chain(calls)
            .map(|(expr, name)| build::aliased(expr, Ident::with_quote('"', name)));
        let mut rows = select.clone();
        rows.projection = items.collect();
        rows.distinct = None;
        rows.having = None;

        let mut shell = build::query(&format!("SELECT 1 FROM (SELECT 1) AS \"{GROUPS}\""))?;
        let SetExpr::Select(shell) = shell.body.as_mut() else {
            return Err(Error::internal("the query of groups is no SELECT"));
        };
        let mut from = std::mem::take(&mut shell.from);
        match from.first_mut().map(|table| &mut table.relation) {
            Some(TableFactor::Derived { subquery, .. }) => {
                *subquery.body = SetExpr::Select(Box::new(rows));
                Ok(from)
            }
            _ => Err(Error::internal("the table of groups is no query")),
        }
    }

    /// Returns whether a name before a column is that of a table of the query.
    fn is_own(&self, table: &Ident) -> bool {
        let table = folded(table);
        let mut scopes = self.scopes.iter();
        self.tables.contains(&table) && !scopes.any(|scope| scope.contains(&table))
    }

    /// Returns the column of the groups for a key; `None` if no key, or more than one, may be it.
    fn key(&self, table: Option<&Ident>, column: &Ident) -> Option<Expr> {
        let (table, column) = (table.map(folded), folded(column));
        let mut found = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, key)| key.column == column && (table.is_none() || table == key.table));
        match (found.next(), found.next()) {
            (Some((place, _)), None) => Some(build::column(GROUPS, &key_name(place))),
            _ => None,
        }
    }

    fn owner(&self, call: &Expr) -> Owner {
        let (mut of_groups, mut of_others, mut calls) = (false, false, 0);
        let walked = walk_expressions(call, |part| {
            match part {
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                    return ControlFlow::Break(());
                }
                Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                    [table, _] if self.is_own(table) => of_groups = true,
                    _ => of_others = true,
                },
                Expr::Identifier(_) => of_others = true,
                part if is_aggregate(part) => calls += 1,
                _ => {}
            }
            match calls > 1 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        match (walked, of_groups && !of_others) {
            (ControlFlow::Break(()), _) => Owner::Unknown,
            (ControlFlow::Continue(()), true) => Owner::Groups,
            (ControlFlow::Continue(()), false) => Owner::Other,
        }
    }

    /// Puts a column of the groups in the place of an aggregate function that belongs to them.
    fn call(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_inside = !self.scopes.is_empty();
        match (self.owner(expr), is_inside) {
            (Owner::Unknown, false) => return ControlFlow::Break(()),
            (Owner::Unknown | Owner::Other, true) => return ControlFlow::Continue(()),
            (Owner::Groups, true) => self.is_needed = true,
            (Owner::Groups | Owner::Other, false) => {}
        }
        let place = match self.calls.iter().position(|call| *call == *expr) {
            Some(place) => place,
            None => {
                self.calls.push(expr.clone());
                self.calls.len() - 1
            }
        };
        *expr = build::column(GROUPS, &call_name(place));
        ControlFlow::Continue(())
    }

    fn enter(&mut self, select: Option<&Select>) {
        let tables = select.map(|select| names(&select.from));
        self.scopes.push(tables.unwrap_or_default());
    }
}

impl VisitorMut for Groups {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        match query.body.as_ref() {
            SetExpr::Select(select) => self.enter(Some(select)),
            _ => self.enter(None),
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.enter(Some(select));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if is_aggregate(expr) {
            return self.call(expr);
        }
        let is_inside = !self.scopes.is_empty();
        let key = match &*expr {
            Expr::Identifier(column) => match (self.key(None, column), is_inside) {
                (None, true) => return ControlFlow::Continue(()),
                // In a subquery it may be a column of the subquery's tables.
                (Some(_), true) => None,
                (key, false) => key,
            },
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if self.is_own(table) => self.key(Some(table), column),
                parts if is_inside && !parts.iter().any(|part| self.is_own(part)) => {
                    return ControlFlow::Continue(());
                }
                _ => None,
            },
            // It may be an aggregate function of the engine.
            Expr::Function(call) if !is_inside && !is_known(call) => None,
            _ => return ControlFlow::Continue(()),
        };
        match key {
            Some(key) => {
                *expr = key;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    }
}

fn key_name(place: usize) -> String {
    format!("__key_{place}")
}

fn call_name(place: usize) -> String {
    format!("__aggregate_{place}")
}

/// Returns whether an expression is a call of an aggregate function, which is no window.
fn is_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Function(call) => call.over.is_none() && kinds(call).is_aggregate(),
        _ => false,
    }
}

/// Returns whether a call that is none of an aggregate function of PostgreSQL's is none at all.
fn is_known(call: &Function) -> bool {
    let is_syntax = last_part(&call.name).is_some_and(|name| SYNTAX.contains(&name.as_str()));
    is_syntax || call.over.is_some() || kinds(call).is_scalar()
}

fn kinds(call: &Function) -> FunctionKinds {
    let name = last_part(&call.name);
    name.map(|name| FunctionKinds::of(&name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::with_statement;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_statement(sql, |statement| rewrite(statement).unwrap())
    }

    #[test]
    fn groups_become_a_table_for_aggregates_in_subqueries() {
        for (sql, expected) in [
            (
                "SELECT t.a, (SELECT max(x) FROM u WHERE u.k = sum(t.b)) FROM t GROUP BY t.a",
                "SELECT \"__groups\".\"__key_0\" AS \"a\", (SELECT max(x) FROM u WHERE u.k = \"__groups\".\"__aggregate_0\") AS \"max\" \
                 FROM (SELECT t.a AS \"__key_0\", sum(t.b) AS \"__aggregate_0\" FROM t GROUP BY t.a) AS \"__groups\"",
            ),
            (
                "SELECT a AS x FROM t WHERE b > 1 GROUP BY a HAVING EXISTS (SELECT 1 FROM u WHERE u.k < sum(t.b)) AND count(*) > 1 ORDER BY x, count(*)",
                "SELECT \"__groups\".\"__key_0\" AS x \
                 FROM (SELECT a AS \"__key_0\", sum(t.b) AS \"__aggregate_0\", count(*) AS \"__aggregate_1\" FROM t WHERE b > 1 GROUP BY a) AS \"__groups\" \
                 WHERE EXISTS (SELECT 1 FROM u WHERE u.k < \"__groups\".\"__aggregate_0\") AND \"__groups\".\"__aggregate_1\" > 1 \
                 ORDER BY x, \"__groups\".\"__aggregate_1\"",
            ),
            (
                "SELECT (SELECT count(*) FROM u WHERE u.k = max(t.a)) FROM t",
                "SELECT (SELECT count(*) FROM u WHERE u.k = \"__groups\".\"__aggregate_0\") AS \"count\" \
                 FROM (SELECT max(t.a) AS \"__aggregate_0\" FROM t) AS \"__groups\"",
            ),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
    }

    #[test]
    fn other_queries_stay_as_they_are() {
        for sql in [
            "SELECT t.a, sum(t.b) FROM t GROUP BY t.a",
            "SELECT t.a, (SELECT max(u.x) FROM u WHERE u.k = t.a) FROM t GROUP BY t.a",
            // A table of the same name is nearer.
            "SELECT t.a, (SELECT sum(t.b) FROM u AS t) FROM t GROUP BY t.a",
            // Columns of both queries, and without a table.
            "SELECT t.a, (SELECT sum(t.b + u.x) FROM u) FROM t GROUP BY t.a",
            "SELECT t.a, (SELECT sum(b) FROM u) FROM t GROUP BY t.a",
            // It may be a key or a column of the subquery.
            "SELECT t.a, (SELECT sum(t.b) FROM u WHERE a = 1) FROM t GROUP BY t.a",
            // No key is this column.
            "SELECT t.c, (SELECT sum(t.b) FROM u) FROM t GROUP BY t.a",
            "SELECT (SELECT sum(t.b) FROM u) FROM t GROUP BY ROLLUP (t.a)",
            "SELECT approx_distinct(t.a), (SELECT sum(t.b) FROM u) FROM t GROUP BY t.a",
        ] {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
