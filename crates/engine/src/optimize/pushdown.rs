//! Keeps filters above an aggregate that returns a row for empty input.
//!
//! ```text
//! Filter: NULL                                 Aggregate: count(*)            one row, 0
//!   Aggregate: count(*)          becomes         Filter: NULL
//!     TableScan                                    TableScan
//! ```
//!
//! DataFusion pushes filters that name group keys only, and a filter without columns names no
//! others. A HAVING with an uncorrelated subquery leaves such a filter, and so does the ON of an
//! outer join. The physical rule guards against it, the logical one does not
//! (`datafusion-optimizer`, `push_down_filter.rs`, 55.2). Delete this when it does.
//!
//! Keeps filters above the barrier of a view too: the rule of barriers moves those that may go
//! below. None goes below rows that are computed once.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::equalities::with_constants_last;
use super::written_order::with_failures_in_place;
use crate::barrier::filters_a_barrier;
use crate::shared::filters_once;

/// Leaves such filters in place.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if filters_an_aggregate_of_nothing(&plan) || filters_a_barrier(&plan) || filters_once(&plan) {
        return Ok(Transformed::no(plan));
    }
    let plan = with_failures_in_place(with_constants_last(plan)?)?;
    rule.rewrite(plan, config)
}

/// Returns whether the plan is one or several filters right above such an aggregate. DataFusion
/// would merge several and push the result.
fn filters_an_aggregate_of_nothing(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else {
        return false;
    };
    match filter.input.as_ref() {
        LogicalPlan::Aggregate(aggregate) => gives_a_row_for_nothing(aggregate),
        input => filters_an_aggregate_of_nothing(input),
    }
}

/// Returns whether an aggregate has no keys, or has grouping sets, one of which may be empty.
fn gives_a_row_for_nothing(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.is_empty()
        || aggregate
            .group_expr
            .iter()
            .any(|expr| matches!(expr, Expr::GroupingSet(_)))
}
