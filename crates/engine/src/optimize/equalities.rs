//! Keeps equalities from being confused with different ones.
//!
//! ```text
//! x JOIN y ON x.b IS NOT DISTINCT FROM y.b WHERE x.a = y.a
//!     also joins NULLs of a: all keys of a join have the same null equality
//! WHERE f = 3 AND 3 IN (f)
//!     is false: `3 = f` is treated as another value of f than `f = 3`
//! ```
//!
//! The first is `extract_equijoin_predicate`, which adds keys to a join that already has some. The
//! second is `simplify_predicates`, which `push_down_filter` calls (`datafusion-optimizer`, 55.2).
//! Delete each when DataFusion fixes it.

use datafusion::common::NullEquality;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Leaves a join unchanged if its keys treat NULLs as equal.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn of_keys(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match &plan {
        LogicalPlan::Join(join)
            if !join.on.is_empty() && join.null_equality == NullEquality::NullEqualsNull =>
        {
            Ok(Transformed::no(plan))
        }
        _ => rule.rewrite(plan, config),
    }
}

/// Moves the constants of comparisons in a condition to the right.
///
/// # Errors
///
/// Returns an error if the rewritten filter is invalid.
pub(super) fn with_constants_last(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Filter(filter) if has_constant_first(&filter.predicate) => {
            let predicate = flipped(filter.predicate);
            LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)
        }
        LogicalPlan::Join(mut join) => {
            join.filter = join.filter.map(|filter| match has_constant_first(&filter) {
                true => flipped(filter),
                false => filter,
            });
            LogicalPlan::Join(join)
        }
        plan => plan,
    })
}

fn has_constant_first(condition: &Expr) -> bool {
    split_conjunction(condition)
        .into_iter()
        .any(is_constant_first)
}

fn is_constant_first(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let constants = (left.as_ref(), right.as_ref());
            op.swap().is_some()
                && matches!(constants, (Expr::Literal(..), right) if !matches!(right, Expr::Literal(..)))
        }
        _ => false,
    }
}

fn flipped(condition: Expr) -> Expr {
    let parts = split_conjunction_owned(condition).into_iter().map(|part| {
        if !is_constant_first(&part) {
            return part;
        }
        match part {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => Expr::BinaryExpr(BinaryExpr {
                left: right,
                op: op.swap().unwrap_or(op),
                right: left,
            }),
            part => part,
        }
    });
    conjunction(parts).unwrap_or_default()
}
