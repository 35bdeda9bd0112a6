//! One aggregate of all rows that has the results of several, which differ in their conditions.
//!
//! ```text
//!   Aggregate: count(*)                   Projection: n2
//!     Join: sales, times           ──▶      SharedExec: part=1
//!       Filter: hour = 8                      Aggregate: count(*) FILTER (hour = 8) AS n1, …
//!   Aggregate: count(*)                         Join: sales, times
//!     Join: sales, times                          Filter: hour = 8 OR hour = 9
//!       Filter: hour = 9                  …
//! ```
//!
//! Each function tests the conditions for each row. This is little where a join is below them, of
//! which few rows are left, and is more than another scan costs where none is.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};

use super::conditions::{adds_columns, unaliased};
use super::fusion::fused;

/// Aggregates that have become one.
pub(super) struct Totals {
    pub plan: LogicalPlan,
    /// For each aggregate, the columns of the one plan that are its own.
    pub names: Vec<Vec<Column>>,
}

/// Returns one aggregate instead of several without keys; `None` if there is none.
///
/// # Errors
///
/// Returns an error if planning must stop, or if an operator cannot be made.
pub(super) fn totals(plans: &[&LogicalPlan]) -> Result<Option<Totals>> {
    let aggregates = plans.iter().map(|plan| match plan {
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => Some(aggregate),
        _ => None,
    });
    let Some(aggregates) = aggregates.collect::<Option<Vec<&Aggregate>>>() else {
        return Ok(None);
    };
    let inputs = aggregates.iter().map(|aggregate| aggregate.input.as_ref());
    let inputs: Vec<&LogicalPlan> = inputs.collect();
    let is_join = |node: &LogicalPlan| Ok(matches!(node, LogicalPlan::Join(_)));
    for input in &inputs {
        if !input.exists(is_join)? {
            return Ok(None);
        }
    }
    let input = fused(&inputs)?;
    let Some(input) = input.filter(|input| input.has_columns_of(&inputs)) else {
        return Ok(None);
    };
    let mut calls = Vec::new();
    let mut names = Vec::new();
    for (number, (aggregate, kept)) in aggregates.iter().zip(&input.kept).enumerate() {
        let condition = conjunction(kept.iter().cloned());
        let mut own = Vec::new();
        for (place, call) in aggregate.aggr_expr.iter().enumerate() {
            let Some(call) = filtered(call, condition.as_ref(), &input.plan) else {
                return Ok(None);
            };
            let name = format!("__total_{number}_{place}");
            calls.push(call.alias(&name));
            own.push(Column::from_name(name));
        }
        names.push(own);
    }
    let plan = Aggregate::try_new(Arc::new(input.plan), Vec::new(), calls)?;
    let plan = LogicalPlan::Aggregate(plan);
    let totals = Totals { plan, names };
    Ok(totals.has_types_of(plans).then_some(totals))
}

/// Returns a call for the rows that meet a condition; `None` for calls that may fail for other rows.
fn filtered(call: &Expr, condition: Option<&Expr>, input: &LogicalPlan) -> Option<Expr> {
    if !adds_columns(call, input.schema()) {
        return None;
    }
    let Expr::AggregateFunction(call) = unaliased(call) else {
        return None;
    };
    let mut call = call.clone();
    let params = &mut call.params;
    if params.distinct || !params.order_by.is_empty() {
        return None;
    }
    params.filter = condition.cloned().map(Box::new);
    Some(Expr::AggregateFunction(call))
}

impl Totals {
    /// Returns whether the columns are of the types that each aggregate has.
    fn has_types_of(&self, plans: &[&LogicalPlan]) -> bool {
        let schema = self.plan.schema();
        let has_types = |(plan, names): (&&LogicalPlan, &Vec<Column>)| {
            let own = plan.schema().fields().iter();
            own.len() == names.len()
                && own.zip(names).all(|(field, name)| {
                    let found = schema.maybe_index_of_column(name);
                    found.is_some_and(|index| schema.field(index).data_type() == field.data_type())
                })
        };
        plans.iter().zip(&self.names).all(has_types)
    }
}
