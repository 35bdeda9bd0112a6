//! A rule that only saves work, and fails: then the plan is run without it.
//!
//! The engine moves the reading of structs' fields down to the files. Beside a correlated subquery it gives two columns one name
//! and refuses its own plan (`push_down_leaf_projections` of `datafusion-optimizer`, 55.2). Delete this when it does not.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Goes on with the plan as it was where the rule fails.
///
/// # Errors
/// None.
pub fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let before = plan.clone();
    Ok(rule
        .rewrite(plan, config)
        .unwrap_or_else(|_| Transformed::no(before)))
}
