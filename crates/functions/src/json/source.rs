//! Writes values of any type as JSON, for casts.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt64Type,
};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::{numbers, strings, types};
use crate::work::Work;

const CASTABLE: &str = "booleans, numbers, varchar, dates, timestamps, and arrays, maps and rows of \
                        these can be cast to json";

/// A column whose values become JSON.
#[derive(Debug)]
pub(super) struct Source {
    array: ArrayRef,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Null,
    Boolean,
    Whole,
    Unsigned,
    Double,
    Real,
    Decimal(i8),
    Text,
    Json,
    Date,
    Timestamp,
    List(Box<Source>),
    Map(Box<[Source; 2]>),
    /// Fields, with their names as JSON.
    Row(Vec<(String, Source)>),
}

/// Checks that a field's values can be cast to JSON.
///
/// # Errors
///
/// They cannot.
pub(super) fn check(field: &Field) -> Result<()> {
    let castable = match field.data_type() {
        DataType::Null
        | DataType::Boolean
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Timestamp(_, None) => true,
        DataType::Dictionary(_, values) => {
            return check(&Field::new("", values.as_ref().clone(), true));
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::FixedSizeList(item, _) => return check(item),
        DataType::Map(entries, _) => match types::entry_fields(entries) {
            Some((key, value)) => {
                let key = key.data_type();
                if key != &DataType::Null && !types::is_key(key) {
                    false
                } else {
                    return check(value);
                }
            }
            None => false,
        },
        DataType::Struct(fields) => return fields.iter().try_for_each(|field| check(field)),
        other => other.is_integer() || types::is_text(other),
    };
    match castable {
        true => Ok(()),
        false => Err(types::mismatch(&types::name(field), "json", CASTABLE)),
    }
}

impl Source {
    /// # Errors
    ///
    /// Values of the type cannot be cast to JSON.
    pub(super) fn of(array: &ArrayRef, field: &Field) -> Result<Self> {
        let as_type = |data_type: &DataType| -> Result<ArrayRef> {
            Ok(match array.data_type() == data_type {
                true => Arc::clone(array),
                false => cast(array, data_type)?,
            })
        };
        let data_type = array.data_type();
        let (array, kind) = match data_type {
            DataType::Null => (Arc::clone(array), Kind::Null),
            DataType::Boolean => (Arc::clone(array), Kind::Boolean),
            DataType::UInt64 => (Arc::clone(array), Kind::Unsigned),
            other if other.is_integer() => (as_type(&DataType::Int64)?, Kind::Whole),
            DataType::Float32 => (Arc::clone(array), Kind::Real),
            DataType::Float64 => (Arc::clone(array), Kind::Double),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                let decimals = as_type(&DataType::Decimal128(*precision, *scale))?;
                (decimals, Kind::Decimal(*scale))
            }
            other if types::is_text(other) => {
                let json = types::is_json(field);
                let kind = if json { Kind::Json } else { Kind::Text };
                (as_type(&DataType::Utf8)?, kind)
            }
            DataType::Date32 => (Arc::clone(array), Kind::Date),
            DataType::Timestamp(_, None) => {
                let micros = as_type(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
                (micros, Kind::Timestamp)
            }
            DataType::Dictionary(_, values) => {
                let field = field.clone().with_data_type(values.as_ref().clone());
                return Self::of(&as_type(values)?, &field);
            }
            DataType::List(item) => {
                let items = Self::of(array.as_list::<i32>().values(), item)?;
                (Arc::clone(array), Kind::List(Box::new(items)))
            }
            DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::FixedSizeList(item, _) => {
                return Self::of(&as_type(&DataType::List(Arc::clone(item)))?, field);
            }
            DataType::Map(entries, _) => {
                let map = array.as_map();
                let Some((key, value)) = types::entry_fields(entries) else {
                    return Err(types::mismatch(&types::name(field), "json", CASTABLE));
                };
                let keys = Self::of(map.keys(), key)?;
                let values = Self::of(map.values(), value)?;
                (Arc::clone(array), Kind::Map(Box::new([keys, values])))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter();
                let columns = fields.iter().zip(columns).enumerate();
                let columns = columns.map(|(place, (field, column))| {
                    // Fields without a name have the engine's: c0, c1 and so on.
                    let is_named = field.name() != &format!("c{place}");
                    let mut name = String::new();
                    let shown = if is_named { field.name().as_str() } else { "" };
                    strings::encode(shown, &mut name);
                    Ok((name, Self::of(column, field)?))
                });
                (
                    Arc::clone(array),
                    Kind::Row(columns.collect::<Result<_>>()?),
                )
            }
            _ => return Err(types::mismatch(&types::name(field), "json", CASTABLE)),
        };
        Ok(Self { array, kind })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// Appends a row's value; NULL is `null`.
    pub(super) fn write(&self, row: usize, out: &mut String, work: &Work) -> Result<()> {
        work.builds(8)?;
        if self.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match &self.kind {
            Kind::Null => out.push_str("null"),
            Kind::Double => {
                let number = self.array.as_primitive::<Float64Type>().value(row);
                quote(number.is_finite(), out, |out| {
                    numbers::push_double(number, out)
                });
            }
            Kind::Real => {
                let number = self.array.as_primitive::<Float32Type>().value(row);
                quote(number.is_finite(), out, |out| {
                    numbers::push_real(number, out)
                });
            }
            Kind::Text => {
                let text = self.array.as_string::<i32>().value(row);
                work.builds(text.len())?;
                let before = out.len();
                strings::encode(text, out);
                work.builds((out.len() - before).saturating_sub(text.len()))?;
            }
            Kind::Json => {
                let text = self.array.as_string::<i32>().value(row);
                work.builds(text.len())?;
                out.push_str(text);
            }
            Kind::Date | Kind::Timestamp => {
                quote(false, out, |out| self.write_scalar(row, out))?;
            }
            Kind::Boolean | Kind::Whole | Kind::Unsigned | Kind::Decimal(_) => {
                self.write_scalar(row, out)?;
            }
            Kind::List(items) => {
                let offsets = self.array.as_list::<i32>().value_offsets();
                out.push('[');
                for (index, item) in range(offsets, row).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    items.write(item, out, work)?;
                }
                out.push(']');
            }
            Kind::Map(entries) => {
                let [keys, values] = entries.as_ref();
                let offsets = self.array.as_map().value_offsets();
                write_map(range(offsets, row), keys, values, out, work)?;
            }
            Kind::Row(fields) => {
                out.push('{');
                for (index, (name, field)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    work.builds(name.len())?;
                    out.push_str(name);
                    out.push(':');
                    field.write(row, out, work)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// Appends a scalar without quotes, as a member's name has it.
    fn write_scalar(&self, row: usize, out: &mut String) -> Result<()> {
        match &self.kind {
            Kind::Boolean => {
                let boolean = self.array.as_boolean().value(row);
                out.push_str(if boolean { "true" } else { "false" });
            }
            Kind::Whole => {
                let _ = write!(out, "{}", self.array.as_primitive::<Int64Type>().value(row));
            }
            Kind::Unsigned => {
                let number = self.array.as_primitive::<UInt64Type>().value(row);
                let _ = write!(out, "{number}");
            }
            Kind::Double => {
                numbers::push_double(self.array.as_primitive::<Float64Type>().value(row), out);
            }
            Kind::Real => {
                numbers::push_real(self.array.as_primitive::<Float32Type>().value(row), out);
            }
            Kind::Decimal(scale) => {
                let unscaled = self.array.as_primitive::<Decimal128Type>().value(row);
                numbers::push_decimal(unscaled, *scale, out);
            }
            Kind::Text => out.push_str(self.array.as_string::<i32>().value(row)),
            Kind::Date => {
                let days = self.array.as_primitive::<Date32Type>().value(row);
                let date = date32_to_datetime(days).ok_or_else(out_of_range)?;
                let _ = write!(out, "{}", date.format("%Y-%m-%d"));
            }
            Kind::Timestamp => {
                let micros = self.array.as_primitive::<TimestampMicrosecondType>();
                let micros = micros.value(row);
                let time = timestamp_us_to_datetime(micros).ok_or_else(out_of_range)?;
                // Athena's timestamps have milliseconds.
                let _ = match micros % 1000 {
                    0 => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S%.3f")),
                    _ => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S%.6f")),
                };
            }
            _ => (),
        }
        Ok(())
    }
}

/// Appends an object of entries, by name. Of several of one name, the last stays.
fn write_map(
    entries: std::ops::Range<usize>,
    keys: &Source,
    values: &Source,
    out: &mut String,
    work: &Work,
) -> Result<()> {
    let mut names = String::new();
    let mut ends = Vec::new();
    for entry in entries {
        if let Kind::Text = keys.kind {
            work.builds(
                keys.array
                    .as_string::<i32>()
                    .value_length(entry)
                    .unsigned_abs() as usize,
            )?;
        }
        work.builds(16)?;
        let from = names.len();
        keys.write_scalar(entry, &mut names)?;
        ends.push((from..names.len(), entry));
    }
    let name = |range: &std::ops::Range<usize>| names.get(range.clone()).unwrap_or_default();
    ends.sort_by(|(a, _), (b, _)| strings::order(name(a), name(b)));
    out.push('{');
    let mut first = true;
    for (index, (range, entry)) in ends.iter().enumerate() {
        let next = ends.get(index + 1);
        if next.is_some_and(|(next, _)| name(next) == name(range)) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        let before = out.len();
        strings::encode(name(range), out);
        work.builds((out.len() - before).saturating_sub(range.len()))?;
        out.push(':');
        values.write(*entry, out, work)?;
    }
    out.push('}');
    Ok(())
}

/// Appends what is written, in quotes unless it is `bare`.
fn quote<T>(bare: bool, out: &mut String, write: impl FnOnce(&mut String) -> T) -> T {
    if !bare {
        out.push('"');
    }
    let written = write(out);
    if !bare {
        out.push('"');
    }
    written
}

fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| {
        let offset = offsets.get(index).copied().unwrap_or(0);
        usize::try_from(offset).unwrap_or(0)
    };
    at(row)..at(row + 1)
}

fn out_of_range() -> datafusion::error::DataFusionError {
    Error::new(
        Code::NumericOutOfRange,
        "a date or timestamp is out of range",
    )
    .into()
}
