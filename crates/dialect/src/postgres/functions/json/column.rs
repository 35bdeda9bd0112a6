//! Values of any type as JSON text, as PostgreSQL's `to_json` makes them.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, Timelike};
use datafusion::error::Result;
use lakegate_engine::time::Clock;
use lakegate_engine::{bounded, stop, write_interval};
use lakegate_lake::float_text::{put_f32, put_f64};

use super::write::write_string;
use super::{Cell, is_json, is_of};
use crate::postgres::pg_catalog::name_of_procedure;

/// The types of numbers of objects and transactions, which are not numbers in JSON.
const OBJECTS: [&str; 4] = ["oid", "xid", "cid", "xid8"];

/// The values of a column, with those of its parts.
enum Column {
    /// Texts that are JSON, or numbers or booleans: written as they are.
    Bare(Vec<Option<String>>),
    /// Texts between quotes.
    Quoted(Vec<Option<String>>),
    List {
        list: ArrayRef,
        offsets: OffsetBuffer<i32>,
        items: Box<Column>,
    },
    Struct {
        rows: ArrayRef,
        fields: Vec<(String, Column)>,
    },
    Map {
        map: ArrayRef,
        offsets: OffsetBuffer<i32>,
        keys: Vec<Option<String>>,
        values: Box<Column>,
    },
}

/// Returns the values of a column as JSON texts; NULL stays NULL.
///
/// # Errors
///
/// The texts are too large, or the query must stop.
pub(super) fn texts(array: &ArrayRef, field: &Field) -> Result<Vec<Cell<'static>>> {
    let column = read(array, field)?;
    let mut size = 0;
    (0..array.len())
        .map(|row| {
            stop::check()?;
            if array.is_null(row) || array.data_type() == &DataType::Null {
                return Ok(Cell::Null);
            }
            let mut out = String::new();
            put(&mut out, &column, row);
            size += out.len();
            bounded::check_batch("to_json", size)?;
            Ok(Cell::text(out))
        })
        .collect()
}

/// Returns the texts of a column that a cast makes.
fn plain(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let texts = cast(array, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter();
    Ok(texts.map(|text| text.map(ToOwned::to_owned)).collect())
}

fn read(array: &ArrayRef, field: &Field) -> Result<Column> {
    Ok(match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_json(field) => {
            Column::Bare(plain(array)?)
        }
        DataType::Int64 if is_of(field, &["regproc"]) => {
            let numbers = array.as_primitive::<Int64Type>().iter();
            Column::Quoted(numbers.map(|oid| oid.map(name_of_procedure)).collect())
        }
        number if number.is_integer() && is_of(field, &OBJECTS) => Column::Quoted(plain(array)?),
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            return read(&cast(array, &DataType::Binary)?, field);
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            Column::List {
                offsets: list.offsets().clone(),
                items: Box::new(read(list.values(), item)?),
                list: std::sync::Arc::clone(array),
            }
        }
        DataType::LargeList(item) | DataType::ListView(item) | DataType::FixedSizeList(item, _) => {
            let list = cast(array, &DataType::List(std::sync::Arc::clone(item)))?;
            return read(&list, field);
        }
        DataType::Struct(fields) => {
            let rows = array.as_struct();
            Column::Struct {
                fields: fields
                    .iter()
                    .zip(rows.columns())
                    .map(|(field, column)| Ok((field.name().clone(), read(column, field)?)))
                    .collect::<Result<_>>()?,
                rows: std::sync::Arc::clone(array),
            }
        }
        DataType::Map(entries, _) => {
            let map = array.as_map();
            let value = match entries.data_type() {
                DataType::Struct(fields) => fields.get(1).cloned(),
                _ => None,
            };
            let values = match value {
                Some(value) => read(map.values(), &value)?,
                None => Column::Quoted(plain(map.values())?),
            };
            Column::Map {
                offsets: map.offsets().clone(),
                keys: plain(map.keys())?,
                values: Box::new(values),
                map: std::sync::Arc::clone(array),
            }
        }
        _ => scalars(array)?,
    })
}

/// Reads a column of values that are not nested.
fn scalars(array: &ArrayRef) -> Result<Column> {
    Ok(match array.data_type() {
        DataType::Null => Column::Bare(vec![None; array.len()]),
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            Column::Bare(
                values
                    .map(|value| value.map(|value| value.to_string()))
                    .collect(),
            )
        }
        DataType::Float64 => floats(
            array
                .as_primitive::<Float64Type>()
                .iter()
                .map(|value| value.map(|value| (value.is_finite(), text_of_f64(value)))),
        ),
        DataType::Float32 => floats(
            array
                .as_primitive::<Float32Type>()
                .iter()
                .map(|value| value.map(|value| (value.is_finite(), text_of_f32(value)))),
        ),
        data_type if data_type.is_integer() || data_type.is_decimal() => {
            Column::Bare(plain(array)?)
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().iter();
            Column::Quoted(
                days.map(|days| {
                    days.map(|days| {
                        moment(i64::from(days).saturating_mul(86_400_000_000), None, false)
                    })
                })
                .collect(),
            )
        }
        DataType::Timestamp(_, zone) => {
            let clock = zone.as_deref().map(Clock::of).transpose()?;
            let micros = cast(
                array,
                &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            )?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            Column::Quoted(
                micros
                    .iter()
                    .map(|micros| micros.map(|micros| moment(micros, clock, true)))
                    .collect(),
            )
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let without_zeros = |text: String| match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            };
            let texts = plain(array)?.into_iter();
            Column::Quoted(texts.map(|text| text.map(without_zeros)).collect())
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            let intervals = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().iter();
            let text = |months, days, nanos: i64| {
                let mut text = String::new();
                let _ = write_interval(&mut text, months, days, nanos / 1000);
                text
            };
            Column::Quoted(
                intervals
                    .map(|value| value.map(|it| text(it.months, it.days, it.nanoseconds)))
                    .collect(),
            )
        }
        DataType::Binary => {
            let hex = |bytes: &[u8]| {
                let mut text = "\\x".to_owned();
                for byte in bytes {
                    let _ = write!(text, "{byte:02x}");
                }
                text
            };
            let values = array.as_binary::<i32>().iter();
            Column::Quoted(values.map(|bytes| bytes.map(hex)).collect())
        }
        _ => Column::Quoted(plain(array)?),
    })
}

/// Returns floats as numbers; those that JSON has no number for are between quotes.
fn floats(values: impl Iterator<Item = Option<(bool, String)>>) -> Column {
    let text = |(is_finite, text): (bool, String)| match is_finite {
        true => text,
        false => format!("\"{text}\""),
    };
    Column::Bare(values.map(|value| value.map(text)).collect())
}

fn text_of_f64(value: f64) -> String {
    let mut out = Default::default();
    put_f64(&mut out, value, 1);
    String::from_utf8_lossy(&out).into_owned()
}

fn text_of_f32(value: f32) -> String {
    let mut out = Default::default();
    put_f32(&mut out, value, 1);
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns `2024-02-29T10:00:00.5+01:00`, or its date alone.
fn moment(micros: i64, clock: Option<Clock>, with_time: bool) -> String {
    let offset = clock.map(|clock| clock.offset_at(micros));
    let shown = micros.saturating_add(i64::from(offset.unwrap_or(0)) * 1_000_000);
    let Some(shown) = DateTime::from_timestamp_micros(shown) else {
        return micros.to_string();
    };
    let year = shown.year();
    let mut out = String::new();
    let counted = if year > 0 { year } else { 1 - year };
    let _ = write!(out, "{counted:04}-{:02}-{:02}", shown.month(), shown.day());
    if with_time {
        let (hour, minute, second) = (shown.hour(), shown.minute(), shown.second());
        let _ = write!(out, "T{hour:02}:{minute:02}:{second:02}");
        let fraction = shown.timestamp_subsec_micros();
        if fraction > 0 {
            let digits = format!("{fraction:06}");
            let _ = write!(out, ".{}", digits.trim_end_matches('0'));
        }
    }
    if let Some(offset) = offset {
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs() / 60;
        let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        let seconds = offset.unsigned_abs() % 60;
        if seconds > 0 {
            let _ = write!(out, ":{seconds:02}");
        }
    }
    if year <= 0 {
        out.push_str(" BC");
    }
    out
}

/// Appends a value, NULL included. The recursion is as deep as the column's type.
fn put(out: &mut String, column: &Column, row: usize) {
    let null = |out: &mut String| out.push_str("null");
    let range = |offsets: &OffsetBuffer<i32>| {
        let at = |row: usize| {
            let offset = offsets.get(row).copied().unwrap_or_default();
            usize::try_from(offset).unwrap_or_default()
        };
        at(row)..at(row + 1)
    };
    match column {
        Column::Bare(texts) => match texts.get(row) {
            Some(Some(text)) => out.push_str(text),
            _ => null(out),
        },
        Column::Quoted(texts) => match texts.get(row) {
            Some(Some(text)) => write_string(out, text),
            _ => null(out),
        },
        Column::List { list, .. } if list.is_null(row) => null(out),
        Column::List { offsets, items, .. } => {
            out.push('[');
            for (place, item) in range(offsets).enumerate() {
                if place > 0 {
                    out.push(',');
                }
                put(out, items, item);
            }
            out.push(']');
        }
        Column::Struct { rows, .. } if rows.is_null(row) => null(out),
        Column::Struct { fields, .. } => {
            out.push('{');
            for (place, (name, field)) in fields.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                put(out, field, row);
            }
            out.push('}');
        }
        Column::Map { map, .. } if map.is_null(row) => null(out),
        Column::Map {
            offsets,
            keys,
            values,
            ..
        } => {
            out.push('{');
            for (place, entry) in range(offsets).enumerate() {
                if place > 0 {
                    out.push(',');
                }
                let key = keys.get(entry).and_then(Option::as_deref);
                write_string(out, key.unwrap_or_default());
                out.push(':');
                put(out, values, entry);
            }
            out.push('}');
        }
    }
}
