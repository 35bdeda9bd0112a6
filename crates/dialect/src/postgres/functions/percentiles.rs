//! What `percentile_cont(p) WITHIN GROUP (ORDER BY x)` computes, of the array of the values in their
//! order. DataFusion's function rounds the place between two values to six digits, and takes
//! constants and numbers only.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, IntervalMonthDayNanoArray, ListArray, UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type, IntervalMonthDayNano, IntervalUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_engine::stop;
use lakegate_engine::time::{between, intervals, length_of};
use lakegate_error::{Code, Error};

/// The function that `percentile_cont(p)` calls: `$percentile_cont(values, p, 'ASC')`.
pub(in crate::postgres) const PERCENTILE: &str = "$percentile_cont";

/// The direction of values that begin with the greatest one.
pub(in crate::postgres) const DESCENDING: &str = "DESC";

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    signature: Signature,
}

pub(super) fn percentile() -> Arc<ScalarUDF> {
    let signature = Signature::any(3, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Percentile { signature }))
}

/// Returns whether the values of arrays are intervals, or the differences of two times.
fn are_intervals(lists: &DataType) -> bool {
    match lists {
        DataType::List(item) => {
            matches!(
                item.data_type(),
                DataType::Interval(_) | DataType::Duration(_)
            )
        }
        _ => false,
    }
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
            Some(lists) if are_intervals(lists) => Ok(INTERVAL),
            _ => Err(Error::new(
                Code::FunctionNotFound,
                "function percentile_cont does not exist for such values; sort by a number or an interval",
            )
            .into()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [lists, places, order] = <[ColumnarValue; 3]>::try_from(args.args).map_err(|args| {
            DataFusionError::Internal(format!("{PERCENTILE} with {} arguments", args.len()))
        })?;
        let lists = lists.into_array(rows)?;
        let places = cast(&places.into_array(rows)?, &DataType::Float64)?;
        let places = Places::of(&lists, places.as_primitive::<Float64Type>())?;
        let items = lists.as_list_opt::<i32>();
        let found: ArrayRef = match items {
            Some(items) if are_intervals(lists.data_type()) => {
                Arc::new(of_intervals(items, places, is_descending(&order))?)
            }
            Some(items) => Arc::new(of_numbers(items, places)?),
            None => Arc::new(Float64Array::new_null(rows)),
        };
        Ok(ColumnarValue::Array(found))
    }
}

fn is_descending(order: &ColumnarValue) -> bool {
    match order {
        ColumnarValue::Scalar(order) => order.try_as_str().flatten() == Some(DESCENDING),
        ColumnarValue::Array(_) => false,
    }
}

/// Where the value of each list is: between two of all items, or at one.
struct Places {
    below: Vec<Option<u32>>,
    above: Vec<Option<u32>>,
    /// The part of the way from the one to the other.
    parts: Vec<f64>,
}

impl Places {
    /// Finds a place in each list; none in an empty one.
    ///
    /// # Errors
    ///
    /// A place is not between 0 and 1, or the query must stop.
    fn of(lists: &ArrayRef, places: &Float64Array) -> Result<Self> {
        let mut found = Self {
            below: Vec::with_capacity(lists.len()),
            above: Vec::with_capacity(lists.len()),
            parts: Vec::with_capacity(lists.len()),
        };
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
                found.below.push(None);
                found.above.push(None);
                found.parts.push(0.0);
                continue;
            };
            let index = place * f64::from(last);
            // Both are between 0 and `last`.
            found.below.push(start.checked_add(index.floor() as u32));
            found.above.push(start.checked_add(index.ceil() as u32));
            found.parts.push(index - index.floor());
        }
        Ok(found)
    }
}

fn of_numbers(lists: &ListArray, places: Places) -> Result<Float64Array> {
    let numbers = |places: Vec<Option<u32>>| {
        let taken = take(lists.values(), &UInt32Array::from(places), None)?;
        cast(&taken, &DataType::Float64)
    };
    let (below, above) = (numbers(places.below)?, numbers(places.above)?);
    let below = below.as_primitive::<Float64Type>().iter();
    let above = above.as_primitive::<Float64Type>().iter();
    let pairs = below.zip(above).zip(places.parts);
    let between = pairs.map(|((below, above), part)| {
        let (below, above) = below.zip(above)?;
        Some(match part == 0.0 {
            true => below,
            false => below + part * (above - below),
        })
    });
    Ok(between.collect())
}

/// Returns the intervals at places of lists. Their items are sorted here, by their lengths: the
/// engine sorts arrays of intervals by their months first.
///
/// # Errors
///
/// An interval is out of range, or the query must stop.
fn of_intervals(
    lists: &ListArray,
    places: Places,
    is_descending: bool,
) -> Result<IntervalMonthDayNanoArray> {
    let mut values: Vec<IntervalMonthDayNano> = intervals(lists.values())?.values().to_vec();
    for range in lists.value_offsets().windows(2) {
        stop::check()?;
        let &[start, end] = range else { continue };
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            continue;
        };
        let Some(items) = values.get_mut(start..end) else {
            continue;
        };
        match is_descending {
            true => items.sort_by_key(|value| Reverse(length_of(*value))),
            false => items.sort_by_key(|value| length_of(*value)),
        }
    }
    let value = |place: Option<u32>| -> Option<IntervalMonthDayNano> {
        values.get(usize::try_from(place?).ok()?).copied()
    };
    let pairs = places.below.into_iter().zip(places.above);
    let found = pairs
        .zip(places.parts)
        .map(
            |((below, above), part)| match (value(below), value(above)) {
                (Some(below), _) if part == 0.0 => Ok(Some(below)),
                (Some(below), Some(above)) => between(below, above, part).map(Some),
                _ => Ok(None),
            },
        )
        .collect::<Result<IntervalMonthDayNanoArray, Error>>()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{IntervalMonthDayNanoBuilder, ListBuilder};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn of(lists: &ListArray, places: Vec<Option<f64>>) -> Result<Vec<Option<f64>>> {
        let all = Arc::new(lists.clone()) as ArrayRef;
        let places = Places::of(&all, &Float64Array::from(places))?;
        Ok(of_numbers(lists, places)?.iter().collect())
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

    #[test]
    fn intervals_are_sorted_by_their_length() {
        const HOUR: i64 = 3_600_000_000_000;
        let of = IntervalMonthDayNano::new;
        let mut lists = ListBuilder::new(IntervalMonthDayNanoBuilder::new());
        // A month is 30 days.
        lists.append_value([Some(of(1, 0, 0)), Some(of(0, 40, 0)), Some(of(0, 5, HOUR))]);
        lists.append_value([Some(of(0, 1, 0)), Some(of(0, 2, 0))]);
        lists.append(true);
        let lists = lists.finish();
        let found = |place: f64, is_descending| {
            let all = Arc::new(lists.clone()) as ArrayRef;
            let places = Places::of(&all, &Float64Array::from(vec![place; 3])).unwrap();
            let found = of_intervals(&lists, places, is_descending).unwrap();
            found.iter().collect::<Vec<_>>()
        };
        assert_eq!(
            found(0.5, false),
            [Some(of(1, 0, 0)), Some(of(0, 1, 12 * HOUR)), None]
        );
        assert_eq!(
            found(0.0, true),
            [Some(of(0, 40, 0)), Some(of(0, 2, 0)), None]
        );
    }
}
