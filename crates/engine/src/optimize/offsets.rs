//! Keeps the sorts above and below LIMIT and OFFSET.
//!
//! DataFusion moves a sort below operators that keep the order of their input, and treats an OFFSET
//! without LIMIT as one of them. Other rows are then skipped
//! (`ensure_requirements/enforce_sorting/sort_pushdown.rs`, 55.2):
//!
//! ```text
//! SELECT x FROM (SELECT x FROM t ORDER BY x DESC OFFSET 1) q ORDER BY x      skips the smallest
//! ```
//!
//! A sort that it moves below a LIMIT with an OFFSET returns as many rows as the limit, and the rows
//! to skip are among them (`pushdown_sorts_helper` of the same file):
//!
//! ```text
//! SELECT x FROM (SELECT x FROM t LIMIT 3 OFFSET 5) q ORDER BY x              has no rows
//! ```
//!
//! It also drops a sort below a projection that leaves out its keys, because the rows that the
//! projection returns have no order, although a limit counts them. Only sorts that a limit was moved
//! into are kept (`ensure_requirements/enforce_sorting/mod.rs`, `ensure_sorting`, 55.2), which
//! excludes OFFSET without LIMIT, and limits above the barrier of a view:
//!
//! ```text
//! SELECT x FROM (SELECT x FROM t ORDER BY y OFFSET 1) q ORDER BY x           skips any row
//! SELECT x FROM (SELECT x FROM a_view_that_sorts LIMIT 1) q ORDER BY x       takes any row
//! ```
//!
//! So nothing is moved through an OFFSET, one without LIMIT is moved below projections, and a sort that a
//! limit depends on is required where it is. Delete this when DataFusion keeps such sorts.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::restated::{Order, Restated};
use super::rules::{EachOperator, Operator};

/// Lets no sort through an OFFSET, and drops none that a limit depends on.
pub(super) const KEEP_ORDER: EachOperator = EachOperator {
    name: "keep_order",
    rewrite: keep,
};

fn keep(node: Operator) -> Result<Transformed<Operator>> {
    let Some(limit) = node.downcast_ref::<GlobalLimitExec>() else {
        return Ok(Transformed::no(node));
    };
    if limit.fetch().is_none() && limit.skip() > 0 {
        return offset(limit).map(Transformed::yes);
    }
    Ok(match ordered(limit.input())? {
        Some(input) => {
            let limit = GlobalLimitExec::new(input, limit.skip(), limit.fetch());
            // A sort above it would be moved below, and other rows would be counted.
            Transformed::yes(Arc::new(Restated::new(Arc::new(limit), Order::Unknown)))
        }
        // No order is claimed: DataFusion would give a sort below that is known to suffice the limit's
        // number of rows, too.
        None if limit.skip() > 0 => {
            Transformed::yes(Arc::new(Restated::new(Arc::clone(&node), Order::Unknown)))
        }
        None => Transformed::no(node),
    })
}

/// Returns an OFFSET without LIMIT that keeps its place.
fn offset(limit: &GlobalLimitExec) -> Result<Operator> {
    let mut input = Arc::clone(limit.input());
    let mut projections = Vec::new();
    while let Some(projection) = input.downcast_ref::<ProjectionExec>() {
        let below = Arc::clone(projection.input());
        projections.push(std::mem::replace(&mut input, below));
    }
    let input = ordered(&input)?.unwrap_or(input);
    let moved: Operator = Arc::new(GlobalLimitExec::new(input, limit.skip(), None));
    let order = match moved.output_ordering() {
        Some(order) => Order::Kept(order.clone()),
        None => Order::Unknown,
    };
    let mut plan: Operator = Arc::new(Restated::new(moved, order));
    for projection in projections.into_iter().rev() {
        plan = with_input(projection, plan)?;
    }
    Ok(plan)
}

/// Returns the input of a limit with its sort required, if the rows come in the order of a sort
/// below that they do not show.
fn ordered(input: &Operator) -> Result<Option<Operator>> {
    if input.output_ordering().is_some() {
        return Ok(None);
    }
    required(input)
}

fn required(node: &Operator) -> Result<Option<Operator>> {
    if let Some(sort) = node.downcast_ref::<SortExec>() {
        let order = Order::Kept(sort.expr().clone());
        // DataFusion keeps those that a limit was moved into.
        return Ok(sort.fetch().is_none().then(|| {
            let sort: Operator = Arc::new(Restated::new(Arc::clone(node), order));
            sort
        }));
    }
    let inputs = node.children();
    let [input] = inputs.as_slice() else {
        return Ok(None);
    };
    let passes = node.maintains_input_order().iter().all(|keeps| *keeps)
        && node.required_input_ordering().iter().all(Option::is_none);
    if !passes {
        return Ok(None);
    }
    let input = required(input)?;
    input
        .map(|input| with_input(Arc::clone(node), input))
        .transpose()
}

fn with_input(node: Operator, input: Operator) -> Result<Operator> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    node.replace_children(vec![input], options)
}
