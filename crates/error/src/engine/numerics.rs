//! Errors of numbers that a decimal has no room for, from what Arrow says of them.

use crate::{Code, Error};

/// The digits of the widest decimal.
const MAX_DIGITS: u32 = 38;

/// Returns the error of a text that is a number, but not one of a type, such as `Decimal128(3, 2)`;
/// `None` if it is not a number.
pub(super) fn of_text(text: &str, data_type: &str) -> Option<Error> {
    let number = text.trim();
    if is_unbounded(number) {
        return Some(unbounded(number));
    }
    let unsigned = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes());
    let is_number = whole.len() + fraction.len() > 0
        && digits.all(|digit| digit.is_ascii_digit())
        && exponent.parse::<i32>().is_ok();
    if !is_number {
        return None;
    }
    let size = data_type.strip_suffix(')').and_then(size);
    Some(size.map_or_else(overflow, |(precision, scale)| of_field(precision, scale)))
}

/// Reads the digits of a type such as `Decimal128(3, 2`.
fn size(data_type: &str) -> Option<(u32, i32)> {
    let (_, digits) = data_type.split_once('(')?;
    let (precision, scale) = digits.split_once(", ")?;
    Some((precision.parse().ok()?, scale.parse().ok()?))
}

/// Returns the error of what Arrow says of a number that a decimal does not hold:
///
/// ```text
/// Cannot cast to Decimal128(3, 2). Overflowing on 1234
/// 10.00 is too large to store in a Decimal128 of precision 3. Max is 9.99
/// ```
pub(crate) fn of_number(what: &str) -> Option<Error> {
    if let Some(rest) = what.strip_prefix("Cannot cast to Decimal") {
        let (data_type, number) = rest.split_once("). Overflowing on ")?;
        if is_unbounded(number) {
            return Some(unbounded(number));
        }
        let (precision, scale) = size(data_type)?;
        return Some(of_field(precision, scale));
    }
    let (_, rest) = what.split_once(" to store in a Decimal")?;
    let (_, rest) = rest.split_once(" of precision ")?;
    let (precision, bound) = rest.split_once(". M")?;
    // What comes after the point of the bound are the fractional digits.
    let (_, bound) = bound.split_once(" is ")?;
    let scale = bound.split_once('.').map_or(0, |(_, digits)| digits.len());
    Some(of_field(
        precision.parse().ok()?,
        i32::try_from(scale).ok()?,
    ))
}

fn is_unbounded(number: &str) -> bool {
    let unsigned = number.strip_prefix(['-', '+']).unwrap_or(number);
    let mut words = ["nan", "inf", "infinity"].iter();
    words.any(|word| unsigned.eq_ignore_ascii_case(word))
}

fn unbounded(number: &str) -> Error {
    let shown = match number.to_ascii_lowercase().contains("nan") {
        true => "NaN",
        false => "an infinite value",
    };
    Error::not_supported(format!("{shown} of the type numeric is not supported"))
        .with_hint("use double precision, or NULL")
}

/// Returns the error of a number that has more digits than its type.
fn of_field(precision: u32, scale: i32) -> Error {
    match precision >= MAX_DIGITS {
        true => overflow(),
        false => field_overflow(precision, scale),
    }
}

/// Returns PostgreSQL's error of a number that has more digits than a column or a type with a
/// precision. `precision`: its digits. `scale`: those behind the point.
pub fn field_overflow(precision: u32, scale: i32) -> Error {
    let whole = i64::from(precision) - i64::from(scale);
    let bound = match whole {
        0 => "1".to_owned(),
        whole => format!("10^{whole}"),
    };
    Error::new(Code::NumericOutOfRange, "numeric field overflow").with_detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
    ))
}

fn overflow() -> Error {
    Error::new(Code::NumericOutOfRange, "value overflows numeric format").with_hint(format!(
        "a numeric has at most {MAX_DIGITS} digits, of which numeric without a precision has 10 after the point: write numeric({MAX_DIGITS},0), or double precision"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_without_a_decimal_are_told_from_other_texts() {
        for (text, code) in [
            ("NaN", Some(Code::NotSupported)),
            ("-Infinity", Some(Code::NotSupported)),
            (" inf ", Some(Code::NotSupported)),
            ("1e40", Some(Code::NumericOutOfRange)),
            (
                "-123456789012345678901234567890",
                Some(Code::NumericOutOfRange),
            ),
            ("1.5.5", None),
            ("e5", None),
            ("", None),
            ("x", None),
        ] {
            let error = of_text(text, "Decimal128(38, 10)");
            assert_eq!(error.map(|error| error.code()), code, "{text}");
        }
        let field = of_text("123.4", "Decimal128(3, 1)").unwrap();
        assert_eq!(field.message(), "numeric field overflow");
    }

    #[test]
    fn numbers_of_too_many_digits_have_the_errors_of_postgres() {
        for (said, message, detail) in [
            (
                "Cannot cast to Decimal128(4, 2). Overflowing on 123.45",
                "numeric field overflow",
                Some(
                    "A field with precision 4, scale 2 must round to an absolute value less than 10^2.",
                ),
            ),
            (
                "0.10 is too large to store in a Decimal128 of precision 1. Max is 0.9",
                "numeric field overflow",
                Some(
                    "A field with precision 1, scale 1 must round to an absolute value less than 1.",
                ),
            ),
            (
                "-10 is too small to store in a Decimal128 of precision 1. Min is -9",
                "numeric field overflow",
                Some(
                    "A field with precision 1, scale 0 must round to an absolute value less than 10^1.",
                ),
            ),
            (
                "Cannot cast to Decimal128(38, 10). Overflowing on 1e40",
                "value overflows numeric format",
                None,
            ),
            (
                "Cannot cast to Decimal128(38, 10). Overflowing on inf",
                "an infinite value of the type numeric is not supported",
                None,
            ),
        ] {
            let error = of_number(said).unwrap();
            assert_eq!(
                (error.message(), error.detail()),
                (message, detail),
                "{said}"
            );
        }
        assert!(of_number("something else").is_none());
    }
}
