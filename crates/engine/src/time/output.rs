//! Writes timestamps as PostgreSQL does: `2000-01-01 10:00:00.5`, and with a zone
//! `2000-01-01 10:00:00.5+02`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::{DataFusionError, Result};
use lakegate_error::Error;
use lakegate_lake::leaves::with_leaves;
use lakegate_lake::timestamp_text::write_timestamp;

use super::calendar::date_of;
use super::clock::Clock;
use super::input::out_of_range;
use super::moment::FIRST_TIME;
use super::types::with_texts;

/// Replaces timestamps with text, at every depth of an array.
///
/// # Errors
///
/// Returns an error if a timestamp is out of range.
pub(crate) fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let Some(target) = with_texts(array.data_type()) else {
        return Ok(Arc::clone(array));
    };
    with_leaves(array, &target, &|array, target| match array.data_type() {
        DataType::Timestamp(_, zone) => Ok(Arc::new(written(array, zone.as_deref())?)),
        // Arrow writes the other types.
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
                let written = match time < FIRST_TIME {
                    true => None,
                    false => {
                        write_timestamp(&mut text, time, zone.map(|zone| zone.offset_at(time)))
                    }
                };
                written.ok_or_else(out_of_range).map(|()| text.clone())
            })
            .transpose()
        })
        .collect::<Result<StringArray, Error>>()
        .map_err(DataFusionError::from)
}

/// Writes a date, given in days since 1970.
///
/// # Errors
///
/// Returns an error if `text` does.
pub fn write_date(text: &mut impl Write, days: i32) -> std::fmt::Result {
    let (year, month, day) = date_of(days.into());
    // The year before 1 is 1 BC.
    let (year, era) = match year {
        ..=0 => (1 - year, " BC"),
        year => (year, ""),
    };
    write!(text, "{year:04}-{month:02}-{day:02}{era}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
}
