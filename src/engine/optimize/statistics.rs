//! `count(DISTINCT x)` is counted, not taken from statistics.
//!
//! The engine says of a constant column that it has one distinct value, exactly, also where there are no rows or the constant
//! is NULL, and then answers `count(DISTINCT x)` with 1 (`datafusion-physical-expr`, `projection.rs`, 55.2). Delete this when it
//! says 0 there.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::rules::Operator;

/// Leaves plans with such aggregates as they are. Statistics of files have no number of distinct values, so nothing is lost that was
/// known.
///
/// # Errors
/// Those of the rule.
pub fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    if counts_distinct(&plan)? {
        return Ok(plan);
    }
    rule.optimize(plan, config)
}

fn counts_distinct(plan: &Operator) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found = node
            .downcast_ref::<AggregateExec>()
            .is_some_and(|aggregate| aggregate.aggr_expr().iter().any(|expr| expr.is_distinct()));
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}
