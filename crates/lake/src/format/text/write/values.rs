//! The values of a column as texts that [`scalars`](super::super::scalars) and
//! [`times`](super::super::times) read back exactly.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike};
use lakegate_error::{Code, Error, Result};

use crate::format::text::patterns::Pattern;
use crate::timestamp_text::write_timestamp;
use crate::type_name;

const SECONDS_PER_DAY: i64 = 86_400;
/// The years 1 to 9999 in microseconds since the Unix epoch.
const TIMES: Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// Why a value cannot be written.
#[derive(Debug)]
pub(in crate::format) struct Unwritable {
    /// What the column has, as the end of a sentence.
    pub what: Cow<'static, str>,
    pub remedy: Cow<'static, str>,
}

impl Unwritable {
    pub(in crate::format) fn new(
        what: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(in crate::format) fn of_column(self, name: &str) -> Error {
        Error::new(
            Code::DataException,
            format!("column \"{name}\" has {}", self.what),
        )
        .with_hint(self.remedy)
    }
}

/// A column, or one level of a nested one, of a batch.
#[derive(Debug)]
pub(in crate::format) enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    List(&'a ListArray, Box<Values<'a>>),
    /// With its keys and values.
    Map(&'a MapArray, Box<(Values<'a>, Values<'a>)>),
    Struct(&'a StructArray, Vec<Values<'a>>),
}

impl<'a> Values<'a> {
    /// # Errors
    /// A type that no table has.
    pub(in crate::format) fn of(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int8 => Self::Int8(array.as_primitive()),
            DataType::Int16 => Self::Int16(array.as_primitive()),
            DataType::Int32 => Self::Int32(array.as_primitive()),
            DataType::Int64 => Self::Int64(array.as_primitive()),
            DataType::Float32 => Self::Float32(array.as_primitive()),
            DataType::Float64 => Self::Float64(array.as_primitive()),
            DataType::Decimal128(..) => Self::Decimal(array.as_primitive()),
            DataType::Date32 => Self::Date(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                Self::Timestamp(array.as_primitive())
            }
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List(list, Box::new(Self::of(list.values().as_ref())?))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let keys = Self::of(map.keys().as_ref())?;
                let values = Self::of(map.values().as_ref())?;
                Self::Map(map, Box::new((keys, values)))
            }
            DataType::Struct(_) => {
                let row = array.as_struct();
                let fields = row.columns().iter();
                let fields = fields.map(|field| Self::of(field.as_ref()));
                Self::Struct(row, fields.collect::<Result<_>>()?)
            }
            other => {
                return Err(Error::not_supported(format!(
                    "a text file cannot hold a column of type {}",
                    type_name(other)
                )));
            }
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Boolean(array) => *array,
            Self::Int8(array) => *array,
            Self::Int16(array) => *array,
            Self::Int32(array) => *array,
            Self::Int64(array) => *array,
            Self::Float32(array) => *array,
            Self::Float64(array) => *array,
            Self::Decimal(array) => *array,
            Self::Date(array) => *array,
            Self::Timestamp(array) => *array,
            Self::Text(array) => *array,
            Self::Binary(array) => *array,
            Self::List(array, _) => *array,
            Self::Map(array, _) => *array,
            Self::Struct(array, _) => *array,
        }
    }

    pub(in crate::format) fn is_null(&self, row: usize) -> bool {
        self.array().is_null(row)
    }

    /// Values without children at and below this level, as readers count them.
    pub(in crate::format) fn leaves(&self) -> usize {
        match self {
            Self::Struct(_, fields) => fields.iter().map(Values::leaves).sum::<usize>().max(1),
            _ => 1,
        }
    }

    /// Whether a value is a number or a boolean, which JSON writes without quotes.
    pub(in crate::format) fn is_bare(&self, row: usize) -> bool {
        match self {
            Self::Boolean(_)
            | Self::Int8(_)
            | Self::Int16(_)
            | Self::Int32(_)
            | Self::Int64(_)
            | Self::Decimal(_) => true,
            Self::Float32(array) => array.value(row).is_finite(),
            Self::Float64(array) => array.value(row).is_finite(),
            _ => false,
        }
    }

    /// The text of a value that is not NULL and has no children. `buffer`: room for it. `patterns`:
    /// what the table's timestamps are read with before all other forms.
    ///
    /// # Errors
    /// No text is read back as the value.
    pub(in crate::format) fn text<'t>(
        &'t self,
        row: usize,
        patterns: &[Pattern],
        buffer: &'t mut String,
    ) -> Result<&'t str, Unwritable> {
        buffer.clear();
        let written = match self {
            Self::Text(array) => return Ok(array.value(row)),
            Self::Binary(array) => {
                STANDARD.encode_string(array.value(row), buffer);
                Ok(())
            }
            Self::Boolean(array) => write!(buffer, "{}", array.value(row)),
            Self::Int8(array) => write!(buffer, "{}", array.value(row)),
            Self::Int16(array) => write!(buffer, "{}", array.value(row)),
            Self::Int32(array) => write!(buffer, "{}", array.value(row)),
            Self::Int64(array) => write!(buffer, "{}", array.value(row)),
            // The shortest digits that read back, as `1.0` and `1e16`.
            Self::Float32(array) => match array.value(row) {
                value if value.is_finite() => write!(buffer, "{value:?}"),
                value => write!(buffer, "{}", special(f64::from(value))),
            },
            Self::Float64(array) => match array.value(row) {
                value if value.is_finite() => write!(buffer, "{value:?}"),
                value => write!(buffer, "{}", special(value)),
            },
            Self::Decimal(array) => {
                let bound = 10_u128.checked_pow(u32::from(array.precision()));
                if bound.is_none_or(|bound| array.value(row).unsigned_abs() >= bound) {
                    return Err(Unwritable::new(
                        format!("a value of more than {} digits", array.precision()),
                        "round it, or give the column more digits",
                    ));
                }
                write!(buffer, "{}", array.value_as_string(row))
            }
            Self::Date(array) => put_date(array.value(row), buffer)?,
            Self::Timestamp(array) => {
                put_timestamp(array.value(row), patterns, buffer)?;
                Ok(())
            }
            Self::List(..) | Self::Map(..) | Self::Struct(..) => {
                return Err(Unwritable::new(
                    "a map whose keys are not of a simple type",
                    "make the keys strings or numbers",
                ));
            }
        };
        // Writing to a string does not fail.
        let _: std::fmt::Result = written;
        Ok(buffer.as_str())
    }
}

/// The items of a list's or a map's row, by its offsets.
pub(in crate::format) fn items(offsets: &[i32], row: usize) -> Range<usize> {
    let at = |row: usize| {
        let offset = offsets.get(row).copied().unwrap_or(0);
        usize::try_from(offset).unwrap_or(0)
    };
    at(row)..at(row + 1)
}

fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn put_date(days: i32, buffer: &mut String) -> Result<std::fmt::Result, Unwritable> {
    let date = DateTime::from_timestamp(i64::from(days) * SECONDS_PER_DAY, 0)
        .map(|time| time.date_naive())
        .filter(|date| (1..=9999).contains(&date.year()))
        .ok_or_else(|| beyond_the_years("date"))?;
    let (year, month, day) = (date.year(), date.month(), date.day());
    Ok(write!(buffer, "{year:04}-{month:02}-{day:02}"))
}

fn put_timestamp(micros: i64, patterns: &[Pattern], buffer: &mut String) -> Result<(), Unwritable> {
    if !TIMES.contains(&micros) || write_timestamp(buffer, micros, None).is_none() {
        return Err(beyond_the_years("timestamp"));
    }
    let first = patterns.iter().find_map(|pattern| pattern.read(buffer));
    if first.is_some_and(|read| read != micros) {
        return Err(Unwritable::new(
            format!(
                "the timestamp {buffer}, which the table's 'timestamp.formats' reads otherwise"
            ),
            "take the property off the table",
        ));
    }
    Ok(())
}

fn beyond_the_years(what: &str) -> Unwritable {
    Unwritable::new(
        format!("a {what} outside of the years 1 to 9999, which text files cannot hold"),
        "write to a table of Parquet, or make the column a string",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(array: &dyn Array) -> Vec<String> {
        let values = Values::of(array).unwrap();
        let mut buffer = String::new();
        (0..array.len())
            .map(|row| values.text(row, &[], &mut buffer).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn values_are_written_as_hive_writes_them() {
        let floats = Float64Array::from(vec![1.0, -0.0, 1e16, 5e-324, f64::NAN, f64::NEG_INFINITY]);
        assert_eq!(
            texts(&floats),
            ["1.0", "-0.0", "1e16", "5e-324", "NaN", "-Infinity"]
        );
        let decimals = Decimal128Array::from(vec![5, -5, 12_345])
            .with_precision_and_scale(5, 5)
            .unwrap();
        assert_eq!(texts(&decimals), ["0.00005", "-0.00005", "0.12345"]);
        assert_eq!(
            texts(&Date32Array::from(vec![0, -719_162, 2_932_896])),
            ["1970-01-01", "0001-01-01", "9999-12-31"]
        );
        assert_eq!(
            texts(&TimestampMicrosecondArray::from(vec![
                0,
                -1,
                TIMES.start,
                TIMES.end - 1
            ])),
            [
                "1970-01-01 00:00:00",
                "1969-12-31 23:59:59.999999",
                "0001-01-01 00:00:00",
                "9999-12-31 23:59:59.999999"
            ]
        );
    }

    #[test]
    fn times_that_text_cannot_hold_are_refused() {
        let mut buffer = String::new();
        for days in [i32::MIN, -719_163, 2_932_897, i32::MAX] {
            let array = Date32Array::from(vec![days]);
            let values = Values::of(&array).unwrap();
            let error = values.text(0, &[], &mut buffer);
            let error = error.unwrap_err().of_column("d");
            assert!(error.message().contains("\"d\" has a date"), "{error}");
        }
        for micros in [i64::MIN, TIMES.start - 1, TIMES.end, i64::MAX] {
            let array = TimestampMicrosecondArray::from(vec![micros]);
            let values = Values::of(&array).unwrap();
            assert!(values.text(0, &[], &mut buffer).is_err(), "{micros}");
        }
    }
}
