//! Calls of the engine's own functions from those that are more than them.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::take;
use arrow::datatypes::Field;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::kernel::Call;

/// Calls another function with the arguments of a call.
///
/// # Errors
///
/// Those of the function.
pub(crate) fn called(call: &Call<'_>, function: &ScalarUDF) -> Result<ArrayRef> {
    let mut args = Vec::with_capacity(call.columns.len());
    for column in &call.columns {
        args.push(ColumnarValue::Array(match column.constant {
            true if call.rows != 1 => {
                let zeros = arrow::array::UInt64Array::from(vec![0; call.rows]);
                take(&column.array, &zeros, None)?
            }
            _ => Arc::clone(&column.array),
        }));
    }
    let value = function.invoke_with_args(ScalarFunctionArgs {
        args,
        arg_fields: call.fields.to_vec(),
        number_rows: call.rows,
        return_field: Arc::new(Field::new(call.name, call.returns.clone(), true)),
        config_options: Arc::new(ConfigOptions::default()),
    })?;
    value.into_array(call.rows)
}
