//! Parameters in text format: the input functions of Postgres' types, as far as drivers use them.

use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::decode_bytea;
use lakegate_gateway::values::time::{
    date_of_text, instant_of_text, interval_of_text, time_of_text, timestamp_of_text,
};

use super::super::encode::Zone;
use super::super::types::{element_oid, input_name, oid, oid_like};
use super::value::{Numeric, Value};
use super::{MAX_ELEMENTS, invalid, too_many_elements};

/// Reads a value of the type `type_oid`. Types without a reader of their own are read as text.
pub(crate) fn read(type_oid: u32, text: &str, zone: Zone) -> Result<Value> {
    let bad = || invalid(type_oid, text);
    let trimmed = text.trim();
    Ok(match type_oid {
        oid::BOOL => Value::Bool(boolean(trimmed).ok_or_else(bad)?),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::XID8 => {
            Value::Int(trimmed.parse().map_err(|_| bad())?)
        }
        oid::FLOAT4 => Value::Float32(float(trimmed, type_oid)?.ok_or_else(bad)?),
        oid::FLOAT8 => Value::Float64(float(trimmed, type_oid)?.ok_or_else(bad)?),
        oid::NUMERIC => Value::Numeric(numeric(trimmed).ok_or_else(bad)??),
        oid::BYTEA => Value::Bytes(decode_bytea(text).ok_or_else(bad)?),
        oid::UUID => Value::Text(
            uuid::Uuid::parse_str(trimmed)
                .map_err(|_| bad())?
                .to_string(),
        ),
        oid::DATE => Value::Date(date_of_text(trimmed).ok_or_else(bad)?),
        oid::TIME => Value::time_of_day(time_of_text(trimmed).ok_or_else(bad)?)?,
        oid::TIMESTAMP => Value::Timestamp(timestamp_of_text(trimmed).ok_or_else(bad)?),
        oid::TIMESTAMPTZ => Value::Instant(instant_of_text(trimmed, zone.clock()).ok_or_else(bad)?),
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
                let mut values = Vec::new();
                for item in array_elements(trimmed).ok_or_else(bad)?? {
                    values.push(item.map(|item| read(element, &item, zone)).transpose()?);
                }
                Value::Array { element, values }
            }
            None => Value::Text(text.to_owned()),
        },
    })
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

/// Splits an array of one dimension into its elements: `{1,NULL,"a \"b\""}`; `None` for anything
/// else.
///
/// # Errors
///
/// There are too many elements.
fn array_elements(text: &str) -> Option<Result<Vec<Option<String>>>> {
    let body = match text.strip_prefix('[') {
        // Bounds, as in `[1:3]={1,2,3}`.
        Some(bounds) => bounds.split_once("]=")?.1,
        None => text,
    };
    let body = body.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if body.trim().is_empty() {
        return Some(Ok(elements));
    }
    let mut chars = body.chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let mut element = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        let mut escaped = false;
        if quoted {
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => element.push(chars.next()?),
                    other => element.push(other),
                }
            }
            while chars.next_if(char::is_ascii_whitespace).is_some() {}
        } else {
            while let Some(next) = chars.next_if(|c| *c != ',') {
                match next {
                    '\\' => {
                        escaped = true;
                        element.push(chars.next()?);
                    }
                    '{' | '}' | '"' => return None,
                    other => element.push(other),
                }
            }
            element.truncate(element.trim_end().len());
            if element.is_empty() {
                return None;
            }
        }
        let null = !quoted && !escaped && element.eq_ignore_ascii_case("null");
        if elements.len() >= MAX_ELEMENTS {
            return Some(Err(too_many_elements()));
        }
        elements.push((!null).then_some(element));
        match chars.next() {
            None => return Some(Ok(elements)),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}
