//! Floats as Postgres spells them: the shortest form that reads back the same.

use std::fmt::{LowerExp, Write};
use std::str::FromStr;

use bytes::{BufMut, BytesMut};

/// How many digits a float shows: Postgres' `extra_float_digits`, where 1 and more mean the
/// shortest exact form.
pub fn put_f64(out: &mut BytesMut, value: f64, extra_digits: i32) {
    if put_special(
        out,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
    ) {
        return;
    }
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    // Only above 2^53 can a short number lie halfway between two floats.
    let halfway = (exponent > 1075).then(|| Halfway {
        mantissa: fraction | 1 << 52,
        power: exponent - 1075,
    });
    put_finite(out, value, halfway.as_ref(), 15, extra_digits);
}

pub fn put_f32(out: &mut BytesMut, value: f32, extra_digits: i32) {
    if put_special(
        out,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
    ) {
        return;
    }
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 23 & 0xff) as i32, bits & ((1 << 23) - 1));
    let halfway = (exponent > 150).then(|| Halfway {
        mantissa: u64::from(fraction | 1 << 23),
        power: exponent - 150,
    });
    put_finite(out, value, halfway.as_ref(), 6, extra_digits);
}

/// `precision`: the digits that any float of the type keeps.
fn put_finite<T: LowerExp + FromStr + PartialEq + Copy + Into<f64>>(
    out: &mut BytesMut,
    value: T,
    halfway: Option<&Halfway>,
    precision: i32,
    extra_digits: i32,
) {
    if extra_digits > 0 {
        match halfway
            .and_then(|halfway| halfway.strictly_inside(|digits| scientific(value, digits)))
        {
            Some(text) => put_scientific(out, &text, precision),
            None => {
                let shortest = SmallText::of(format_args!("{value:e}"));
                match even(value, shortest.as_str()) {
                    Some(text) => put_scientific(out, &text, precision),
                    None => put_scientific(out, shortest.as_str(), precision),
                }
            }
        }
    } else {
        let digits = (precision + extra_digits).clamp(1, precision);
        let text = SmallText::of(format_args!("{:.*e}", digits as usize - 1, value));
        put_scientific(out, text.as_str(), digits);
    }
}

/// Of the two shortest forms between which a float lies halfway, the one whose last digit is even, as
/// in Postgres; Rust's is the greater one. `None`: it does not lie halfway.
fn even<T>(value: T, shortest: &str) -> Option<String>
where
    T: LowerExp + FromStr + PartialEq + Copy + Into<f64>,
{
    let (mantissa, exponent) = shortest.split_once('e')?;
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // How many digits follow the point. The middle of two such numbers is an odd multiple of
    // 2^-(places + 1) if it is a float.
    let places = digits as i32 - 1 - exponent.parse::<i32>().ok()?;
    let scaled: f64 = value.into() * 2_f64.powi(places.max(0) + 1);
    let is_halfway = places > 0 && scaled.abs() % 2.0 == 1.0;
    is_halfway.then(|| scientific(value, digits)).flatten()
}

/// `digits` significant digits, 0 for the shortest; `None` where they do not read back as `value`.
fn scientific<T: LowerExp + FromStr + PartialEq>(value: T, digits: usize) -> Option<String> {
    let text = if digits == 0 {
        format!("{value:e}")
    } else {
        format!("{:.*e}", digits - 1, value)
    };
    (text.parse::<T>().ok()? == value).then_some(text)
}

/// A float above its precision, `mantissa * 2^power`.
///
/// Rust's shortest form may lie exactly halfway between two floats (`1e23`), which reads back only
/// where ties go to the even one. Postgres does not rely on that and prints the next longer form,
/// `9.999999999999999e+22`.
struct Halfway {
    mantissa: u64,
    power: i32,
}

impl Halfway {
    /// The shortest form that is not halfway, where the shortest is; `None`: the shortest will do.
    fn strictly_inside(&self, form: impl Fn(usize) -> Option<String>) -> Option<String> {
        if !self.is_at(&form(0)?) {
            return None;
        }
        (2..=17).filter_map(form).find(|text| !self.is_at(text))
    }

    /// Whether a number's text is exactly halfway to a neighbour:
    /// `(2 * mantissa ± 1) * 2^(power - 1)`.
    fn is_at(&self, text: &str) -> bool {
        let (mantissa, exponent) = text
            .trim_start_matches('-')
            .split_once('e')
            .unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let Ok(digits) = format!("{whole}{fraction}").parse::<u128>() else {
            return false;
        };
        let exponent = exponent.parse().unwrap_or(0) - fraction.len() as i32;
        // More fives than this do not divide 2^54.
        let Some(fives) = u32::try_from(exponent)
            .ok()
            .filter(|e| *e <= 23)
            .and_then(|e| 5u128.checked_pow(e))
        else {
            return false;
        };
        let Some(product) = digits.checked_mul(fives).filter(|product| *product > 0) else {
            return false;
        };
        let twos = product.trailing_zeros();
        let (odd, power) = (product >> twos, twos as i32 + exponent);
        let mantissa = u128::from(self.mantissa);
        (power == self.power - 1 && (odd == 2 * mantissa + 1 || odd == 2 * mantissa - 1))
            || (power == self.power - 2
                && self.mantissa.is_power_of_two()
                && odd == 4 * mantissa - 1)
    }
}

fn put_special(out: &mut BytesMut, nan: bool, infinite: bool, negative: bool) -> bool {
    match (nan, infinite, negative) {
        (true, _, _) => out.put_slice(b"NaN"),
        (_, true, false) => out.put_slice(b"Infinity"),
        (_, true, true) => out.put_slice(b"-Infinity"),
        _ => return false,
    }
    true
}

/// Lays out `d.ddde±x` as C's `%g` and Postgres do: plain for exponents from -4 up to
/// `plain_below`, else `d.ddde+XX`.
fn put_scientific(out: &mut BytesMut, number: &str, plain_below: i32) {
    let mut rest = number;
    if let Some(positive) = rest.strip_prefix('-') {
        out.put_u8(b'-');
        rest = positive;
    }
    let (mantissa, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    if (0..plain_below).contains(&exponent) {
        let exponent = exponent as usize;
        out.put_slice(first.as_bytes());
        if fraction.len() <= exponent {
            out.put_slice(fraction.as_bytes());
            out.put_bytes(b'0', exponent - fraction.len());
        } else {
            out.put_slice(&fraction.as_bytes()[..exponent]);
            out.put_u8(b'.');
            out.put_slice(&fraction.as_bytes()[exponent..]);
        }
    } else if (-4..0).contains(&exponent) {
        out.put_slice(b"0.");
        out.put_bytes(b'0', (-exponent - 1) as usize);
        out.put_slice(first.as_bytes());
        out.put_slice(fraction.as_bytes());
    } else {
        out.put_slice(first.as_bytes());
        if !fraction.is_empty() {
            out.put_u8(b'.');
            out.put_slice(fraction.as_bytes());
        }
        out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
        // Room for it is made.
        let _ = write!(out, "{:02}", exponent.unsigned_abs());
    }
}

/// Text on the stack: a float in scientific form has 24 characters at most.
struct SmallText {
    bytes: [u8; 40],
    len: usize,
}

impl Default for SmallText {
    fn default() -> Self {
        Self {
            bytes: [0; 40],
            len: 0,
        }
    }
}

impl SmallText {
    fn of(number: std::fmt::Arguments<'_>) -> Self {
        let mut text = Self::default();
        // There is room for it.
        let _ = text.write_fmt(number);
        text
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for SmallText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let Some(room) = self.bytes.get_mut(self.len..end) else {
            return Err(std::fmt::Error);
        };
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::excessive_precision)]
    use super::*;

    fn float(value: f64) -> String {
        let mut out = BytesMut::new();
        put_f64(&mut out, value, 1);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn float4(value: f32) -> String {
        let mut out = BytesMut::new();
        put_f32(&mut out, value, 1);
        String::from_utf8(out.to_vec()).unwrap()
    }

    // Expected texts: PostgreSQL 15.18, `select x::float8`.
    #[test]
    fn floats_are_spelled_as_postgres_does() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (123456789012345.0, "123456789012345"),
            (1234567890123456.0, "1.234567890123456e+15"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e23, "9.999999999999999e+22"),
            (8.5e22, "8.5e+22"),
            (9007199254740992.0, "9.007199254740992e+15"),
            (1152921504606846976.0, "1.152921504606847e+18"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (-123.456, "-123.456"),
            (1125899906842624.25, "1.1258999068426242e+15"),
            (-1125899906842624.75, "-1.1258999068426248e+15"),
            (16.0000152587890625, "16.000015258789062"),
            (562949953421312.25, "562949953421312.2"),
            (0.5, "0.5"),
            (0.125, "0.125"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float(value), text);
        }
        for (value, text) in [
            (1e5f32, "100000"),
            (1e6, "1e+06"),
            (123456.7, "123456.7"),
            (0.1, "0.1"),
            (3.4028235e38, "3.4028235e+38"),
            (1173291.25, "1.1732912e+06"),
            (2097153.75, "2.0971538e+06"),
            (16777216.0, "1.6777216e+07"),
            (1e-45, "1e-45"),
        ] {
            assert_eq!(float4(value), text);
        }
    }

    #[test]
    fn fewer_float_digits_round_as_percent_g() {
        let mut out = BytesMut::new();
        put_f64(&mut out, 0.1 + 0.2, 0);
        out.put_u8(b' ');
        put_f64(&mut out, 1.0 / 3.0, -12);
        out.put_u8(b' ');
        put_f32(&mut out, 1234567.0, 0);
        assert_eq!(&out[..], b"0.3 0.333 1.23457e+06");
    }
}
