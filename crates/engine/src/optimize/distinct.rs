//! Aggregates beside one of distinct values keep their types.
//!
//! The engine makes of `count(DISTINCT a), sum(b)` a sum of sums of groups by `a`, whose type is wider for decimals than the one that
//! the plan above was made for (`single_distinct_to_groupby.rs` of `datafusion-optimizer`, 55.2):
//!
//! ```text
//! SELECT count(DISTINCT a) FROM t HAVING sum(b) > 1      "Invalid comparison operation: Decimal128(25, 0) > Decimal128(15, 0)"
//! ```
//!
//! Such a plan stays as it is. Delete this when the rule keeps the types of columns.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Takes what the rule makes of a plan where its columns are of the same types.
///
/// # Errors
/// Those of the rule.
pub fn guard(
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
