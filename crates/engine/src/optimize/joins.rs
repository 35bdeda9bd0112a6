//! Keeps joins from inheriting too much about the order and the constants of their inputs.
//!
//! - An outer join adds rows of NULLs on one side. DataFusion treats columns that are constant or
//!   equal on that side as constant or equal in the output (`EquivalenceGroup::join` of
//!   `datafusion-physical-expr`, 55.2). It then drops such columns from sorts, and treats groups as
//!   sorted that are not:
//!
//!   ```text
//!   SELECT a.k, b.x FROM a LEFT JOIN (SELECT k, 7 AS x FROM b) b ON a.k = b.k ORDER BY b.x
//!       is not sorted
//!   ```
//!
//! - A hash join keeps the order of its probe side. DataFusion appends the order of the other side
//!   (`join_equivalence_properties`, apache/datafusion#25052), which holds only if no two rows of
//!   the probe side are equal.
//!
//! So the inputs of such joins claim no order. Delete this when DataFusion does neither.

use datafusion::common::JoinType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::restated::{Order, with_inputs};
use super::rules::{EachOperator, Operator};

/// Hides the order of inputs from which a join would derive too much.
pub(super) const FORGET_SIDES: EachOperator = EachOperator {
    name: "forget_sides",
    rewrite: forget,
};

fn forget(node: Operator) -> Result<Transformed<Operator>> {
    let Some((left, right)) = forgotten(node.as_ref()) else {
        return Ok(Transformed::no(node));
    };
    let inputs = node.children().into_iter().zip([left, right]);
    let orders = inputs.map(|(input, forgotten)| {
        let known = input.equivalence_properties();
        let says_something = !known.eq_group().is_empty() || known.output_ordering().is_some();
        (forgotten && says_something).then_some(Order::Unknown)
    });
    let orders: Vec<Option<Order>> = orders.collect();
    with_inputs(node, orders)
}

/// Returns the sides of which a join would claim too much: left, right.
fn forgotten(plan: &dyn ExecutionPlan) -> Option<(bool, bool)> {
    let (join_type, left_order_is_added) = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let is_added =
            join.right().output_ordering().is_some() && join.left().output_ordering().is_some();
        (join.join_type(), is_added)
    } else {
        let join = plan.downcast_ref::<NestedLoopJoinExec>()?;
        (join.join_type(), false)
    };
    Some(match join_type {
        JoinType::Left => (false, true),
        JoinType::Right => (true, false),
        JoinType::Full => (true, true),
        JoinType::Inner => (left_order_is_added, false),
        _ => (false, false),
    })
}
