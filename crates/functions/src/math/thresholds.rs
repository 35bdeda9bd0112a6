//! PostgreSQL's `width_bucket` of a list of bounds, which may be of any type that has an order. Its
//! dialect calls `$threshold_bucket`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Builder, make_comparator, new_null_array,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Float64Type, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::numbers::{MAX_PRECISION, as_decimal, cast_column, number};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

const NAME: &str = "width_bucket";

static PAGE: Page = Page {
    name: "$threshold_bucket",
    section: SECTION,
    syntax: "$threshold_bucket(x, bounds)",
    sentence: "Returns how many of the sorted bounds are at most x, as in PostgreSQL.",
    example: "\"$threshold_bucket\"('b', ARRAY['a', 'c'])",
    result: "1",
};

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(
        &PAGE,
        vec![TypeSignature::Any(2)],
        Returns::From(returns),
        buckets,
    );
    vec![Entry::scalar(kernel).unlisted()]
}

fn returns(types: &[DataType]) -> Result<DataType> {
    match types {
        [x, bounds] => compared(x, bounds).map(|_| DataType::Int64),
        _ => Err(DataFusionError::Plan(format!("{NAME} takes 2 arguments"))),
    }
}

/// Returns the type in which a value is compared with bounds of a type.
fn compared(x: &DataType, bounds: &DataType) -> Result<DataType> {
    let item = match bounds {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type()
        }
        DataType::Null => &DataType::Null,
        other => {
            let message = format!("{NAME} takes an array of bounds, not {other}");
            return Err(DataFusionError::Plan(message));
        }
    };
    if let (Ok(one), Ok(other)) = (number(NAME, x), number(NAME, item)) {
        return Ok(of_numbers(&one, &other).unwrap_or(DataType::Float64));
    }
    match (x, item) {
        (x, item) if x.is_string() && item.is_string() => Ok(DataType::Utf8),
        (of, DataType::Null) | (DataType::Null, of) => Ok(of.clone()),
        (DataType::Timestamp(_, zone), DataType::Timestamp(_, other)) if zone == other => {
            Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        // A month and 30 days are equal, and not so here.
        (DataType::Interval(_), DataType::Interval(_)) => Err(DataFusionError::Plan(format!(
            "{NAME} takes no intervals; compare their lengths in seconds, extract(epoch FROM x)"
        ))),
        (x, item) if x == item => Ok(x.clone()),
        (x, item) => Err(DataFusionError::Plan(format!(
            "{NAME} takes bounds of the type of its value: {x}, not {item}"
        ))),
    }
}

/// Returns the decimal that holds all numbers of both types; `None` if there is none.
fn of_numbers(one: &DataType, other: &DataType) -> Option<DataType> {
    let (one, other) = (as_decimal(one)?, as_decimal(other)?);
    let places = one.1.max(other.1);
    let whole = |of: (u8, i8)| i16::from(of.0) - i16::from(of.1);
    let digits = whole(one).max(whole(other)) + i16::from(places);
    let digits = u8::try_from(digits).ok()?;
    (digits <= MAX_PRECISION).then_some(DataType::Decimal128(digits, places))
}

fn buckets(call: &Call<'_>) -> Result<ArrayRef> {
    let (x, bounds) = (&call.columns[0], &call.columns[1]);
    let of = compared(x.array.data_type(), bounds.array.data_type())?;
    let lists = DataType::List(Arc::new(Field::new_list_field(of.clone(), true)));
    let (x, bounds) = (cast_column(x, &of)?, cast_column(bounds, &lists)?);
    let Some(lists) = bounds.lists() else {
        return Ok(new_null_array(&DataType::Int64, call.rows));
    };
    let values = comparable(&x.array);
    let items = comparable(lists.array.values());
    let compare = make_comparator(&values, &items, SortOptions::default())?;
    let mut buckets = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        let (Some(list), false) = (lists.index(row), x.is_null(row)) else {
            buckets.append_null();
            continue;
        };
        let offsets = lists.array.value_offsets();
        let (start, end) = (offsets[list] as usize, offsets[list + 1] as usize);
        if items.null_count() > 0 && (start..end).any(|item| items.is_null(item)) {
            let message = "thresholds array must not contain NULLs";
            return Err(Error::new(Code::NullNotAllowed, message).into());
        }
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low + (high - low) / 2;
            match compare(x.at(row), middle) {
                Ordering::Less => high = middle,
                _ => low = middle + 1,
            }
        }
        buckets.append_value(i64::try_from(low - start).unwrap_or(i64::MAX));
    }
    Ok(Arc::new(buckets.finish()))
}

/// Returns values whose total order is PostgreSQL's: NaN is the greatest, and -0 is 0.
fn comparable(values: &ArrayRef) -> ArrayRef {
    match values.as_primitive_opt::<Float64Type>() {
        Some(numbers) => {
            let plain = |number: f64| {
                if number.is_nan() {
                    f64::NAN
                } else {
                    number + 0.0
                }
            };
            let numbers: Float64Array = numbers.unary(plain);
            Arc::new(numbers)
        }
        None => Arc::clone(values),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    // PostgreSQL 15.
    #[tokio::test]
    async fn values_of_any_order_have_buckets() {
        for (arguments, expected) in [
            ("2, ARRAY[1, 3, 7]", "1"),
            ("3, ARRAY[1, 3, 7]", "2"),
            ("0, ARRAY[1, 3, 7]", "0"),
            ("8, ARRAY[1, 3, 7]", "3"),
            ("2, ARRAY[1.5e0, 2.5e0]", "1"),
            ("nan(), ARRAY[1.5e0, infinity()]", "2"),
            ("-0e0, ARRAY[0e0]", "1"),
            (
                "9007199254740993, ARRAY[9007199254740992, 9007199254740994]",
                "1",
            ),
            ("CAST('1.5' AS DECIMAL(2,1)), ARRAY[1, 2]", "1"),
            ("'b', ARRAY['a', 'b', 'c']", "2"),
            (
                "DATE '2024-01-05', ARRAY[DATE '2024-01-01', DATE '2024-01-06']",
                "1",
            ),
            ("NULL, ARRAY[1, 3]", "NULL"),
            ("1, NULL", "NULL"),
        ] {
            let shown = value(&format!("\"$threshold_bucket\"({arguments})")).await;
            assert_eq!(shown.unwrap(), expected, "{arguments}");
        }
        let query =
            "SELECT \"$threshold_bucket\"(x, ARRAY[2, 4]) FROM (VALUES (1), (4), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["0", "2", "NULL"]);
        for (arguments, why) in [
            ("1, ARRAY[NULL, 1]", "must not contain NULLs"),
            ("'a', ARRAY[1]", "of the type of its value"),
            ("1, 2", "an array of bounds"),
            (
                "INTERVAL '1' MONTH, ARRAY[INTERVAL '35' DAY]",
                "takes no intervals",
            ),
        ] {
            let shown = error(&format!("\"$threshold_bucket\"({arguments})")).await;
            assert!(shown.contains(why), "{arguments}: {shown}");
        }
    }
}
