//! Arguments read by row as a day and a time of day, by the clock of their zone, and results built
//! row by row.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray, PrimitiveBuilder, StringBuilder};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, IntervalMonthDayNanoType, Time64NanosecondType,
    TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use lakegate_engine::time::Clock;

use super::calendar::{DAY, Local};
use super::digits::pair;
use super::zones;
use crate::columns::{Column, Values};
use crate::kernel::Call;

/// An argument of times.
#[derive(Debug)]
pub(super) enum Times<'a> {
    Dates(Values<'a, PrimitiveArray<Date32Type>>),
    Timestamps(Values<'a, PrimitiveArray<TimestampMicrosecondType>>),
    /// Instants, with the clock of their zone.
    Zoned(Values<'a, PrimitiveArray<TimestampMicrosecondType>>, Clock),
    Daytimes(Values<'a, PrimitiveArray<Time64NanosecondType>>),
}

impl<'a> Times<'a> {
    /// # Errors
    ///
    /// The column has no times, or its zone is unknown.
    pub(super) fn of(column: &'a Column) -> Result<Self> {
        Ok(match column.array.data_type() {
            DataType::Date32 => Self::Dates(column.primitives()),
            DataType::Timestamp(_, None) => Self::Timestamps(column.primitives()),
            DataType::Timestamp(_, Some(zone)) => {
                Self::Zoned(column.primitives(), zones::of_type(zone)?)
            }
            DataType::Time64(_) => Self::Daytimes(column.primitives()),
            other => return Err(unexpected(other)),
        })
    }

    /// The clock of a zone.
    pub(super) fn clock(&self) -> Option<Clock> {
        match self {
            Self::Zoned(_, clock) => Some(*clock),
            _ => None,
        }
    }

    /// What the clock shows.
    #[inline]
    pub(super) fn local(&self, row: usize) -> Option<Local> {
        match self {
            Self::Dates(days) => days.get(row).map(|day| Local {
                day: i64::from(day),
                time: 0,
            }),
            Self::Timestamps(micros) => micros.get(row).map(Local::of),
            Self::Zoned(micros, clock) => {
                micros.get(row).map(|instant| zones::shown(*clock, instant))
            }
            Self::Daytimes(nanos) => nanos.get(row).map(|nanos| Local::of(nanos / 1000)),
        }
    }

    /// The instant. A time without a zone is what the session's clock shows.
    ///
    /// # Errors
    ///
    /// The instant is out of range.
    pub(super) fn instant(&self, row: usize, session: Clock) -> Result<Option<i64>> {
        match self {
            Self::Zoned(micros, _) => Ok(micros.get(row)),
            Self::Timestamps(micros) => {
                let local = micros.get(row);
                local
                    .map(|local| zones::instant_of_local(session, local))
                    .transpose()
            }
            _ => {
                let local = self.local(row);
                local
                    .map(|local| Ok(zones::instant(session, local)?.0))
                    .transpose()
            }
        }
    }
}

/// An interval as Trino's two types have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub months: i64,
    /// Days and shorter units.
    pub millis: i64,
}

/// An argument of intervals.
#[derive(Debug)]
pub(super) enum Periods<'a> {
    Intervals(Values<'a, PrimitiveArray<IntervalMonthDayNanoType>>),
    Durations(Values<'a, PrimitiveArray<DurationMicrosecondType>>),
}

impl<'a> Periods<'a> {
    /// # Errors
    ///
    /// The column has no intervals.
    pub(super) fn of(column: &'a Column) -> Result<Self> {
        Ok(match column.array.data_type() {
            DataType::Interval(_) => Self::Intervals(column.primitives()),
            DataType::Duration(_) => Self::Durations(column.primitives()),
            other => return Err(unexpected(other)),
        })
    }

    pub(super) fn get(&self, row: usize) -> Option<Period> {
        match self {
            Self::Intervals(intervals) => intervals.get(row).map(|interval| Period {
                months: i64::from(interval.months),
                millis: i64::from(interval.days) * (DAY / 1000) + interval.nanoseconds / 1_000_000,
            }),
            Self::Durations(micros) => micros.get(row).map(|micros| Period {
                months: 0,
                millis: micros / 1000,
            }),
        }
    }
}

/// Coercion leaves other types to no function.
pub(super) fn unexpected(data_type: &DataType) -> DataFusionError {
    DataFusionError::Internal(format!("a time of type {data_type}"))
}

/// Builds a result of numbers or times, in which a row without a value is NULL.
///
/// # Errors
///
/// `value` returns an error for a row, or the query was stopped.
pub(super) fn numbers<T: ArrowPrimitiveType>(
    call: &Call<'_>,
    mut value: impl FnMut(usize) -> Result<Option<T::Native>>,
) -> Result<ArrayRef> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(size_of::<T::Native>())?;
        values.append_option(value(row)?);
    }
    // The same numbers, with the zone of the result's type.
    let values = values.finish().with_data_type(call.returns.clone());
    Ok(Arc::new(values))
}

/// Builds a result of texts of at most `bytes` each. `write` appends a row's text to an empty one,
/// and returns whether the row has a value.
///
/// # Errors
///
/// `write` returns an error for a row, the query was stopped, or the texts are too large.
pub(super) fn texts(
    call: &Call<'_>,
    mut write: impl FnMut(usize, &mut String) -> Result<bool>,
) -> Result<ArrayRef> {
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..call.rows {
        text.clear();
        match write(row, &mut text)? {
            true => texts.append_value(&text),
            false => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// What was made of the last text: adjacent rows often have the same format, unit or zone.
#[derive(Debug)]
pub(super) struct Last<'a, T> {
    last: Option<(&'a str, T)>,
}

impl<'a, T> Last<'a, T> {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// # Errors
    ///
    /// `make` cannot make anything of the text.
    pub(super) fn of(&mut self, text: &'a str, make: impl FnOnce(&str) -> Result<T>) -> Result<&T> {
        let known = self.last.take().filter(|(known, _)| same(known, text));
        let made = match known {
            Some((_, made)) => made,
            None => make(text)?,
        };
        Ok(&self.last.insert((text, made)).1)
    }
}

fn same(known: &str, text: &str) -> bool {
    (std::ptr::eq(known.as_ptr(), text.as_ptr()) && known.len() == text.len()) || known == text
}

/// The start of a text, for a message.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Appends a number of at least `width` digits, with zeros.
pub(super) fn push_padded(text: &mut String, number: i64, width: usize) {
    // Most are the fields of a date and a time.
    match (number, width) {
        (0..100, 2) => return push_pair(text, number),
        (0..10_000, 4) => {
            push_pair(text, number / 100);
            return push_pair(text, number % 100);
        }
        _ => {}
    }
    if number < 0 {
        text.push('-');
    }
    let mut digits = [b'0'; 20];
    let mut rest = number.unsigned_abs();
    let mut start = digits.len();
    while rest > 0 || start == digits.len() {
        start -= 1;
        if let Some(digit) = digits.get_mut(start) {
            *digit = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
    }
    for _ in digits.len() - start..width {
        text.push('0');
    }
    for digit in digits.iter().skip(start) {
        text.push(char::from(*digit));
    }
}

/// Appends a number below 100 as two digits.
fn push_pair(text: &mut String, number: i64) {
    text.extend(pair(number).into_iter().flatten().map(char::from));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_padded_with_zeros() {
        let padded = |number, width| {
            let mut text = String::new();
            push_padded(&mut text, number, width);
            text
        };
        assert_eq!(padded(7, 2), "07");
        assert_eq!(padded(99, 2), "99");
        assert_eq!(padded(100, 2), "100");
        assert_eq!(padded(2024, 4), "2024");
        assert_eq!(padded(908, 4), "0908");
        assert_eq!(padded(10_000, 4), "10000");
        assert_eq!(padded(0, 1), "0");
        assert_eq!(padded(-5, 4), "-0005");
        assert_eq!(padded(12345, 4), "12345");
        assert_eq!(padded(i64::MIN, 1), i64::MIN.to_string());
    }

    #[test]
    fn texts_in_messages_are_short() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(100)).chars().count(), 61);
    }

    #[test]
    fn the_last_text_is_made_once() {
        let mut made = 0;
        let mut last = Last::new();
        for text in ["a", "a", "b"] {
            let _ = last.of(text, |text| {
                made += 1;
                Ok(text.len())
            });
        }
        assert_eq!(made, 2);
    }
}
