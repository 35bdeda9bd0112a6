//! The group of the empty set, which is there without rows too.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::Schema;
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::groups::batch;
use super::steps::Steps;

/// Returns the group of the empty set without rows, as often as there is such a set.
///
/// # Errors
///
/// Returns an error of a function.
pub(super) fn groups_of_no_rows(plan: &Steps) -> Result<Vec<RecordBatch>> {
    let empty = plan.steps.iter().filter(|step| step.keys.is_empty());
    let numbers = empty.flat_map(|step| &step.numbers);
    let batches = numbers.map(|number| {
        let keys = plan.schema.fields().iter().take(plan.keys);
        let keys = keys.map(|field| new_null_array(field.data_type(), 1));
        let mut columns: Vec<ArrayRef> = keys.collect();
        columns.push(number.to_array_of_size(1)?);
        for function in &plan.functions {
            columns.extend(state_of_no_rows(function, &plan.rows)?);
        }
        batch(&plan.schema, columns, 1)
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
