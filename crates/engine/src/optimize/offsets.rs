//! Keeps sorts above an OFFSET.
//!
//! DataFusion moves a sort below operators that keep the order of their input, and treats an OFFSET
//! without LIMIT as one of them. Other rows are then skipped
//! (`ensure_requirements/enforce_sorting/sort_pushdown.rs`, 55.2):
//!
//! ```text
//! SELECT x FROM (SELECT x FROM t ORDER BY x DESC OFFSET 1) q ORDER BY x      skips the smallest
//! ```
//!
//! It also drops a sort below a projection that leaves out its keys, because the rows that the
//! projection returns have no order, although the OFFSET above it skips the first ones
//! (`ensure_requirements/enforce_sorting/mod.rs`, `ensure_sorting`, 55.2):
//!
//! ```text
//! SELECT x FROM (SELECT x FROM t ORDER BY y OFFSET 1) q ORDER BY x           skips any row
//! ```
//!
//! So an OFFSET is moved below the projections, and nothing is moved through it. Delete this when
//! DataFusion does neither.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;

use super::restated::{Order, Restated};
use super::rules::{EachOperator, Operator};

/// Lets no sort through an OFFSET.
pub(super) const KEEP_ORDER: EachOperator = EachOperator {
    name: "keep_order",
    rewrite: keep,
};

fn keep(node: Operator) -> Result<Transformed<Operator>> {
    let Some(limit) = offset_of(&node) else {
        return Ok(Transformed::no(node));
    };
    let mut input = Arc::clone(limit.input());
    let mut projections = Vec::new();
    while let Some(projection) = input.downcast_ref::<ProjectionExec>() {
        let below = Arc::clone(projection.input());
        projections.push(std::mem::replace(&mut input, below));
    }
    let offset: Operator = match projections.is_empty() {
        true => Arc::clone(&node),
        false => Arc::new(GlobalLimitExec::new(input, limit.skip(), None)),
    };
    let order = match offset.output_ordering() {
        Some(order) => Order::Kept(order.clone()),
        None => Order::Unknown,
    };
    let mut plan: Operator = Arc::new(Restated::new(offset, order));
    for projection in projections.into_iter().rev() {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        plan = projection.replace_children(vec![plan], options)?;
    }
    Ok(Transformed::yes(plan))
}

/// Returns an OFFSET without LIMIT; `None` for other operators.
fn offset_of(node: &Operator) -> Option<&GlobalLimitExec> {
    let limit = node.downcast_ref::<GlobalLimitExec>()?;
    (limit.skip() > 0 && limit.fetch().is_none()).then_some(limit)
}
