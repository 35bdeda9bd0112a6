//! Restricts the top-k grouping to groups right below a sort, without floating-point numbers.
//!
//! For `GROUP BY … ORDER BY … LIMIT n` DataFusion keeps the first groups in a heap, which panics if
//! it orders NaN (`aggregates/topk/heap.rs` of `datafusion-physical-plan`, 55.2). Plans that group
//! by floating-point numbers, or aggregate them, are left unchanged. Delete this when the heap
//! orders NaN.
//!
//! The limit passes through all operators that keep the number of rows. These include a window,
//! which counts the groups, and a second grouping (`topk_aggregation.rs`, 55.2):
//!
//! ```text
//! SELECT x, count(*) OVER () FROM t GROUP BY x ORDER BY x LIMIT 1
//!     counts one group
//! SELECT DISTINCT m FROM (SELECT y, max(z) AS m FROM t GROUP BY y) q ORDER BY m DESC LIMIT 2
//!     has too few rows
//! ```
//!
//! So plans with windows or several groupings are left unchanged, too. Delete this when the limit
//! stops at both.
//!
//! A limit on distinct rows in any order, which the rule sets if it finds no order, is an error if
//! the grouping has an order in the final plan: "Ordering direction required for DISTINCT with
//! limit". [`FORGET_LIMIT`] removes it; the operator above has its own limit.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use super::rules::{EachOperator, Operator};

/// Leaves plans with such groups unchanged.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    if groups_floats(&plan)? || is_deep(&plan)? {
        return Ok(plan);
    }
    rule.optimize(plan, config)
}

/// Removes an unordered limit from groupings that have an order.
pub(super) const FORGET_LIMIT: EachOperator = EachOperator {
    name: "forget_limit",
    rewrite: without_limit,
};

fn without_limit(plan: Operator) -> Result<Transformed<Operator>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(Transformed::no(plan));
    };
    let is_unordered = (aggregate.limit_options()).is_some_and(|limit| limit.descending.is_none());
    if !is_unordered || aggregate.is_unordered_unfiltered_group_by_distinct() {
        return Ok(Transformed::no(plan));
    }
    let aggregate = aggregate.with_new_limit_options(None);
    Ok(Transformed::yes(Arc::new(aggregate)))
}

/// Returns whether a limit may reach groups that are not right below it.
fn is_deep(plan: &Operator) -> Result<bool> {
    let (mut groupings, mut has_others) = (0, false);
    plan.apply(|node| {
        if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
            groupings += usize::from(*aggregate.mode() != AggregateMode::Partial);
        }
        has_others |= node.is::<WindowAggExec>()
            || node.is::<BoundedWindowAggExec>()
            || node.is::<UnnestExec>();
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(has_others || groupings > 1)
}

/// Returns whether an aggregate outputs floating-point numbers.
fn groups_floats(plan: &Operator) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= node.is::<AggregateExec>()
            && (node.schema().fields().iter()).any(|field| field.data_type().is_floating());
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}
