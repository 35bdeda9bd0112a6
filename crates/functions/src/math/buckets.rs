//! `width_bucket`, of equal buckets and of a list of bounds. Equal buckets whose first bound is the
//! greater one are others in PostgreSQL: its dialect calls `$width_bucket`, which is exact for
//! integers and decimals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Builder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, Int64Type, i256};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::numbers::{as_decimal, cast_column, number, out_of_range, wrong};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static PAGE: Page = Page {
    name: "width_bucket",
    section: SECTION,
    syntax: "width_bucket(x, bound1, bound2, n)",
    sentence: "Returns the number of the bucket of x, from n equal ones or from a sorted array of bounds.",
    example: "width_bucket(3.5e0, 0, 10, 5)",
    result: "2",
};

static OF_POSTGRES: Page = Page {
    name: "$width_bucket",
    section: SECTION,
    syntax: "$width_bucket(x, bound1, bound2, n)",
    sentence: "Returns the number of the bucket of x, as in PostgreSQL.",
    example: "\"$width_bucket\"(3.5e0, 0, 10, 5)",
    result: "2",
};

pub(super) fn entries() -> Vec<Entry> {
    let kernel = Kernel::new(
        &PAGE,
        vec![TypeSignature::Any(2), TypeSignature::Any(4)],
        Returns::From(returns),
        |call| match call.columns.len() {
            2 => of_bounds(call),
            _ => of_equal(call),
        },
    );
    let of_postgres = Kernel::new(
        &OF_POSTGRES,
        vec![TypeSignature::Any(4)],
        Returns::From(returns),
        of_equal_in_postgres,
    );
    vec![Entry::scalar(kernel), Entry::scalar(of_postgres).unlisted()]
}

fn returns(types: &[DataType]) -> Result<DataType> {
    let refused = |found: &DataType, wanted: &str| {
        DataFusionError::Plan(format!("width_bucket takes {wanted}, not {found}"))
    };
    match types {
        [x, bins] => {
            number("width_bucket", x)?;
            let item = match bins {
                DataType::List(item)
                | DataType::LargeList(item)
                | DataType::FixedSizeList(item, _) => item.data_type(),
                DataType::Null => &DataType::Null,
                other => return Err(refused(other, "an array of numbers")),
            };
            number("width_bucket", item)?;
        }
        [x, low, high, count] => {
            for of in [x, low, high] {
                number("width_bucket", of)?;
            }
            if !count.is_integer() && !count.is_null() {
                return Err(refused(count, "an integer as number of buckets"));
            }
        }
        _ => {
            return Err(DataFusionError::Plan(
                "width_bucket takes 2 or 4 arguments".to_owned(),
            ));
        }
    }
    Ok(DataType::Int64)
}

fn of_equal(call: &Call<'_>) -> Result<ArrayRef> {
    each_bucket(call, |_, x, first, second, count| {
        equal_bucket(x, first, second, count)
    })
}

/// Returns the bucket of each row. `bucket`: of the row's number, the number, the bounds and the
/// number of buckets.
fn each_bucket(
    call: &Call<'_>,
    bucket: impl Fn(usize, f64, f64, f64, i64) -> Result<i64>,
) -> Result<ArrayRef> {
    let double = |index: usize| cast_column(&call.columns[index], &DataType::Float64);
    let (x, first, second) = (double(0)?, double(1)?, double(2)?);
    let counts = cast_column(&call.columns[3], &DataType::Int64)?;
    let x = x.primitives::<Float64Type>();
    let first = first.primitives::<Float64Type>();
    let second = second.primitives::<Float64Type>();
    let counts = counts.primitives::<Int64Type>();
    let mut buckets = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        match (x.get(row), first.get(row), second.get(row), counts.get(row)) {
            (Some(x), Some(first), Some(second), Some(count)) => {
                buckets.append_value(bucket(row, x, first, second, count)?);
            }
            _ => buckets.append_null(),
        }
    }
    Ok(Arc::new(buckets.finish()))
}

fn equal_bucket(x: f64, first: f64, second: f64, count: i64) -> Result<i64> {
    let wrong =
        |message: String| -> DataFusionError { Error::new(Code::InvalidBucket, message).into() };
    if count <= 0 {
        return Err(wrong(format!(
            "width_bucket needs at least one bucket, not {count}"
        )));
    }
    if x.is_nan() {
        return Err(wrong("width_bucket has no bucket for NaN".to_owned()));
    }
    if !first.is_finite() || !second.is_finite() || first == second {
        return Err(wrong(format!(
            "the bounds of width_bucket must be two finite numbers, not {first} and {second}"
        )));
    }
    let (low, high) = (first.min(second), first.max(second));
    let bucket = if x < low {
        0
    } else if x >= high {
        let after = count.checked_add(1);
        after.ok_or_else(|| out_of_range(format!("the bucket of {x} is out of range")))?
    } else {
        // At most the number of buckets, and 1.
        (count as f64 * (x - low) / (high - low) + 1.0) as i64
    };
    Ok(match first > second {
        true => count.saturating_sub(bucket).saturating_add(1),
        false => bucket,
    })
}

/// A bound or a number that is an integer or a decimal, and its fractional digits.
struct Exact {
    column: Column,
    places: i8,
}

impl Exact {
    /// Returns `None` for a floating-point number.
    fn of(column: &Column) -> Result<Option<Self>> {
        let of = number("width_bucket", column.array.data_type())?;
        let Some((precision, places)) = as_decimal(&of) else {
            return Ok(None);
        };
        let column = cast_column(column, &DataType::Decimal128(precision, places))?;
        Ok(Some(Self { column, places }))
    }

    /// Returns the number of a row with so many fractional digits, without the point.
    fn at(&self, row: usize, places: i8) -> Option<i256> {
        let value = self.column.primitives::<Decimal128Type>().get(row)?;
        let more = u32::try_from(places - self.places).ok()?;
        let unit = i256::from_i128(10).checked_pow(more)?;
        i256::from_i128(value).checked_mul(unit)
    }
}

fn of_equal_in_postgres(call: &Call<'_>) -> Result<ArrayRef> {
    let exact: Vec<Option<Exact>> = call.columns[..3]
        .iter()
        .map(Exact::of)
        .collect::<Result<_>>()?;
    each_bucket(call, |row, x, first, second, count| {
        let bucket = match exact.as_slice() {
            [Some(x), Some(first), Some(second)] => exact_share(x, first, second, count, row),
            _ => None,
        };
        let bucket = match bucket {
            Some(bucket) if count > 0 => bucket,
            _ => postgres_bucket(x, first, second, count)?,
        };
        match i32::try_from(bucket) {
            Ok(_) => Ok(bucket),
            Err(_) => Err(out_of_range("integer out of range")),
        }
    })
}

/// Returns the bucket of an exact number; `None` if the numbers have too many digits, or there are
/// no buckets.
fn exact_share(x: &Exact, first: &Exact, second: &Exact, count: i64, row: usize) -> Option<i64> {
    let places = x.places.max(first.places).max(second.places);
    let (x, low) = (x.at(row, places)?, first.at(row, places)?);
    let width = second.at(row, places)?.checked_sub(low)?;
    let distance = x.checked_sub(low)?;
    // If the first bound is the greater one, the numbers are counted down.
    let (distance, width) = match width.is_negative() {
        true => (distance.checked_neg()?, width.checked_neg()?),
        false => (distance, width),
    };
    if distance.is_negative() {
        return (width != i256::ZERO).then_some(0);
    }
    if distance >= width {
        return (width != i256::ZERO).then(|| count.saturating_add(1));
    }
    let share = distance.checked_mul(i256::from_i128(count.into()))?;
    let before = share.checked_div(width)?.to_i128()?;
    i64::try_from(before).ok()?.checked_add(1)
}

/// As `width_bucket_float8` of PostgreSQL.
fn postgres_bucket(x: f64, first: f64, second: f64, count: i64) -> Result<i64> {
    let wrong = |message: &'static str| -> DataFusionError {
        Error::new(Code::InvalidBucket, message).into()
    };
    if count <= 0 {
        return Err(wrong("count must be greater than zero"));
    }
    if x.is_nan() || first.is_nan() || second.is_nan() {
        return Err(wrong("operand, lower bound, and upper bound cannot be NaN"));
    }
    if first.is_infinite() || second.is_infinite() {
        return Err(wrong("lower and upper bounds must be finite"));
    }
    if first == second {
        return Err(wrong("lower bound cannot equal upper bound"));
    }
    // If the first bound is the greater one, the numbers are counted down.
    let (x, low, high) = match first > second {
        true => (-x, -first, -second),
        false => (x, first, second),
    };
    if x < low {
        return Ok(0);
    }
    if x >= high {
        return Ok(count.saturating_add(1));
    }
    let share = match (high - low).is_finite() {
        true => (x - low) / (high - low),
        false => (x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
    };
    let before = (count as f64 * share) as i64;
    // The share may be rounded to 1.
    Ok(before.min(count - 1) + 1)
}

fn of_bounds(call: &Call<'_>) -> Result<ArrayRef> {
    let x = cast_column(&call.columns[0], &DataType::Float64)?;
    let of = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
    let bins = cast_column(&call.columns[1], &of)?;
    let (x, Some(bins)) = (x.primitives::<Float64Type>(), bins.lists()) else {
        return Ok(cast(&call.columns[1].array, &DataType::Int64)?);
    };
    let mut buckets = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        match (x.get(row), bins.get(row)) {
            (Some(x), Some(bins)) => {
                buckets.append_value(bucket(x, bins.as_primitive::<Float64Type>())?);
            }
            _ => buckets.append_null(),
        }
    }
    Ok(Arc::new(buckets.finish()))
}

/// Finds how many bounds are at most `x`. Only the bounds that the search meets are checked, as in
/// Trino.
fn bucket(x: f64, bins: &Float64Array) -> Result<i64> {
    if bins.is_empty() {
        return Err(wrong("the array of width_bucket is empty"));
    }
    if x.is_nan() {
        return Err(wrong("width_bucket has no bucket for NaN"));
    }
    let bound = |index: usize| match bins.is_valid(index) {
        true => Ok(bins.value(index)),
        false => Err(wrong("the array of width_bucket contains NULL")),
    };
    let (mut low, mut high) = (0, bins.len());
    while low < high {
        if bound(low)? > bound(high - 1)? {
            return Err(wrong("the array of width_bucket is not sorted"));
        }
        let middle = low + (high - low) / 2;
        let bin = bound(middle)?;
        if !bin.is_finite() {
            return Err(wrong(format!("the array of width_bucket contains {bin}")));
        }
        match x < bin {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    Ok(i64::try_from(low).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn buckets_are_equal_and_ordered_as_the_bounds() {
        for (arguments, expected) in [
            ("3.14e0, 0, 4, 3", "3"),
            ("2, 0, 4, 3", "2"),
            ("4, 0, 4, 3", "4"),
            ("-1, 0, 4, 3", "0"),
            ("3.14e0, 4, 0, 3", "1"),
            ("infinity(), 0, 4, 3", "4"),
            ("infinity(), 0, 4, NULL", "NULL"),
            ("3.14e0, ARRAY[0e0]", "1"),
            ("-1, ARRAY[0, 2]", "0"),
            ("2, ARRAY[0, 2, 4]", "2"),
            ("3, ARRAY[0, 2.5e0, 4]", "2"),
            ("5, ARRAY[0, 2, 4]", "3"),
            ("NULL, ARRAY[0]", "NULL"),
            ("1, NULL", "NULL"),
        ] {
            let shown = value(&format!("width_bucket({arguments})")).await;
            assert_eq!(shown.unwrap(), expected, "{arguments}");
        }
        let query = "SELECT width_bucket(x, 0, 10, 5) FROM (VALUES (1), (9), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1", "5", "NULL"]);
        // PostgreSQL 15.
        for (arguments, expected) in [
            ("5, 0, 10, 5", "3"),
            ("10, 0, 10, 5", "6"),
            ("-1, 0, 10, 5", "0"),
            ("5, 10, 0, 5", "3"),
            ("0, 10, 0, 5", "6"),
            ("10, 10, 0, 5", "1"),
            ("11, 10, 0, 5", "0"),
            ("10e0, 10, 0, 5", "1"),
            ("0e0, 10, 0, 5", "6"),
            ("5.35e0, 0.024e0, 10.06e0, 5", "3"),
            ("infinity(), 0, 10, 5", "6"),
            ("9.999999999999999e0, 0, 10, 10", "10"),
            ("1e308, -1e308, 1.5e308, 5", "5"),
            ("0.29e0, 0, 1, 100", "29"),
            ("CAST('0.29' AS DECIMAL(3,2)), 0, 1, 100", "30"),
            ("CAST('0.29' AS DECIMAL(3,2)), 1, 0, 100", "72"),
            (
                "CAST('5.5' AS DECIMAL(38,20)), 0, CAST('10.5' AS DECIMAL(3,1)), 10",
                "6",
            ),
            ("NULL, 0, 10, 5", "NULL"),
            ("5, 0, 10, 2147483647", "1073741824"),
        ] {
            let shown = value(&format!("\"$width_bucket\"({arguments})")).await;
            assert_eq!(shown.unwrap(), expected, "{arguments}");
        }
        for (arguments, why) in [
            ("5, 0, 10, 0", "count must be greater than zero"),
            ("11, 0, 10, -1", "count must be greater than zero"),
            ("5, 1, 1, 5", "lower bound cannot equal upper bound"),
            ("0, 1, 1, 5", "lower bound cannot equal upper bound"),
            ("nan(), 0, 10, 5", "cannot be NaN"),
            ("5, 0, infinity(), 5", "must be finite"),
            ("15, 0, 10, 2147483647", "integer out of range"),
        ] {
            let shown = error(&format!("\"$width_bucket\"({arguments})")).await;
            assert!(shown.contains(why), "{arguments}: {shown}");
        }
        for (arguments, why) in [
            ("1, 0, 4, 0", "at least one"),
            ("nan(), 0, 4, 1", "NaN"),
            ("1, 4, 4, 1", "two finite"),
            ("1, 0, infinity(), 1", "two finite"),
            ("9, 0, 4, 9223372036854775807", "out of range"),
            ("1, ARRAY[4, 0]", "not sorted"),
            ("1, ARRAY[infinity()]", "contains inf"),
            ("1, ARRAY[NULL, 1]", "contains NULL"),
            ("nan(), ARRAY[1]", "NaN"),
            ("'a', ARRAY[1]", "takes numbers"),
            ("1, 2", "array of numbers"),
        ] {
            let shown = error(&format!("width_bucket({arguments})")).await;
            assert!(shown.contains(why), "{arguments}: {shown}");
        }
    }
}
