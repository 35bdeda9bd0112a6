//! Numbers of 192 bits before and 192 bits after the point, which have the exponentials and
//! logarithms of decimals with more digits than a decimal holds.
//!
//! ```text
//! ln(x)     x = m · 2^k, and ln(m) is a floating-point number, corrected by m · e^-ln(m) - 1
//! exp(x)    x = r + k · ln(2), and e^r = (1 + r/256 + (r/256)²/2! + …)^256
//! ```
//!
//! An operation takes a bounded number of steps. Errors are of about 2^-180.

use std::array;
use std::cmp::Ordering;
use std::f64::consts::LN_2;

const LIMBS: usize = 6;
/// How many of them are fractional.
const FRACTION: usize = 3;
const FRACTION_BITS: i32 = 192;

/// The least first.
type Limbs = [u64; LIMBS];

const ONE: Limbs = [0, 0, 0, 1, 0, 0];
const HALF: Limbs = [0, 0, 1 << 63, 0, 0, 0];
const LN_TWO: Fixed = Fixed::positive([
    0x40f3_4326_7298_b62e,
    0xc9e3_b398_03f2_f6af,
    0xb172_17f7_d1cf_79ab,
    0,
    0,
    0,
]);
const LN_TEN: Fixed = Fixed::positive([
    0x8a3f_b3e7_6977_e43a,
    0xa95b_58ae_0b4c_28a3,
    0x4d76_3776_aaa2_b05b,
    2,
    0,
    0,
]);

/// How often a number is halved before its exponential is calculated, and squared afterwards.
const HALVINGS: i32 = 8;
/// The terms of the series of the exponential of a number below 1/256.
const TERMS: u64 = 18;
/// Steps of a division, each of which finds about 50 bits.
const DIVISION_STEPS: usize = 6;
/// The number of bits of a result that are trusted: a result that is less below a half is one.
const TRUSTED_BITS: i32 = 140;
/// The largest power of ten of 64 bits.
const MAX_POWER: u32 = 19;

/// A number. Operations whose result would have more than 192 bits before the point lose bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fixed {
    is_negative: bool,
    limbs: Limbs,
}

impl Fixed {
    const fn positive(limbs: Limbs) -> Self {
        Self {
            is_negative: false,
            limbs,
        }
    }

    /// Returns the decimal `value` · 10^-`scale`.
    pub(super) fn decimal(value: i128, scale: u32) -> Self {
        let limbs = divided_by_power(whole(value.unsigned_abs()), scale);
        Self {
            is_negative: value < 0,
            limbs,
        }
    }

    /// Returns a number of at least 0 and less than 2^100.
    fn of_f64(value: f64) -> Self {
        let bits = value.to_bits();
        let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default() - 1075;
        let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
        let limbs = match value > 0.0 {
            true => shifted(&[mantissa, 0, 0, 0, 0, 0], FRACTION_BITS + exponent),
            false => [0; LIMBS],
        };
        Self::positive(limbs)
    }

    /// Returns the nearest floating-point number, within a few units of its last place.
    pub(super) fn to_f64(self) -> f64 {
        let size = to_f64(&self.limbs);
        if self.is_negative { -size } else { size }
    }

    pub(super) fn negated(self) -> Self {
        Self {
            is_negative: !self.is_negative,
            ..self
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        if self.is_negative == other.is_negative {
            let limbs = sum(&self.limbs, &other.limbs);
            return Self { limbs, ..self };
        }
        match self.limbs.iter().rev().cmp(other.limbs.iter().rev()) {
            Ordering::Less => Self {
                limbs: difference(&other.limbs, &self.limbs),
                ..other
            },
            _ => Self {
                limbs: difference(&self.limbs, &other.limbs),
                ..self
            },
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self {
            is_negative: self.is_negative != other.is_negative,
            limbs: product(&self.limbs, &other.limbs),
        }
    }

    fn times_whole(self, factor: i32) -> Self {
        Self {
            is_negative: self.is_negative != (factor < 0),
            limbs: multiplied(&self.limbs, u64::from(factor.unsigned_abs())),
        }
    }

    fn over_whole(self, divisor: u64) -> Self {
        Self {
            limbs: divided(&self.limbs, divisor),
            ..self
        }
    }

    /// Returns the quotient. The divisor is at least 2^-30, and the quotient less than 2^100.
    pub(super) fn over(self, divisor: Self) -> Self {
        let size = divisor.to_f64().abs();
        let divisor_size = Self::positive(divisor.limbs);
        let mut quotient = Self::positive([0; LIMBS]);
        let mut rest = Self::positive(self.limbs);
        for _ in 0..DIVISION_STEPS {
            let step = Self::of_f64(rest.to_f64().abs() / size);
            let step = Self {
                is_negative: rest.is_negative,
                ..step
            };
            quotient = quotient.plus(step);
            rest = rest.minus(step.times(divisor_size));
        }
        match self.is_negative == divisor.is_negative {
            true => quotient,
            false => quotient.negated(),
        }
    }

    /// Returns the exponential of a number between -100 and 100.
    pub(super) fn exp(self) -> Self {
        let mut twos = (self.to_f64() / LN_2).floor() as i32;
        let mut rest = self.minus(LN_TWO.times_whole(twos));
        if rest.is_negative {
            twos -= 1;
            rest = rest.plus(LN_TWO);
        }
        Self::positive(shifted(&exp_of_fraction(&rest.limbs), twos))
    }

    /// Returns the natural logarithm of the decimal `value` · 10^-`scale`, which is more than 0.
    pub(super) fn ln(value: u128, scale: u32) -> Self {
        let zeros = value.leading_zeros();
        let limbs = divided_by_power(whole(value.checked_shl(zeros).unwrap_or_default()), scale);
        let highest = highest_bit(&limbs);
        let mantissa = shifted(&limbs, FRACTION_BITS - highest);
        let twos = highest - FRACTION_BITS - i32::try_from(zeros).unwrap_or_default();
        // ln(m) = ln(2) - t + ln(m · e^t / 2)
        let t = Self::of_f64((LN_2 - to_f64(&mantissa).ln()).max(0.0));
        let near_one = shifted(&product(&mantissa, &exp_of_fraction(&t.limbs)), -1);
        let d = Self::positive(near_one).minus(Self::positive(ONE));
        LN_TWO
            .times_whole(twos + 1)
            .minus(t)
            .plus(d.ln_of_one_more())
    }

    pub(super) fn ln_ten() -> Self {
        LN_TEN
    }

    /// Returns ln(1 + d) of a tiny number.
    fn ln_of_one_more(self) -> Self {
        let square = self.times(self);
        let cube = square.times(self);
        self.minus(square.over_whole(2))
            .plus(cube.over_whole(3))
            .minus(square.times(square).over_whole(4))
    }

    /// Returns the number in units of 10^-`places`, rounded; halves away from zero. `None` if it has
    /// more than 127 bits. `places`: at most 19.
    pub(super) fn to_decimal(self, places: u32) -> Option<i128> {
        let size = sum(&self.limbs, &shifted(&self.limbs, -TRUSTED_BITS));
        let scaled = multiplied(&size, 10_u64.checked_pow(places)?);
        let [_, _, _, low, high, beyond] = sum(&scaled, &HALF);
        let rounded = (u128::from(high) << 64) | u128::from(low);
        let rounded = i128::try_from(rounded).ok().filter(|_| beyond == 0)?;
        Some(if self.is_negative { -rounded } else { rounded })
    }
}

/// Returns e^x of a number of at least 0 and less than 1.
fn exp_of_fraction(x: &Limbs) -> Limbs {
    let part = shifted(x, -HALVINGS);
    let series = (1..=TERMS).rev().fold(ONE, |series, term| {
        sum(&ONE, &divided(&product(&part, &series), term))
    });
    (0..HALVINGS).fold(series, |power, _| product(&power, &power))
}

fn whole(value: u128) -> Limbs {
    [0, 0, 0, value as u64, (value >> 64) as u64, 0]
}

fn to_f64(limbs: &Limbs) -> f64 {
    const LIMB: f64 = 18_446_744_073_709_551_616.0;
    let whole = limbs
        .iter()
        .rev()
        .fold(0.0, |number, limb| number * LIMB + *limb as f64);
    whole / (LIMB * LIMB * LIMB)
}

/// Returns the place of the highest bit, from 0 for the lowest.
fn highest_bit(limbs: &Limbs) -> i32 {
    let bit = limbs.iter().enumerate().rev().find_map(|(place, limb)| {
        let place = i32::try_from(place).ok()?;
        let bit = i32::try_from(limb.checked_ilog2()?).ok()?;
        Some(place * 64 + bit)
    });
    bit.unwrap_or_default()
}

fn sum(left: &Limbs, right: &Limbs) -> Limbs {
    let mut carry = 0_u128;
    let mut result = [0; LIMBS];
    for ((place, left), right) in result.iter_mut().zip(left).zip(right) {
        carry += u128::from(*left) + u128::from(*right);
        *place = carry as u64;
        carry >>= 64;
    }
    result
}

/// `left`: not less than `right`.
fn difference(left: &Limbs, right: &Limbs) -> Limbs {
    let mut borrows = false;
    let mut result = [0; LIMBS];
    for ((place, left), right) in result.iter_mut().zip(left).zip(right) {
        let (rest, is_less) = left.overflowing_sub(*right);
        let (rest, is_zero) = rest.overflowing_sub(u64::from(borrows));
        *place = rest;
        borrows = is_less || is_zero;
    }
    result
}

fn product(left: &Limbs, right: &Limbs) -> Limbs {
    let mut all = [0_u64; 2 * LIMBS];
    for (shift, left) in left.iter().enumerate() {
        let mut carry = 0_u128;
        for (place, right) in all.iter_mut().skip(shift).zip(right) {
            carry += u128::from(*place) + u128::from(*left) * u128::from(*right);
            *place = carry as u64;
            carry >>= 64;
        }
        if let Some(place) = all.get_mut(shift + LIMBS) {
            *place = carry as u64;
        }
    }
    array::from_fn(|place| all.get(place + FRACTION).copied().unwrap_or_default())
}

fn multiplied(limbs: &Limbs, factor: u64) -> Limbs {
    let mut carry = 0_u128;
    let mut result = *limbs;
    for place in &mut result {
        carry += u128::from(*place) * u128::from(factor);
        *place = carry as u64;
        carry >>= 64;
    }
    result
}

/// `divisor`: not 0.
fn divided(limbs: &Limbs, divisor: u64) -> Limbs {
    let divisor = u128::from(divisor);
    let mut rest = 0_u128;
    let mut result = *limbs;
    for place in result.iter_mut().rev() {
        let dividend = (rest << 64) | u128::from(*place);
        *place = (dividend / divisor) as u64;
        rest = dividend % divisor;
    }
    result
}

fn divided_by_power(mut limbs: Limbs, mut power: u32) -> Limbs {
    while power > 0 {
        let step = power.min(MAX_POWER);
        limbs = divided(&limbs, 10_u64.pow(step));
        power -= step;
    }
    limbs
}

/// Moves the bits to higher places, or to lower ones if `by` is negative. Others are lost.
fn shifted(limbs: &Limbs, by: i32) -> Limbs {
    let (moved, bits) = (by.div_euclid(64), by.rem_euclid(64).unsigned_abs());
    let limb = |place: i32| {
        let place = usize::try_from(place).ok();
        place.and_then(|place| limbs.get(place)).copied()
    };
    let mut place = -moved;
    array::from_fn(|_| {
        let high = limb(place).unwrap_or_default() << bits;
        let low = limb(place - 1).and_then(|low| low.checked_shr(64 - bits));
        place += 1;
        high | low.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEN_TO_19: i128 = 10_i128.pow(19);

    fn shown(number: Fixed) -> String {
        number.to_decimal(19).unwrap().to_string()
    }

    #[test]
    fn exponentials_have_many_digits() {
        for (value, scale, expected) in [
            (0, 0, "10000000000000000000"),
            (1, 0, "27182818284590452354"),
            (-1, 0, "3678794411714423216"),
            (5, 1, "16487212707001281468"),
            (-40, 0, "42"),
            (40, 0, "2353852668370199854078999107490348045"),
        ] {
            let number = Fixed::decimal(value, scale).exp();
            assert_eq!(shown(number), expected, "{value}e-{scale}");
        }
    }

    #[test]
    fn logarithms_have_many_digits() {
        for (value, scale, expected) in [
            (1, 0, "0"),
            (2, 0, "6931471805599453094"),
            (10, 0, "23025850929940456840"),
            (1, 1, "-23025850929940456840"),
            (10_000_000_001, 10, "1000000000"),
            (9_999_999_999, 10, "-1000000000"),
            (i128::MAX.unsigned_abs(), 0, "880296919311130542960"),
            (1, 38, "-874982335337737359927"),
        ] {
            let number = Fixed::ln(value, scale);
            assert_eq!(shown(number), expected, "{value}e-{scale}");
        }
    }

    #[test]
    fn quotients_have_all_digits() {
        let of = |value| Fixed::decimal(value, 0);
        assert_eq!(shown(of(1).over(of(3))), "3333333333333333333");
        assert_eq!(shown(of(-2).over(of(3))), "-6666666666666666667");
        assert_eq!(shown(of(0).over(of(-3))), "0");
        let eight = Fixed::ln(8, 0).over(Fixed::ln(2, 0));
        assert_eq!(shown(eight), (3 * TEN_TO_19).to_string());
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let number = Fixed::decimal(25, 1);
        assert_eq!(number.to_decimal(0), Some(3));
        assert_eq!(number.negated().to_decimal(0), Some(-3));
        assert_eq!(Fixed::decimal(24, 1).to_decimal(0), Some(2));
        let large = Fixed::decimal(i128::MAX, 0);
        assert_eq!(large.to_decimal(0), Some(i128::MAX));
        assert_eq!(large.to_decimal(1), None);
    }
}
