//! Joins by the equalities that a filter has, where cross joins were written.
//!
//! DataFusion's rule takes a chain of inner joins apart, and joins the next part that has a key with
//! what is joined by then. It then does the same below the last join, below the one before it, and so
//! on, and looks each time for the columns of all keys in all parts (`datafusion-optimizer`,
//! `eliminate_cross_join.rs`, 55.2). The chain does not change any more then: the columns of a key
//! are in one part each. So a chain is taken apart once here:
//!
//! ```text
//! Filter: a.k = c.k AND b.k = c.k AND a.x > 0     Filter: a.x > 0
//!   Cross Join                                      Join: c.k = b.k
//!     Cross Join                                      Join: a.k = c.k
//!       a                                               a
//!       b                                               c
//!     c                                               b
//! ```
//!
//! Where columns are in several parts, or keys are many or have subqueries, the rule itself runs.
//!
//! The rule loses a key of a written join whose side has columns of several parts, if another key joins
//! them in another order. Here it stays as a condition, and the rule does not run over such joins:
//!
//! ```text
//! a CROSS JOIN b JOIN c ON a.k + b.k = c.k AND a.x = c.x         joins c before b, by a.x only
//! ```
//!
//! The rule joins all parts with the null equality that it saw last:
//!
//! ```text
//! a JOIN b ON a.k IS NOT DISTINCT FROM b.k CROSS JOIN c          loses the pair of NULLs
//! a JOIN b ON a.k = b.k JOIN c ON a.k IS NOT DISTINCT FROM c.k   pairs NULLs of a and b
//! ```
//!
//! Plans with such joins are left unchanged. Delete that when each key of DataFusion's joins has its
//! own null equality, or the rule skips such joins.

mod chain;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use self::chain::{Chain, has_wide_key};
use crate::plans::expressions::has_operator;

/// DataFusion's rule, for a plan and all that is below it.
type Whole<'a> = dyn Fn(LogicalPlan) -> Result<Transformed<LogicalPlan>> + 'a;

/// Does what the rule does, but leaves plans with inner joins of equal NULLs unchanged.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if has_operator(&plan, |node| Ok(are_nulls_equal(node)))? {
        return Ok(Transformed::no(plan));
    }
    joined(plan, &|plan| rule.rewrite(plan, config))
}

/// Returns whether an operator is an inner join that treats two NULLs as equal.
fn are_nulls_equal(node: &LogicalPlan) -> bool {
    matches!(node, LogicalPlan::Join(join)
        if join.join_type == JoinType::Inner && join.null_equality == NullEquality::NullEqualsNull)
}

fn joined(plan: LogicalPlan, whole: &Whole<'_>) -> Result<Transformed<LogicalPlan>> {
    if !has_operator(&plan, |node| Ok(matches!(node, LogicalPlan::Join(_))))? {
        return Ok(Transformed::no(plan));
    }
    let chain = match &plan {
        LogicalPlan::Filter(filter) => Chain::of(&filter.input, Some(&filter.predicate)),
        other => Chain::of(other, None),
    };
    match chain.map(|chain| chain.order()).transpose()? {
        Some(Some(order)) => order.apply(plan, |part| joined(part, whole)),
        Some(None) if !has_operator(&plan, |node| Ok(has_wide_key(node)))? => whole(plan),
        Some(None) | None => below(plan, whole),
    }
}

/// Rewrites what is below an operator, and the subqueries in its expressions.
fn below(plan: LogicalPlan, whole: &Whole<'_>) -> Result<Transformed<LogicalPlan>> {
    let rewritten = plan
        .map_uncorrelated_subqueries(|subquery| joined(subquery, whole))?
        .transform_sibling(|plan| plan.map_children(|input| joined(input, whole)))?;
    match rewritten.transformed {
        true => rewritten.map_data(LogicalPlan::recompute_schema),
        false => Ok(rewritten),
    }
}

#[cfg(test)]
mod tests;
