//! What `percentile_cont(p) WITHIN GROUP (ORDER BY x)` computes, of the array of the values in any
//! order. DataFusion's function rounds the place between two values to six digits, and takes
//! constants and numbers only.

mod selected;

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, IntervalMonthDayNanoArray, ListArray};
use arrow::compute::cast;
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
        let places = places_in(&lists, places.as_primitive::<Float64Type>())?;
        let is_descending = is_descending(&order);
        let found: ArrayRef = match lists.as_list_opt::<i32>() {
            Some(items) if are_intervals(lists.data_type()) => {
                Arc::new(of_intervals(items, &places, is_descending)?)
            }
            Some(items) => Arc::new(of_numbers(items, &places, is_descending)?),
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

/// Where the value of a list is: between two of its items, or at one.
#[derive(Debug)]
struct Place {
    /// The items among those of all lists, at least one.
    items: Range<usize>,
    /// The place of the one item in the order of the list, from 0.
    below: usize,
    above: usize,
    /// The part of the way from the one to the other.
    part: f64,
}

/// Finds a place in each list; none in an empty one.
///
/// # Errors
///
/// A place is not between 0 and 1, or the query must stop.
fn places_in(lists: &ArrayRef, places: &Float64Array) -> Result<Vec<Option<Place>>> {
    let items = lists.as_list_opt::<i32>();
    let mut found = Vec::with_capacity(lists.len());
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
            let start = usize::try_from(*lists.value_offsets().get(row)?).ok()?;
            let length = usize::try_from(lists.value_length(row)).ok()?;
            Some(start..start.checked_add(length)?).filter(|items| !items.is_empty())
        });
        found.push(items.zip(place).map(|(items, place)| {
            // At most 2^31, and the product is between 0 and the last place.
            let index = place * (items.len() - 1) as f64;
            Place {
                items,
                below: index.floor() as usize,
                above: index.ceil() as usize,
                part: index - index.floor(),
            }
        }));
    }
    Ok(found)
}

/// Returns the numbers at places of lists.
///
/// # Errors
///
/// The items are not numbers, or the query must stop.
fn of_numbers(
    lists: &ListArray,
    places: &[Option<Place>],
    is_descending: bool,
) -> Result<Float64Array> {
    let found = places.iter().map(|place| -> Result<Option<f64>> {
        let Some(place) = place else {
            return Ok(None);
        };
        stop::check()?;
        let items = lists.values().slice(place.items.start, place.items.len());
        let at = |at: usize| match is_descending {
            true => items.len().saturating_sub(at + 1),
            false => at,
        };
        let (below, above) = selected::pair(&items, at(place.below), at(place.above))?;
        Ok(Some(match place.part == 0.0 {
            true => below,
            false => below + place.part * (above - below),
        }))
    });
    found.collect()
}

/// Returns the intervals at places of lists, whose order is that of their lengths.
///
/// # Errors
///
/// An interval is out of range, or the query must stop.
fn of_intervals(
    lists: &ListArray,
    places: &[Option<Place>],
    is_descending: bool,
) -> Result<IntervalMonthDayNanoArray> {
    let mut values: Vec<IntervalMonthDayNano> = intervals(lists.values())?.values().to_vec();
    for place in places.iter().flatten() {
        stop::check()?;
        let Some(items) = values.get_mut(place.items.clone()) else {
            continue;
        };
        match is_descending {
            true => items.sort_by_key(|value| Reverse(length_of(*value))),
            false => items.sort_by_key(|value| length_of(*value)),
        }
    }
    let found = places.iter().map(|place| {
        let Some(place) = place else {
            return Ok(None);
        };
        let value = |at: usize| values.get(place.items.start + at).copied();
        match (value(place.below), value(place.above)) {
            (Some(below), _) if place.part == 0.0 => Ok(Some(below)),
            (Some(below), Some(above)) => between(below, above, place.part).map(Some),
            _ => Ok(None),
        }
    });
    Ok(found.collect::<Result<IntervalMonthDayNanoArray, Error>>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{IntervalMonthDayNanoBuilder, ListBuilder};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn of(lists: &ListArray, places: Vec<Option<f64>>) -> Result<Vec<Option<f64>>> {
        let all = Arc::new(lists.clone()) as ArrayRef;
        let places = places_in(&all, &Float64Array::from(places))?;
        Ok(of_numbers(lists, &places, false)?.iter().collect())
    }

    #[test]
    fn a_percentile_between_two_values_has_all_digits() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(0), Some(1_000_000_000)]),
            Some(vec![]),
            None,
            Some(vec![Some(7)]),
            Some(vec![Some(4), Some(1), Some(2)]),
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
    fn places_count_from_the_greatest_value_in_descending_order() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![
            Some(0),
            Some(1_000_000_000),
            Some(10),
        ])]);
        let all = Arc::new(lists.clone()) as ArrayRef;
        for (place, expected) in [(0.0, 1e9), (0.38, 240_000_007.6), (1.0, 0.0)] {
            let places = places_in(&all, &Float64Array::from(vec![place])).unwrap();
            let found = of_numbers(&lists, &places, true).unwrap();
            assert!((found.value(0) - expected).abs() < 1e-6, "{found:?}");
        }
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
            let places = places_in(&all, &Float64Array::from(vec![place; 3])).unwrap();
            let found = of_intervals(&lists, &places, is_descending).unwrap();
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
