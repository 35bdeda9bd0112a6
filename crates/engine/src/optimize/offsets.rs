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
//! So nothing is moved through an OFFSET. Delete this when DataFusion does not do it.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::limit::GlobalLimitExec;

use super::restated::{Order, Restated};
use super::rules::{EachOperator, Operator};

/// Lets no sort through an OFFSET.
pub(super) const KEEP_ORDER: EachOperator = EachOperator {
    name: "keep_order",
    rewrite: keep,
};

fn keep(node: Operator) -> Result<Transformed<Operator>> {
    let is_offset = node
        .downcast_ref::<GlobalLimitExec>()
        .is_some_and(|limit| limit.skip() > 0 && limit.fetch().is_none());
    if !is_offset {
        return Ok(Transformed::no(node));
    }
    let order = match node.output_ordering() {
        Some(order) => Order::Kept(order.clone()),
        None => Order::Unknown,
    };
    Ok(Transformed::yes(Arc::new(Restated::new(node, order))))
}
