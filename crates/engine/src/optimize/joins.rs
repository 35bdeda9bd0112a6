//! What a join's inputs are sorted by, and which of their columns are constant, its output need not be.
//!
//! - An outer join adds rows of NULL to a side. The engine takes what was constant or equal on that side for constant and equal
//!   in the output (`EquivalenceGroup::join` of `datafusion-physical-expr`, 55.2), leaves it out of sorts and takes groups for
//!   sorted that are not:
//!
//!   ```text
//!   SELECT a.k, b.x FROM a LEFT JOIN (SELECT k, 7 AS x FROM b) b ON a.k = b.k ORDER BY b.x      was not sorted
//!   ```
//!
//! - A hash join keeps the order of the side that it probes with. The engine adds the order of the other side to it
//!   (`join_equivalence_properties`, apache/datafusion#25052), which is so only where no two rows of the first are equal.
//!
//! So nothing is said of the order below such joins. Delete this when the engine says neither.

use datafusion::common::JoinType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::restated::{Order, with_inputs};
use super::rules::{EachOperator, Operator};

/// Says nothing of the order of inputs of which a join would say too much.
pub const FORGET_SIDES: EachOperator = EachOperator {
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

/// Of which sides a join says too much: left, right.
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
