//! Groups of grouping sets are made of each other.
//!
//! In the first step of ROLLUP, CUBE and GROUPING SETS, DataFusion hashes each row once for each
//! set (`group_aggregate_batch` of `datafusion-physical-plan`, 55.2). In a plan that is ready to
//! run, [`FinestGroups`] takes the place of this step. It groups rows by all keys first. The groups
//! of each other set are made of those of the set with the fewest keys that has all of its own:
//!
//! ```text
//!  rows ─ by (a, b) ─▶ groups ─ by (a) ─▶ groups ─ by () ─▶ group
//! ```
//!
//! The states of aggregates are merged more often than before. Where most rows have keys of their
//! own, the first step gives up after some rows (`skip_partial_aggregation_probe_ratio_threshold`),
//! and so does each of the others. Plans, their properties and `EXPLAIN` do not change.
//!
//! ```text
//!  steps.rs    which groups are made of which
//!  groups.rs   groups, and the table that makes them of finer ones
//!  run.rs      all steps of one partition, within the memory that the pool has
//!  no_rows.rs  the group of the empty set without rows
//! ```
//!
//! Delete this when DataFusion does the same.

mod groups;
mod no_rows;
mod run;
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricValue, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
};
use futures::stream;

use self::run::Run;
use self::steps::Steps;
use crate::aggregation::chosen_steps::with_choice;
use crate::aggregation::numbered_texts::NumberedTexts;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Makes an operator stoppable.
type Around = fn(Operator) -> Operator;

/// Functions whose states are small, and do not depend on the order of rows.
const MERGED: &[&str] = &[
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "max",
    "min",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
    "var_pop",
];

/// Returns the same aggregation by way of the groups by all keys; `None` for other operators and
/// aggregations.
///
/// `around`: makes an operator within it stoppable.
///
/// # Errors
///
/// Returns an error if the steps cannot be built.
pub(crate) fn with_finest_groups(
    plan: &dyn ExecutionPlan,
    around: Around,
) -> Result<Option<Operator>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    if !is_possible(aggregate) {
        return Ok(None);
    }
    let groups = FinestGroups::new(aggregate.clone(), around)?;
    let keys = aggregate.group_expr().expr().len();
    Ok(fits(&groups.finest.schema(), &aggregate.schema(), keys)
        .then(|| Arc::new(groups) as Operator))
}

/// Returns whether groups by all keys have the columns of the result, except the number of the set,
/// which follows the keys.
fn fits(finest: &Schema, result: &Schema, keys: usize) -> bool {
    let columns = result.fields().iter().enumerate();
    let columns = columns.filter(|(place, _)| *place != keys);
    let types = columns.map(|(_, field)| field.data_type());
    let of_finest = finest.fields().iter().map(|field| field.data_type());
    of_finest.eq(types)
}

fn is_possible(aggregate: &AggregateExec) -> bool {
    let keys = aggregate.group_expr();
    *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && !keys.is_empty()
        && keys.groups().len() > 1
        && keys
            .groups()
            .iter()
            .any(|left_out| !left_out.contains(&true))
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| is_merged(function))
}

/// Returns whether a function's states are small, and do not depend on the order of rows.
pub(crate) fn is_merged(function: &AggregateFunctionExpr) -> bool {
    MERGED.contains(&function.fun().name())
        && !function.is_distinct()
        && function.order_bys().is_empty()
}

/// An aggregation for grouping sets that runs in steps. In all else it behaves as the aggregation.
#[derive(Debug)]
struct FinestGroups {
    aggregate: AggregateExec,
    /// Returns the groups by all keys: keys, states.
    finest: Operator,
    steps: Arc<Steps>,
    around: Around,
    metrics: ExecutionPlanMetricsSet,
}

impl FinestGroups {
    fn new(aggregate: AggregateExec, around: Around) -> Result<Self> {
        let finest = AggregateExec::try_new(
            AggregateMode::Partial,
            PhysicalGroupBy::new_single(aggregate.group_expr().expr().to_vec()),
            aggregate.aggr_expr().to_vec(),
            aggregate.filter_expr().to_vec(),
            Arc::clone(aggregate.input()),
            aggregate.input_schema(),
        )?;
        let steps = Steps::new(&aggregate, &finest.schema())?;
        let finest: Operator = Arc::new(finest);
        let finest = with_choice::<NumberedTexts>(&finest)?.unwrap_or(finest);
        Ok(Self {
            aggregate,
            finest: around(finest),
            steps: Arc::new(steps),
            around,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

impl DisplayAs for FinestGroups {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.aggregate.fmt_as(form, f)
    }
}

impl ExecutionPlan for FinestGroups {
    fn name(&self) -> &str {
        self.aggregate.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(&self.aggregate)
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Operator> {
        self.aggregate.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Operator>) -> Result<Operator> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("one input is grouped".to_owned()))?;
        let aggregate = &self.aggregate;
        let aggregate = AggregateExec::try_new(
            *aggregate.mode(),
            aggregate.group_expr().clone(),
            aggregate.aggr_expr().to_vec(),
            aggregate.filter_expr().to_vec(),
            input,
            aggregate.input_schema(),
        )?;
        Ok(Arc::new(Self::new(aggregate, self.around)?))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(format!("FinestGroups[{partition}]"))
            .with_can_spill(true)
            .register(context.memory_pool());
        let run = Run::new(
            Arc::clone(&self.steps),
            self.finest.execute(partition, Arc::clone(&context))?,
            &context,
            memory,
            BaselineMetrics::new(&self.metrics, partition),
        );
        let batches = stream::try_unfold(run, |mut run| async move {
            let next = run.next().await;
            next.map(|batch| batch.map(|batch| (batch, run)))
        });
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    /// Returns the metrics of the result, and the time of all steps.
    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        let finest = self.finest.metrics().unwrap_or_default();
        let times = finest.iter();
        for time in times.filter(|metric| matches!(metric.value(), MetricValue::ElapsedCompute(_)))
        {
            metrics.push(Arc::clone(time));
        }
        Some(metrics)
    }
}
