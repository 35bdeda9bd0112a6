//! Aggregate functions of outer columns in a subquery without a FROM: they belong to the outer query.
//!
//! ```text
//! SELECT (SELECT sum(o.x)) FROM o             SELECT (sum(o.x)) AS sum FROM o
//! SELECT y, (SELECT max(x) + y AS z) FROM o GROUP BY y
//!     SELECT y, (max(x) + y) AS z FROM o GROUP BY y
//! ```
//!
//! Those of subqueries with a FROM are the next rule's ([`outer_groups`](super::outer_groups)). What it
//! leaves in a WHERE is refused here, because the engine's error would be about the subquery's own
//! functions.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Statement, Visitor,
    VisitorMut,
};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::{walk, walk_expressions, walk_mut, walk_own_expressions};

use super::conditions::names;
use super::{build, last_part, misplaced};
use crate::postgres::output_names::{UNNAMED, item_name};

/// The aggregate functions of PostgreSQL.
const AGGREGATES: [&str; 30] = [
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "every",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "stddev",
    "stddev_pop",
    "string_agg",
    "sum",
    "var_pop",
    "variance",
];

/// Puts the items of such subqueries in their place.
pub(super) fn rewrite(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Subqueries);
}

/// Refuses aggregate functions of outer columns in the WHERE of a subquery.
///
/// # Errors
///
/// There is one.
pub(super) fn check(statement: &Statement) -> Result<(), Error> {
    match walk(statement, &mut Conditions { outer: Vec::new() }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Conditions {
    /// The names of the tables of the SELECTs around the visitor.
    outer: Vec<BTreeSet<String>>,
}

impl Visitor for Conditions {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        let own = names(&select.from);
        if let Some(condition) = &select.selection {
            let is_outer = |table: Option<String>| {
                table.is_some_and(|table| {
                    let mut outer = self.outer.iter();
                    !own.contains(&table) && outer.any(|tables| tables.contains(&table))
                })
            };
            walk_own_expressions(condition, |part| match part {
                Expr::Function(call) if misplaced::is_aggregate(call) => {
                    let mut tables = misplaced::columns_of(call).peekable();
                    if tables.peek().is_none() || !tables.all(is_outer) {
                        return ControlFlow::Continue(());
                    }
                    let message = "an aggregate function over outer columns alone is not supported in the WHERE of this \
                                   subquery: it is one of the outer query";
                    let message = message.to_owned();
                    ControlFlow::Break(misplaced::named(Code::NotSupported, message, &call.name))
                }
                _ => ControlFlow::Continue(()),
            })?;
        }
        self.outer.push(own);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<Error> {
        self.outer.pop();
        ControlFlow::Continue(())
    }
}

struct Subqueries;

impl VisitorMut for Subqueries {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(Expr::Subquery(query)) = item
                && let Some(inner) = only_item(query)
                && let Some(expr) = of_outer_query(inner)
            {
                // The column has the name of the subquery's.
                let name = item_name(inner).filter(|name| name != UNNAMED);
                let expr = build::nested(expr.clone());
                *item = match name {
                    Some(name) => build::aliased(expr, Ident::with_quote('"', name)),
                    None => SelectItem::UnnamedExpr(expr),
                };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Subquery(query) = expr
            && let Some(inner) = only_item(query).and_then(of_outer_query)
        {
            *expr = build::nested(inner.clone());
        }
        ControlFlow::Continue(())
    }
}

/// Returns the item of a query that is nothing but one item.
fn only_item(query: &Query) -> Option<&SelectItem> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let is_bare = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none();
    let is_plain = select.from.is_empty()
        && select.distinct.is_none()
        && select.selection.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.named_window.is_empty()
        && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    match select.projection.as_slice() {
        [item] if is_bare && is_plain => Some(item),
        _ => None,
    }
}

/// Returns the expression of an item whose aggregate functions, of which there is one at least, are
/// all of columns.
fn of_outer_query(item: &SelectItem) -> Option<&Expr> {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
        return None;
    };
    let mut found = false;
    let walked = walk_expressions(expr, |part| match part {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        Expr::Function(call) if call.over.is_some() => ControlFlow::Break(()),
        Expr::Function(call) if is_aggregate(call) => match reads_columns(part) {
            true => {
                found = true;
                ControlFlow::Continue(())
            }
            false => ControlFlow::Break(()),
        },
        _ => ControlFlow::Continue(()),
    });
    (found && walked.is_continue()).then_some(expr)
}

fn is_aggregate(call: &Function) -> bool {
    last_part(&call.name).is_some_and(|name| AGGREGATES.contains(&name.as_str()))
}

fn reads_columns(expr: &Expr) -> bool {
    let walked = walk_expressions(expr, |part| match part {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    walked.is_break()
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_statement;
    use super::*;

    #[test]
    fn aggregates_of_outer_columns_in_where_are_refused() {
        let is_refused = |sql: &str| {
            let mut refused = false;
            with_statement(sql, |statement| refused = check(statement).is_err());
            refused
        };
        assert!(is_refused(
            "SELECT (SELECT 1 FROM u WHERE u.k = sum(o.x)) FROM o GROUP BY o.y + 1"
        ));
        for sql in [
            "SELECT (SELECT 1 FROM u WHERE u.k = sum(u.x)) FROM o",
            "SELECT (SELECT 1 FROM u WHERE u.k = count(*)) FROM o",
            "SELECT (SELECT 1 FROM u WHERE u.k = sum(z.x)) FROM o",
            "SELECT (SELECT 1 FROM u WHERE u.k = (SELECT sum(u.x) FROM v)) FROM o",
        ] {
            assert!(!is_refused(sql), "{sql}");
        }
    }

    fn rewritten(sql: &str) -> String {
        with_statement(sql, rewrite)
    }

    #[test]
    fn aggregates_of_outer_columns_move_out_of_subqueries() {
        for (sql, expected) in [
            (
                "SELECT (SELECT sum(o.x)) FROM o",
                "SELECT (sum(o.x)) AS \"sum\" FROM o",
            ),
            (
                "SELECT y, (SELECT Max(x) + y AS z) FROM o GROUP BY y",
                "SELECT y, (Max(x) + y) AS \"z\" FROM o GROUP BY y",
            ),
            (
                "SELECT y FROM o GROUP BY y HAVING (SELECT count(x)) > 1",
                "SELECT y FROM o GROUP BY y HAVING (count(x)) > 1",
            ),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for sql in [
            "SELECT (SELECT count(*)) FROM o",
            "SELECT (SELECT sum(o.x) + count(*)) FROM o",
            "SELECT (SELECT sum(1)) FROM o",
            "SELECT (SELECT o.x) FROM o",
            "SELECT (SELECT sum(o.x) FROM i) FROM o",
            "SELECT (SELECT sum(o.x) OVER ()) FROM o",
            "SELECT (SELECT sum(o.x) WHERE true) FROM o",
        ] {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
