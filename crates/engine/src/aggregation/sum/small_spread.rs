//! Variances and standard deviations of few or small numbers, in 64 and 128 bits.
//!
//! A table of many groups has few numbers in each, whose sums are small. The results are those of
//! [`Sums::variance`] and [`root`](super::squares::root), digit by digit.

use super::squares::{MAX_DIGITS, OF_ONE, SIGNIFICANT, Sums};

/// Returns the variance of numbers with so many fractional digits, or its root, with `shown` ones and without
/// the points; `Some(None)` of too few numbers. `None`: it is not found in 128 bits.
pub(super) fn spread(
    sums: &Sums,
    population: bool,
    deviation: bool,
    places: i32,
    shown: i32,
) -> Option<Option<i128>> {
    let count = u64::from(u32::try_from(sums.count).ok()?);
    let degrees = count.checked_sub(u64::from(!population));
    let Some(degrees) = degrees.filter(|degrees| *degrees > 0) else {
        return Some(None);
    };
    let sum = i64::try_from(sums.sum.to_i128()?).ok()?;
    let squares = u64::try_from(sums.squares.to_i128()?).ok()?;
    let all = i128::from(squares) * i128::from(count);
    let distances = u64::try_from(all - i128::from(sum) * i128::from(sum)).ok()?;
    if distances == 0 {
        return Some(Some(0));
    }
    let divisor = count.checked_mul(degrees)?;
    let own = places.checked_mul(2)?;
    let digits = digits_of_quotient(distances, own, divisor)?;
    let digits = digits.max(own.min(shown)).clamp(0, MAX_DIGITS);
    let factor = 10_u64.checked_pow(u32::try_from(digits - own).ok()?)?;
    let variance = rounded(
        u128::from(distances) * u128::from(factor),
        u128::from(divisor),
    )?;
    let result = match deviation {
        true => {
            let scaled = variance.checked_mul(power_of_ten(digits)?)?;
            let root = scaled.isqrt();
            // Halves are not squares.
            root + u128::from(scaled - root * root > root)
        }
        false => variance,
    };
    let result = match shown >= digits {
        true => result.checked_mul(power_of_ten(shown - digits)?)?,
        false => rounded(result, power_of_ten(digits - shown)?)?,
    };
    Some(Some(i128::try_from(result).ok()?))
}

/// Returns a quotient, rounded away from zero.
fn rounded(number: u128, divisor: u128) -> Option<u128> {
    let quotient = number.checked_div(divisor)?;
    let rest = number - quotient * divisor;
    quotient.checked_add(u128::from(rest >= divisor - rest))
}

fn power_of_ten(power: i32) -> Option<u128> {
    10_u128.checked_pow(u32::try_from(power).ok()?)
}

/// Returns the fractional digits that PostgreSQL calculates the quotient of positive numbers with. `scale`:
/// fractional digits of the first one.
fn digits_of_quotient(number: u64, scale: i32, divisor: u64) -> Option<i32> {
    let (weight, first) = leading(number, scale)?;
    let (divisor_weight, divisor_first) = leading(divisor, 0)?;
    let weight = weight - divisor_weight - i32::from(first <= divisor_first);
    Some(SIGNIFICANT - OF_ONE * weight)
}

/// Returns the first digit of a positive number to the base 10000, and its place: 0 before the point.
fn leading(number: u64, scale: i32) -> Option<(i32, u64)> {
    let log = i32::try_from(number.checked_ilog10()?).ok()?;
    let exponent = log.checked_sub(scale)?;
    let dropped = log - exponent.rem_euclid(OF_ONE);
    let power = 10_u64.checked_pow(dropped.unsigned_abs())?;
    let first = match dropped < 0 {
        true => number.checked_mul(power)?,
        false => number.checked_div(power)?,
    };
    Some((exponent.div_euclid(OF_ONE), first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::i256;

    use super::super::squares::{root, with_digits};
    use super::*;
    use crate::testing::Random;

    /// Returns the same in 256 bits.
    fn wide(
        sums: &Sums,
        population: bool,
        deviation: bool,
        places: i32,
        shown: i32,
    ) -> Option<i128> {
        let (variance, digits) = sums.variance(population, places, shown).unwrap()?;
        let result = match deviation {
            true => root(variance, digits).unwrap(),
            false => variance,
        };
        let result = with_digits(result, digits, shown.unsigned_abs());
        Some(result.and_then(i256::to_i128).unwrap())
    }

    #[test]
    fn results_are_those_of_more_bits() {
        let mut random = Random::new(3);
        let mut found = 0;
        for round in 0..20_000 {
            let most = [2, 10, 1000, 30_000, 2_000_000][random.below(5)];
            let mut sums = Sums::default();
            for _ in 0..random.below(9) {
                let value = random.below(most) as i128 - (most / 3 * random.below(2)) as i128;
                sums.add(Sums::of(value)).unwrap();
            }
            for places in [0, 1, 2, 5, 9] {
                for (population, deviation) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let small = spread(&sums, population, deviation, places, 16);
                    let Some(small) = small else { continue };
                    found += 1;
                    let wide = wide(&sums, population, deviation, places, 16);
                    let of = format!("{sums:?} {population} {deviation} {places} {round}");
                    assert_eq!(small, wide, "{of}");
                }
            }
        }
        assert!(found > 200_000, "{found}");
    }

    #[test]
    fn large_sums_are_left() {
        let mut sums = Sums::default();
        for value in [0, i128::from(u32::MAX) * 4] {
            sums.add(Sums::of(value)).unwrap();
        }
        assert_eq!(spread(&sums, true, true, 0, 16), None);
        assert_eq!(spread(&Sums::default(), true, true, 0, 16), Some(None));
        assert_eq!(spread(&Sums::of(9), false, true, 0, 16), Some(None));
        assert_eq!(spread(&Sums::of(9), true, true, 0, 16), Some(Some(0)));
    }
}
