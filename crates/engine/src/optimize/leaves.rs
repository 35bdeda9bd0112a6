//! Runs the plan without a rule that fails, if the rule only saves work.
//!
//! DataFusion moves the reading of struct fields down to the files. Next to a correlated subquery,
//! it makes two columns of one name and then refuses its own plan (`push_down_leaf_projections` of
//! `datafusion-optimizer`, 55.2). Delete this when it does not.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Returns the plan unchanged if the rule fails. It moves what a list computes, so other plans need
/// no copy.
///
/// # Errors
///
/// Never returns an error.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let may_move = match &plan {
        LogicalPlan::Projection(list) => {
            !list.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
        }
        _ => false,
    };
    if !may_move {
        return Ok(Transformed::no(plan));
    }
    let before = plan.clone();
    Ok(rule
        .rewrite(plan, config)
        .unwrap_or_else(|_| Transformed::no(before)))
}
