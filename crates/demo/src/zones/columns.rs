//! Arrow columns from iterators, and the raw zone's text for the same values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate};

pub(super) fn strings<T: AsRef<str>>(values: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn optional_strings<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(super) fn booleans(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

pub(super) fn ints(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}

pub(super) fn bigints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

pub(super) fn dates(values: impl Iterator<Item = NaiveDate>) -> ArrayRef {
    let epoch = NaiveDate::default();
    Arc::new(Date32Array::from_iter_values(
        values.map(|date| date.signed_duration_since(epoch).num_days() as i32),
    ))
}

pub(super) fn timestamps(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>())
}

/// Cents as a decimal of `precision` digits, two of them after the point.
pub(super) fn decimals(
    precision: u8,
    cents: impl Iterator<Item = Option<i64>>,
) -> Result<ArrayRef, ArrowError> {
    let array = cents
        .map(|cents| cents.map(i128::from))
        .collect::<Decimal128Array>();
    Ok(Arc::new(array.with_precision_and_scale(precision, 2)?))
}

/// `2024-01-31 08:15:30.123456`, as Hive writes timestamps.
pub(super) fn timestamp_text(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .format("%Y-%m-%d %H:%M:%S%.6f")
        .to_string()
}

/// The mean of `count` amounts in cents, rounded half up; `None` if `count` is 0.
pub(super) fn mean_cents(cents: i64, count: i64) -> Option<i64> {
    (count > 0).then(|| (2 * cents + count) / (2 * count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_round_half_up() {
        assert_eq!(mean_cents(5, 2), Some(3));
        assert_eq!(mean_cents(4, 3), Some(1));
        assert_eq!(mean_cents(0, 0), None);
    }

    #[test]
    fn timestamps_have_six_digits_of_fraction() {
        assert_eq!(
            timestamp_text(1_704_067_200_000_042),
            "2024-01-01 00:00:00.000042"
        );
    }
}
