//! Whole numbers and decimals of Ion, as the columns of tables take them.

use crate::format::text::scalars::Misfit;

/// `±magnitude × 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub is_negative: bool,
    /// `None`: it has more than 128 bits.
    pub magnitude: Option<u128>,
    /// 0 for an int.
    pub exponent: i64,
}

impl Number {
    /// The number without a fraction.
    ///
    /// # Errors
    /// It has one, or more digits than the result holds.
    pub(super) fn whole(self) -> Result<i128, Misfit> {
        let magnitude = self.magnitude.ok_or(Misfit::OutOfRange)?;
        let power = u32::try_from(self.exponent.unsigned_abs())
            .ok()
            .and_then(|exponent| 10_u128.checked_pow(exponent));
        let whole = match (power, self.exponent < 0) {
            _ if magnitude == 0 => 0,
            (Some(power), true) if magnitude.is_multiple_of(power) => magnitude / power,
            (_, true) => return Err(Misfit::NotA),
            (Some(power), false) => magnitude.checked_mul(power).ok_or(Misfit::OutOfRange)?,
            (None, false) => return Err(Misfit::OutOfRange),
        };
        self.signed(whole)
    }

    /// The unscaled value of a decimal; digits beyond the scale are rounded half up, away from zero.
    ///
    /// # Errors
    /// It has more digits than the precision.
    pub(super) fn unscaled(self, precision: u8, scale: i8) -> Result<i128, Misfit> {
        let magnitude = self.magnitude.ok_or(Misfit::OutOfRange)?;
        if magnitude == 0 {
            return Ok(0);
        }
        let shift = self.exponent.saturating_add(i64::from(scale));
        let power = u32::try_from(shift.unsigned_abs())
            .ok()
            .and_then(|shift| 10_u128.checked_pow(shift));
        let scaled = match (power, shift < 0) {
            (Some(power), true) => magnitude / power + u128::from(magnitude % power >= power / 2),
            // A half of 10^39 is more than any magnitude.
            (None, true) => 0,
            (Some(power), false) => magnitude.checked_mul(power).ok_or(Misfit::OutOfRange)?,
            (None, false) => return Err(Misfit::OutOfRange),
        };
        let bound = 10_u128.checked_pow(u32::from(precision));
        match bound {
            Some(bound) if scaled < bound => self.signed(scaled),
            _ => Err(Misfit::OutOfRange),
        }
    }

    /// # Errors
    /// It has more bits than are read.
    pub(super) fn float(self) -> Result<f64, Misfit> {
        let text = self.text().ok_or(Misfit::OutOfRange)?;
        text.parse().map_err(|_| Misfit::OutOfRange)
    }

    /// As text reads it back. `None`: it has more bits than are read.
    pub(super) fn text(self) -> Option<String> {
        let sign = if self.is_negative { "-" } else { "" };
        let magnitude = self.magnitude?;
        Some(match self.exponent {
            0 => format!("{sign}{magnitude}"),
            exponent => format!("{sign}{magnitude}e{exponent}"),
        })
    }

    fn signed(self, magnitude: u128) -> Result<i128, Misfit> {
        let value = i128::try_from(magnitude).map_err(|_| Misfit::OutOfRange)?;
        Ok(if self.is_negative { -value } else { value })
    }
}

/// The microseconds of a fraction of a second, `coefficient × 10^exponent`; digits below are left
/// out. `None`: it is not below one second.
pub(super) fn micros(coefficient: u128, exponent: i64) -> Option<u32> {
    if coefficient == 0 {
        return Some(0);
    }
    let digits = u32::try_from(exponent.checked_neg()?).ok()?;
    let bound = 10_u128.checked_pow(digits);
    if bound.is_some_and(|bound| coefficient >= bound) {
        return None;
    }
    let micros = match digits.checked_sub(6) {
        Some(more) => 10_u128
            .checked_pow(more)
            .map_or(0, |power| coefficient / power),
        None => coefficient * 10_u128.pow(6 - digits),
    };
    u32::try_from(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i128, exponent: i64) -> Number {
        Number {
            is_negative: value < 0,
            magnitude: Some(value.unsigned_abs()),
            exponent,
        }
    }

    #[test]
    fn numbers_become_whole_ones_and_decimals() {
        assert_eq!(number(-120, -1).whole(), Ok(-12));
        assert_eq!(number(-125, -1).whole(), Err(Misfit::NotA));
        assert_eq!(number(3, 2).whole(), Ok(300));
        assert_eq!(number(3, 60).whole(), Err(Misfit::OutOfRange));
        assert_eq!(number(3, -60).whole(), Err(Misfit::NotA));
        assert_eq!(number(0, i64::MIN).whole(), Ok(0));
        assert_eq!(number(12345, -3).unscaled(10, 2), Ok(1235));
        assert_eq!(number(-12345, -3).unscaled(10, 2), Ok(-1235));
        assert_eq!(number(12344, -3).unscaled(10, 2), Ok(1234));
        assert_eq!(number(5, 1).unscaled(5, 2), Ok(5000));
        assert_eq!(number(5, 2).unscaled(4, 2), Err(Misfit::OutOfRange));
        assert_eq!(number(5, i64::MIN).unscaled(4, 2), Ok(0));
        assert_eq!(number(5, i64::MAX).unscaled(4, 2), Err(Misfit::OutOfRange));
        assert_eq!(number(-15, -1).float(), Ok(-1.5));
        let large = Number {
            magnitude: None,
            ..number(1, 0)
        };
        assert_eq!(large.whole(), Err(Misfit::OutOfRange));
        assert_eq!(large.unscaled(38, 0), Err(Misfit::OutOfRange));
    }

    #[test]
    fn fractions_of_seconds_are_cut_to_microseconds() {
        for (coefficient, exponent, expected) in [
            (0, 5, Some(0)),
            (5, -1, Some(500_000)),
            (123_456_789, -9, Some(123_456)),
            (1, -60, Some(0)),
            (10, -1, None),
            (1, 0, None),
            (1, i64::MIN, None),
        ] {
            assert_eq!(
                micros(coefficient, exponent),
                expected,
                "{coefficient}e{exponent}"
            );
        }
    }
}
