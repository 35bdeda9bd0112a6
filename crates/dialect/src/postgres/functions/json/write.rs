//! JSON values as text.

use std::borrow::Cow;
use std::cmp::Ordering;

use lakegate_error::{Code, Error};

use super::value::{Json, Node};

/// Maximum digits before the point and after it, as in PostgreSQL's `numeric`.
const MAX_WHOLE: i64 = 131_072;
const MAX_FRACTION: i64 = 16_383;

/// Writes a string with its quotes.
pub(super) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if u32::from(control) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Returns a number without an exponent, as PostgreSQL's `numeric` shows it.
///
/// # Errors
///
/// The number has more digits than `numeric` has.
pub(super) fn plain_number(number: &str) -> Result<Cow<'_, str>, Error> {
    let (digits, exponent) = match number.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent),
        None if number.starts_with("-0") => (number, "0"),
        None => return Ok(Cow::Borrowed(number)),
    };
    let overflow = || Error::new(Code::NumericOutOfRange, "value overflows numeric format");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.bytes().all(|digit| digit == b'0') {
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let places = (i64::try_from(fraction.len()).unwrap_or(0) - exponent).clamp(0, MAX_FRACTION);
        let places = usize::try_from(places).unwrap_or(0);
        return Ok(Cow::Owned(match places {
            0 => "0".to_owned(),
            places => format!("0.{}", "0".repeat(places)),
        }));
    }
    let exponent: i64 = exponent.parse().map_err(|_| overflow())?;
    if exponent.abs() > MAX_WHOLE {
        return Err(overflow());
    }
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX) + exponent;
    let length = i64::try_from(all.len()).unwrap_or(i64::MAX);
    if point > MAX_WHOLE || length - point > MAX_FRACTION {
        return Err(overflow());
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let mut text = if point <= 0 {
        format!("0.{}{all}", zeros(-point))
    } else if point >= length {
        format!("{all}{}", zeros(point - length))
    } else {
        let (whole, fraction) = all.split_at(usize::try_from(point).unwrap_or(0));
        format!("{whole}.{fraction}")
    };
    let leading = text
        .bytes()
        .zip(text.bytes().skip(1))
        .take_while(|(digit, next)| *digit == b'0' && next.is_ascii_digit())
        .count();
    text.drain(..leading);
    Ok(Cow::Owned(format!("{sign}{text}")))
}

/// Returns the pairs of an object as `jsonb` holds them: of equal keys the last, sorted by length
/// and then by bytes.
pub(super) fn sorted<'n, 'a>(pairs: &'n [(String, Node<'a>)]) -> Vec<&'n (String, Node<'a>)> {
    let mut pairs: Vec<&(String, Node<'a>)> = pairs.iter().collect();
    // The sort is stable: of equal keys, the last stays last.
    pairs.sort_by(|(a, _), (b, _)| by_length(a, b));
    let mut kept: Vec<&(String, Node<'a>)> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        if kept.last().is_some_and(|last| last.0 == pair.0) {
            kept.pop();
        }
        kept.push(pair);
    }
    kept
}

pub(super) fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Checks the size of a text that is being written.
fn check_size(out: &str) -> Result<(), Error> {
    lakegate_engine::bounded::check_value("jsonb", out.len()).map_err(lakegate_error::from_engine)
}

/// Writes a value as `jsonb` shows it.
///
/// # Errors
///
/// A number is too large, or the text is.
pub(super) fn write_jsonb(out: &mut String, node: &Node<'_>) -> Result<(), Error> {
    check_size(out)?;
    match &node.value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&plain_number(number)?),
        Json::String(text) => write_string(out, text),
        Json::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                write_jsonb(out, item)?;
            }
            out.push(']');
        }
        Json::Object(pairs) => {
            out.push('{');
            for (place, (key, value)) in sorted(pairs).into_iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                write_string(out, key);
                out.push_str(": ");
                write_jsonb(out, value)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Writes a value without blanks, in the order of its text, as `json_strip_nulls` does.
///
/// # Errors
///
/// The text is too large.
pub(super) fn write_compact(out: &mut String, node: &Node<'_>) -> Result<(), Error> {
    check_size(out)?;
    match &node.value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(number),
        Json::String(text) => write_string(out, text),
        Json::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_compact(out, item)?;
            }
            out.push(']');
        }
        Json::Object(pairs) => {
            out.push('{');
            for (place, (key, value)) in pairs.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_compact(out, value)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Writes a value as `jsonb_pretty` does, with four blanks a level.
///
/// # Errors
///
/// A number is too large, or the text is.
pub(super) fn write_pretty(out: &mut String, node: &Node<'_>, depth: usize) -> Result<(), Error> {
    check_size(out)?;
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&" ".repeat(4 * depth));
    };
    match &node.value {
        Json::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                write_pretty(out, item, depth + 1)?;
            }
            line(out, depth);
            out.push(']');
            Ok(())
        }
        Json::Object(pairs) => {
            out.push('{');
            for (place, (key, value)) in sorted(pairs).into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                write_string(out, key);
                out.push_str(": ");
                write_pretty(out, value, depth + 1)?;
            }
            line(out, depth);
            out.push('}');
            Ok(())
        }
        _ => write_jsonb(out, node),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::value::parse;
    use super::*;

    fn jsonb(text: &str) -> String {
        let mut out = String::new();
        write_jsonb(&mut out, &parse(text).unwrap()).unwrap();
        out
    }

    #[test]
    fn jsonb_has_one_form_of_each_value() {
        for (text, expected) in [
            (
                r#" {"bb":1,"a" : [ 1 ,2,{}], "bb":null}"#,
                r#"{"a": [1, 2, {}], "bb": null}"#,
            ),
            ("1.50", "1.50"),
            ("1e3", "1000"),
            ("-1.25e-2", "-0.0125"),
            ("12.5E1", "125"),
            ("-0", "0"),
            ("-0.50", "-0.50"),
            ("0e5", "0"),
            ("0.05e1", "0.5"),
            (r#""a\u00e9\ud83d\ude00\/\n\u0001""#, "\"aé😀/\\n\\u0001\""),
        ] {
            assert_eq!(jsonb(text), expected, "{text}");
        }
    }

    #[test]
    fn a_pretty_value_has_a_line_for_each_part() {
        let mut out = String::new();
        write_pretty(&mut out, &parse(r#"{"a":[1,{}],"b":"x"}"#).unwrap(), 0).unwrap();
        assert_eq!(
            out,
            "{\n    \"a\": [\n        1,\n        {\n        }\n    ],\n    \"b\": \"x\"\n}"
        );
    }
}
