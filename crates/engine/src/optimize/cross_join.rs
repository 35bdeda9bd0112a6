//! Protects inner joins in which NULLs are equal.
//!
//! To eliminate cross joins, DataFusion takes chains of inner joins apart and joins the parts
//! again, all with the null equality that it saw last (`datafusion-optimizer`,
//! `eliminate_cross_join.rs`, 55.2):
//!
//! ```text
//! a JOIN b ON a.k IS NOT DISTINCT FROM b.k CROSS JOIN c          loses the pair of NULLs
//! a JOIN b ON a.k = b.k JOIN c ON a.k IS NOT DISTINCT FROM c.k   pairs NULLs of a and b
//! ```
//!
//! Delete this when each key of DataFusion's joins has its own null equality, or the rule skips
//! such joins.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Leaves plans with such joins unchanged.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if nulls_are_equal(&plan)? {
        return Ok(Transformed::no(plan));
    }
    rule.rewrite(plan, config)
}

/// Returns whether an inner join of the plan, or of its subqueries, treats two NULLs as equal.
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
