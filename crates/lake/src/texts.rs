//! Values of a file as the texts that a cast to VARCHAR returns, where a table has a column of
//! texts in their place.
//!
//! ```text
//! double, real     1, 1e+15, Infinity              Arrow: 1.0, 1e15, inf
//! timestamp        2000-01-01 10:00:00.5           Arrow: 2000-01-01T10:00:00.500Z
//! time             10:00:00.5                      Arrow: 10:00:00.500
//! ```
//!
//! A timestamp has no zone here, as it has none in a column of the type TIMESTAMP. All other types
//! are written alike by Arrow.

use arrow::array::{ArrayRef, AsArray, PrimitiveArray, StringArray, StringBuilder};
use arrow::compute::{cast, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use bytes::BytesMut;

use super::STRICT;
use super::float_text::{put_f32, put_f64};
use super::timestamp_text::write_timestamp;

type Result<T> = std::result::Result<T, ArrowError>;

/// Whether values of a type are written here rather than by Arrow.
pub(super) fn is_written(data_type: &DataType) -> bool {
    data_type.is_floating()
        || matches!(
            data_type,
            DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_)
        )
}

/// The texts of values of a type that [`is_written`] here.
///
/// # Errors
/// A time that the calendar does not have.
pub(super) fn texts(values: &ArrayRef) -> Result<StringArray> {
    match values.data_type() {
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>();
            Ok(each_text(values.iter(), |out, value| {
                put_f64(out, value, 1)
            }))
        }
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>();
            Ok(each_text(values.iter(), |out, value| {
                put_f32(out, value, 1)
            }))
        }
        DataType::Float16 => texts(&cast(values, &DataType::Float32)?),
        DataType::Timestamp(..) => {
            let mut text = String::new();
            let mut texts = StringBuilder::new();
            for time in &in_microseconds(values)? {
                let Some(time) = time else {
                    texts.append_null();
                    continue;
                };
                text.clear();
                write_timestamp(&mut text, time, None).ok_or_else(|| {
                    ArrowError::CastError(format!("timestamp {time} is out of range"))
                })?;
                texts.append_value(&text);
            }
            Ok(texts.finish())
        }
        _ => {
            let micros = DataType::Time64(TimeUnit::Microsecond);
            let texts = cast(
                &cast_with_options(values, &micros, &STRICT)?,
                &DataType::Utf8,
            )?;
            let trimmed = texts.as_string::<i32>().iter().map(|text| {
                text.map(|text| match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.'),
                    false => text,
                })
            });
            Ok(trimmed.collect())
        }
    }
}

/// Times in microseconds, finer ones rounded down as those of a column of the type TIMESTAMP are.
fn in_microseconds(values: &ArrayRef) -> Result<PrimitiveArray<Int64Type>> {
    let DataType::Timestamp(unit, _) = values.data_type() else {
        return Err(ArrowError::CastError("no timestamps".to_owned()));
    };
    let ticks = cast(values, &DataType::Int64)?;
    let ticks = ticks.as_primitive::<Int64Type>();
    let times = |factor: i64| {
        ticks.try_unary(|ticks| {
            ticks
                .checked_mul(factor)
                .ok_or_else(|| ArrowError::CastError(format!("timestamp {ticks} is out of range")))
        })
    };
    match unit {
        TimeUnit::Second => times(1_000_000),
        TimeUnit::Millisecond => times(1_000),
        TimeUnit::Microsecond => times(1),
        TimeUnit::Nanosecond => Ok(ticks.unary(|ticks| ticks.div_euclid(1_000))),
    }
}

/// Returns the texts that `write` appends to an empty buffer, one for each value.
pub fn each_text<T>(
    values: impl Iterator<Item = Option<T>>,
    write: impl Fn(&mut BytesMut, T),
) -> StringArray {
    let mut text = BytesMut::new();
    let mut texts = StringBuilder::new();
    for value in values {
        let Some(value) = value else {
            texts.append_null();
            continue;
        };
        text.clear();
        write(&mut text, value);
        texts.append_value(std::str::from_utf8(&text).unwrap_or_default());
    }
    texts.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        Array, Float32Array, Float64Array, Time32MillisecondArray, TimestampNanosecondArray,
        TimestampSecondArray,
    };

    use super::*;

    fn shown(values: impl Array + 'static) -> Vec<Option<String>> {
        let values: ArrayRef = Arc::new(values);
        let texts = texts(&values).unwrap();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    // Expected texts: PostgreSQL 15.
    #[test]
    fn values_are_written_as_a_cast_writes_them() {
        let doubles = vec![1.0, -0.0, 1e15, 1e-5, f64::NEG_INFINITY, f64::NAN];
        assert_eq!(
            shown(Float64Array::from(doubles)),
            some(&["1", "-0", "1e+15", "1e-05", "-Infinity", "NaN"])
        );
        let reals = Float32Array::from(vec![Some(0.1), None]);
        assert_eq!(shown(reals), [Some("0.1".to_owned()), None]);
        let times = TimestampNanosecondArray::from(vec![0, 1_500_000_000, -1]);
        assert_eq!(
            shown(times.with_timezone("UTC")),
            some(&[
                "1970-01-01 00:00:00",
                "1970-01-01 00:00:01.5",
                "1969-12-31 23:59:59.999999"
            ])
        );
        let times = Time32MillisecondArray::from(vec![36_000_500, 36_000_000]);
        assert_eq!(shown(times), some(&["10:00:00.5", "10:00:00"]));
        let late: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        assert!(texts(&late).is_err());
    }
}
