//! Keeps the types of aggregates next to one with DISTINCT.
//!
//! DataFusion turns `count(DISTINCT a), sum(b)` into a sum of the sums of groups by `a`. For
//! decimals its type is wider than the one that the plan above was built for
//! (`single_distinct_to_groupby.rs` of `datafusion-optimizer`, 55.2):
//!
//! ```text
//! SELECT count(DISTINCT a) FROM t HAVING sum(b) > 1
//!     "Invalid comparison operation: Decimal128(25, 0) > Decimal128(15, 0)"
//! ```
//!
//! Such a plan is left unchanged. Delete this when the rule keeps column types.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Accepts the rule's result only if it keeps the types of the columns.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Aggregate(_)) {
        return rule.rewrite(plan, config);
    }
    let rewritten = rule.rewrite(plan.clone(), config)?;
    let types = |plan: &LogicalPlan| -> Vec<_> {
        let fields = plan.schema().fields().iter();
        fields.map(|field| field.data_type().clone()).collect()
    };
    match types(&plan) == types(&rewritten.data) {
        true => Ok(rewritten),
        false => Ok(Transformed::no(plan)),
    }
}
