//! Groups are not kept in a heap of floating-point numbers.
//!
//! For `GROUP BY … ORDER BY … LIMIT n` the engine keeps the first groups in a heap, which panics where NaN is among the numbers
//! that it orders (`aggregates/topk/heap.rs` of `datafusion-physical-plan`, 55.2). Plans that group by such numbers, or aggregate
//! them, are left as they are. Delete this when the heap orders NaN.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::rules::Operator;

/// Leaves plans with such groups as they are.
///
/// # Errors
/// Those of the rule.
pub fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    if groups_floats(&plan)? {
        return Ok(plan);
    }
    rule.optimize(plan, config)
}

/// Whether floating-point numbers are in the output of an aggregate.
fn groups_floats(plan: &Operator) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= node.is::<AggregateExec>()
            && (node.schema().fields().iter()).any(|field| field.data_type().is_floating());
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}
