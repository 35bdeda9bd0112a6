//! Words of Ion text that stand without quotes: numbers and times.

use super::cursor::Value;
use super::numbers::Number;
use super::{Result, broken};
use crate::format::text::times::{Cursor, Moment};

/// A number or a timestamp.
///
/// # Errors
/// It is neither.
pub(super) fn number(token: &[u8]) -> Result<Value<'static>> {
    let text = str::from_utf8(token).map_err(|_| invalid("number"))?;
    match text {
        "+inf" => return Ok(Value::Float(f64::INFINITY)),
        "-inf" => return Ok(Value::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    if matches!(token.get(4), Some(b'T' | b'-')) && token.iter().take(4).all(u8::is_ascii_digit) {
        return time(token).map(Value::Timestamp);
    }
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0b", "0B"], 2)] {
        let digits = prefixes
            .iter()
            .find_map(|prefix| digits.strip_prefix(prefix));
        if let Some(digits) = digits {
            let magnitude = whole(digits, radix)?;
            return Ok(Value::Number(Number {
                is_negative,
                magnitude,
                exponent: 0,
            }));
        }
    }
    // A float or a decimal is written with its letter, a decimal also without one.
    let letter = digits.find(['e', 'E', 'd', 'D']);
    let (mantissa, exponent) = match letter {
        Some(at) => (
            digits.get(..at).unwrap_or_default(),
            Some(self::exponent(digits.get(at + 1..).unwrap_or_default())?),
        ),
        None => (digits, None),
    };
    let (before, after) = match mantissa.split_once('.') {
        Some((before, after)) => (before, Some(after)),
        None => (mantissa, None),
    };
    if before.len() > 1 && before.starts_with('0') {
        return Err(invalid("number with a 0 in front"));
    }
    check_digits(before, 10)?;
    let after = after.unwrap_or_default();
    if !after.is_empty() {
        check_digits(after, 10)?;
    }
    let is_float = letter.is_some_and(|at| matches!(digits.as_bytes().get(at), Some(b'e' | b'E')));
    let plain = |part: &str| part.replace('_', "");
    let (before, after) = (plain(before), plain(after));
    let exponent = exponent.unwrap_or(0);
    if is_float {
        let sign = if is_negative { "-" } else { "" };
        let float = format!("{sign}{before}.{after}0e{exponent}").parse();
        return float.map(Value::Float).map_err(|_| invalid("float"));
    }
    let fraction = i64::try_from(after.len()).unwrap_or(i64::MAX);
    Ok(Value::Number(Number {
        is_negative,
        magnitude: whole(&format!("{before}{after}"), 10)?,
        exponent: exponent.saturating_sub(fraction),
    }))
}

fn exponent(text: &str) -> Result<i64> {
    let digits = text.trim_start_matches(['+', '-']);
    if text.len() > digits.len() + 1 || digits.contains('_') {
        return Err(invalid("exponent"));
    }
    check_digits(digits, 10)?;
    text.parse().map_err(|_| invalid("exponent"))
}

/// Digits, with single underscores between them.
fn check_digits(digits: &str, radix: u32) -> Result<()> {
    let mut is_after_digit = false;
    for letter in digits.chars() {
        is_after_digit = match letter {
            '_' if is_after_digit => false,
            _ if letter.is_digit(radix) => true,
            _ => return Err(invalid("number")),
        };
    }
    match is_after_digit {
        true => Ok(()),
        false => Err(invalid("number")),
    }
}

/// `None`: it has more than 128 bits.
fn whole(digits: &str, radix: u32) -> Result<Option<u128>> {
    check_digits(digits, radix)?;
    let mut value = Some(0_u128);
    for digit in digits.chars().filter_map(|letter| letter.to_digit(radix)) {
        value = value
            .and_then(|value| value.checked_mul(u128::from(radix)))
            .and_then(|value| value.checked_add(u128::from(digit)));
    }
    Ok(value)
}

/// `2024T`, `2024-05T`, `2024-05-06`, `2024-05-06T`, `2024-05-06T07:08Z`, with seconds and a
/// fraction. Microseconds since the Unix epoch.
fn time(token: &[u8]) -> Result<i64> {
    let micros = parts(token).and_then(Moment::to_micros);
    micros.ok_or_else(|| invalid("timestamp"))
}

fn parts(token: &[u8]) -> Option<Moment> {
    let mut at = Cursor { rest: token };
    let mut moment = Moment {
        year: i32::try_from(at.number(4, 4)?).ok()?,
        ..Moment::EPOCH
    };
    if at.rest == b"T" {
        return Some(moment);
    }
    at.literal(b"-")?;
    moment.month = at.number(2, 2)?;
    if at.rest == b"T" {
        return Some(moment);
    }
    at.literal(b"-")?;
    moment.day = at.number(2, 2)?;
    if at.rest.is_empty() || at.rest == b"T" {
        return Some(moment);
    }
    at.literal(b"T")?;
    moment.hour = at.number(2, 2)?;
    at.literal(b":")?;
    moment.minute = at.number(2, 2)?;
    if at.literal(b":").is_some() {
        moment.second = at.number(2, 2)?;
        if at.literal(b".").is_some() {
            moment.micros = at.fraction()?;
        }
    }
    if at.rest == b"Z" {
        return Some(moment);
    }
    let sign = match at.rest.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    at.rest = at.rest.get(1..)?;
    let hours = at.number(2, 2)?;
    at.literal(b":")?;
    let minutes = at.number(2, 2)?;
    if hours > 23 || minutes > 59 || !at.rest.is_empty() {
        return None;
    }
    moment.offset = sign * i32::try_from(hours * 3600 + minutes * 60).ok()?;
    Some(moment)
}

fn invalid(what: &str) -> super::Fault {
    broken(format!("it has an invalid {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(value: i128, exponent: i64) -> Value<'static> {
        Value::Number(Number {
            is_negative: value < 0,
            magnitude: Some(value.unsigned_abs()),
            exponent,
        })
    }

    #[test]
    fn numbers_are_read_with_their_type() {
        for (text, value) in [
            ("0", of(0, 0)),
            ("-12", of(-12, 0)),
            ("1_000", of(1000, 0)),
            ("0xFf_ff", of(65_535, 0)),
            ("-0b101", of(-5, 0)),
            ("1.50", of(150, -2)),
            ("1.", of(1, 0)),
            ("12d3", of(12, 3)),
            ("1.5D-3", of(15, -4)),
            ("1e3", Value::Float(1000.0)),
            ("-1.5E-1", Value::Float(-0.15)),
            ("+inf", Value::Float(f64::INFINITY)),
            ("2000T", Value::Timestamp(946_684_800_000_000)),
            ("2000-01-01", Value::Timestamp(946_684_800_000_000)),
            (
                "2000-01-01T01:00+01:00",
                Value::Timestamp(946_684_800_000_000),
            ),
            (
                "2000-01-01T00:00:00.123456789Z",
                Value::Timestamp(946_684_800_123_456),
            ),
            (
                "2000-01-01T00:00-00:00",
                Value::Timestamp(946_684_800_000_000),
            ),
        ] {
            assert_eq!(number(text.as_bytes()).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            "01",
            "1__0",
            "_1",
            "1_",
            "0x",
            "0xg",
            "1.2.3",
            "1e",
            "1e1_0",
            "1ee2",
            "1x",
            ".5",
            "+1",
            "1e+-2",
            "2000-13T",
            "2000-01-01T10:00",
            "2000-01-01T10Z",
            "2000-02-30",
            "200-01-01",
            "2000-1T",
            "2000-01-01T00:00:00.Z",
            "2000-01-01T24:00Z",
            "1e99999999999999999999",
        ] {
            let read = number(text.as_bytes());
            assert!(read.is_err(), "{text}: {read:?}");
        }
        let long = "9".repeat(60);
        let Value::Number(read) = number(long.as_bytes()).unwrap() else {
            unreachable!("an int")
        };
        assert_eq!(read.magnitude, None);
    }
}
