//! One value from text: numbers exactly, dates and timestamps in the forms of
//! [`times`](super::times).

use super::patterns::Pattern;
use super::times;

/// Why a text is not a value of a column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Misfit {
    NotA,
    OutOfRange,
}

/// What an integer column makes of `1.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Fractions {
    Refuse,
    /// Digits after the point are left out, as Hive's lazy integers do.
    Truncate,
}

/// What a bare number means in a date or timestamp column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Epoch {
    Refuse,
    /// Timestamps count milliseconds, dates days.
    Millis,
    /// Dates count days; for timestamps the size decides, see [`epoch_micros`].
    ByMagnitude,
}

/// What text means in a binary column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum BinaryText {
    Base64,
    /// Base64 where it is valid, else the bytes themselves.
    Base64OrRaw,
    Raw,
}

/// How a SerDe reads text that is not a string.
#[derive(Debug, Clone)]
pub(in crate::format) struct ScalarRules {
    pub fractions: Fractions,
    pub epoch: Epoch,
    pub binary: BinaryText,
    pub patterns: Vec<Pattern>,
}

impl ScalarRules {
    /// Microseconds since the Unix epoch.
    pub(super) fn timestamp(&self, text: &str) -> Result<i64, Misfit> {
        if let Some(micros) = self.patterns.iter().find_map(|pattern| pattern.read(text)) {
            return Ok(micros);
        }
        if let Some(micros) = times::timestamp(text) {
            return Ok(micros);
        }
        match self.epoch {
            Epoch::Refuse => Err(Misfit::NotA),
            Epoch::Millis => integer(text, Fractions::Refuse)?
                .checked_mul(1000)
                .ok_or(Misfit::OutOfRange),
            Epoch::ByMagnitude => epoch_micros(text),
        }
    }

    /// Days since the Unix epoch.
    pub(super) fn date(&self, text: &str) -> Result<i32, Misfit> {
        if let Some(days) = times::date(text) {
            return Ok(days);
        }
        if self.epoch == Epoch::Refuse {
            return Err(Misfit::NotA);
        }
        i32::try_from(integer(text, Fractions::Refuse)?).map_err(|_| Misfit::OutOfRange)
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, Misfit> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Misfit::NotA)
    }
}

/// Whole numbers, also as `1.0`, and as `1e3` where fractions are refused.
pub(super) fn integer(text: &str, fractions: Fractions) -> Result<i64, Misfit> {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    if fractions == Fractions::Truncate && text.contains(['e', 'E']) {
        return Err(Misfit::NotA);
    }
    let scaled = scaled(text, 0)?;
    if scaled.dropped && fractions == Fractions::Refuse {
        return Err(Misfit::NotA);
    }
    i64::try_from(scaled.value()).map_err(|_| Misfit::OutOfRange)
}

pub(super) fn float<F: std::str::FromStr>(text: &str) -> Result<F, Misfit> {
    text.trim().parse().map_err(|_| Misfit::NotA)
}

/// The unscaled value of a decimal; digits beyond the scale are rounded half up, away from zero.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, Misfit> {
    let mut scaled = scaled(text.trim(), i32::from(scale))?;
    scaled.magnitude += u128::from(scaled.round_up);
    let bound = 10_u128
        .checked_pow(u32::from(precision))
        .ok_or(Misfit::OutOfRange)?;
    if scaled.magnitude >= bound {
        Err(Misfit::OutOfRange)
    } else {
        Ok(scaled.value())
    }
}

/// A number since the Unix epoch in microseconds. Its size says its unit: below 10^11 seconds (with
/// a fraction), below 10^14 milliseconds, below 10^17 microseconds, else nanoseconds.
pub(super) fn epoch_micros(text: &str) -> Result<i64, Misfit> {
    let scaled = scaled(text.trim(), 6)?;
    let divisor = match scaled.magnitude / 1_000_000 {
        0..100_000_000_000 => 1,
        100_000_000_000..100_000_000_000_000 => 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    i64::try_from(scaled.value().div_euclid(divisor)).map_err(|_| Misfit::OutOfRange)
}

/// A number times a power of ten, cut to a whole number of at most 38 digits.
struct Scaled {
    negative: bool,
    magnitude: u128,
    /// Whether a digit other than 0 was cut off.
    dropped: bool,
    /// Whether what was cut off is a half or more.
    round_up: bool,
}

impl Scaled {
    fn value(&self) -> i128 {
        // At most 38 digits and one: far below the bound of the type.
        let magnitude = i128::try_from(self.magnitude).unwrap_or(i128::MAX);
        if self.negative { -magnitude } else { magnitude }
    }
}

const LIMIT: u128 = 10_u128.pow(38);

fn scaled(text: &str, scale: i32) -> Result<Scaled, Misfit> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut magnitude: u128 = 0;
    let mut shift = i64::from(scale);
    let (mut seen, mut point) = (false, false);
    // Digits after the 38th: they decide no more than how to round.
    let (mut next, mut cut) = (None, false);
    let mut exponent = None;
    for (index, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                let digit = byte - b'0';
                if next.is_none() && magnitude < LIMIT / 10 {
                    magnitude = magnitude * 10 + u128::from(digit);
                    shift -= i64::from(point);
                } else {
                    next.get_or_insert(digit);
                    cut |= digit != 0;
                    shift += i64::from(!point);
                }
            }
            b'.' if !point => point = true,
            b'e' | b'E' if seen => {
                exponent = digits.get(index + 1..);
                break;
            }
            _ => return Err(Misfit::NotA),
        }
    }
    if !seen {
        return Err(Misfit::NotA);
    }
    if let Some(exponent) = exponent {
        shift += exponent_value(exponent)?;
    }
    if magnitude == 0 {
        return Ok(Scaled {
            negative,
            magnitude,
            dropped: false,
            round_up: false,
        });
    }
    if shift >= 0 {
        let factor = u32::try_from(shift)
            .ok()
            .and_then(|shift| 10_u128.checked_pow(shift))
            .ok_or(Misfit::OutOfRange)?;
        let magnitude = magnitude
            .checked_mul(factor)
            .filter(|value| *value < LIMIT)
            .ok_or(Misfit::OutOfRange)?;
        return Ok(Scaled {
            negative,
            magnitude,
            dropped: cut,
            round_up: next.is_some_and(|digit| digit >= 5),
        });
    }
    match u32::try_from(-shift) {
        Ok(places @ ..=38) => {
            let divisor = 10_u128.pow(places);
            let rest = magnitude % divisor;
            let round_up = rest >= divisor - rest;
            Ok(Scaled {
                negative,
                magnitude: magnitude / divisor,
                dropped: cut || rest != 0,
                round_up,
            })
        }
        _ => Ok(Scaled {
            negative,
            magnitude: 0,
            dropped: true,
            round_up: false,
        }),
    }
}

fn exponent_value(text: &[u8]) -> Result<i64, Misfit> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Misfit::NotA);
    }
    // Beyond a row's length in digits nothing changes any more.
    let value = digits.iter().fold(0_i64, |value, digit| {
        (value * 10 + i64::from(digit - b'0')).min(1 << 40)
    });
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn decimals_are_exact_and_round_half_up() {
        for (text, scale, unscaled) in [
            ("19.99", 2, 1999),
            ("-19.99", 2, -1999),
            ("0.1", 2, 10),
            (".5", 0, 1),
            ("-0.5", 0, -1),
            ("0.49999999999999999999999999999999999999999999999", 0, 0),
            ("1.005", 2, 101),
            ("1e2", 2, 10_000),
            ("12345E-3", 2, 1235),
            ("7.", 1, 70),
            ("+3", 0, 3),
            ("0e999999999999", 2, 0),
            ("1e-999999999999", 2, 0),
            (
                "12345678901234567890123456789012345678",
                0,
                12_345_678_901_234_567_890_123_456_789_012_345_678,
            ),
            (
                "0.00000000000000000000000000000000000000000000000000001e53",
                0,
                1,
            ),
        ] {
            assert_eq!(decimal(text, 38, scale), Ok(unscaled), "{text}");
        }
        assert_eq!(
            decimal("0.1234567890123456789012345678901234567895", 38, 38),
            Ok(12_345_678_901_234_567_890_123_456_789_012_345_679)
        );
    }

    #[test]
    fn decimals_that_do_not_fit_are_out_of_range() {
        for text in [
            "100",
            "99.995",
            "1e3",
            "1e99999999999999999999",
            "123456789012345678901234567890123456789012345",
        ] {
            assert_eq!(decimal(text, 4, 2), Err(Misfit::OutOfRange), "{text}");
        }
        for text in [
            "", ".", "-", "1.2.3", "1e", "1e+", "abc", "1 2", "0x10", "NaN", "１",
        ] {
            assert_eq!(decimal(text, 4, 2), Err(Misfit::NotA), "{text}");
        }
    }

    #[test]
    fn integers_are_whole() {
        for (text, value) in [
            ("12", 12),
            (" -7 ", -7),
            ("1.0", 1),
            ("2e3", 2000),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(integer(text, Fractions::Refuse), Ok(value), "{text}");
        }
        assert_eq!(integer("1.5", Fractions::Refuse), Err(Misfit::NotA));
        assert_eq!(integer("-1.9", Fractions::Truncate), Ok(-1));
        assert_eq!(
            integer("9223372036854775808", Fractions::Refuse),
            Err(Misfit::OutOfRange)
        );
        assert_eq!(integer("", Fractions::Refuse), Err(Misfit::NotA));
    }

    #[test]
    fn epoch_numbers_take_their_unit_from_their_size() {
        for (text, micros) in [
            ("0", 0),
            ("1700000000", 1_700_000_000_000_000),
            ("1700000000.25", 1_700_000_000_250_000),
            ("1700000000123", 1_700_000_000_123_000),
            ("1700000000123456", 1_700_000_000_123_456),
            ("1700000000123456789", 1_700_000_000_123_456),
            ("-1", -1_000_000),
            ("1.7e9", 1_700_000_000_000_000),
        ] {
            assert_eq!(epoch_micros(text), Ok(micros), "{text}");
        }
        assert!(epoch_micros("1e40").is_err());
    }

    #[test]
    fn open_csv_reads_numbers_as_milliseconds_and_days() {
        let rules = ScalarRules {
            fractions: Fractions::Refuse,
            epoch: Epoch::Millis,
            binary: BinaryText::Raw,
            patterns: Vec::new(),
        };
        assert_eq!(rules.timestamp("1500"), Ok(1_500_000));
        assert_eq!(rules.timestamp("1970-01-01 00:00:01"), Ok(1_000_000));
        assert_eq!(rules.date("17000"), Ok(17_000));
        assert_eq!(rules.date("1970-01-03"), Ok(2));
        assert_eq!(rules.date("99999999999"), Err(Misfit::OutOfRange));
    }
}
