//! An operator that replaces its input's claims about order.
//!
//! If a DataFusion operator claims an order that does not hold, sorts are dropped and groups are
//! split. The rules of this module put a [`Restated`] on the input or the output of such an
//! operator.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Statistics;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr,
};
use datafusion::physical_plan::execution_plan::{
    CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::rules::Operator;
use crate::plans::operators::new_children_replace;

/// What is claimed about the order of rows.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Nothing: no order, no constant columns, and no columns equal to each other.
    Unknown,
    /// This order and nothing else. The input must have it.
    Just(LexOrdering),
    /// The same, and no sort may move below it.
    Kept(LexOrdering),
    /// All of these properties, which the rows have.
    Known(Box<EquivalenceProperties>),
}

/// Passes its input on.
#[derive(Debug)]
pub(super) struct Restated {
    input: Arc<dyn ExecutionPlan>,
    order: Order,
    properties: Arc<PlanProperties>,
}

impl Restated {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, order: Order) -> Self {
        let known = input.properties();
        let claimed = match &order {
            Order::Unknown => EquivalenceProperties::new(input.schema()),
            Order::Just(ordering) | Order::Kept(ordering) => {
                EquivalenceProperties::new_with_orderings(input.schema(), [ordering.clone()])
            }
            Order::Known(claimed) => (**claimed).clone(),
        };
        let properties = PlanProperties::new(
            claimed,
            known.partitioning.clone(),
            known.emission_type,
            known.boundedness,
        )
        .with_evaluation_type(known.evaluation_type)
        .with_scheduling_type(known.scheduling_type);
        Self {
            input,
            order,
            properties: Arc::new(properties),
        }
    }
}

/// Replaces the claims of an operator's inputs by `orders`; an input with `None` stays unchanged.
///
/// # Errors
///
/// Returns an error if the operator cannot be rebuilt.
pub(super) fn with_inputs(
    operator: Operator,
    orders: impl IntoIterator<Item = Option<Order>>,
) -> Result<Transformed<Operator>> {
    let mut changed = false;
    let inputs = operator.children().into_iter().zip(orders);
    let inputs = inputs.map(|(input, order)| match order {
        Some(order) => {
            changed = true;
            Arc::new(Restated::new(Arc::clone(input), order)) as Operator
        }
        None => Arc::clone(input),
    });
    let inputs = inputs.collect();
    if !changed {
        return Ok(Transformed::no(operator));
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Ok(Transformed::yes(
        operator.replace_children(inputs, options)?,
    ))
}

impl DisplayAs for Restated {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.order {
            Order::Unknown => f.write_str("Unordered"),
            Order::Just(ordering) | Order::Kept(ordering) => write!(f, "Ordered: [{ordering}]"),
            Order::Known(_) => f.write_str("Ordered"),
        }
    }
}

impl ExecutionPlan for Restated {
    fn name(&self) -> &str {
        match &self.order {
            Order::Unknown => "Unordered",
            Order::Just(_) | Order::Kept(_) | Order::Known(_) => "Ordered",
        }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![match &self.order {
            Order::Unknown | Order::Known(_) => None,
            Order::Just(ordering) | Order::Kept(ordering) => {
                Some(OrderingRequirements::from(ordering.clone()))
            }
        }]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![!matches!(self.order, Order::Unknown | Order::Kept(_))]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        if let Order::Just(ordering) | Order::Kept(ordering) = &self.order {
            for by in ordering {
                if f(&by.expr)? == TreeNodeRecursion::Stop {
                    return Ok(TreeNodeRecursion::Stop);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("one input is restated".to_owned()))?;
        let order = self.order.clone();
        Ok(Arc::new(match options.children_properties {
            ChildrenPropertiesMode::Keep => Self {
                input,
                order,
                properties: Arc::clone(&self.properties),
            },
            ChildrenPropertiesMode::Recompute => Self::new(input, order),
        }))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let unknown = || Arc::new(Statistics::new_unknown(&self.schema()));
        Ok(inputs.first().map_or_else(unknown, Arc::clone))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}
