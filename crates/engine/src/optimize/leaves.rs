//! Runs the plan without a rule that fails, if the rule only saves work.
//!
//! DataFusion moves the reading of struct fields down to the files. Next to a correlated subquery,
//! it makes two columns of one name and then refuses its own plan (`push_down_leaf_projections` of
//! `datafusion-optimizer`, 55.2). Delete this when it does not.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Returns the plan unchanged if the rule fails.
///
/// # Errors
///
/// Never returns an error.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let before = plan.clone();
    Ok(rule
        .rewrite(plan, config)
        .unwrap_or_else(|_| Transformed::no(before)))
}
