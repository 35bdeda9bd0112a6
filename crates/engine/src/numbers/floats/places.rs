//! `round(x, n)` and `trunc(x, n)` of floating-point numbers for any n. The engine multiplies by
//! 10^n and divides again, which is NaN if either is infinite (apache/datafusion, `round.rs` and
//! `trunc.rs`, 55.2).
//!
//! Delete this when the engine's own `round(42.5, 1000)` is 42.5.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

use super::extremes::Float;
use crate::plans::scalars::as_the_inner;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for name in ["round", "trunc"] {
        if let Some(inner) = state.scalar_functions().get(name).cloned() {
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(Places { inner })))?;
        }
    }
    Ok(())
}

/// The engine's function, with results that are finite if its arguments are.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Places {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Places {
    as_the_inner!();

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = args.args.clone();
        let rows = args.number_rows;
        let results = self.inner.invoke_with_args(args)?;
        let [values, places] = given.as_slice() else {
            return Ok(results);
        };
        if !results.data_type().is_floating() || values.data_type() != results.data_type() {
            return Ok(results);
        }
        let scalar = matches!(results, ColumnarValue::Scalar(_));
        let rows = if scalar { 1 } else { rows };
        let results = results.into_array(rows)?;
        let values = values.to_array(rows)?;
        let places = cast(&places.to_array(rows)?, &DataType::Int64)?;
        let places = places.as_primitive::<Int64Type>();
        let mended = match results.data_type() {
            DataType::Float64 => mended::<Float64Type>(&values, places, &results),
            DataType::Float32 => mended::<Float32Type>(&values, places, &results),
            _ => results,
        };
        Ok(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&mended, 0)?),
            false => ColumnarValue::Array(mended),
        })
    }
}

/// Replaces results that are not finite: by the number itself for more places than it has, and by 0
/// for negative places beyond its digits.
fn mended<T: Float>(
    values: &ArrayRef,
    places: &PrimitiveArray<Int64Type>,
    results: &ArrayRef,
) -> ArrayRef {
    let given = values.as_primitive::<T>();
    let made = results.as_primitive::<T>();
    if made
        .iter()
        .flatten()
        .all(|result| T::widened(result).is_finite())
    {
        return Arc::clone(results);
    }
    let mended: PrimitiveArray<T> = made
        .iter()
        .zip(given)
        .zip(places)
        .map(|rows| match rows {
            ((Some(result), Some(value)), Some(places)) => {
                Some(match T::widened(result).is_finite() {
                    true => result,
                    false if places < 0 && T::widened(value).is_finite() => T::Native::default(),
                    false => value,
                })
            }
            _ => None,
        })
        .collect();
    Arc::new(mended)
}
