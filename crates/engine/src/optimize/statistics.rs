//! Keeps statistics from answering aggregates that they cannot: `count(DISTINCT x)`, aggregates with
//! FILTER, and those of unions of which a part has no rows.
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
//!
//! It reports a constant column's value as its least and greatest one, even if there are no rows, and a
//! union reports the least and the greatest of all its parts (`projection.rs` and `union.rs`, 55.2):
//!
//! ```text
//! SELECT max(x) FROM (SELECT 100 AS x FROM nothing UNION ALL SELECT n FROM t) u    becomes 100
//! ```
//!
//! Delete this when unions leave out parts without rows.

use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::union::UnionExec;

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
    let is_of_union = |node: &Operator| node.is::<UnionExec>() && has_empty_input(node);
    if plan.exists(|node| Ok(is_of_union(node)))? {
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

/// Returns whether an operator has an input without rows.
fn has_empty_input(node: &Operator) -> bool {
    let context = StatisticsContext::new();
    node.children().into_iter().any(|input| {
        let known = context.compute(input.as_ref(), &StatisticsArgs::new());
        known.is_ok_and(|known| known.num_rows == Precision::Exact(0))
    })
}
