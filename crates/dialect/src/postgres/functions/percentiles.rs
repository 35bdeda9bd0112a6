//! What `percentile_cont(p) WITHIN GROUP (ORDER BY x)` computes, of the array of the values in their
//! order. DataFusion's function rounds the place between two values to six digits, and takes
//! constants only.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_engine::stop;
use lakegate_error::{Code, Error};

/// The function that `percentile_cont(p)` calls: `$percentile_cont(values, p)`.
pub(in crate::postgres) const PERCENTILE: &str = "$percentile_cont";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    signature: Signature,
}

pub(super) fn percentile() -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Percentile { signature }))
}

impl ScalarUDFImpl for Percentile {
    fn name(&self) -> &str {
        PERCENTILE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(DataType::List(item)) if item.data_type().is_numeric() => Ok(DataType::Float64),
            Some(DataType::List(item)) if item.data_type().is_null() => Ok(DataType::Float64),
            Some(DataType::Null) => Ok(DataType::Float64),
            _ => Err(Error::new(
                Code::FunctionNotFound,
                "function percentile_cont does not exist for such values; sort by a number",
            )
            .into()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [lists, places] = <[ColumnarValue; 2]>::try_from(args.args).map_err(|args| {
            DataFusionError::Internal(format!("{PERCENTILE} with {} arguments", args.len()))
        })?;
        let lists = lists.into_array(rows)?;
        let places = cast(&places.into_array(rows)?, &DataType::Float64)?;
        let found = percentiles(&lists, places.as_primitive::<Float64Type>())?;
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// Returns the value at a place of each sorted list, between two items if need be; NULL of an empty
/// one.
///
/// # Errors
///
/// A place is not between 0 and 1, or the query must stop.
fn percentiles(lists: &ArrayRef, places: &Float64Array) -> Result<Float64Array> {
    let mut below: Vec<Option<u32>> = Vec::with_capacity(lists.len());
    let mut above: Vec<Option<u32>> = Vec::with_capacity(lists.len());
    let mut parts: Vec<f64> = Vec::with_capacity(lists.len());
    let items = lists.as_list_opt::<i32>();
    for (row, place) in places.iter().enumerate() {
        stop::check()?;
        if let Some(place) = place.filter(|place| !(0.0..=1.0).contains(place)) {
            return Err(Error::new(
                Code::NumericOutOfRange,
                format!("percentile value {place} is not between 0 and 1"),
            )
            .into());
        }
        let items = items.filter(|lists| lists.is_valid(row)).and_then(|lists| {
            let start = u32::try_from(*lists.value_offsets().get(row)?).ok()?;
            let last = u32::try_from(lists.value_length(row))
                .ok()?
                .checked_sub(1)?;
            Some((start, last))
        });
        let Some(((start, last), place)) = items.zip(place) else {
            below.push(None);
            above.push(None);
            parts.push(0.0);
            continue;
        };
        let index = place * f64::from(last);
        // Both are between 0 and `last`.
        below.push(start.checked_add(index.floor() as u32));
        above.push(start.checked_add(index.ceil() as u32));
        parts.push(index - index.floor());
    }
    let Some(items) = items else {
        return Ok(Float64Array::new_null(lists.len()));
    };
    let numbers = |places: Vec<Option<u32>>| {
        let taken = take(items.values(), &UInt32Array::from(places), None)?;
        cast(&taken, &DataType::Float64)
    };
    let (below, above) = (numbers(below)?, numbers(above)?);
    let below = below.as_primitive::<Float64Type>().iter();
    let above = above.as_primitive::<Float64Type>().iter();
    let between = below.zip(above).zip(parts).map(|((below, above), part)| {
        let (below, above) = below.zip(above)?;
        Some(match part == 0.0 {
            true => below,
            false => below + part * (above - below),
        })
    });
    Ok(between.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::ListArray;
    use arrow::datatypes::Int32Type;

    use super::*;

    fn of(lists: &ListArray, places: Vec<Option<f64>>) -> Result<Vec<Option<f64>>> {
        let lists = Arc::new(lists.clone()) as ArrayRef;
        let found = percentiles(&lists, &Float64Array::from(places))?;
        Ok(found.iter().collect())
    }

    #[test]
    fn a_percentile_between_two_values_has_all_digits() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(0), Some(1_000_000_000)]),
            Some(vec![]),
            None,
            Some(vec![Some(7)]),
            Some(vec![Some(1), Some(2), Some(4)]),
            Some(vec![Some(1), Some(2)]),
        ]);
        let places = vec![
            Some(0.123_456_789),
            Some(0.5),
            Some(0.5),
            Some(0.3),
            Some(1.0),
            None,
        ];
        assert_eq!(
            of(&lists, places).unwrap(),
            [Some(123_456_789.0), None, None, Some(7.0), Some(4.0), None]
        );
        // The offsets of a slice do not begin at 0.
        let found = of(&lists.slice(3, 2), vec![Some(0.0), Some(0.5)]).unwrap();
        assert_eq!(found, [Some(7.0), Some(2.0)]);
    }

    #[test]
    fn a_place_outside_of_the_values_is_an_error() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
        for place in [-0.1, 1.5, f64::NAN] {
            let error = of(&lists, vec![Some(place)]).unwrap_err().to_string();
            assert!(error.contains("is not between 0 and 1"), "{error}");
        }
    }
}
