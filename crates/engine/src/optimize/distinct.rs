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
//!
//! So is one with a DISTINCT over intervals: values are grouped by their parts, but `24:00:00` and
//! `1 day` are one value.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::plans::expressions::without_alias;

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
    let LogicalPlan::Aggregate(aggregate) = &plan else {
        return rule.rewrite(plan, config);
    };
    let mut values = aggregate.aggr_expr.iter();
    if !values.clone().any(is_distinct) || values.any(|expr| is_of_intervals(expr, aggregate)) {
        return Ok(Transformed::no(plan));
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

fn is_distinct(expr: &Expr) -> bool {
    matches!(without_alias(expr), Expr::AggregateFunction(call) if call.params.distinct)
}

/// Returns whether an aggregate is over distinct intervals.
fn is_of_intervals(expr: &Expr, aggregate: &Aggregate) -> bool {
    let Expr::AggregateFunction(call) = without_alias(expr) else {
        return false;
    };
    let is_interval = |argument: &Expr| {
        let of = argument.get_type(aggregate.input.schema());
        matches!(of, Ok(DataType::Interval(_)))
    };
    call.params.distinct && call.params.args.iter().any(is_interval)
}
