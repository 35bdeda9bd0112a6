//! The types of numbers, and loops over columns of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type};
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

use crate::columns::Column;
use crate::kernel::Call;

/// Digits of the widest decimal.
pub(super) const MAX_PRECISION: u8 = 38;

/// Returns the type of Trino that holds the values of a type of number.
///
/// # Errors
///
/// The type is not one of numbers.
pub(super) fn number(name: &str, of: &DataType) -> Result<DataType> {
    use DataType as T;
    Ok(match of {
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Float32 | T::Float64 => of.clone(),
        T::UInt8 => T::Int16,
        T::UInt16 => T::Int32,
        T::UInt32 => T::Int64,
        T::UInt64 => T::Decimal128(20, 0),
        T::Float16 => T::Float32,
        T::Decimal128(_, scale) if *scale >= 0 => of.clone(),
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) if *scale >= 0 => {
            T::Decimal128(*precision, *scale)
        }
        T::Dictionary(_, values) => number(name, values)?,
        // A NULL without a type.
        T::Null => T::Int64,
        other => {
            return Err(DataFusionError::Plan(format!(
                "{name} takes numbers, not {other}"
            )));
        }
    })
}

/// Returns a column as values of another type; all of them fit.
///
/// # Errors
///
/// The column cannot be cast.
pub(super) fn cast_column(column: &Column, to: &DataType) -> Result<Column> {
    let array = match column.array.data_type() == to {
        true => Arc::clone(&column.array),
        false => cast(&column.array, to)?,
    };
    Ok(Column {
        array,
        constant: column.constant,
    })
}

/// Returns the digits and the fractional digits of a decimal that holds an integer type's values.
pub(super) fn as_decimal(of: &DataType) -> Option<(u8, i8)> {
    Some(match of {
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::Decimal128(precision, scale) => (*precision, *scale),
        _ => return None,
    })
}

/// Evaluates a function of one number; NULL makes NULL.
///
/// # Errors
///
/// The function fails, or the query was stopped.
pub(super) fn unary<I: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    call: &Call<'_>,
    column: &Column,
    function: impl Fn(I::Native) -> Result<O::Native>,
) -> Result<ArrayRef> {
    call.work
        .builds(call.rows.saturating_mul(size_of::<O::Native>()))?;
    let values = column.primitives::<I>();
    let results: PrimitiveArray<O> = match values.constant {
        false => values.array.try_unary(function)?,
        true => {
            let value = values.get(0).map(function).transpose()?;
            std::iter::repeat_n(value, call.rows).collect()
        }
    };
    Ok(Arc::new(results.with_data_type(call.returns.clone())))
}

/// Evaluates a function of two numbers; NULL makes NULL.
///
/// # Errors
///
/// The function fails, or the query was stopped.
pub(super) fn binary<I: ArrowPrimitiveType, J: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    call: &Call<'_>,
    left: &Column,
    right: &Column,
    function: impl Fn(I::Native, J::Native) -> Result<O::Native>,
) -> Result<ArrayRef> {
    call.work
        .builds(call.rows.saturating_mul(size_of::<O::Native>()))?;
    let lefts = left.primitives::<I>();
    let rights = right.primitives::<J>();
    let results: PrimitiveArray<O> = match (lefts.constant, rights.constant) {
        (false, true) => match rights.get(0) {
            Some(right) => lefts.array.try_unary(|left| function(left, right))?,
            None => PrimitiveArray::new_null(call.rows),
        },
        (true, false) => match lefts.get(0) {
            Some(left) => rights.array.try_unary(|right| function(left, right))?,
            None => PrimitiveArray::new_null(call.rows),
        },
        (false, false) => try_both(lefts.array, rights.array, function)?,
        (true, true) => {
            let value = match (lefts.get(0), rights.get(0)) {
                (Some(left), Some(right)) => Some(function(left, right)?),
                _ => None,
            };
            std::iter::repeat_n(value, call.rows).collect()
        }
    };
    Ok(Arc::new(results.with_data_type(call.returns.clone())))
}

fn try_both<I: ArrowPrimitiveType, J: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    lefts: &PrimitiveArray<I>,
    rights: &PrimitiveArray<J>,
    function: impl Fn(I::Native, J::Native) -> Result<O::Native>,
) -> Result<PrimitiveArray<O>> {
    let nulls = NullBuffer::union(lefts.nulls(), rights.nulls());
    let mut results = Vec::with_capacity(lefts.len());
    let pairs = lefts.values().iter().zip(rights.values());
    match &nulls {
        None => {
            for (left, right) in pairs {
                results.push(function(*left, *right)?);
            }
        }
        Some(nulls) => {
            for ((left, right), valid) in pairs.zip(nulls) {
                results.push(match valid {
                    true => function(*left, *right)?,
                    false => O::Native::default(),
                });
            }
        }
    }
    Ok(PrimitiveArray::new(results.into(), nulls))
}

/// Evaluates a function of doubles, as many as the call has arguments.
///
/// # Errors
///
/// The function fails, or the query was stopped.
pub(super) fn doubles<const N: usize>(
    call: &Call<'_>,
    function: impl Fn([f64; N]) -> Result<f64>,
) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(8))?;
    let columns: Vec<_> = call
        .columns
        .iter()
        .map(|column| column.primitives::<Float64Type>())
        .collect();
    let mut results = arrow::array::Float64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.step()?;
        let mut values = [0.0; N];
        let mut is_null = columns.len() != N;
        for (value, column) in values.iter_mut().zip(&columns) {
            match column.get(row) {
                Some(given) => *value = given,
                None => is_null = true,
            }
        }
        match is_null {
            true => results.append_null(),
            false => results.append_value(function(values)?),
        }
    }
    Ok(Arc::new(results.finish()))
}

/// Evaluates a condition of a double; NULL makes NULL.
///
/// # Errors
///
/// The query was stopped.
pub(super) fn condition(call: &Call<'_>, holds: impl Fn(f64) -> bool) -> Result<ArrayRef> {
    call.work.builds(call.rows)?;
    let values = call.columns[0].primitives::<Float64Type>();
    let results: BooleanArray = match values.constant {
        false => BooleanArray::from_unary(values.array, holds),
        true => std::iter::repeat_n(values.get(0).map(holds), call.rows).collect(),
    };
    Ok(Arc::new(results))
}

/// Returns an error about a number that the result's type cannot hold.
pub(super) fn out_of_range(message: impl Into<std::borrow::Cow<'static, str>>) -> DataFusionError {
    Error::new(Code::NumericOutOfRange, message).into()
}

/// Returns an error about an argument.
pub(super) fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> DataFusionError {
    Error::invalid(message).into()
}
