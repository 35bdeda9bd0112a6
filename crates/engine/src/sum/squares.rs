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

    /// Returns the variance divided by a unit; `None` of too few numbers.
    pub(super) fn variance(&self, population: bool, unit: f64) -> Option<f64> {
        let degrees = self.count.checked_sub(u64::from(!population))?;
        if degrees == 0 {
            return None;
        }
        if let Some(exact) = self.small_distances() {
            return Some(exact as f64 / (self.count as f64 * (degrees as f64 * unit)));
        }
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
        let exact = distances.checked_mul(count);
        let exact = exact.and_then(|distances| distances.checked_sub(rest));
        let (count, unit) = (self.count as f64, degrees as f64 * unit);
        Some(match exact {
            Some(exact) => float(exact) / (count * unit),
            None => (float(distances) - float(rest) / count) / unit,
        })
    }

    /// Returns the sum of the squares of distances from the mean, times the number of numbers; `None`
    /// if it has more than 128 bits on the way.
    fn small_distances(&self) -> Option<i128> {
        let (sum, squares) = (self.sum.to_i128()?, self.squares.to_i128()?);
        let all = squares.checked_mul(i128::from(self.count))?;
        all.checked_sub(sum.checked_mul(sum)?)
    }
}

fn float(value: i256) -> f64 {
    let (low, high) = value.to_parts();
    high as f64 * 2f64.powi(128) + low as f64
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
    fn sums_are_exact() {
        let mut sums = Sums::default();
        for value in [1, 2, 4] {
            sums.add(Sums::of(value)).unwrap();
        }
        assert_eq!(sums.variance(true, 1.0), Some(14.0 / 9.0));
        assert_eq!(sums.variance(false, 1.0), Some(14.0 / 6.0));
        assert_eq!(sums.variance(true, 100.0), Some(14.0 / 900.0));
        sums.subtract(4);
        assert_eq!(sums.variance(true, 1.0), Some(0.25));
        let mut far = Sums::of(-(10i128.pow(37)));
        far.add(Sums::of(10i128.pow(37))).unwrap();
        let variance = far.variance(true, 1e74).unwrap();
        assert!((variance - 1.0).abs() < 1e-15, "{variance}");
        // The same number of bits more changes no digit.
        let mut near = Sums::default();
        let mut wide = Sums::default();
        for value in [-7_i128, 3, 12_345, 678_901_234_567] {
            near.add(Sums::of(value)).unwrap();
            wide.add(Sums::of(value << 40)).unwrap();
        }
        assert!(near.small_distances().is_some() && wide.small_distances().is_none());
        let unit = 2f64.powi(80);
        assert_eq!(near.variance(false, 1.0), wide.variance(false, unit));
        assert_eq!(Sums::default().variance(true, 1.0), None);
        assert_eq!(Sums::of(7).variance(false, 1.0), None);
    }
}
