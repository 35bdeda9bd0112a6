//! Inner joins whose NULLs are equal stay what they are.
//!
//! To get rid of cross joins, the engine takes chains of inner joins apart and puts them together anew, all with the one notion
//! of equality that it saw last (`datafusion-optimizer`, `eliminate_cross_join.rs`, 55.2):
//!
//! ```text
//! a JOIN b ON a.k IS NOT DISTINCT FROM b.k CROSS JOIN c      lost the pair of NULLs
//! a JOIN b ON a.k = b.k JOIN c ON a.k IS NOT DISTINCT FROM c.k      made pairs of NULLs of a and b
//! ```
//!
//! Delete this when each key of the engine's joins has its own notion, or the rule leaves such joins alone.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Leaves plans with such joins as they are.
///
/// # Errors
/// Those of the rule.
pub fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if nulls_are_equal(&plan)? {
        return Ok(Transformed::no(plan));
    }
    rule.rewrite(plan, config)
}

/// Whether an inner join of the plan, or of its subqueries, takes two NULLs for equal.
fn nulls_are_equal(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found = matches!(node, LogicalPlan::Join(join)
            if join.join_type == JoinType::Inner && join.null_equality == NullEquality::NullEqualsNull);
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}
