//! Parameters in text format: the input functions of Postgres' types, as far as drivers use them.

use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;

use super::super::encode::Zone;
use super::super::encode::time::days_from_civil;
use super::super::types::{element_oid, oid, oid_like};
use super::invalid;
use super::value::{Numeric, Value};
use crate::engine::pg::decode_bytea;
use crate::error::Result;

/// Reads a value of the type `type_oid`; a type without a reader of its own is text.
pub(super) fn read(type_oid: u32, text: &str, zone: Zone) -> Result<Value> {
    let bad = || invalid(type_oid, text);
    let trimmed = text.trim();
    Ok(match type_oid {
        oid::BOOL => Value::Bool(boolean(trimmed).ok_or_else(bad)?),
        oid::INT2 | oid::INT4 | oid::INT8 => Value::Int(trimmed.parse().map_err(|_| bad())?),
        oid::FLOAT4 => Value::Float32(float(trimmed).ok_or_else(bad)?),
        oid::FLOAT8 => Value::Float64(float(trimmed).ok_or_else(bad)?),
        oid::NUMERIC => Value::Numeric(numeric(trimmed).ok_or_else(bad)??),
        oid::BYTEA => Value::Bytes(decode_bytea(text).ok_or_else(bad)?),
        oid::UUID => Value::Text(
            uuid::Uuid::parse_str(trimmed)
                .map_err(|_| bad())?
                .to_string(),
        ),
        oid::DATE => {
            let (days, rest) = date(trimmed).ok_or_else(bad)?;
            // As Postgres, a time after the date is read and dropped.
            if !rest.is_empty() && timestamp(trimmed).is_none() {
                return Err(bad());
            }
            Value::Date(i32::try_from(days).map_err(|_| super::out_of_range("date"))?)
        }
        oid::TIME => match time(trimmed) {
            Some((micros, "")) => Value::Time(micros),
            _ => return Err(bad()),
        },
        oid::TIMESTAMP => Value::Timestamp(timestamp(trimmed).ok_or_else(bad)?.0),
        oid::TIMESTAMPTZ => {
            let (local, offset) = timestamp(trimmed).ok_or_else(bad)?;
            let offset = offset.unwrap_or_else(|| zone.offset_at_local(local));
            let utc = local.checked_sub(i64::from(offset) * 1_000_000);
            Value::Instant(utc.ok_or_else(|| super::out_of_range("timestamp"))?)
        }
        oid::INTERVAL => interval(trimmed).ok_or_else(bad)?,
        other if oid_like(other) => {
            Value::Int(trimmed.parse::<u32>().map(i64::from).map_err(|_| bad())?)
        }
        other => match element_oid(other) {
            Some(element) => {
                let mut values = Vec::new();
                for item in array_elements(trimmed).ok_or_else(bad)? {
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

/// Rust reads Postgres' spellings (`NaN`, `Infinity`, `-inf`) in any case; a number too large for the type is not infinity.
fn float<T: std::str::FromStr + Into<f64> + Copy>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let spelled = text
        .trim_start_matches(['+', '-'])
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("inf"));
    (!value.into().is_infinite() || spelled).then_some(value)
}

/// Digits with an optional point and exponent. `None`: not a number.
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

/// Up to `most` digits from the front; at least one.
fn number(text: &str, most: usize) -> Option<(i64, &str)> {
    let end = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    Some((text.get(..end)?.parse().ok()?, &text[end..]))
}

/// `YYYY-MM-DD` as days since 1970, and what follows it.
fn date(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = number(text, 7)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (rest, before_christ) = match rest.strip_suffix("BC") {
        Some(rest) => (rest.trim_end(), true),
        None => (rest, false),
    };
    let year = if before_christ { 1 - year } else { year };
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days)
        .contains(&day)
        .then(|| (days_from_civil(year, month as u32, day as u32), rest))
}

/// `HH:MM[:SS[.f]]` as microseconds since midnight, and what follows it.
fn time(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2)?,
        None => (0, rest),
    };
    let (micros, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.bytes().take_while(u8::is_ascii_digit).count();
            let digits = format!("{:0<7}", rest.get(..end.min(7))?);
            // Rounded half up at the seventh digit, as Postgres rounds to its microseconds.
            let tenths: i64 = digits.parse().ok()?;
            ((tenths + 5) / 10, &rest[end..])
        }
        None => (0, rest),
    };
    let total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
    (minute < 60 && second <= 60 && total <= 86_400_000_000).then_some((total, rest))
}

/// A date, and a time if there is one, as local microseconds since 1970, with the offset in seconds that the text names.
fn timestamp(text: &str) -> Option<(i64, Option<i32>)> {
    let (days, rest) = date(text)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let (micros, rest) = if rest.starts_with(|c: char| c.is_ascii_digit()) {
        time(rest)?
    } else {
        (0, rest)
    };
    let offset = offset(rest.trim())?;
    Some((
        days.checked_mul(86_400_000_000)?.checked_add(micros)?,
        offset,
    ))
}

/// Nothing, `Z`, `UTC` or `±HH[[:]MM[:SS]]`.
fn offset(text: &str) -> Option<Option<i32>> {
    if text.is_empty() {
        return Some(None);
    }
    if ["z", "utc", "gmt"]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name))
    {
        return Some(Some(0));
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let part = |rest| -> Option<(i64, &str)> {
        if str::is_empty(rest) {
            Some((0, rest))
        } else {
            number(rest.strip_prefix(':').unwrap_or(rest), 2)
        }
    };
    let (minutes, rest) = part(rest)?;
    let (seconds, rest) = part(rest)?;
    let total = hours * 3600 + minutes * 60 + seconds;
    (rest.is_empty() && minutes < 60 && seconds < 60 && total < 57_600)
        .then(|| Some(sign * total as i32))
}

fn interval(text: &str) -> Option<Value> {
    let target = DataType::Interval(IntervalUnit::MonthDayNano);
    match ScalarValue::Utf8(Some(text.to_owned()))
        .cast_to(&target)
        .ok()?
    {
        ScalarValue::IntervalMonthDayNano(Some(value)) => Some(Value::Interval {
            months: value.months,
            days: value.days,
            micros: value.nanoseconds / 1000,
        }),
        _ => None,
    }
}

/// The elements of an array of one dimension: `{1,NULL,"a \"b\""}`; `None` for anything else.
fn array_elements(text: &str) -> Option<Vec<Option<String>>> {
    let body = match text.strip_prefix('[') {
        // Bounds, as in `[1:3]={1,2,3}`.
        Some(bounds) => bounds.split_once("]=")?.1,
        None => text,
    };
    let body = body.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if body.trim().is_empty() {
        return Some(elements);
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
        elements.push((!null).then_some(element));
        match chars.next() {
            None => return Some(elements),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}
