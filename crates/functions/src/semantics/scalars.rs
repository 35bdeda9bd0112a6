//! Casts between scalars as Trino does them, where the engine's are PostgreSQL's.
//!
//! ```text
//! to varchar     1.5E0, true, 2020-01-02 03:04:05.000, 3 00:00:00.000
//! from varchar   t, true, 1; numbers as Java reads them; dates and times as Trino writes them
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBuilder, PrimitiveBuilder, StringArray,
    StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::names;
use crate::dates::casts as times;
use crate::json::is_text;
use crate::json::numbers::{self, Decimal};
use crate::work::Work;

/// Bytes of a text that an error shows.
const SHOWN: usize = 80;

/// What a cast makes of a text that is not a value of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Error,
    Null,
}

/// Returns whether a cast between two scalar types is done here.
pub(crate) fn is_ours(from: &DataType, to: &DataType) -> bool {
    (is_text(to) && is_written(from)) || (is_text(from) && is_read(to))
}

/// Returns whether Trino has no cast between two scalar types that the engine can cast.
pub(crate) fn is_forbidden(from: &DataType, to: &DataType) -> bool {
    let is_number = |of: &DataType| of.is_numeric() || *of == DataType::Boolean;
    let is_time = |of: &DataType| of.is_temporal() && !matches!(of, DataType::Null);
    let is_bytes = |of: &DataType| {
        matches!(
            of,
            DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
        )
    };
    let is_interval = |of: &DataType| matches!(of, DataType::Interval(_) | DataType::Duration(_));
    (is_number(from) && is_time(to))
        || (is_time(from) && is_number(to))
        || (is_bytes(from) && is_text(to))
        || (is_interval(from) != is_interval(to) && is_time(from) && is_time(to))
        || (is_text(from) && is_interval(to))
}

fn is_written(from: &DataType) -> bool {
    from.is_integer()
        || matches!(
            from,
            DataType::Boolean
                | DataType::Float16
                | DataType::Float32
                | DataType::Float64
                | DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
                | DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Time32(_)
                | DataType::Time64(_)
                | DataType::Interval(_)
                | DataType::Duration(_)
        )
}

fn is_read(to: &DataType) -> bool {
    matches!(
        to,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Time64(TimeUnit::Nanosecond)
    )
}

/// Casts an array between types of which [`is_ours`] holds.
///
/// # Errors
///
/// A text is not a value of the target, the result is too large, or the query was stopped.
pub(crate) fn converted(
    array: &ArrayRef,
    to: &DataType,
    work: &Work,
    unreadable: Unreadable,
) -> Result<ArrayRef> {
    if is_text(to) {
        let texts: ArrayRef = Arc::new(texts(array, work)?);
        return Ok(cast(&texts, to)?);
    }
    let texts = cast(array, &DataType::Utf8)?;
    let reading = Reading {
        texts: texts.as_string(),
        to,
        work,
        unreadable,
    };
    reading.read()
}

/// Returns the values as texts.
///
/// # Errors
///
/// The zone of a type is unknown, the result is too large, or the query was stopped.
pub(crate) fn texts(array: &ArrayRef, work: &Work) -> Result<StringArray> {
    use DataType as T;
    Ok(match array.data_type() {
        T::Boolean => written(array.as_boolean().iter(), work, |value, text| {
            text.push_str(if value { "true" } else { "false" });
        })?,
        T::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter();
            written(values, work, numbers::push_scientific)?
        }
        T::Float16 => texts(&cast(array, &T::Float32)?, work)?,
        T::Float32 => {
            let values = array.as_primitive::<Float32Type>().iter();
            written(values, work, numbers::push_scientific_real)?
        }
        T::Date32 => {
            let values = array.as_primitive::<Date32Type>().iter();
            written(values, work, |day, text| {
                times::write_date(day.into(), text);
            })?
        }
        T::Timestamp(TimeUnit::Microsecond, None) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().iter();
            written(values, work, times::write_timestamp)?
        }
        T::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            let clock = times::clock_of(zone).ok_or_else(|| {
                Error::new(Code::InvalidParameter, format!("unknown time zone {zone}"))
            })?;
            let values = array.as_primitive::<TimestampMicrosecondType>().iter();
            written(values, work, |instant, text| {
                times::write_instant(instant, clock, text);
            })?
        }
        T::Timestamp(_, zone) => {
            let micros = T::Timestamp(TimeUnit::Microsecond, zone.clone());
            texts(&cast(array, &micros)?, work)?
        }
        T::Time64(TimeUnit::Nanosecond) => {
            let values = array.as_primitive::<Time64NanosecondType>().iter();
            written(values, work, |nanos, text| {
                times::write_time(nanos / 1000, text);
            })?
        }
        T::Time32(_) | T::Time64(_) => {
            texts(&cast(array, &T::Time64(TimeUnit::Nanosecond))?, work)?
        }
        T::Interval(IntervalUnit::MonthDayNano) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>().iter();
            written(values, work, |value, text| {
                let (months, days) = (value.months.into(), value.days.into());
                times::write_interval(months, days, value.nanoseconds / 1000, text);
            })?
        }
        T::Interval(_) => {
            let parts = T::Interval(IntervalUnit::MonthDayNano);
            texts(&cast(array, &parts)?, work)?
        }
        T::Duration(TimeUnit::Microsecond) => {
            let values = array.as_primitive::<DurationMicrosecondType>().iter();
            written(values, work, |micros, text| {
                times::write_interval(0, 0, micros, text);
            })?
        }
        T::Duration(_) => texts(&cast(array, &T::Duration(TimeUnit::Microsecond))?, work)?,
        _ => {
            work.builds(array.len().saturating_mul(8))?;
            cast(array, &T::Utf8)?.as_string::<i32>().clone()
        }
    })
}

fn written<T>(
    values: impl Iterator<Item = Option<T>>,
    work: &Work,
    write: impl Fn(T, &mut String),
) -> Result<StringArray> {
    let (mut texts, mut text) = (StringBuilder::new(), String::new());
    for value in values {
        match value {
            None => {
                work.step()?;
                texts.append_null();
            }
            Some(value) => {
                text.clear();
                write(value, &mut text);
                work.builds(text.len())?;
                texts.append_value(&text);
            }
        }
    }
    Ok(texts.finish())
}

/// A cast of texts.
struct Reading<'a> {
    texts: &'a StringArray,
    to: &'a DataType,
    work: &'a Work,
    unreadable: Unreadable,
}

impl Reading<'_> {
    fn read(&self) -> Result<ArrayRef> {
        match self.to {
            DataType::Boolean => {
                let mut values = BooleanBuilder::with_capacity(self.texts.len());
                for text in self.texts {
                    values.append_option(self.value(text, 1, boolean)?);
                }
                Ok(Arc::new(values.finish()))
            }
            DataType::Int8 => self.primitives::<Int8Type>(|text| trimmed(text).parse().ok()),
            DataType::Int16 => self.primitives::<Int16Type>(|text| trimmed(text).parse().ok()),
            DataType::Int32 => self.primitives::<Int32Type>(|text| trimmed(text).parse().ok()),
            DataType::Int64 => self.primitives::<Int64Type>(|text| trimmed(text).parse().ok()),
            DataType::Float32 => self.primitives::<Float32Type>(numbers::read_real),
            DataType::Float64 => self.primitives::<Float64Type>(numbers::read_double),
            DataType::Decimal128(precision, scale) => {
                let limit = 10i128.checked_pow((*precision).into()).unwrap_or(i128::MAX);
                self.primitives::<Decimal128Type>(|text| {
                    match numbers::read_decimal(trimmed(text), *scale)? {
                        Decimal::Value(value) => (value.abs() < limit).then_some(value),
                        Decimal::TooLarge => None,
                    }
                })
            }
            DataType::Date32 => self.primitives::<Date32Type>(times::read_date),
            DataType::Time64(TimeUnit::Nanosecond) => {
                self.primitives::<Time64NanosecondType>(|text| {
                    times::read_time(text)?.checked_mul(1000)
                })
            }
            DataType::Timestamp(TimeUnit::Microsecond, None) => self
                .primitives::<TimestampMicrosecondType>(|text| {
                    times::read_timestamp(text)?.timestamp()
                }),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
                let clock = times::clock_of(zone).ok_or_else(|| {
                    Error::new(Code::InvalidParameter, format!("unknown time zone {zone}"))
                })?;
                self.primitives::<TimestampMicrosecondType>(|text| {
                    times::read_timestamp(text)?.instant(clock)
                })
            }
            other => Err(Error::new(
                Code::TypeMismatch,
                format!("cannot cast varchar to {}", names::of_type(other)),
            )
            .into()),
        }
    }

    fn primitives<T: ArrowPrimitiveType>(
        &self,
        read: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        let mut values = PrimitiveBuilder::<T>::with_capacity(self.texts.len());
        for text in self.texts {
            values.append_option(self.value(text, size_of::<T::Native>(), &read)?);
        }
        Ok(Arc::new(values.finish().with_data_type(self.to.clone())))
    }

    fn value<V>(
        &self,
        text: Option<&str>,
        bytes: usize,
        read: impl Fn(&str) -> Option<V>,
    ) -> Result<Option<V>> {
        self.work.builds(bytes)?;
        let Some(text) = text else {
            return Ok(None);
        };
        match (read(text), self.unreadable) {
            (None, Unreadable::Error) => Err(self.cannot(text).into()),
            (value, _) => Ok(value),
        }
    }

    fn cannot(&self, text: &str) -> Error {
        let shown = match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text.to_owned(),
        };
        let to = names::of_type(self.to);
        Error::new(Code::InvalidCast, format!("cannot cast '{shown}' to {to}"))
            .with_hint("TRY_CAST returns NULL for such values")
    }
}

/// A text without the characters around it that Java's `trim` removes.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|char| char <= ' ')
}

fn boolean(text: &str) -> Option<bool> {
    let is = |names: [&str; 3]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    match (is(["t", "true", "1"]), is(["f", "false", "0"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}
