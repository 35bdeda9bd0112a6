//! Values in binary format: the send functions of Postgres' types, and `array_send`.

use bytes::{BufMut, BytesMut};
use lakegate_error::{Code, Error, Result};

use super::arrays::{IntWidth, List, object_id};
use super::column::{Column, Data, Member};
use super::number::{Digits, put_numeric_binary, put_short_numeric, short_scale};
use super::text::{days, with_decimal};
use super::time::{self, pg_date, pg_time, pg_timestamp};
use super::{Style, json};
use crate::forms::Form;

/// What the binary form of a `jsonb` begins with.
const JSONB_VERSION: u8 = 1;

/// Appends the bytes of a value that is not NULL, without its length.
pub(super) fn put(
    out: &mut BytesMut,
    column: &Column<'_>,
    row: usize,
    style: &Style,
) -> Result<()> {
    if column.form == Form::Jsonb && !matches!(column.data, Data::Dictionary(..) | Data::Runs(..)) {
        out.put_u8(JSONB_VERSION);
    }
    match &column.data {
        Data::Null => {}
        Data::Bool(values) => out.put_u8(u8::from(values.value(row))),
        Data::Int(values, width) => match width {
            IntWidth::Two => out.put_i16(narrow(values.get(row))?),
            IntWidth::Four => out.put_i32(narrow(values.get(row))?),
            IntWidth::Eight => out.put_i64(values.get(row)),
            IntWidth::Oid => out.put_u32(object_id(values.get(row))?),
            IntWidth::Numeric => {
                let mut digits = Digits::default();
                let value = values
                    .get_unsigned(row)
                    .unwrap_or_else(|| values.get(row).unsigned_abs());
                digits.push_u128(u128::from(value));
                let negative = values.get_unsigned(row).is_none() && values.get(row) < 0;
                put_numeric_binary(out, negative, digits.as_slice(), 0);
            }
        },
        Data::Float16(values) => out.put_f32(values.value(row).to_f32()),
        Data::Float32(values) => out.put_f32(values[row]),
        Data::Float64(values) => out.put_f64(values[row]),
        Data::Decimal(values, scale) => {
            let short = values.short(row).zip(short_scale(*scale));
            let written = short.is_some_and(|((negative, magnitude), scale)| {
                put_short_numeric(out, negative, magnitude, scale)
            });
            if !written {
                with_decimal(values, row, |negative, digits| {
                    put_numeric_binary(out, negative, digits, *scale)
                })
            }
        }
        Data::Text(values) => match column.form {
            Form::Plain | Form::Jsonb => {
                let start = out.len();
                values.put(out, row);
                style.recode(out, start)?;
            }
            form => form.put(out, values.get(row))?,
        },
        Data::Bytes(values) => out.put_slice(values.get(row)),
        Data::Date(values, unit) => out.put_i32(pg_date(days(values, *unit, row))?),
        Data::Time(values, unit) => {
            out.put_i64(pg_time(time::micros(values.get(row), *unit, "time")?)?)
        }
        Data::Timestamp(values, unit, _) => out.put_i64(pg_timestamp(time::micros(
            values[row],
            *unit,
            "timestamp",
        )?)?),
        Data::Interval(values) => values.get(row)?.put_binary(out),
        Data::Dictionary(keys, values) => put(out, values, keys.get(row) as usize, style)?,
        Data::Runs(runs, values) => put(out, values, runs.physical(row), style)?,
        Data::List(list) if list.element != 0 => put_array(out, list, row, style)?,
        Data::Struct(members) if style.records => put_record(out, members, row, style)?,
        Data::List(_) | Data::Struct(_) | Data::Map { .. } | Data::Union { .. } => {
            let start = out.len();
            json::put(out, column, row, style)?;
            style.recode(out, start)?;
        }
    }
    Ok(())
}

/// Appends a value whose type has a fixed length with that length, and returns true; of other types
/// it appends nothing.
pub(super) fn put_fixed(out: &mut BytesMut, column: &Column<'_>, row: usize) -> Result<bool> {
    match &column.data {
        Data::Int(values, IntWidth::Four) => {
            put_four(out, narrow::<i32>(values.get(row))?.to_be_bytes())
        }
        Data::Int(values, IntWidth::Eight) => put_eight(out, values.get(row).to_be_bytes()),
        Data::Float64(values) => put_eight(out, values[row].to_be_bytes()),
        Data::Date(values, unit) => put_four(out, pg_date(days(values, *unit, row))?.to_be_bytes()),
        Data::Timestamp(values, unit, _) => {
            let micros = time::micros(values[row], *unit, "timestamp")?;
            put_eight(out, pg_timestamp(micros)?.to_be_bytes())
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn put_four(out: &mut BytesMut, [a, b, c, d]: [u8; 4]) {
    out.extend_from_slice(&[0, 0, 0, 4, a, b, c, d]);
}

fn put_eight(out: &mut BytesMut, [a, b, c, d, e, f, g, h]: [u8; 8]) {
    out.extend_from_slice(&[0, 0, 0, 8, a, b, c, d, e, f, g, h]);
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T> {
    T::try_from(value).map_err(|_| {
        Error::new(
            Code::NumericOutOfRange,
            format!("integer out of range: {value} does not fit the column's type"),
        )
    })
}

fn put_array(out: &mut BytesMut, list: &List<'_>, row: usize, style: &Style) -> Result<()> {
    if !list.vector && !list.has_items(row) {
        out.put_i32(0);
        out.put_i32(0);
        out.put_u32(list.element);
        return Ok(());
    }
    let lengths = list.dimensions(row)?;
    out.put_i32(narrow(i64::try_from(lengths.len()).unwrap_or(i64::MAX))?);
    out.put_i32(i32::from(has_null(list, row)));
    out.put_u32(list.element);
    for length in lengths {
        let length = i32::try_from(length).map_err(|_| {
            Error::new(
                Code::NumericOutOfRange,
                "an array holds at most 2147483647 elements",
            )
        })?;
        out.put_i32(length);
        out.put_i32(i32::from(!list.vector));
    }
    put_items(out, list, row, style)
}

fn has_null(list: &List<'_>, row: usize) -> bool {
    let mut range = list.range(row);
    match list.inner() {
        Some(inner) => range.any(|index| has_null(inner, index)),
        None => range.any(|index| list.values.is_null(index)),
    }
}

/// Appends the elements of all dimensions.
fn put_items(out: &mut BytesMut, list: &List<'_>, row: usize, style: &Style) -> Result<()> {
    for index in list.range(row) {
        match list.inner() {
            Some(inner) => put_items(out, inner, index, style)?,
            None => super::put_field(out, &list.values, index, super::Format::Binary, style)?,
        }
    }
    Ok(())
}

/// As `record_send`: each value with its type.
fn put_record(out: &mut BytesMut, members: &[Member<'_>], row: usize, style: &Style) -> Result<()> {
    out.put_i32(narrow(i64::try_from(members.len()).unwrap_or(i64::MAX))?);
    for member in members {
        out.put_u32(member.oid);
        super::put_field(out, &member.values, row, super::Format::Binary, style)?;
    }
    Ok(())
}
