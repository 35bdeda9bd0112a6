//! Exact sums of numbers and of their squares.

use arrow::datatypes::i256;
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

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

    /// Returns the variance times a power of ten, rounded away from zero; `None` of too few numbers.
    ///
    /// # Errors
    ///
    /// Returns an error if the variance or what it is calculated from has more than 256 bits.
    pub(super) fn variance(&self, population: bool, power: i32) -> Result<Option<i256>> {
        let degrees = self.count.checked_sub(u64::from(!population));
        let Some(degrees) = degrees.filter(|degrees| *degrees > 0) else {
            return Ok(None);
        };
        let variance = match self.small_distances() {
            Some(distances) => small_quotient(distances, self.count, degrees, power)
                .or_else(|| self.quotient(i256::from_i128(distances), degrees, power)),
            None => self
                .distances()
                .and_then(|distances| self.quotient(distances, degrees, power)),
        };
        variance.map(Some).ok_or_else(too_large)
    }

    /// Returns `distances` / (count · degrees) times a power of ten; `None` if that has too many bits.
    fn quotient(&self, distances: i256, degrees: u64, power: i32) -> Option<i256> {
        let count = i256::from_i128(i128::from(self.count));
        let divisor = count.checked_mul(i256::from_i128(i128::from(degrees)))?;
        quotient(distances, divisor, power)
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

/// Returns `number` / (`count` · `degrees`) times a power of ten; `None` if that needs more than 128
/// bits.
fn small_quotient(number: i128, count: u64, degrees: u64, power: i32) -> Option<i256> {
    let divisor = u128::from(count.checked_mul(degrees)?);
    let factor = 10_u64.checked_pow(u32::try_from(power).ok()?)?;
    let number = u128::try_from(number).ok()?;
    let (whole, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)?);
    // Both have at most 64 bits.
    let rest = rest.checked_mul(u128::from(factor))?;
    let (fraction, rest) = (rest.checked_div(divisor)?, rest.checked_rem(divisor)?);
    let rounded = fraction + u128::from(rest >= divisor - rest);
    let result = whole
        .checked_mul(u128::from(factor))?
        .checked_add(rounded)?;
    Some(i256::from_i128(i128::try_from(result).ok()?))
}

/// Returns the quotient of two numbers that are not negative, times a power of ten, rounded away from
/// zero; `None` if that has too many bits.
fn quotient(number: i256, divisor: i256, power: i32) -> Option<i256> {
    let ten = |power: i32| i256::from_i128(10).checked_pow(u32::try_from(power).ok()?);
    let divisor = match power < 0 {
        true => divisor.checked_mul(ten(power.checked_neg()?)?)?,
        false => divisor,
    };
    let factor = ten(power.max(0))?;
    let (whole, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)?);
    let rest = rest.checked_mul(factor)?;
    let (fraction, rest) = (rest.checked_div(divisor)?, rest.checked_rem(divisor)?);
    let rounds_up = rest >= divisor.checked_sub(rest)?;
    whole
        .checked_mul(factor)?
        .checked_add(fraction)?
        .checked_add(i256::from_i128(i128::from(rounds_up)))
}

/// Returns the square root of a number with so many fractional digits, with as many digits and rounded;
/// `None` if that has too many bits.
pub(super) fn root(number: i256, places: u32) -> Option<i256> {
    let scaled = number.checked_mul(i256::from_i128(10).checked_pow(places)?)?;
    let one = i256::from_i128(1);
    if scaled < one {
        return Some(i256::ZERO);
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
    // Halves are no squares.
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

    fn variance(sums: &Sums, population: bool, power: i32) -> Option<i128> {
        let variance = sums.variance(population, power).unwrap()?;
        variance.to_i128()
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
        let mut sums = Sums::default();
        for value in [1, 2, 4] {
            sums.add(Sums::of(value)).unwrap();
        }
        // 14 / 9 and 14 / 6.
        assert_eq!(variance(&sums, true, 16), Some(15_555_555_555_555_556));
        assert_eq!(variance(&sums, false, 16), Some(23_333_333_333_333_333));
        assert_eq!(variance(&sums, true, 0), Some(2));
        assert_eq!(variance(&sums, true, -2), Some(0));
        sums.subtract(4);
        assert_eq!(variance(&sums, true, 2), Some(25));
        let mut far = Sums::of(-(10i128.pow(37)));
        far.add(Sums::of(10i128.pow(37))).unwrap();
        assert_eq!(variance(&far, true, -58), Some(10i128.pow(16)));
        // Many bits change no digit.
        let mut near = Sums::default();
        let mut wide = Sums::default();
        for value in [-7_i128, 3, 12_345, 678_901_234_567] {
            near.add(Sums::of(value)).unwrap();
            wide.add(Sums::of(value * 10i128.pow(12))).unwrap();
        }
        assert!(near.small_distances().is_some() && wide.small_distances().is_none());
        let all = variance(&near, false, 6);
        assert!(all.is_some());
        assert_eq!(all, variance(&wide, false, -18));
        assert_eq!(variance(&Sums::default(), true, 16), None);
        assert_eq!(variance(&Sums::of(7), false, 16), None);
        assert_eq!(variance(&Sums::of(7), true, 16), Some(0));
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
