//! A timestamp as text, as PostgreSQL writes it: `2000-01-01 10:00:00.5`, with a zone `2000-01-01 10:00:00.5+02`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use datafusion::error::{DataFusionError, Result};

use super::SECOND;
use super::calendar::date_of;
use super::clock::Clock;
use super::input::out_of_range;
use super::moment::FIRST_TIME;
use super::types::with_texts;
use crate::error::Error;
use crate::lake::leaves::with_leaves;

/// An array with text in the place of timestamps, at every depth.
pub(in crate::engine) fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let Some(target) = with_texts(array.data_type()) else {
        return Ok(Arc::clone(array));
    };
    with_leaves(array, &target, &|array, target| match array.data_type() {
        DataType::Timestamp(_, zone) => Ok(Arc::new(written(array, zone.as_deref())?)),
        // What else may hold timestamps is written by Arrow.
        _ => Ok(cast(array, target)?),
    })
}

fn written(array: &ArrayRef, zone: Option<&str>) -> Result<StringArray> {
    let zone = zone.map(Clock::of).transpose()?;
    let micros = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => Arc::clone(array),
        DataType::Timestamp(_, zone) => cast(
            array,
            &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        )?,
        other => {
            return Err(DataFusionError::Internal(format!("{other} as a timestamp")));
        }
    };
    let mut text = String::new();
    micros
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|time| {
            time.map(|time| {
                text.clear();
                write_timestamp(&mut text, time, zone)
                    .ok_or_else(out_of_range)
                    .map(|()| text.clone())
            })
            .transpose()
        })
        .collect::<Result<StringArray, Error>>()
        .map_err(DataFusionError::from)
}

/// Writes a time in microseconds since 1970; `None` if the calendar ends before it.
fn write_timestamp(text: &mut String, micros: i64, zone: Option<Clock>) -> Option<()> {
    if micros < FIRST_TIME {
        return None;
    }
    let offset = zone.map(|zone| zone.offset_at(micros));
    let shown = micros.checked_add(i64::from(offset.unwrap_or(0)) * SECOND)?;
    let local = DateTime::from_timestamp_micros(shown)?.naive_utc();
    write_local(text, &local).ok()?;
    if let Some(offset) = offset {
        write_offset(text, offset).ok()?;
    }
    if local.year() <= 0 {
        text.push_str(" BC");
    }
    Some(())
}

/// Writes a date of days since 1970.
///
/// # Errors
/// Those of writing.
pub(in crate::engine) fn write_date(text: &mut impl Write, days: i32) -> std::fmt::Result {
    let (year, month, day) = date_of(days.into());
    // The year before 1 is 1 BC.
    let (year, era) = match year {
        ..=0 => (1 - year, " BC"),
        year => (year, ""),
    };
    write!(text, "{year:04}-{month:02}-{day:02}{era}")
}

fn write_local(text: &mut String, local: &NaiveDateTime) -> std::fmt::Result {
    // The year before 1 is 1 BC.
    let year = match local.year() {
        year if year <= 0 => 1 - year,
        year => year,
    };
    write!(
        text,
        "{year:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second()
    )?;
    let micros = local.nanosecond() / 1000;
    if micros > 0 {
        let digits = format!("{micros:06}");
        write!(text, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

/// `+02`, `+05:30`, and seconds where a zone of old has them.
fn write_offset(text: &mut String, seconds: i32) -> std::fmt::Result {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) = (
        seconds.abs() / 3600,
        seconds.abs() / 60 % 60,
        seconds.abs() % 60,
    );
    write!(text, "{sign}{hours:02}")?;
    if minutes > 0 || rest > 0 {
        write!(text, ":{minutes:02}")?;
    }
    if rest > 0 {
        write!(text, ":{rest:02}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(micros: i64, zone: Option<&str>) -> String {
        let zone = zone.map(|zone| Clock::of(zone).unwrap());
        let mut text = String::new();
        write_timestamp(&mut text, micros, zone).unwrap();
        text
    }

    #[test]
    fn dates_are_written_with_their_era() {
        let shown = |days| {
            let mut text = String::new();
            write_date(&mut text, days).unwrap();
            text
        };
        assert_eq!(shown(19_782), "2024-02-29");
        assert_eq!(shown(2_932_897), "10000-01-01");
        assert_eq!(shown(-735_160), "0044-03-15 BC");
        assert_eq!(shown(i32::MIN), "5877642-06-23 BC");
    }

    #[test]
    fn timestamps_are_written_as_postgres_writes_them() {
        assert_eq!(shown(0, None), "1970-01-01 00:00:00");
        assert_eq!(shown(500_000, None), "1970-01-01 00:00:00.5");
        assert_eq!(shown(-1, None), "1969-12-31 23:59:59.999999");
        assert_eq!(
            shown(253_402_300_799_999_999, None),
            "9999-12-31 23:59:59.999999"
        );
        assert_eq!(shown(253_402_300_800_000_000, None), "10000-01-01 00:00:00");
        assert_eq!(shown(-62_135_596_800_000_000, None), "0001-01-01 00:00:00");
        assert_eq!(
            shown(-62_135_596_800_000_001, None),
            "0001-12-31 23:59:59.999999 BC"
        );
        assert_eq!(shown(0, Some("UTC")), "1970-01-01 00:00:00+00");
        assert_eq!(shown(0, Some("Asia/Kolkata")), "1970-01-01 05:30:00+05:30");
        assert_eq!(shown(0, Some("-08:00")), "1969-12-31 16:00:00-08");
    }
}
