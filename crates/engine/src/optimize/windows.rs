//! Restates the order of a window's input in the window's terms.
//!
//! If columns are constant or equal to each other, a sort by the keys of PARTITION BY may be stated
//! in other terms. The running window then does not find its keys in it: "Expects PARTITION BY
//! expression to be ordered" (`get_partition_by_sort_exprs` of `datafusion-physical-plan`, 55.2),
//! or it fails an assertion about their number. So the order is stated in the window's terms below
//! it, and as before above it. Delete this when the plan of the test runs without it.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_expr::{LexOrdering, OrderingRequirements};
use datafusion::physical_plan::windows::{
    BoundedWindowAggExec, WindowAggExec, get_ordered_partition_by_indices,
};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};

use super::restated::{Order, Restated, with_inputs};
use super::rules::{EachOperator, Operator};

/// Restates the order around windows that would not find their keys.
pub(super) const STATE_ORDER: EachOperator = EachOperator {
    name: "state_order",
    rewrite: state,
};

fn state(node: Operator) -> Result<Transformed<Operator>> {
    let Some(order) = missed(node.as_ref())? else {
        return Ok(Transformed::no(node));
    };
    let known = Order::Known(Box::new(node.equivalence_properties().clone()));
    let window = with_inputs(node, [Some(Order::Just(order))])?;
    Ok(window.update_data(|window| Arc::new(Restated::new(window, known)) as Operator))
}

/// Returns whether a window that treats its input as sorted by its keys finds only some of them in
/// the order.
fn finds_fewer(plan: &dyn ExecutionPlan, input: &Operator) -> bool {
    let windows = if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
        match window.input_order_mode {
            InputOrderMode::Sorted => window.window_expr(),
            _ => return false,
        }
    } else if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        window.window_expr()
    } else {
        return false;
    };
    let keys = windows.first().map(|expr| expr.partition_by());
    keys.is_some_and(|keys| {
        let found = get_ordered_partition_by_indices(keys, input);
        found.is_ok_and(|found| found.len() < keys.len())
    })
}

/// Returns the order of a window's input, if the window does not find its keys in it.
fn missed(plan: &dyn ExecutionPlan) -> Result<Option<LexOrdering>> {
    let keys = if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
        window.partition_by_sort_keys()
    } else if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        window.partition_by_sort_keys()
    } else {
        return Ok(None);
    };
    let input = plan.children().into_iter().next();
    if keys.is_ok() && !input.is_some_and(|input| finds_fewer(plan, input)) {
        return Ok(None);
    }
    let asked = plan.required_input_ordering().into_iter().next().flatten();
    let (Some(input), Some(asked)) = (input, asked) else {
        return Ok(None);
    };
    let (OrderingRequirements::Hard(asked) | OrderingRequirements::Soft(asked)) = asked;
    let known = input.equivalence_properties();
    for asked in asked {
        if known.ordering_satisfy_requirement(asked.clone())? {
            return Ok(Some(LexOrdering::from(asked)));
        }
    }
    Ok(None)
}
