//! No filter is pushed below an aggregate that gives a row without any input.
//!
//! ```text
//! Filter: NULL                                 Aggregate: count(*)            one row, 0
//!   Aggregate: count(*)          became          Filter: NULL
//!     TableScan                                    TableScan
//! ```
//!
//! The engine pushes what names group keys alone, and a filter without columns names none: one that is left of a HAVING with an
//! uncorrelated subquery, or of an outer join's ON. Its physical rule has the guard, the logical one has not
//! (`datafusion-optimizer`, `push_down_filter.rs`, 55.2). Delete this when it has.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::equalities::with_constants_last;

/// Leaves such filters where they are.
///
/// # Errors
/// Those of the rule.
pub fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if filters_an_aggregate_of_nothing(&plan) {
        return Ok(Transformed::no(plan));
    }
    rule.rewrite(with_constants_last(plan)?, config)
}

/// Filters, one or several, right above such an aggregate; the engine would merge several, and push the result.
fn filters_an_aggregate_of_nothing(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else {
        return false;
    };
    match filter.input.as_ref() {
        LogicalPlan::Aggregate(aggregate) => gives_a_row_for_nothing(aggregate),
        input => filters_an_aggregate_of_nothing(input),
    }
}

/// Without keys, or with grouping sets, of which one may be empty.
fn gives_a_row_for_nothing(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.is_empty()
        || aggregate
            .group_expr
            .iter()
            .any(|expr| matches!(expr, Expr::GroupingSet(_)))
}
