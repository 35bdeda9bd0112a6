//! `format`, with the format strings of Java's `Formatter`, and `format_number`.

mod number;
mod parse;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    async fn shows(cases: &[(&str, &str)]) {
        for (arguments, expected) in cases {
            let shown = value(&format!("format({arguments})")).await;
            let shown = shown.unwrap_or_else(|error| error.strip_backtrace());
            assert_eq!(shown, *expected, "{arguments}");
        }
    }

    #[tokio::test]
    async fn integers_are_written() {
        shows(&[
            ("'%d', 42", "42"),
            ("'%5d|', 42", "   42|"),
            ("'%-5d|', 42", "42   |"),
            ("'%05d', -42", "-0042"),
            ("'%+d %+d', 1, -1", "+1 -1"),
            ("'% d', 1", " 1"),
            ("'%(d', -1", "(1)"),
            ("'%(06d', -1", "(0001)"),
            ("'%,d', 1234567", "1,234,567"),
            ("'%,d', -123", "-123"),
            ("'%,012d', 1234567", "0001,234,567"),
            ("'%x %X %o', 255, 255, 8", "ff FF 10"),
            ("'%#x %#o %08x', 255, 8, 255", "0xff 010 000000ff"),
            ("'%x', -1", "ffffffffffffffff"),
            ("'%d', CAST(NULL AS bigint)", "null"),
            ("'%d', CAST(7 AS smallint)", "7"),
            ("'%d', -9223372036854775807 - 1", "-9223372036854775808"),
        ])
        .await;
    }

    #[tokio::test]
    async fn fractions_are_rounded_half_up() {
        shows(&[
            ("'%f', 3.14159265e0", "3.141593"),
            ("'%.2f', 1.005e0", "1.01"),
            ("'%.1f', 0.05e0", "0.1"),
            ("'%.0f', 0.5e0", "1"),
            ("'%.0f', 2.5e0", "3"),
            ("'%.2f', 9.999e0", "10.00"),
            ("'%.3f', 1e-9", "0.000"),
            ("'%08.2f', -1.5e0", "-0001.50"),
            ("'%,.2f', 1234567.891e0", "1,234,567.89"),
            ("'%#.0f', 2e0", "2."),
            ("'%.2f', CAST(1.005 AS decimal(10, 3))", "1.01"),
            ("'%f', CAST('NaN' AS double)", "NaN"),
            ("'%+f', CAST('Infinity' AS double)", "+Infinity"),
            ("'%e', 12345.678e0", "1.234568e+04"),
            ("'%.0e', 0.00015e0", "2e-04"),
            ("'%E', 1e100", "1.000000E+100"),
            ("'%e', 0e0", "0.000000e+00"),
            ("'%g', 12345.678e0", "12345.7"),
            ("'%g', 0.0001e0", "0.000100000"),
            ("'%g', 0.00001e0", "1.00000e-05"),
            ("'%g', 1e6", "1.00000e+06"),
            ("'%g', 0e0", "0.00000"),
            ("'%.3g', 999.9e0", "1.00e+03"),
        ])
        .await;
    }

    #[tokio::test]
    async fn any_value_is_written_as_java_shows_it() {
        shows(&[
            ("'%s%%', 123", "123%"),
            ("'%s', 'é😀'", "é😀"),
            ("'%10.2s|%-4s|', 'abc', 'é'", "        ab|é   |"),
            ("'%S', 'straße'", "STRASSE"),
            (
                "'%s %s %s %s', 1e0, 1e7, 0.001e0, 1e-5",
                "1.0 1.0E7 0.001 1.0E-5",
            ),
            ("'%s', CAST(1.50 AS decimal(5, 2))", "1.50"),
            ("'%s', true", "true"),
            ("'%b %b %b', true, NULL, 1", "true false true"),
            ("'%B', false", "FALSE"),
            ("'%s', NULL", "null"),
            ("'%h', 'abc'", "17862"),
            ("'%s', date '2020-01-31'", "2020-01-31"),
            ("'%s', timestamp '2020-01-31 10:15:00'", "2020-01-31T10:15"),
            (
                "'%s', timestamp '2020-01-31 10:15:30.5'",
                "2020-01-31T10:15:30.500",
            ),
            ("'a%nb'", "a\nb"),
            ("'%%|%5%|%-3%|'", "%|    %|%  |"),
            ("'%c', NULL", "null"),
        ])
        .await;
    }

    #[tokio::test]
    async fn arguments_are_addressed() {
        shows(&[
            ("'%2$s %1$s %s %s', 'a', 'b'", "b a a b"),
            ("'%s %<s %s', 'a', 'b'", "a a b"),
            (
                "'%1$tA, %1$tB %1$te, %1$tY', date '2006-07-04'",
                "Tuesday, July 4, 2006",
            ),
            (
                "'%tT.%<tL %<tp', timestamp '2006-07-04 13:05:09.25'",
                "13:05:09.250 pm",
            ),
            ("'%Tb %<tj %<ty', date '2006-07-04'", "JUL 185 06"),
            ("'plain'", "plain"),
            ("''", ""),
        ])
        .await;
        let query = "SELECT format(f, x) FROM (VALUES ('%s', 1), ('%03d', 2), (NULL, 3), ('%d', NULL)) t(f, x)";
        assert_eq!(rows(query).await.unwrap(), ["1", "002", "NULL", "null"]);
    }

    #[tokio::test]
    async fn wrong_formats_are_errors() {
        for (arguments, expected) in [
            ("'%d', 1.5e0", "a double"),
            ("'%d', 'a'", "a text"),
            ("'%f', 1", "an integer"),
            ("'%c', 65", "an integer"),
            ("'%s'", "more values"),
            ("'%2$s', 1", "more values"),
            ("'%<s', 1", "more values"),
            ("'%q', 1", "not known"),
            ("'%', 1", "missing"),
            ("'%D', 1", "not known"),
            ("'%-d', 1", "width"),
            ("'%05-d', 1", "not known"),
            ("'%-05d', 1", "exclude"),
            ("'%++d', 1", "twice"),
            ("'%.2d', 1", "no precision"),
            ("'%,x', 1", "flags"),
            ("'%+x', 1", "flags"),
            ("'%#s', 'a'", "flags"),
            ("'%0$s', 1", "from 1"),
            ("'%99999999999d', 1", "too large"),
            ("'%2000000000d', 1", "bytes"),
            ("'%.2000000000f', 1e0", "bytes"),
            ("'%tH', date '2020-01-01'", "a date"),
            ("'%s', ARRAY[1]", "CAST"),
            ("1, 1", "must be a text"),
        ] {
            let message = error(&format!("format({arguments})")).await;
            assert!(message.contains(expected), "{arguments}: {message}");
        }
    }

    #[tokio::test]
    async fn numbers_have_units() {
        let query = "SELECT format_number(x) FROM (VALUES (0), (999), (1000), (123456), (1999), (-1234), (-123456), (1000000000), (9223372036854775807), (NULL)) t(x)";
        let expected = [
            "0", "999", "1K", "123K", "2K", "-1.23K", "-123.46K", "1B", "9223Q", "NULL",
        ];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(value("format_number(1234.9e0)").await.unwrap(), "1.23K");
        assert_eq!(value("format_number(1125)").await.unwrap(), "1.13K");
        assert_eq!(value("format_number(12550)").await.unwrap(), "12.6K");
    }
}
