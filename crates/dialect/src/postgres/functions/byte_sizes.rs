//! `pg_size_bytes('1.5 GB')`: the bytes of a size that is written with a unit.

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

/// The units, and the power of 2 of the bytes of each.
const UNITS: [(&str, u32); 8] = [
    ("", 0),
    ("b", 0),
    ("bytes", 0),
    ("kb", 10),
    ("mb", 20),
    ("gb", 30),
    ("tb", 40),
    ("pb", 50),
];

/// The digits of a size on each side of its point, at most.
const MAX_DIGITS: usize = 18;

pub(super) fn function() -> PgFunction {
    PgFunction::new("pg_size_bytes", 1..=1, DataType::Int64, |args| {
        let text = args.first().and_then(Cell::to_text).unwrap_or_default();
        let bytes = parse(&text).ok_or_else(|| {
            Error::new(Code::InvalidParameter, format!("invalid size: \"{text}\"")).with_hint(
                "a size is a number and one of the units bytes, B, kB, MB, GB, TB and PB",
            )
        })?;
        let bytes = i64::try_from(bytes)
            .map_err(|_| Error::new(Code::NumericOutOfRange, "bigint out of range"))?;
        Ok(Cell::Int(bytes))
    })
    .immutable()
}

/// Returns the bytes of a size, rounded; halves away from zero. `None` if the text is none, or has
/// more digits than are read.
fn parse(text: &str) -> Option<i128> {
    let text = text.trim_matches(|space: char| space.is_ascii_whitespace());
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    let is_number = !(whole.is_empty() && fraction.is_empty());
    if !is_number || whole.len() > MAX_DIGITS || fraction.len() > MAX_DIGITS {
        return None;
    }
    let unit = rest.trim_start().to_ascii_lowercase();
    let (_, power) = UNITS.iter().find(|(name, _)| *name == unit)?;
    // Up to 18 digits, which are 60 bits, and 2^50: no overflow.
    let number = |digits: &str| match digits {
        "" => Some(0),
        digits => digits.parse::<i128>().ok(),
    };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let of_fraction = number(fraction)? << power;
    let rounded = (of_fraction * 2 + scale) / (scale * 2);
    let bytes = (number(whole)? << power) + rounded;
    Some(if is_negative { -bytes } else { bytes })
}

/// Splits a text behind the digits that it begins with.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("1.5 kB", Some(1_536)),
            (" 10 gb ", Some(10_737_418_240)),
            ("-1MB", Some(-1_048_576)),
            ("+1TB", Some(1_099_511_627_776)),
            ("1PB", Some(1_125_899_906_842_624)),
            ("2 bytes", Some(2)),
            ("0.5", Some(1)),
            ("-0.5", Some(-1)),
            ("1.4", Some(1)),
            (".5kB", Some(512)),
            ("5.kB", Some(5_120)),
            (
                "999999999999999999.999999999999999999 PB",
                Some(1_125_899_906_842_624_000_000_000_000_000_000),
            ),
            ("9999999999999999999", None),
            ("1 x", None),
            (".", None),
            ("kB", None),
            ("- 1", None),
            ("", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }
}
