//! Groups by all keys, once for each grouping set.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::aggregates::{PhysicalGroupBy, evaluate_group_by};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

/// Returns each group of its input for each set: with NULL for keys that the set leaves out, the
/// number of the set, and the states of the group's aggregates.
#[derive(Debug)]
pub(super) struct Expanded {
    input: Arc<dyn ExecutionPlan>,
    /// Of the columns of the input.
    sets: Arc<PhysicalGroupBy>,
    functions: Vec<Arc<AggregateFunctionExpr>>,
    /// The columns that the functions are of.
    rows: SchemaRef,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl Expanded {
    /// `rows`: the columns that the functions are of. `schema`: keys, the number of the set, states.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        sets: PhysicalGroupBy,
        functions: Vec<Arc<AggregateFunctionExpr>>,
        rows: SchemaRef,
        schema: SchemaRef,
    ) -> Self {
        let partitions = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            input,
            sets: Arc::new(sets),
            functions,
            rows,
            schema,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for Expanded {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpandedGroups: sets={}", self.sets.groups().len())
    }
}

impl ExecutionPlan for Expanded {
    fn name(&self) -> &str {
        "ExpandedGroups"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (expression, _) in self.sets.expr().iter().chain(self.sets.null_expr()) {
            if f(expression)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("one input is expanded".to_owned()))?;
        Ok(Arc::new(Self::new(
            input,
            PhysicalGroupBy::clone(&self.sets),
            self.functions.clone(),
            Arc::clone(&self.rows),
            Arc::clone(&self.schema),
        )))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let groups = input.schema();
        let has_rows = Arc::new(AtomicBool::new(false));
        let (sets, schema) = (Arc::clone(&self.sets), Arc::clone(&self.schema));
        let seen = Arc::clone(&has_rows);
        let of_rows = input.map(move |batch| {
            let batch = batch?;
            seen.fetch_or(batch.num_rows() > 0, Ordering::Relaxed);
            expanded(&batch, &sets, &schema)
        });
        let (sets, schema) = (Arc::clone(&self.sets), Arc::clone(&self.schema));
        let (functions, rows) = (self.functions.clone(), Arc::clone(&self.rows));
        let of_no_rows = stream::once(async move {
            match has_rows.load(Ordering::Relaxed) {
                true => Ok(Vec::new()),
                false => of_no_rows(&groups, &sets, &functions, &rows, &schema),
            }
        });
        let batches = of_rows
            .chain(of_no_rows)
            .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
            .try_flatten();
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// Returns groups for each set.
fn expanded(
    groups: &RecordBatch,
    sets: &PhysicalGroupBy,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let states = groups.columns().iter().skip(sets.expr().len());
    let of_sets = evaluate_group_by(sets, groups)?.into_iter();
    let batches = of_sets.map(|mut columns| {
        columns.extend(states.clone().cloned());
        batch(schema, columns, groups.num_rows())
    });
    batches.collect()
}

/// Returns the group of the empty set, which is there without rows too, as often as there is such a
/// set.
///
/// `rows`: the columns that the functions are of.
fn of_no_rows(
    groups: &SchemaRef,
    sets: &PhysicalGroupBy,
    functions: &[Arc<AggregateFunctionExpr>],
    rows: &SchemaRef,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let mut states: Vec<ArrayRef> = Vec::new();
    for function in functions {
        states.extend(state_of_no_rows(function, rows)?);
    }
    let fields = groups.fields().iter();
    let fields = fields.map(|field| Field::clone(field).with_nullable(true));
    let nullable = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let nulls = groups.fields().iter();
    let nulls = nulls.map(|field| new_null_array(field.data_type(), 1));
    let nulls = batch(&nullable, nulls.collect(), 1)?;
    let of_sets = sets.groups().iter().zip(evaluate_group_by(sets, &nulls)?);
    let empty = of_sets.filter(|(left_out, _)| !left_out.contains(&false));
    let batches = empty.map(|(_, mut columns)| {
        columns.extend(states.iter().cloned());
        batch(schema, columns, 1)
    });
    batches.collect()
}

/// Returns the state of a group without rows, as DataFusion makes it (`init_empty_grouping_sets`,
/// 55.2): of a row that a filter leaves out. States of new accumulators differ: a count of 0 is
/// NULL in the state of `avg` for groups, and 0 divides.
fn state_of_no_rows(function: &AggregateFunctionExpr, rows: &Schema) -> Result<Vec<ArrayRef>> {
    if !function.groups_accumulator_supported() {
        let state = function.create_accumulator()?.state()?.into_iter();
        return state.map(|value| value.to_array_of_size(1)).collect();
    }
    let arguments = function.expressions().into_iter();
    let arguments = arguments.map(|argument| Ok(new_null_array(&argument.data_type(rows)?, 1)));
    let arguments = arguments.collect::<Result<Vec<ArrayRef>>>()?;
    let mut groups = function.create_groups_accumulator()?;
    groups.update_batch(&arguments, &[0], Some(&BooleanArray::from(vec![false])), 1)?;
    groups.state(EmitTo::All)
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    Ok(batch?)
}
