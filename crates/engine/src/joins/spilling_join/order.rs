//! Whether the order of a join's rows matters.

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;

/// Returns for each input of an operator whether the order of its rows matters. `is_ordered`:
/// whether that of the operator's own rows does.
pub(crate) fn ordered_inputs(plan: &dyn ExecutionPlan, is_ordered: bool) -> Vec<bool> {
    if !declares_order(plan) {
        return vec![true; plan.children().len()];
    }
    let required = plan.required_input_ordering();
    let maintained = plan.maintains_input_order();
    let inputs = required.iter().zip(maintained);
    let inputs =
        inputs.map(|(required, maintained)| required.is_some() || (maintained && is_ordered));
    inputs.collect()
}

/// Returns whether an operator requires the orders that it relies on. A limit does not: where rows
/// are in order already, it takes the place of a sort with a limit.
fn declares_order(plan: &dyn ExecutionPlan) -> bool {
    if plan.fetch().is_some() {
        return false;
    }
    if let Some(exchange) = plan.downcast_ref::<RepartitionExec>() {
        return !exchange.preserve_order();
    }
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        // It returns rows that are in its order as they are.
        let given = sort.input().properties().equivalence_properties();
        let is_given = given.ordering_satisfy(sort.expr().clone());
        return is_given.is_ok_and(|is_given| !is_given);
    }
    plan.is::<AggregateExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CrossJoinExec>()
        || plan.is::<FilterExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<UnionExec>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
    use datafusion::physical_plan::Partitioning;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::limit::GlobalLimitExec;

    use super::*;

    #[test]
    fn limits_and_orders_above_matter_but_sorts_do_not() {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let key = col("k", &schema).unwrap();
        let rows: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::clone(&schema)));
        let limit = GlobalLimitExec::new(Arc::clone(&rows), 0, Some(3));
        assert_eq!(ordered_inputs(&limit, false), [true]);
        let order = LexOrdering::new([PhysicalSortExpr::new_default(Arc::clone(&key))]).unwrap();
        let sort = SortExec::new(order.clone(), Arc::clone(&rows));
        assert_eq!(ordered_inputs(&sort, true), [false]);
        let again = SortExec::new(order.clone(), Arc::new(sort));
        assert_eq!(ordered_inputs(&again, false), [true]);
        let first = SortExec::new(order, Arc::clone(&rows)).with_fetch(Some(3));
        assert_eq!(ordered_inputs(&first, false), [true]);
        let hashed = Partitioning::Hash(vec![Arc::clone(&key)], 2);
        let exchange = RepartitionExec::try_new(Arc::clone(&rows), hashed).unwrap();
        assert_eq!(ordered_inputs(&exchange, false), [false]);
        assert_eq!(ordered_inputs(&exchange, true), [true]);
        let projection = ProjectionExec::try_new([(key, "k".to_owned())], rows).unwrap();
        assert_eq!(ordered_inputs(&projection, false), [false]);
        assert_eq!(ordered_inputs(&projection, true), [true]);
    }
}
