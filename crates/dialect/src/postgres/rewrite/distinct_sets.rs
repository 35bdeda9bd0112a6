//! `DISTINCT ON` beside set-returning functions and subqueries, and ORDER BY beside set-returning
//! functions by what the list does not have: the engine plans these in a list without it only.
//!
//! ```text
//! SELECT DISTINCT ON (x) x, unnest(a) FROM t ORDER BY x, 2
//!     SELECT DISTINCT ON ("__sets"."c1") "__sets"."c1" AS x, "__sets"."c2" AS unnest
//!     FROM (SELECT x, unnest(a) FROM t) AS "__sets" ("c1", "c2")
//!     ORDER BY "__sets"."c1", "__sets"."c2"
//! SELECT DISTINCT ON (x) (SELECT …) AS n, t.* FROM t
//!     SELECT DISTINCT ON (x) "__sets"."c1" AS n, t.*
//!     FROM t CROSS JOIN LATERAL (SELECT (SELECT …) AS "c1") AS "__sets"
//! SELECT unnest(a) FROM t ORDER BY x
//!     SELECT unnest("__sets"."c1") AS unnest FROM (SELECT a FROM t ORDER BY x) AS "__sets" ("c1")
//! ```
//!
//! `later.rs` has lists whose functions are called after ORDER BY.

mod later;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Function, FunctionArguments, GroupByExpr, Ident, Join, JoinConstraint,
    JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    VisitorMut,
};
use lakegate_error::Error;
use lakegate_sql::walk::{walk_mut, walk_own_expressions};

use super::{build, folded, last_part};
use crate::postgres::output_names::item_name;

/// The functions, as they are named before their calls are rewritten.
const SETS: &[&str] = &[
    "_pg_expandarray",
    "aclexplode",
    "generate_series",
    "generate_subscripts",
    "pg_snapshot_xip",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "txid_snapshot_xip",
    "unnest",
];

/// Endings of the names of such functions of JSON, behind `json` and `jsonb`.
const SETS_OF_JSON: [&str; 5] = [
    "_array_elements",
    "_array_elements_text",
    "_each",
    "_each_text",
    "_object_keys",
];

/// Returns whether PostgreSQL's function of a name, in lower case, returns a set.
pub(super) fn is_set(name: &str) -> bool {
    let of_json = name
        .strip_prefix("json")
        .map(|rest| rest.strip_prefix('b').unwrap_or(rest));
    SETS.contains(&name) || of_json.is_some_and(|ending| SETS_OF_JSON.contains(&ending))
}

/// The name of the subquery with the list.
const ALIAS: &str = "__sets";

/// Puts the lists of such queries into subqueries.
///
/// # Errors
///
/// A subquery cannot be built.
pub(super) fn rewrite(statement: &mut Statement) -> Result<(), Error> {
    struct Queries;
    impl VisitorMut for Queries {
        type Break = Error;

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
            match rewrite_query(query) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        }
    }
    match walk_mut(statement, &mut Queries) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// A column of the list, with its name.
struct Item {
    expr: Expr,
    name: String,
}

/// The columns of the list, and behind them what the query is distinct and sorted by besides.
struct Columns {
    items: Vec<Item>,
    keys: Vec<Expr>,
}

impl Columns {
    fn name(place: usize) -> String {
        format!("c{}", place + 1)
    }

    /// Returns the column that a key is: by its number, its name, or its expression.
    fn column(&mut self, key: &Expr) -> Expr {
        let place = place_of(key, &self.items);
        let place = place.unwrap_or_else(|| {
            let known = self.keys.iter().position(|known| known == key);
            let place = known.unwrap_or_else(|| {
                self.keys.push(key.clone());
                self.keys.len() - 1
            });
            self.items.len() + place
        });
        Self::shown(place)
    }

    /// Returns a column of the subquery. Without the subquery's name, a key would be the column of the
    /// list that has this name.
    fn shown(place: usize) -> Expr {
        build::column(ALIAS, &Self::name(place))
    }
}

/// Returns the place of the item that a key is: by its number, its name, or its expression.
fn place_of(key: &Expr, items: &[Item]) -> Option<usize> {
    let of_number = match key {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    let numbered = of_number
        .and_then(|number| number.checked_sub(1))
        .filter(|place| *place < items.len());
    let is_named = |item: &Item| matches!(key, Expr::Identifier(name) if folded(name) == item.name);
    numbered
        .or_else(|| items.iter().position(is_named))
        .or_else(|| items.iter().position(|item| item.expr == *key))
}

/// Returns whether PostgreSQL calls the set-returning functions of a list after DISTINCT and ORDER BY:
/// it does if none of them is a key.
fn are_later<'a>(items: &[Item], mut keys: impl Iterator<Item = &'a Expr>) -> bool {
    let is_set = |key: &Expr| {
        let item = place_of(key, items).and_then(|place| items.get(place));
        calls_set(item.map_or(key, |item| &item.expr))
    };
    let has_sets = items.iter().any(|item| calls_set(&item.expr));
    has_sets && !keys.any(is_set)
}

fn rewrite_query(query: &mut Query) -> Result<(), Error> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Ok(());
    };
    check_ties(select)?;
    let on = match &select.distinct {
        Some(Distinct::On(on)) => on,
        Some(_) => return Ok(()),
        None => return sort(query),
    };
    let in_list = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => has_one(expr),
        _ => false,
    };
    let sorts = query.order_by.as_ref().map(|order| &order.kind);
    let in_keys = match sorts {
        Some(OrderByKind::Expressions(keys)) => keys.iter().any(|key| has_one(&key.expr)),
        _ => false,
    };
    if !on.iter().any(has_one) && !select.projection.iter().any(in_list) && !in_keys {
        return Ok(());
    }
    let Some(items) = items_of(select) else {
        return match on.iter().any(has_one) || in_keys {
            true => Ok(()),
            false => beside_a_star(select),
        };
    };
    if let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind) {
        let keys = keys.iter().map(|key| &key.expr).chain(on);
        if are_later(&items, keys) {
            return later::rewrite(query, &items);
        }
    }
    let on = on.clone();
    enclose(query, items, Some(&on))
}

/// Rejects a list of set-returning functions whose rows the engine would choose before it calls these.
///
/// # Errors
///
/// The rows are chosen by QUALIFY, which WITH TIES is written as.
fn check_ties(select: &Select) -> Result<(), Error> {
    let has_sets = || select.projection.iter().any(item_calls_set);
    match select.qualify.is_some() && has_sets() {
        true => Err(Error::not_supported(
            "a set-returning function in the list of a query with WITH TIES or QUALIFY is not supported",
        )
        .with_hint("call it in a subquery")),
        false => Ok(()),
    }
}

fn item_calls_set(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => calls_set(expr),
        _ => false,
    }
}

/// Returns the columns of a list, if none is a `*`.
fn items_of(select: &Select) -> Option<Vec<Item>> {
    let items = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(Item {
            expr: expr.clone(),
            name: item_name(item)?,
        }),
        _ => None,
    });
    items.collect()
}

/// Rewrites a query without DISTINCT that calls set-returning functions and is sorted by something
/// that is not in its list.
///
/// # Errors
///
/// A subquery cannot be built.
fn sort(query: &mut Query) -> Result<(), Error> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Ok(());
    };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind)
    else {
        return Ok(());
    };
    if !select.projection.iter().any(item_calls_set) {
        return Ok(());
    }
    let Some(items) = items_of(select) else {
        return Ok(());
    };
    let places: Vec<Option<usize>> = keys.iter().map(|key| place_of(&key.expr, &items)).collect();
    if places.iter().all(Option::is_some) {
        return Ok(());
    }
    // A literal within the subquery would be the number of one of its columns.
    let is_literal = keys.iter().zip(&places).any(|(key, place)| {
        let item = place.and_then(|place| items.get(place));
        matches!(item.map_or(&key.expr, |item| &item.expr), Expr::Value(_))
    });
    let keys = keys.iter().map(|key| &key.expr);
    match is_literal || !are_later(&items, keys) || later::has_undivided(&items) {
        true => enclose(query, items, None),
        false => later::rewrite(query, &items),
    }
}

/// Evaluates the list, and what the query is sorted by besides, in a subquery. `on`: what it is
/// distinct in.
///
/// # Errors
///
/// A subquery cannot be built.
fn enclose(query: &mut Query, items: Vec<Item>, on: Option<&[Expr]>) -> Result<(), Error> {
    let mut columns = Columns {
        items,
        keys: Vec::new(),
    };
    let on: Option<Vec<Expr>> = on.map(|keys| keys.iter().map(|key| columns.column(key)).collect());
    if let Some(order) = &mut query.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        for key in keys {
            key.expr = columns.column(&key.expr);
        }
    }
    let shown = columns.items.iter().enumerate().map(|(place, item)| {
        let name = Ident::with_quote('"', item.name.clone());
        build::aliased(Columns::shown(place), name)
    });
    let shown: Vec<SelectItem> = shown.collect();
    let exprs = columns.items.into_iter().map(|item| item.expr);
    let exprs: Vec<Expr> = exprs.chain(columns.keys).collect();
    let names: Vec<String> = (0..exprs.len()).map(Columns::name).collect();
    let mut inner = build::select(vec![])?;
    std::mem::swap(&mut inner.body, &mut query.body);
    if let SetExpr::Select(select) = inner.body.as_mut() {
        select.distinct = None;
        select.projection = exprs.into_iter().map(SelectItem::UnnamedExpr).collect();
    }
    let mut outer = build::select_from(inner, ALIAS, &names)?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        select.projection = shown;
        select.distinct = on.map(Distinct::On);
    }
    query.body = outer.body;
    Ok(())
}

/// Evaluates the items with subqueries for each row of FROM, beside `t.*`, whose columns are not known
/// here.
///
/// # Errors
///
/// A subquery cannot be built.
fn beside_a_star(select: &mut Select) -> Result<(), Error> {
    let is_grouped = select.having.is_some()
        || !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    // A bare `*` would have their columns, too.
    let is_known = |item: &SelectItem| match item {
        SelectItem::Wildcard(_) => false,
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            !calls_set(expr) && item_name(item).is_some()
        }
        _ => true,
    };
    let [table] = select.from.as_mut_slice() else {
        return Ok(());
    };
    if is_grouped || !select.projection.iter().all(is_known) {
        return Ok(());
    }
    let mut values = Vec::new();
    for item in &mut select.projection {
        let name = item_name(item);
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            continue;
        };
        if let Some(name) = name.filter(|_| has_one(expr)) {
            let column = Columns::name(values.len());
            let value = std::mem::replace(expr, build::column(ALIAS, &column));
            values.push(build::aliased(value, Ident::with_quote('"', column)));
            *item = build::aliased(build::taken(expr), Ident::with_quote('"', name));
        }
    }
    let mut row = build::select_from(build::select(values)?, ALIAS, &[])?;
    let relation = match row.body.as_mut() {
        SetExpr::Select(row) => row.from.pop().map(|table| table.relation),
        _ => None,
    };
    if let Some(mut relation) = relation {
        if let TableFactor::Derived { lateral, .. } = &mut relation {
            *lateral = true;
        }
        table.joins.push(Join {
            relation,
            global: false,
            join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
        });
    }
    Ok(())
}

/// Returns whether an expression calls a set-returning function.
fn calls_set(expr: &Expr) -> bool {
    let found = walk_own_expressions(expr, |part| match part {
        Expr::Function(function) if is_one_of_sets(function) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn is_one_of_sets(function: &Function) -> bool {
    last_part(&function.name).is_some_and(|name| SETS.contains(&name.as_str()))
}

/// Returns whether an expression calls a set-returning function, or has a subquery.
fn has_one(expr: &Expr) -> bool {
    let found = walk_own_expressions(expr, |part| match part {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        Expr::Function(function)
            if matches!(function.args, FunctionArguments::Subquery(_))
                || is_one_of_sets(function) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
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
    fn lists_with_sets_become_subqueries() {
        for (sql, expected) in [
            (
                "SELECT DISTINCT ON (x) x, unnest(a) FROM t WHERE b ORDER BY x, y, 2 DESC LIMIT 3",
                r#"SELECT DISTINCT ON ("__sets"."c1") "__sets"."c1" AS "x", "__sets"."c2" AS "unnest" FROM (SELECT x, unnest(a), y FROM t WHERE b) AS "__sets" ("c1", "c2", "c3") ORDER BY "__sets"."c1", "__sets"."c3", "__sets"."c2" DESC LIMIT 3"#,
            ),
            (
                "SELECT DISTINCT ON (unnest(a)) 1 AS n FROM t",
                r#"SELECT DISTINCT ON ("__sets"."c2") "__sets"."c1" AS "n" FROM (SELECT 1, unnest(a) FROM t) AS "__sets" ("c1", "c2")"#,
            ),
            (
                "SELECT DISTINCT ON (1) unnest(a) + 1 AS n FROM t ORDER BY n",
                r#"SELECT DISTINCT ON ("__sets"."c1") "__sets"."c1" AS "n" FROM (SELECT unnest(a) + 1 FROM t) AS "__sets" ("c1") ORDER BY "__sets"."c1""#,
            ),
            (
                "SELECT DISTINCT ON ((SELECT t.a)) x FROM t ORDER BY (SELECT t.a), x",
                r#"SELECT DISTINCT ON ("__sets"."c2") "__sets"."c1" AS "x" FROM (SELECT x, (SELECT t.a) FROM t) AS "__sets" ("c1", "c2") ORDER BY "__sets"."c2", "__sets"."c1""#,
            ),
            (
                "SELECT DISTINCT ON (a) a FROM t ORDER BY a, EXISTS (SELECT t.b)",
                r#"SELECT DISTINCT ON ("__sets"."c1") "__sets"."c1" AS "a" FROM (SELECT a, EXISTS (SELECT t.b) FROM t) AS "__sets" ("c1", "c2") ORDER BY "__sets"."c1", "__sets"."c2""#,
            ),
            // The names of the list come before the columns.
            (
                "SELECT DISTINCT ON (x) x AS y, y AS x, (SELECT 1) AS c1 FROM t ORDER BY x, c1, y DESC",
                r#"SELECT DISTINCT ON ("__sets"."c2") "__sets"."c1" AS "y", "__sets"."c2" AS "x", "__sets"."c3" AS "c1" FROM (SELECT x, y, (SELECT 1) FROM t) AS "__sets" ("c1", "c2", "c3") ORDER BY "__sets"."c2", "__sets"."c3", "__sets"."c1" DESC"#,
            ),
            (
                "SELECT DISTINCT ON (x) (SELECT t.b) AS n, t.* FROM t ORDER BY x",
                r#"SELECT DISTINCT ON (x) "__sets"."c1" AS "n", t.* FROM t CROSS JOIN LATERAL (SELECT (SELECT t.b) AS "c1") AS "__sets" ORDER BY x"#,
            ),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for (sql, expected) in [
            (
                "SELECT DISTINCT ON (x) x, y + unnest(a) AS u, 'k' FROM t ORDER BY 1, y LIMIT 3",
                r#"SELECT "__sets"."c1" AS "x", "__sets"."c2" + unnest("__sets"."c3") AS "u", 'k' AS "?column?" FROM (SELECT DISTINCT ON (x) x, y, a FROM t ORDER BY x, y) AS "__sets" ("c1", "c2", "c3") LIMIT 3"#,
            ),
            (
                "SELECT DISTINCT ON (n) generate_series(1, 2), x AS n FROM t ORDER BY n",
                r#"SELECT generate_series(1, 2) AS "generate_series", "__sets"."c1" AS "n" FROM (SELECT DISTINCT ON (x) x FROM t ORDER BY x) AS "__sets" ("c1")"#,
            ),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for (sql, expected) in [
            (
                "SELECT upper(unnest(a)) AS u FROM t ORDER BY t.x DESC LIMIT 3",
                r#"SELECT upper(unnest("__sets"."c1")) AS "u" FROM (SELECT a FROM t ORDER BY t.x DESC) AS "__sets" ("c1") LIMIT 3"#,
            ),
            (
                "SELECT k, regexp_matches(s, '(a)') FROM t ORDER BY k, x",
                r#"SELECT "__sets"."c1" AS "k", regexp_matches("__sets"."c2", '(a)') AS "regexp_matches" FROM (SELECT k, s FROM t ORDER BY k, x) AS "__sets" ("c1", "c2")"#,
            ),
            // The rows of the functions are sorted themselves.
            (
                "SELECT unnest(a) FROM t ORDER BY x, 1",
                r#"SELECT "__sets"."c1" AS "unnest" FROM (SELECT unnest(a), x FROM t) AS "__sets" ("c1", "c2") ORDER BY "__sets"."c2", "__sets"."c1""#,
            ),
            (
                "SELECT (regexp_matches(s, '(a)'))[1] AS m FROM t ORDER BY x",
                r#"SELECT "__sets"."c1" AS "m" FROM (SELECT (regexp_matches(s, '(a)'))[1], x FROM t) AS "__sets" ("c1", "c2") ORDER BY "__sets"."c2""#,
            ),
            (
                "SELECT 'k' AS k, unnest(a) FROM t ORDER BY k, x",
                r#"SELECT "__sets"."c1" AS "k", "__sets"."c2" AS "unnest" FROM (SELECT 'k', unnest(a), x FROM t) AS "__sets" ("c1", "c2", "c3") ORDER BY "__sets"."c1", "__sets"."c3""#,
            ),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in [
            "SELECT x, unnest(a) FROM t ORDER BY x, 2",
            "SELECT *, unnest(a) FROM t ORDER BY x",
            "SELECT x FROM t ORDER BY y",
            "SELECT DISTINCT ON (x) (SELECT t.b), * FROM t",
            "SELECT DISTINCT ON (x) x, y FROM t ORDER BY x",
            "SELECT DISTINCT unnest(a) FROM t",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
