//! Exact sums of numbers and of their squares.

use arrow::datatypes::i256;
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

/// Fractional digits that are calculated with, at most: the square root of a number has no room for
/// more in 256 bits.
pub(super) const MAX_DIGITS: i32 = 38;

/// Significant digits of a quotient, at least, as in PostgreSQL.
pub(super) const SIGNIFICANT: i32 = 16;

/// Decimal digits of one of those that PostgreSQL calculates with.
pub(super) const OF_ONE: i32 = 4;

/// The sums of numbers without their point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) count: u64,
    pub(super) sum: i256,
    pub(super) squares: i256,
}

impl Sums {
    #[inline]
    pub(super) fn of(value: i128) -> Self {
        let sum = i256::from_i128(value);
        // The product of two numbers of 128 bits fits.
        let squares = match i64::try_from(value) {
            Ok(small) => i256::from_i128(i128::from(small) * i128::from(small)),
            Err(_) => sum.wrapping_mul(sum),
        };
        Self {
            count: 1,
            sum,
            squares,
        }
    }

    /// # Errors
    ///
    /// Returns an error if the sums have more than 256 bits.
    #[inline]
    pub(super) fn add(&mut self, other: Self) -> Result<()> {
        let sum = self.sum.checked_add(other.sum);
        let squares = self.squares.checked_add(other.squares);
        let (Some(sum), Some(squares)) = (sum, squares) else {
            return Err(too_large());
        };
        *self = Self {
            count: self.count.saturating_add(other.count),
            sum,
            squares,
        };
        Ok(())
    }

    /// Takes one value of the sums away.
    pub(super) fn subtract(&mut self, value: i128) {
        let other = Self::of(value);
        *self = Self {
            count: self.count.saturating_sub(1),
            sum: self.sum.wrapping_sub(other.sum),
            squares: self.squares.wrapping_sub(other.squares),
        };
    }

    /// Returns the variance of numbers with so many fractional digits, without its point, and its
    /// fractional digits, which are as many as PostgreSQL calculates with, and `least` of twice those
    /// of the numbers; `None` of too few numbers.
    ///
    /// # Errors
    ///
    /// Returns an error if the variance or what it is calculated from has more than 256 bits.
    pub(super) fn variance(
        &self,
        population: bool,
        places: i32,
        least: i32,
    ) -> Result<Option<(i256, u32)>> {
        let degrees = self.count.checked_sub(u64::from(!population));
        let Some(degrees) = degrees.filter(|degrees| *degrees > 0) else {
            return Ok(None);
        };
        let small = self.small_distances();
        let distances = small.map(i256::from_i128).or_else(|| self.distances());
        let distances = distances.ok_or_else(too_large)?;
        if distances == i256::ZERO {
            return Ok(Some((distances, 0)));
        }
        let count = i256::from_i128(i128::from(self.count));
        // The product of two numbers of 64 bits fits.
        let divisor = count.wrapping_mul(i256::from_i128(i128::from(degrees)));
        let own = 2 * places;
        let digits = digits_of_quotient(distances, own, divisor).ok_or_else(too_large)?;
        let digits = digits.max(own.min(least)).clamp(0, MAX_DIGITS);
        let variance = quotient(distances, divisor, digits - own).ok_or_else(too_large)?;
        Ok(Some((variance, digits.unsigned_abs())))
    }

    /// Returns the sum of the squares of distances from the mean, times the number of numbers; `None`
    /// if it has more than 256 bits.
    fn distances(&self) -> Option<i256> {
        let count = i256::from_i128(i128::from(self.count));
        let mean = self.sum.checked_div(count)?;
        let rest = self.sum.checked_rem(count)?;
        // The sum of the squares of distances from the whole part of the mean. It has as many bits
        // as the squares, also if what it is calculated from has more.
        let twice = mean.wrapping_mul(self.sum).wrapping_mul(i256::from_i128(2));
        let distances = self
            .squares
            .wrapping_sub(twice)
            .wrapping_add(mean.wrapping_mul(mean).wrapping_mul(count));
        // From the mean itself, the sum is less by rest² / count.
        let rest = rest.wrapping_mul(rest);
        distances.checked_mul(count)?.checked_sub(rest)
    }

    /// Returns the sum of the squares of distances from the mean, times the number of numbers; `None`
    /// if it has more than 128 bits on the way.
    fn small_distances(&self) -> Option<i128> {
        let (sum, squares) = (self.sum.to_i128()?, self.squares.to_i128()?);
        let all = squares.checked_mul(i128::from(self.count))?;
        all.checked_sub(sum.checked_mul(sum)?)
    }
}

/// As [`quotient`]; `None` if that needs more than 128 bits.
fn small_quotient(number: i256, divisor: i256, power: i32) -> Option<i256> {
    let small = |number: i256| u128::try_from(number.to_i128()?).ok();
    let (number, divisor) = (small(number)?, small(divisor)?);
    let factor = |power: i32| 10_u128.checked_pow(u32::try_from(power.max(0)).ok()?);
    let divisor = divisor.checked_mul(factor(power.checked_neg()?)?)?;
    let factor = factor(power)?;
    let (whole, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)?);
    let rest = rest.checked_mul(factor)?;
    let (fraction, rest) = (rest.checked_div(divisor)?, rest.checked_rem(divisor)?);
    let rounded = fraction.checked_add(u128::from(rest >= divisor - rest))?;
    let result = whole.checked_mul(factor)?.checked_add(rounded)?;
    Some(i256::from_i128(i128::try_from(result).ok()?))
}

/// Returns the fractional digits that PostgreSQL calculates the quotient of positive numbers with
/// (`select_div_scale` in `numeric.c`). `scale`: fractional digits of the first one.
fn digits_of_quotient(number: i256, scale: i32, divisor: i256) -> Option<i32> {
    let (weight, first) = leading(number, scale)?;
    let (divisor_weight, divisor_first) = leading(divisor, 0)?;
    let weight = weight - divisor_weight - i32::from(first <= divisor_first);
    Some(SIGNIFICANT - OF_ONE * weight)
}

/// Returns the first digit of a positive number to the base 10000, and its place: 0 before the point.
fn leading(number: i256, scale: i32) -> Option<(i32, i256)> {
    let small = number
        .to_i128()
        .and_then(|small| u128::try_from(small).ok());
    let log = match small {
        Some(small) => small.checked_ilog10()?,
        None => number.checked_ilog10()?,
    };
    let log = i32::try_from(log).ok()?;
    let exponent = log.checked_sub(scale)?;
    let weight = exponent.div_euclid(OF_ONE);
    let dropped = log - exponent.rem_euclid(OF_ONE);
    let first = match dropped < 0 {
        true => number.checked_mul(power_of_ten(-dropped)?)?,
        false => number.checked_div(power_of_ten(dropped)?)?,
    };
    Some((weight, first))
}

fn power_of_ten(power: i32) -> Option<i256> {
    let power = u32::try_from(power).ok()?;
    match 10_i128.checked_pow(power) {
        Some(small) => Some(i256::from_i128(small)),
        None => i256::from_i128(10).checked_pow(power),
    }
}

/// Returns the quotient of two numbers that are not negative, times a power of ten, rounded away from
/// zero; `None` if that has too many bits.
pub(super) fn quotient(number: i256, divisor: i256, power: i32) -> Option<i256> {
    if let Some(small) = small_quotient(number, divisor, power) {
        return Some(small);
    }
    let divisor = match power < 0 {
        true => divisor.checked_mul(power_of_ten(power.checked_neg()?)?)?,
        false => divisor,
    };
    let factor = power_of_ten(power.max(0))?;
    let (whole, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)?);
    let rest = rest.checked_mul(factor)?;
    let (fraction, rest) = (rest.checked_div(divisor)?, rest.checked_rem(divisor)?);
    let rounds_up = rest >= divisor.checked_sub(rest)?;
    whole
        .checked_mul(factor)?
        .checked_add(fraction)?
        .checked_add(i256::from_i128(i128::from(rounds_up)))
}

/// Returns a number with other fractional digits, rounded away from zero; `None` if it has too many bits.
pub(super) fn with_digits(number: i256, digits: u32, shown: u32) -> Option<i256> {
    let power = i32::try_from(shown).ok()? - i32::try_from(digits).ok()?;
    quotient(number, i256::from_i128(1), power)
}

/// Returns the square root of a number with so many fractional digits, with as many digits and rounded;
/// `None` if that has too many bits.
pub(super) fn root(number: i256, places: u32) -> Option<i256> {
    let scaled = number.checked_mul(power_of_ten(i32::try_from(places).ok()?)?)?;
    let one = i256::from_i128(1);
    if scaled < one {
        return Some(i256::ZERO);
    }
    if let Some(small) = scaled
        .to_i128()
        .and_then(|small| u128::try_from(small).ok())
    {
        let root = small.isqrt();
        let rounded = root + u128::from(small - root * root > root);
        return Some(i256::from_i128(i128::try_from(rounded).ok()?));
    }
    let two = i256::from_i128(2);
    let (low, high) = scaled.to_parts();
    let estimate = (high as f64 * 2f64.powi(128) + low as f64).sqrt();
    // A cast beyond 128 bits gives the largest number, which is near enough.
    let mut root = i256::from_i128((estimate as i128).max(1));
    let step = |root: i256| {
        let sum = root.checked_add(scaled.checked_div(root)?)?;
        sum.checked_div(two)
    };
    // Not below the root, and then nearer to it with each step.
    root = step(root)?;
    loop {
        let next = step(root)?;
        if next >= root {
            break;
        }
        root = next;
    }
    // Halves are not squares.
    let rest = scaled.checked_sub(root.checked_mul(root)?)?;
    match rest > root {
        true => root.checked_add(one),
        false => Some(root),
    }
}

fn too_large() -> DataFusionError {
    let message = "value overflows numeric format";
    let error = Error::new(Code::NumericOutOfRange, message);
    error
        .with_hint("cast to double precision, or to decimals of fewer digits")
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Returns the variance of integers, and its fractional digits.
    fn variance(sums: &Sums, population: bool) -> Option<(i128, u32)> {
        let (variance, digits) = sums.variance(population, 0, 16).unwrap()?;
        Some((variance.to_i128()?, digits))
    }

    fn sums_of(values: &[i128]) -> Sums {
        let mut sums = Sums::default();
        for value in values {
            sums.add(Sums::of(*value)).unwrap();
        }
        sums
    }

    #[test]
    fn variances_have_the_digits_of_postgres() {
        let mut sums = sums_of(&[1, 2, 4]);
        // 14 / 9 and 14 / 6.
        assert_eq!(variance(&sums, true), Some((15_555_555_555_555_556, 16)));
        assert_eq!(variance(&sums, false), Some((23_333_333_333_333_333, 16)));
        sums.subtract(4);
        // 1 / 4.
        assert_eq!(variance(&sums, true), Some((25 * 10i128.pow(18), 20)));
        assert_eq!(
            variance(&sums_of(&[0, 2_000_000]), true),
            Some((10i128.pow(20), 8))
        );
        assert_eq!(variance(&Sums::default(), true), None);
        assert_eq!(variance(&Sums::of(7), false), None);
        assert_eq!(variance(&Sums::of(7), true), Some((0, 0)));
    }

    #[test]
    fn squares_are_exact() {
        for value in [0, -1, i128::from(i64::MIN), i128::from(i64::MAX)] {
            let square = i256::from_i128(value * value);
            assert_eq!(Sums::of(value).squares, square, "{value}");
        }
        for value in [
            i128::from(i64::MIN) - 1,
            i128::from(i64::MAX) + 1,
            i128::MIN,
        ] {
            let wide = i256::from_i128(value);
            assert_eq!(Sums::of(value).squares, wide.wrapping_mul(wide), "{value}");
        }
    }

    #[test]
    fn variances_are_exact() {
        let far = sums_of(&[-(10i128.pow(37)), 10i128.pow(37)]);
        let (variance, digits) = far.variance(true, 37, 37).unwrap().unwrap();
        assert_eq!((variance.to_i128(), digits), (Some(10i128.pow(37)), 37));
        // Many bits change no digit.
        let values = [-7_i128, 3, 12_345, 678_901_234_567];
        let near = sums_of(&values);
        let wide = sums_of(&values.map(|value| value * 10i128.pow(12)));
        assert!(near.small_distances().is_some() && wide.small_distances().is_none());
        assert_eq!(
            near.variance(false, 4, 8).unwrap(),
            wide.variance(false, 16, 8).unwrap()
        );
    }

    #[test]
    fn digits_are_added_and_rounded_away() {
        let of = |number: i128, digits, shown| {
            with_digits(i256::from_i128(number), digits, shown).and_then(i256::to_i128)
        };
        assert_eq!(of(15, 1, 3), Some(1500));
        assert_eq!(of(1549, 3, 1), Some(15));
        assert_eq!(of(1550, 3, 1), Some(16));
        assert_eq!(of(0, 0, 16), Some(0));
    }

    #[test]
    fn roots_are_rounded() {
        for (number, places, expected) in [
            (0, 16, 0),
            (1, 0, 1),
            (2, 0, 1),
            // 2.25² is 5.0625; 2.5² is 6.25.
            (6, 0, 2),
            (7, 0, 3),
            (20_000_000_000_000_000, 16, 14_142_135_623_730_950),
            (91_666_666_666_666_667, 16, 30_276_503_540_974_917),
            (10i128.pow(38) - 1, 0, 10_000_000_000_000_000_000),
        ] {
            let found = root(i256::from_i128(number), places).unwrap();
            assert_eq!(found.to_i128(), Some(expected), "{number} {places}");
        }
        let large = i256::from_i128(10).checked_pow(60).unwrap();
        let found = root(large, 16).unwrap();
        assert_eq!(found.to_i128(), Some(10i128.pow(38)));
        assert_eq!(root(large, 18), None);
    }
}
