//! Numbers of any digits, as bounds of a `numrange`.

use std::fmt::Write;

use lakegate_error::{Code, Error};

/// The digits of a `numeric` before and after the point, at most.
const MAX_WHOLE: i64 = 131_072;
const MAX_SCALE: i64 = 16_383;

/// What is added to the place of a number's first digit in its key, so that all have as many digits.
const MAGNITUDES: i64 = 500_000;

/// A `numeric`. It keeps its zeros after the point, and compares without them.
#[derive(Debug, Clone)]
pub struct RangeNumber {
    text: String,
    key: String,
}

impl RangeNumber {
    /// Reads a number as PostgreSQL does: `1.50`, `-.5e3`, `NaN`, `Infinity`.
    ///
    /// # Errors
    ///
    /// The text is not a number, or it has more digits than a `numeric` holds.
    pub fn read(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim();
        let (is_negative, unsigned) = match trimmed.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let special = |text: &str, key: &str| Self {
            text: text.to_owned(),
            key: key.to_owned(),
        };
        if trimmed.eq_ignore_ascii_case("nan") {
            return Ok(special("NaN", "5"));
        }
        if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
            return Ok(match is_negative {
                true => special("-Infinity", "0"),
                false => special("Infinity", "4"),
            });
        }
        let (whole, fraction) = digits(unsigned, text)?;
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let digits = format!("{whole}{fraction}");
        let first = digits.bytes().position(|digit| digit != b'0');
        let mut written = String::new();
        if is_negative && first.is_some() {
            written.push('-');
        }
        written.push_str(whole);
        if !fraction.is_empty() {
            written.push('.');
            written.push_str(&fraction);
        }
        let key = match first {
            Some(first) => key(is_negative, whole.len(), first, &digits),
            None => "2".to_owned(),
        };
        Ok(Self { text: written, key })
    }

    /// Returns the number as PostgreSQL writes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns a text that compares as the number does. None begins another one.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Returns the number times 10 to the power of `scale`; `None` if it has more digits after the point,
    /// or does not fit.
    pub(super) fn scaled(&self, scale: u8) -> Option<i128> {
        let (whole, fraction) = self.text.split_once('.').unwrap_or((&self.text, ""));
        let fraction = fraction.trim_end_matches('0');
        let scale = usize::from(scale);
        let zeros = scale.checked_sub(fraction.len())?;
        let mut digits = format!("{whole}{fraction}");
        digits.push_str(&"0".repeat(zeros));
        digits.parse().ok()
    }
}

/// Returns the digits before and after the point. `text`: as it was written, for the message.
fn digits(unsigned: &str, text: &str) -> Result<(String, String), Error> {
    let invalid = || {
        let shown: String = text.chars().take(100).collect();
        let message = format!("invalid input syntax for type numeric: \"{shown}\"");
        Error::new(Code::InvalidCast, message)
    };
    let overflow = || Error::new(Code::NumericOutOfRange, "value overflows numeric format");
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let exponent: i32 = exponent.parse().map_err(|_| invalid())?;
            (mantissa, i64::from(exponent))
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(invalid());
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    // The digits before the point, and those after it.
    let point = length(whole).saturating_add(exponent);
    let scale = length(&digits).saturating_sub(point);
    if point > MAX_WHOLE || scale > MAX_SCALE {
        return Err(overflow());
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    if scale < 0 {
        digits.push_str(&zeros(-scale));
        return Ok((digits, String::new()));
    }
    match usize::try_from(point) {
        Ok(point) => {
            let fraction = digits.split_off(point.min(digits.len()));
            Ok((digits, fraction))
        }
        Err(_) => Ok((String::new(), format!("{}{digits}", zeros(-point)))),
    }
}

/// Returns the key of a number other than zero: its sign, the place of its first digit, and its digits,
/// which end with what comes before all digits. Those of a negative number are inverted.
///
/// `whole`: how many digits are before the point. `first`: the place of the first digit.
fn key(is_negative: bool, whole: usize, first: usize, digits: &str) -> String {
    let length = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let magnitude = length(whole) - length(first);
    let significant = digits.get(first..).unwrap_or_default();
    let significant = significant.trim_end_matches('0');
    let mut key = String::with_capacity(significant.len() + 8);
    match is_negative {
        true => {
            // A string takes all that is written.
            let _ = write!(key, "1{:06}", MAGNITUDES - magnitude);
            let inverted = significant.bytes().map(|digit| b'0' + (b'9' - digit));
            key.extend(inverted.map(char::from));
            key.push('~');
        }
        false => {
            let _ = write!(key, "3{:06}{significant}!", MAGNITUDES + magnitude);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn numbers_are_written_as_postgres_does() {
        for (text, expected) in [
            ("1", "1"),
            ("+01.50", "1.50"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            (".5", "0.5"),
            ("5.", "5"),
            (" 1e3 ", "1000"),
            ("1.5e-3", "0.0015"),
            ("1.25e1", "12.5"),
            ("1.5e1", "15"),
            ("nan", "NaN"),
            ("-inf", "-Infinity"),
        ] {
            assert_eq!(RangeNumber::read(text).unwrap().text(), expected, "{text}");
        }
        for text in ["", "-", ".", "1.2.3", "1e", "x", "1e1000000000", "1 2", "é"] {
            assert!(RangeNumber::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_compare_as_numbers() {
        let sorted = [
            "-Infinity",
            "-1e100",
            "-101",
            "-100.5",
            "-100",
            "-99",
            "-1.01",
            "-1",
            "-0.5",
            "-0.05",
            "0",
            "0.0001",
            "0.05",
            "0.5",
            "1",
            "1.01",
            "1.1",
            "9",
            "10",
            "99",
            "100",
            "100.5",
            "1e100",
            "Infinity",
            "NaN",
        ];
        let keys = sorted.map(|text| RangeNumber::read(text).unwrap().key);
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
        let equal = |one: &str, other: &str| {
            RangeNumber::read(one).unwrap().key == RangeNumber::read(other).unwrap().key
        };
        assert!(equal("1.0", "1") && equal("-2.50", "-2.5") && equal("0.00", "-0"));
    }

    #[test]
    fn numbers_are_scaled_without_a_loss() {
        for (text, scale, expected) in [
            ("1.50", 2, Some(150)),
            ("1.50", 1, Some(15)),
            ("1.50", 0, None),
            ("-3", 2, Some(-300)),
            ("NaN", 2, None),
        ] {
            let found = RangeNumber::read(text).unwrap().scaled(scale);
            assert_eq!(found, expected, "{text} {scale}");
        }
    }
}
