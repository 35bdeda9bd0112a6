//! Values in text format: the output functions of Postgres' types, and `array_out`.

use bytes::{BufMut, BytesMut};
use lakegate_error::Result;

use super::arrays::{DateUnit, Decimals, IntWidth, Ints, List, object_id};
use super::column::{Column, Data, Member};
use super::number::{
    Digits, put_decimal, put_f32, put_f64, put_int, put_short_decimal, put_uint, short_scale,
};
use super::time::{self, put_date, put_time, put_timestamp};
use super::{DateForm, Style, json};

/// Appends the text of a value that is not NULL.
pub(super) fn put(
    out: &mut BytesMut,
    column: &Column<'_>,
    row: usize,
    style: &Style,
) -> Result<()> {
    match &column.data {
        Data::Null => {}
        Data::Bool(values) => out.extend_from_slice(if values.value(row) { b"t" } else { b"f" }),
        Data::Int(values, width) => put_integer(out, values, *width, row)?,
        Data::Float16(values) => put_f32(out, values.value(row).to_f32(), style.float_digits),
        Data::Float32(values) => put_f32(out, values[row], style.float_digits),
        Data::Float64(values) => put_f64(out, values[row], style.float_digits),
        Data::Decimal(values, scale) => put_exact(out, values, *scale, row),
        Data::Text(values) => values.put(out, row),
        Data::Bytes(values) if style.escaped_bytes => put_escaped(out, values.get(row)),
        Data::Bytes(values) => put_hex(out, values.get(row)),
        Data::Date(values, unit) => {
            let days = days(values, *unit, row);
            match style.dates {
                DateForm::Iso => put_date(out, days)?,
                form => form.put_date(out, days, style.order)?,
            }
        }
        Data::Time(values, unit) => put_time(out, time::micros(values.get(row), *unit, "time")?)?,
        Data::Timestamp(values, unit, zoned) => {
            let micros = time::micros(values[row], *unit, "timestamp")?;
            let zone = zoned.0.then_some(style.zone);
            match style.dates {
                DateForm::Iso => put_timestamp(out, micros, zone, b' ')?,
                form => form.put_timestamp(out, micros, zone, style)?,
            }
        }
        Data::Interval(values) => values.get(row)?.put_text(out, style.intervals),
        Data::Dictionary(keys, values) => put(out, values, keys.get(row) as usize, style)?,
        Data::Runs(runs, values) => put(out, values, runs.physical(row), style)?,
        Data::List(list) if list.vector => put_vector(out, list, row, style)?,
        Data::List(list) if list.element != 0 => put_array(out, list, row, style)?,
        Data::Struct(members) if style.records => put_record(out, members, row, style)?,
        Data::List(_) | Data::Struct(_) | Data::Map { .. } | Data::Union { .. } => {
            json::put(out, column, row, style)?
        }
    }
    Ok(())
}

/// Appends an integer.
///
/// # Errors
///
/// It is not an object id, where it is shown as one.
pub(super) fn put_integer(
    out: &mut BytesMut,
    values: &Ints<'_>,
    width: IntWidth,
    row: usize,
) -> Result<()> {
    match values.get_unsigned(row) {
        Some(value) => put_uint(out, value),
        None if width == IntWidth::Oid => {
            put_uint(out, u64::from(object_id(values.get(row))?));
        }
        None => put_int(out, values.get(row)),
    }
    Ok(())
}

pub(super) fn days(values: &Ints<'_>, unit: DateUnit, row: usize) -> i64 {
    unit.days(values.get(row))
}

/// Appends a decimal.
pub(super) fn put_exact(out: &mut BytesMut, values: &Decimals<'_>, scale: i8, row: usize) {
    match (values.short(row), short_scale(scale)) {
        (Some((negative, magnitude)), Some(scale)) => {
            put_short_decimal(out, negative, magnitude, scale)
        }
        _ => with_decimal(values, row, |negative, digits| {
            put_decimal(out, negative, digits, scale)
        }),
    }
}

/// Passes a decimal's sign and digits to `write`.
pub(super) fn with_decimal(values: &Decimals<'_>, row: usize, write: impl FnOnce(bool, &[u8])) {
    let mut digits = Digits::default();
    let negative = match values {
        Decimals::D32(v) => {
            digits.push_u128(u128::from(v[row].unsigned_abs()));
            v[row] < 0
        }
        Decimals::D64(v) => {
            digits.push_u128(u128::from(v[row].unsigned_abs()));
            v[row] < 0
        }
        Decimals::D128(v) => {
            digits.push_u128(v[row].unsigned_abs());
            v[row] < 0
        }
        Decimals::D256(v) => {
            if let Some(value) = v[row].to_i128() {
                digits.push_u128(value.unsigned_abs());
                return write(value < 0, digits.as_slice());
            }
            let text = v[row].to_string();
            let unsigned = text.trim_start_matches('-');
            digits.push_text(unsigned);
            unsigned.len() < text.len()
        }
    };
    write(negative, digits.as_slice());
}

pub(super) fn put_hex(out: &mut BytesMut, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + bytes.len() * 2);
    out.put_slice(b"\\x");
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Appends bytes as `bytea_output = escape` shows them.
fn put_escaped(out: &mut BytesMut, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.extend_from_slice(&[*byte]),
            _ => {
                let digit = |shift: u8| b'0' + (byte >> shift & 7);
                out.extend_from_slice(&[b'\\', digit(6), digit(3), digit(0)]);
            }
        }
    }
}

fn put_vector(out: &mut BytesMut, list: &List<'_>, row: usize, style: &Style) -> Result<()> {
    for (n, index) in list.range(row).enumerate() {
        if n > 0 {
            out.put_u8(b' ');
        }
        put(out, &list.values, index, style)?;
    }
    Ok(())
}

fn put_array(out: &mut BytesMut, list: &List<'_>, row: usize, style: &Style) -> Result<()> {
    match list.has_items(row) {
        true => put_items(out, list, row, style),
        false => {
            out.put_slice(b"{}");
            Ok(())
        }
    }
}

/// Appends the items of an array, or of one that is an item. Lists of different lengths are written
/// as they are.
fn put_items(out: &mut BytesMut, list: &List<'_>, row: usize, style: &Style) -> Result<()> {
    out.put_u8(b'{');
    for (n, index) in list.range(row).enumerate() {
        if n > 0 {
            out.put_u8(b',');
        }
        if list.values.is_null(index) {
            out.put_slice(b"NULL");
            continue;
        }
        if let Some(inner) = list.inner() {
            put_items(out, inner, index, style)?;
            continue;
        }
        let start = out.len();
        put(out, &list.values, index, style)?;
        quote_element(out, start);
    }
    out.put_u8(b'}');
    Ok(())
}

/// Quotes the array element that begins at `start`, if `array_out` would.
fn quote_element(out: &mut BytesMut, start: usize) {
    let element = &out[start..];
    if needs_quotes(element, *b"{}") || element.eq_ignore_ascii_case(b"null") {
        quote(out, start, |_| b'\\');
    }
}

/// As `record_out`: NULL is nothing.
fn put_record(out: &mut BytesMut, members: &[Member<'_>], row: usize, style: &Style) -> Result<()> {
    out.put_u8(b'(');
    for (n, member) in members.iter().enumerate() {
        if n > 0 {
            out.put_u8(b',');
        }
        if member.values.is_null(row) {
            continue;
        }
        let start = out.len();
        put(out, &member.values, row, style)?;
        quote_member(out, start);
    }
    out.put_u8(b')');
    Ok(())
}

/// Quotes the value in a record that begins at `start`, if `record_out` would.
fn quote_member(out: &mut BytesMut, start: usize) {
    if needs_quotes(&out[start..], *b"()") {
        quote(out, start, |byte| byte);
    }
}

/// Returns whether a value is empty, or has characters with a meaning within these brackets.
fn needs_quotes(value: &[u8], brackets: [u8; 2]) -> bool {
    let special = |b: &u8| {
        matches!(
            b,
            b'"' | b'\\' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c
        ) || brackets.contains(b)
    };
    value.is_empty() || value.iter().any(special)
}

/// Puts what begins at `start` into quotes. `escape`: what comes before a quote or a backslash.
fn quote(out: &mut BytesMut, start: usize, escape: impl Fn(u8) -> u8) {
    let value = out.split_off(start);
    out.put_u8(b'"');
    for byte in &value {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(escape(*byte));
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}
