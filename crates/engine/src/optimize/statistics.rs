//! Keeps statistics from answering aggregates that they cannot: `count(DISTINCT x)`, and aggregates
//! with FILTER.
//!
//! DataFusion reports exactly one distinct value for a constant column, even if there are no rows
//! or the constant is NULL, and then answers `count(DISTINCT x)` with 1
//! (`datafusion-physical-expr`, `projection.rs`, 55.2). Delete this when it reports 0 in these
//! cases.
//!
//! For an aggregate with FILTER it looks for the partial half below that half itself, finds another
//! aggregate, and uses the statistics of that one for both (`aggregate_statistics.rs`,
//! `take_optimizable`, 55.2):
//!
//! ```text
//! SELECT sum(n) FILTER (WHERE n > 5) FROM (SELECT count(*) AS n FROM t) s      becomes count(*)
//! ```
//!
//! Delete this when it looks at that half only.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::rules::Operator;

/// Leaves plans with such aggregates unchanged. File statistics have no number of distinct values,
/// so no optimization is lost.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    if has_others(&plan)? {
        return Ok(plan);
    }
    rule.optimize(plan, config)
}

fn has_others(plan: &Operator) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found = node
            .downcast_ref::<AggregateExec>()
            .is_some_and(|aggregate| {
                let mut filters = aggregate.filter_expr().iter();
                let mut calls = aggregate.aggr_expr().iter();
                filters.any(Option::is_some) || calls.any(|call| call.is_distinct())
            });
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}
