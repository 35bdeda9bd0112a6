//! Keeps grouping sets from inheriting the order of their input.
//!
//! A grouping set has NULL for each key that it leaves out. DataFusion still treats a key that is
//! constant or sorted in the input as constant or sorted in the output, and drops it from the sort
//! of ORDER BY (`AggregateExec::compute_properties` of `datafusion-physical-plan`, 55.2):
//!
//! ```text
//! SELECT x, y FROM (SELECT 7 AS x, y FROM t) GROUP BY CUBE (x, y) ORDER BY x, y
//!     is sorted by y alone
//! ```
//!
//! So the input of such an aggregate claims no order. Delete this when the aggregate claims none.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::restated::{Order, with_inputs};
use super::rules::{EachOperator, Operator};

/// Hides the order below aggregates with grouping sets.
pub(super) const FORGET_ORDER: EachOperator = EachOperator {
    name: "forget_order",
    rewrite: forget,
};

fn forget(node: Operator) -> Result<Transformed<Operator>> {
    let has_sets = node.downcast_ref::<AggregateExec>().is_some_and(leaves_out);
    with_inputs(node, [has_sets.then_some(Order::Unknown)])
}

/// Returns whether a set leaves a key out.
fn leaves_out(aggregate: &AggregateExec) -> bool {
    let sets = aggregate.group_expr().groups();
    sets.iter()
        .any(|keys_are_null| keys_are_null.contains(&true))
}
