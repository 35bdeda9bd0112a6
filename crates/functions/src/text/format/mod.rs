//! `format`, with the format strings of Java's `Formatter`, and `format_number`.

mod number;
mod parse;
#[cfg(test)]
mod tests;
mod time;
mod values;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use chrono::Offset;
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use number::{Digits, grouped, signed};
use parse::{Argument, Conversion, Piece, Spec, pieces};
use values::{Source, Value};

use super::SECTION;
use super::arguments::{Bigints, Texts, argument, as_type, bigint, double, invalid, takes};
use super::characters::is_text;
use super::positions::write;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static FORMAT: Page = Page {
    name: "format",
    section: SECTION,
    syntax: "format(format, value[, …])",
    sentence: "Writes values into a text by a format string of Java's Formatter.",
    example: "format('%s: %,.2f', 'total', 1234.5e0)",
    result: "total: 1,234.50",
};

static FORMAT_NUMBER: Page = Page {
    name: "format_number",
    section: SECTION,
    syntax: "format_number(number)",
    sentence: "Writes a number with three digits and a unit: K, M, B, T or Q.",
    example: "format_number(1234567)",
    result: "1.23M",
};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::scalar(Kernel::new(
            &FORMAT,
            vec![TypeSignature::VariadicAny],
            Returns::From(formatted_type),
            format,
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &FORMAT_NUMBER,
            vec![takes([bigint()]), takes([double()])],
            Returns::Type(DataType::Utf8),
            format_number,
        )),
    ]
}

fn formatted_type(types: &[DataType]) -> Result<DataType> {
    let [format, values @ ..] = types else {
        return Err(invalid("format takes a format and values"));
    };
    if !is_text(format) {
        return Err(invalid("the format of format must be a text"));
    }
    match values.iter().find(|value| !values::is_written(value)) {
        Some(other) => Err(values::not_written(other)),
        None => Ok(DataType::Utf8),
    }
}

fn format(call: &Call<'_>) -> Result<ArrayRef> {
    let formats = Texts::of(call, 0)?;
    let sources = call.columns.iter().skip(1).map(Source::of);
    let sources = sources.collect::<Result<Vec<_>>>()?;
    let mut formatted = StringBuilder::new();
    let mut last: Option<(&str, Vec<Piece>)> = None;
    for row in 0..call.rows {
        let Some(format) = formats.get(row) else {
            call.work.step()?;
            formatted.append_null();
            continue;
        };
        let pieces = match &last {
            Some((known, pieces)) if *known == format => pieces,
            _ => {
                call.work.builds(format.len())?;
                &last.insert((format, pieces(format)?)).1
            }
        };
        let mut next = 0;
        let mut before = None;
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    call.work.builds(text.len())?;
                    write(&mut formatted, text)?;
                }
                Piece::Value(spec) => {
                    let text = match spec.conversion {
                        Conversion::Percent => "%".to_owned(),
                        Conversion::Line => "\n".to_owned(),
                        _ => {
                            let index = match spec.argument {
                                Argument::At(index) => Some(index),
                                Argument::Same => before,
                                Argument::Next => {
                                    next += 1;
                                    Some(next - 1)
                                }
                            };
                            before = index;
                            let Some(source) = index.and_then(|index| sources.get(index)) else {
                                return Err(invalid(
                                    "the format of format has more values than there are arguments",
                                ));
                            };
                            written(call, spec, &source.get(row)?)?
                        }
                    };
                    justified(call, spec, &text, &mut formatted)?;
                }
            }
        }
        call.work.step()?;
        formatted.append_value("");
    }
    Ok(Arc::new(formatted.finish()))
}

/// Writes a text and the spaces up to the width.
fn justified(call: &Call<'_>, spec: &Spec, text: &str, out: &mut StringBuilder) -> Result<()> {
    let upper;
    let text = match spec.upper {
        true => {
            upper = text.to_uppercase();
            upper.as_str()
        }
        false => text,
    };
    let spaces = match spec.width {
        Some(width) => width.saturating_sub(text.chars().count()),
        None => 0,
    };
    call.work.builds(text.len().saturating_add(spaces))?;
    if spec.flags.left {
        write(out, text)?;
    }
    for _ in 0..spaces {
        write(out, " ")?;
    }
    if !spec.flags.left {
        write(out, text)?;
    }
    Ok(())
}

fn written(call: &Call<'_>, spec: &Spec, value: &Value<'_>) -> Result<String> {
    // Zeros are written by the conversion: of a number's precision, and up to a width.
    let zeros = spec
        .precision
        .unwrap_or(0)
        .saturating_add(spec.width.unwrap_or(0));
    if !matches!(
        spec.conversion,
        Conversion::Text | Conversion::Boolean | Conversion::Hash
    ) {
        call.work.builds(zeros)?;
    }
    let cut = |text: String| match spec.precision {
        None => text,
        Some(precision) => match text.char_indices().nth(precision) {
            None => text,
            Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        },
    };
    Ok(match (spec.conversion, value) {
        (Conversion::Boolean, value) => cut(match value {
            Value::Null | Value::Boolean(false) => "false".to_owned(),
            _ => "true".to_owned(),
        }),
        (Conversion::Text | Conversion::Hash, Value::Null) => cut("null".to_owned()),
        (Conversion::Text, value) => cut(shown(value)),
        (Conversion::Hash, value) => match hash(value) {
            Some(hash) => cut(format!("{hash:x}")),
            None => return Err(mismatch("h", value)),
        },
        (_, Value::Null) => "null".to_owned(),
        (Conversion::Decimal, Value::Integer(value)) => {
            let digits = value.unsigned_abs().to_string();
            let digits = match spec.flags.group {
                true => grouped(&digits),
                false => digits,
            };
            signed(&digits, *value < 0, spec)
        }
        (Conversion::Hexadecimal, Value::Integer(value)) => {
            let prefix = if spec.flags.alternate { "0x" } else { "" };
            in_base(prefix, &format!("{value:x}"), spec)
        }
        (Conversion::Octal, Value::Integer(value)) => {
            let prefix = if spec.flags.alternate { "0" } else { "" };
            in_base(prefix, &format!("{value:o}"), spec)
        }
        (Conversion::Scientific | Conversion::Fixed | Conversion::General, value) => {
            let digits = match value {
                Value::Double(value) => finite(*value, spec),
                Value::Real(value) => finite(f64::from(*value), spec),
                Value::Decimal(unscaled, scale) => Ok(Digits::of_decimal(*unscaled, *scale)),
                _ => return Err(mismatch(letter(spec), value)),
            };
            let digits = match digits {
                Ok(digits) => digits,
                Err(special) => return Ok(special),
            };
            let precision = spec.precision.unwrap_or(6);
            let magnitude = match spec.conversion {
                Conversion::Scientific => digits.scientific(precision, spec.flags),
                Conversion::Fixed => digits.fixed(precision, spec.flags),
                _ => digits.general(precision, spec.flags),
            };
            signed(&magnitude, digits.negative, spec)
        }
        (Conversion::Time(field), value) => match time::field(value, field) {
            Some(text) => text,
            None => return Err(mismatch(&format!("t{field}"), value)),
        },
        (_, value) => return Err(mismatch(letter(spec), value)),
    })
}

/// The digits of a number, or the whole text of one that has none.
fn finite(value: f64, spec: &Spec) -> Result<Digits, String> {
    if value.is_finite() {
        return Ok(Digits::of_double(value));
    }
    if value.is_nan() {
        return Err("NaN".to_owned());
    }
    let sign = match (value < 0.0, spec.flags.parentheses) {
        (true, true) => return Err("(Infinity)".to_owned()),
        (true, false) => "-",
        (false, _) if spec.flags.plus => "+",
        (false, _) if spec.flags.space => " ",
        (false, _) => "",
    };
    Err(format!("{sign}Infinity"))
}

fn in_base(prefix: &str, digits: &str, spec: &Spec) -> String {
    let mut text = prefix.to_owned();
    if spec.flags.zero {
        let length = prefix.len() + digits.len();
        let missing = spec.width.unwrap_or(0).saturating_sub(length);
        text.extend(std::iter::repeat_n('0', missing));
    }
    text.push_str(digits);
    text
}

fn letter(spec: &Spec) -> &'static str {
    match spec.conversion {
        Conversion::Character => "c",
        Conversion::Decimal => "d",
        Conversion::Octal => "o",
        Conversion::Hexadecimal => "x",
        Conversion::Scientific => "e",
        Conversion::Fixed => "f",
        Conversion::General => "g",
        _ => "s",
    }
}

fn mismatch(conversion: &str, value: &Value<'_>) -> datafusion::error::DataFusionError {
    let kind = match value {
        Value::Null => "NULL",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::Double(_) => "a double",
        Value::Real(_) => "a real",
        Value::Decimal(..) => "a decimal",
        Value::Text(_) => "a text",
        Value::Date(_) => "a date",
        Value::Time(_) => "a time",
        Value::Timestamp(_) => "a timestamp",
        Value::Zoned(..) => "a timestamp with time zone",
    };
    invalid(format!("%{conversion} does not write {kind}"))
}

/// A value as Java's `toString` shows it.
fn shown(value: &Value<'_>) -> String {
    let with_sign = |negative: bool, text: String| match negative {
        true => format!("-{text}"),
        false => text,
    };
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Double(value) if value.is_nan() => "NaN".to_owned(),
        Value::Double(value) if value.is_infinite() => {
            with_sign(*value < 0.0, "Infinity".to_owned())
        }
        Value::Double(value) => {
            let digits = Digits::of_double(*value);
            with_sign(digits.negative, digits.plain())
        }
        Value::Real(value) if value.is_nan() => "NaN".to_owned(),
        Value::Real(value) if value.is_infinite() => with_sign(*value < 0.0, "Infinity".to_owned()),
        Value::Real(value) => {
            let digits = Digits::of_real(*value);
            with_sign(digits.negative, digits.plain())
        }
        Value::Decimal(unscaled, scale) => {
            let digits = Digits::of_decimal(*unscaled, *scale);
            with_sign(digits.negative, digits.decimal(*scale))
        }
        Value::Text(text) => (*text).to_owned(),
        Value::Date(date) => time::date(*date),
        Value::Time(moment) => time::time(*moment),
        Value::Timestamp(moment) => time::timestamp(*moment),
        Value::Zoned(moment, zone) => {
            let shift = moment.offset().fix().local_minus_utc();
            time::zoned(moment.naive_local(), shift, zone)
        }
    }
}

/// Java's `hashCode`, of values that have a simple one.
fn hash(value: &Value<'_>) -> Option<u32> {
    let folded = |bits: u64| u32::try_from((bits ^ (bits >> 32)) & 0xffff_ffff).ok();
    match value {
        Value::Boolean(value) => Some(if *value { 1231 } else { 1237 }),
        Value::Integer(value) => folded(value.cast_unsigned()),
        Value::Double(value) => folded(value.to_bits()),
        Value::Real(value) => Some(value.to_bits()),
        Value::Text(text) => Some(text.encode_utf16().fold(0u32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(u32::from(unit))
        })),
        _ => None,
    }
}

fn format_number(call: &Call<'_>) -> Result<ArrayRef> {
    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;
    let column = argument(call, 0)?;
    let mut formatted = StringBuilder::new();
    let doubles = match column.array.data_type() {
        DataType::Float64 => Some(as_type(&column.array, &DataType::Float64)?),
        _ => None,
    };
    let integers = match &doubles {
        Some(_) => None,
        None => Some(Bigints::of(call, 0)?),
    };
    for row in 0..call.rows {
        call.work.builds(8)?;
        let number = match (&doubles, &integers) {
            (Some(doubles), _) => {
                let doubles = doubles.as_primitive::<Float64Type>();
                let index = column.at(row);
                // Without its fraction, and within the range of an integer.
                arrow::array::Array::is_valid(doubles, index).then(|| doubles.value(index) as i64)
            }
            (None, Some(integers)) => integers.get(row),
            (None, None) => None,
        };
        formatted.append_option(number.map(with_unit));
    }
    Ok(Arc::new(formatted.finish()))
}

fn with_unit(number: i64) -> String {
    let mut value = number as f64;
    let mut unit = "";
    for next in ["K", "M", "B", "T", "Q"] {
        if value.abs() < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    // Negative numbers have two decimals always.
    let precision = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{}{unit}", number::rounded(value, precision))
}
