//! What computes a column of a plan.
//!
//! ```text
//! Projection: a + 1 AS x       x is `a + 1` of the columns below
//!   Union                      a is the first column of both inputs
//!     …
//! ```

use datafusion::common::JoinType;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

use crate::barrier;

/// Where a column comes from.
#[derive(Debug)]
pub(crate) enum Origin<'a> {
    /// An expression over the columns of a plan.
    Expression(&'a Expr, &'a LogicalPlan),
    /// Columns of other plans, each by its place.
    Columns(Vec<(&'a LogicalPlan, usize)>),
}

/// Returns where the column at a place of a plan comes from; `None` for columns of tables, and those
/// that are not known.
pub(crate) fn origin(plan: &LogicalPlan, place: usize) -> Option<Origin<'_>> {
    Some(match plan {
        LogicalPlan::Projection(projection) => {
            Origin::Expression(projection.expr.get(place)?, projection.input.as_ref())
        }
        LogicalPlan::Aggregate(aggregate) => {
            let width = aggregate.schema.fields().len();
            let functions = width.checked_sub(aggregate.aggr_expr.len())?;
            let column = match place.checked_sub(functions) {
                Some(function) => aggregate.aggr_expr.get(function)?,
                // The keys of grouping sets are not in this order.
                None if has_sets(&aggregate.group_expr) => return None,
                None => aggregate.group_expr.get(place)?,
            };
            Origin::Expression(column, aggregate.input.as_ref())
        }
        LogicalPlan::Window(window) => {
            let width = window.input.schema().fields().len();
            match place.checked_sub(width) {
                Some(function) => {
                    Origin::Expression(window.window_expr.get(function)?, window.input.as_ref())
                }
                None => Origin::Columns(vec![(window.input.as_ref(), place)]),
            }
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            Origin::Expression(on.select_expr.get(place)?, on.input.as_ref())
        }
        LogicalPlan::Union(union) => {
            let inputs = union.inputs.iter();
            Origin::Columns(inputs.map(|input| (input.as_ref(), place)).collect())
        }
        LogicalPlan::Join(join) => {
            use JoinType::{RightAnti, RightMark, RightSemi};
            let of_left = match join.join_type {
                RightSemi | RightAnti | RightMark => 0,
                _ => join.left.schema().fields().len(),
            };
            Origin::Columns(vec![match place.checked_sub(of_left) {
                None => (join.left.as_ref(), place),
                Some(place) => (join.right.as_ref(), place),
            }])
        }
        // The first part decides the type in PostgreSQL.
        LogicalPlan::RecursiveQuery(query) => {
            Origin::Columns(vec![(query.static_term.as_ref(), place)])
        }
        plan if has_columns_of_input(plan) => match plan.inputs().as_slice() {
            [input] if place < input.schema().fields().len() => {
                Origin::Columns(vec![(*input, place)])
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn has_sets(keys: &[Expr]) -> bool {
    keys.iter().any(|key| matches!(key, Expr::GroupingSet(_)))
}

fn has_columns_of_input(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Distinct(Distinct::All(_))
            | LogicalPlan::Filter(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::SubqueryAlias(_)
    ) || barrier::view_of(plan).is_some()
}
