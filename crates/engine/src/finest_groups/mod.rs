//! Groups of grouping sets are made of the groups by all keys.
//!
//! In the first step of ROLLUP, CUBE and GROUPING SETS, DataFusion hashes each row once for each
//! set (`group_aggregate_batch` of `datafusion-physical-plan`, 55.2). In a plan that is ready to
//! run, [`FinestGroups`] takes the place of this step. It groups rows by all keys first, and then
//! the groups:
//!
//! ```text
//!  rows ─ by (a, b) ─▶ groups ─ for each of (a, b), (a), () ─▶ states ─ by set and keys ─▶ groups
//! ```
//!
//! The states of aggregates are merged once more than before. Where most rows have keys of their
//! own, the first step gives up after some rows (`skip_partial_aggregation_probe_ratio_threshold`),
//! and the rest is as without it. Plans, their properties and `EXPLAIN` do not change.
//!
//! Delete this when DataFusion does the same.

mod expanded;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
};

use self::expanded::Expanded;

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
    let steps = steps(aggregate, around)?;
    if steps.schema() != aggregate.schema() {
        return Ok(None);
    }
    Ok(Some(Arc::new(FinestGroups {
        aggregate: aggregate.clone(),
        steps,
        around,
    })))
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

fn is_merged(function: &AggregateFunctionExpr) -> bool {
    MERGED.contains(&function.fun().name())
        && !function.is_distinct()
        && function.order_bys().is_empty()
}

/// Returns the steps of an aggregation: by all keys, for each set, by set and keys.
fn steps(aggregate: &AggregateExec, around: Around) -> Result<Operator> {
    let keys = aggregate.group_expr();
    let functions = aggregate.aggr_expr().to_vec();
    let finest = AggregateExec::try_new(
        AggregateMode::Partial,
        PhysicalGroupBy::new_single(keys.expr().to_vec()),
        functions.clone(),
        aggregate.filter_expr().to_vec(),
        Arc::clone(aggregate.input()),
        aggregate.input_schema(),
    )?;
    let schema = aggregate.schema();
    let sets = PhysicalGroupBy::new(
        columns(&schema, keys.expr().len()),
        keys.null_expr().to_vec(),
        keys.groups().to_vec(),
        true,
    );
    let expanded = Expanded::new(
        Arc::new(finest),
        sets,
        functions.clone(),
        aggregate.input_schema(),
        Arc::clone(&schema),
    );
    let without_filters = vec![None; functions.len()];
    let merged = AggregateExec::try_new(
        AggregateMode::PartialReduce,
        PhysicalGroupBy::new_single(columns(&schema, keys.num_group_exprs())),
        functions,
        without_filters,
        around(Arc::new(expanded)),
        aggregate.input_schema(),
    )?;
    Ok(Arc::new(merged))
}

/// Returns the first columns of a schema with their names.
fn columns(schema: &SchemaRef, count: usize) -> Vec<(Arc<dyn PhysicalExpr>, String)> {
    let fields = schema.fields().iter().take(count).enumerate();
    let columns = fields.map(|(place, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), place));
        (column, field.name().clone())
    });
    columns.collect()
}

/// An aggregation for grouping sets that runs in steps. In all else it behaves as the aggregation.
#[derive(Debug)]
struct FinestGroups {
    aggregate: AggregateExec,
    steps: Operator,
    around: Around,
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
        let steps = steps(&aggregate, self.around)?;
        Ok(Arc::new(Self {
            aggregate,
            steps,
            around: self.around,
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.steps.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.steps.metrics()
    }
}
