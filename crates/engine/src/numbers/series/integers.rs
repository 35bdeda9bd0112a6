//! Series of integers of 32 bits: their numbers have as many. Those of the engine have 64.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::types::logical_int32;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ScalarFunctionArgs, ScalarUDF, TypeSignature, TypeSignatureClass,
};

use super::{forms_of, list_of};

/// Returns the arguments of these series.
pub(super) fn forms() -> [TypeSignature; 2] {
    let class = TypeSignatureClass::Native(logical_int32());
    forms_of(&Coercion::new_exact(class))
}

/// Returns the type of a series of numbers of these types, if all have 32 bits.
pub(super) fn series_of<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
    let mut types = types.peekable();
    types.peek()?;
    let are_integers = types.all(|of| *of == DataType::Int32);
    are_integers.then(|| list_of(DataType::Int32))
}

/// Returns the lists of a call. `engine`: the function that makes them of integers of 64 bits.
///
/// # Errors
///
/// Those of the function.
pub(super) fn lists(engine: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let numbers = args.args.iter();
    let numbers = numbers.map(|number| number.cast_to(&DataType::Int64, None));
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    let fields = args.arg_fields.iter();
    let fields = fields
        .map(|field| Arc::new(field.as_ref().clone().with_data_type(DataType::Int64)))
        .collect();
    let series = Field::new(engine.name(), list_of(DataType::Int64), true);
    let lists = engine.invoke_with_args(ScalarFunctionArgs {
        args: numbers,
        arg_fields: fields,
        return_field: Arc::new(series),
        ..args
    })?;
    // All numbers are between the first and the last one.
    lists.cast_to(&list_of(DataType::Int32), None)
}
