//! Maps, structs, unions and nested lists as JSON text, formatted like Postgres' `to_json`.

use bytes::{BufMut, BytesMut};
use lakegate_error::Result;

use super::Style;
use super::column::{Column, Data, union_child};
use super::number::{put_f32, put_f64};
use super::text;
use super::time::{self, put_date, put_timestamp};

/// Appends a value, NULL included. The recursion is as deep as the column's type, which `Column`
/// bounds.
pub(super) fn put(
    out: &mut BytesMut,
    column: &Column<'_>,
    row: usize,
    style: &Style,
) -> Result<()> {
    if column.is_null(row) {
        out.put_slice(b"null");
        return Ok(());
    }
    match &column.data {
        Data::Null => out.put_slice(b"null"),
        Data::Bool(values) => out.put_slice(if values.value(row) { b"true" } else { b"false" }),
        Data::Int(values, width) => text::put_integer(out, values, *width, row)?,
        Data::Decimal(values, scale) => text::put_exact(out, values, *scale, row),
        Data::Float16(values) => put_float(out, values.value(row).is_finite(), |out| {
            put_f32(out, values.value(row).to_f32(), 1)
        }),
        Data::Float32(values) => put_float(out, values[row].is_finite(), |out| {
            put_f32(out, values[row], 1)
        }),
        Data::Float64(values) => put_float(out, values[row].is_finite(), |out| {
            put_f64(out, values[row], 1)
        }),
        Data::Text(values) => put_string(out, values.get(row)),
        Data::Timestamp(values, unit, zoned) => {
            out.put_u8(b'"');
            put_timestamp(
                out,
                time::micros(values[row], *unit, "timestamp")?,
                zoned.0.then_some(style.zone),
                b'T',
            )?;
            out.put_u8(b'"');
        }
        Data::Bytes(_) if style.escaped_bytes => {
            let mut escaped = BytesMut::new();
            text::put(&mut escaped, column, row, style)?;
            put_string(out, &String::from_utf8_lossy(&escaped));
        }
        // Their text needs no escaping, except for the backslash of `\x`.
        Data::Bytes(values) => {
            out.put_slice(b"\"\\");
            text::put_hex(out, values.get(row));
            out.put_u8(b'"');
        }
        // In ISO's form whatever `DateStyle` is.
        Data::Date(values, unit) => {
            out.put_u8(b'"');
            put_date(out, text::days(values, *unit, row))?;
            out.put_u8(b'"');
        }
        Data::Time(..) | Data::Interval(_) => {
            out.put_u8(b'"');
            text::put(out, column, row, style)?;
            out.put_u8(b'"');
        }
        Data::Dictionary(keys, values) => put(out, values, keys.get(row) as usize, style)?,
        Data::Runs(runs, values) => put(out, values, runs.physical(row), style)?,
        Data::List(list) => {
            out.put_u8(b'[');
            for (n, index) in list.range(row).enumerate() {
                separate(out, n);
                put(out, &list.values, index, style)?;
            }
            out.put_u8(b']');
        }
        Data::Struct(members) => {
            out.put_u8(b'{');
            for (n, member) in members.iter().enumerate() {
                separate(out, n);
                put_string(out, member.name);
                out.put_u8(b':');
                put(out, &member.values, row, style)?;
            }
            out.put_u8(b'}');
        }
        Data::Map {
            entries,
            keys,
            values,
        } => {
            let offsets = entries.value_offsets();
            out.put_u8(b'{');
            for (n, index) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
                separate(out, n);
                put_key(out, keys, index, style)?;
                out.put_u8(b':');
                put(out, values, index, style)?;
            }
            out.put_u8(b'}');
        }
        Data::Union { union, children } => match union_child(union, children, row) {
            Some((child, index)) => put(out, child, index, style)?,
            None => out.put_slice(b"null"),
        },
    }
    Ok(())
}

fn separate(out: &mut BytesMut, n: usize) {
    if n > 0 {
        out.put_u8(b',');
    }
}

/// Appends a key. JSON keys are strings, whatever the map's key type.
fn put_key(out: &mut BytesMut, keys: &Column<'_>, row: usize, style: &Style) -> Result<()> {
    let start = out.len();
    put(out, keys, row, style)?;
    if out[start..].first() != Some(&b'"') {
        let key = out.split_off(start);
        put_string(out, std::str::from_utf8(&key).unwrap_or_default());
    }
    Ok(())
}

/// Appends a float. JSON has no NaN and no infinity: they are written as strings.
fn put_float(out: &mut BytesMut, finite: bool, write: impl FnOnce(&mut BytesMut)) {
    if !finite {
        out.put_u8(b'"');
    }
    write(out);
    if !finite {
        out.put_u8(b'"');
    }
}

fn put_string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..0x20 => b"",
            _ => continue,
        };
        out.put_slice(&text.as_bytes()[copied..at]);
        copied = at + 1;
        if escape.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.put_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        } else {
            out.put_slice(escape);
        }
    }
    out.put_slice(&text.as_bytes()[copied..]);
    out.put_u8(b'"');
}
