//! Parameters in text format: the input functions of Postgres' types, as far as drivers use them.

use std::num::IntErrorKind;

use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::decode_bytea;
use lakegate_gateway::values::time::{
    date_of_text, instant_of_text, interval_of_text, time_of_text, timestamp_of_text,
};

use super::super::types::{element_oid, input_name, oid, oid_like};
use super::array_text::{self, Item};
use super::value::{Numeric, Value};
use super::{Input, invalid};

/// Reads a value of the type `type_oid`. Types without a reader of their own are read as text.
pub(crate) fn read(type_oid: u32, text: &str, input: Input) -> Result<Value> {
    let bad = || invalid(type_oid, text);
    let trimmed = text.trim();
    Ok(match type_oid {
        oid::BOOL => Value::Bool(boolean(trimmed).ok_or_else(bad)?),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::XID8 => Value::Int(integer(trimmed, type_oid)?),
        oid::FLOAT4 => Value::Float32(float(trimmed, type_oid)?.ok_or_else(bad)?),
        oid::FLOAT8 => Value::Float64(float(trimmed, type_oid)?.ok_or_else(bad)?),
        oid::NUMERIC => Value::Numeric(numeric(trimmed).ok_or_else(bad)??),
        oid::BYTEA => Value::Bytes(decode_bytea(text).ok_or_else(bad)?),
        oid::UUID => Value::Text(
            uuid::Uuid::parse_str(trimmed)
                .map_err(|_| bad())?
                .to_string(),
        ),
        oid::DATE => Value::Date(date_of_text(trimmed, input.order)?),
        oid::TIME => Value::time_of_day(time_of_text(trimmed)?)?,
        oid::TIMESTAMP => Value::Timestamp(timestamp_of_text(trimmed, input.order)?),
        oid::TIMESTAMPTZ => {
            Value::Instant(instant_of_text(trimmed, input.zone.clock(), input.order)?)
        }
        oid::INTERVAL => {
            let interval = interval_of_text(trimmed).ok_or_else(bad)?;
            Value::Interval {
                months: interval.months,
                days: interval.days,
                micros: interval.nanoseconds / 1000,
            }
        }
        other if oid_like(other) => {
            Value::Int(trimmed.parse::<u32>().map(i64::from).map_err(|_| bad())?)
        }
        other => match element_oid(other) {
            Some(element) => {
                let items = array_text::items(trimmed).ok_or_else(bad)??;
                Value::Array {
                    element,
                    values: values(element, items, input)?,
                }
            }
            None => Value::Text(text.to_owned()),
        },
    })
}

/// Returns the items of an array as values.
fn values(element: u32, items: Vec<Item>, input: Input) -> Result<Vec<Option<Value>>> {
    let value = |item: Item| -> Result<Option<Value>> {
        Ok(match item {
            Item::Null => None,
            Item::Text(text) => Some(read(element, &text, input)?),
            Item::Array(items) => Some(Value::Array {
                element,
                values: values(element, items, input)?,
            }),
        })
    };
    items.into_iter().map(value).collect()
}

/// Reads an integer.
///
/// # Errors
///
/// The text is not an integer; its type does not have the number.
fn integer(text: &str, type_oid: u32) -> Result<i64> {
    let (least, most) = match type_oid {
        oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let is_too_large = match text.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => return Ok(number),
        Ok(_) => true,
        Err(error) => matches!(
            error.kind(),
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow
        ),
    };
    Err(match is_too_large {
        true => too_large(text, type_oid),
        false => invalid(type_oid, text),
    })
}

/// Builds the error of a number that its type does not have.
pub(crate) fn too_large(shown: &str, type_oid: u32) -> Error {
    let shown: String = shown.chars().take(80).collect();
    Error::new(
        Code::NumericOutOfRange,
        format!(
            "value \"{shown}\" is out of range for type {}",
            input_name(type_oid)
        ),
    )
}

fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Some(true),
        "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads a float; `None` if the text is not a number. Rust accepts Postgres' spellings (`NaN`,
/// `Infinity`, `-inf`) in any case.
///
/// # Errors
///
/// The number is too large for the type: it does not become infinity.
fn float<T: std::str::FromStr + Into<f64> + Copy>(text: &str, type_oid: u32) -> Result<Option<T>> {
    let Ok(value) = text.parse::<T>() else {
        return Ok(None);
    };
    let spelled = text
        .trim_start_matches(['+', '-'])
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("inf"));
    if value.into().is_infinite() && !spelled {
        let shown: String = text.chars().take(80).collect();
        let name = input_name(type_oid);
        return Err(Error::new(
            Code::NumericOutOfRange,
            format!("\"{shown}\" is out of range for type {name}"),
        ));
    }
    Ok(Some(value))
}

/// Reads digits with an optional point and exponent; `None` if the text is not a number.
fn numeric(text: &str) -> Option<Result<Numeric>> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return match text.to_ascii_lowercase().as_str() {
            "nan" | "infinity" | "-infinity" | "inf" | "-inf" => {
                Some(Err(super::out_of_range("numeric: it is finite here")))
            }
            _ => None,
        };
    }
    let mut digits = format!("{whole}{fraction}");
    let scale = fraction.len() as i64 - i64::from(exponent);
    if !(-200..=200).contains(&scale) {
        return Some(Err(super::out_of_range("numeric")));
    }
    if scale < 0 {
        digits.push_str(&"0".repeat(scale.unsigned_abs() as usize));
    }
    let scale = scale.max(0) as usize;
    if digits.len() < scale {
        digits = format!("{digits:0>scale$}");
    }
    Some(Numeric::new(negative, &digits, scale))
}
