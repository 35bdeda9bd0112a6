//! Numbers in Postgres' text form: integers, exact decimals of any width; and the binary `numeric`
//! of `numeric_send` (base 10000). Floats are formatted by the dialect.

use bytes::{BufMut, BytesMut};
pub(super) use lakegate_gateway::values::{put_f32, put_f64};

/// Space for the decimal digits of a `u128` (39) or of an `i256` (78).
const MAX_DIGITS: usize = 80;

pub(super) fn put_int(out: &mut BytesMut, value: i64) {
    if value < 0 {
        out.put_u8(b'-');
    }
    let mut digits = Digits::default();
    digits.push_u128(u128::from(value.unsigned_abs()));
    out.put_slice(digits.as_slice());
}

pub(super) fn put_uint(out: &mut BytesMut, value: u64) {
    let mut digits = Digits::default();
    digits.push_u128(u128::from(value));
    out.put_slice(digits.as_slice());
}

/// Appends an integer with at least two digits, as in times and dates.
pub(super) fn put_two(out: &mut BytesMut, value: u32) {
    if value < 10 {
        out.put_u8(b'0');
    }
    put_uint(out, u64::from(value));
}

/// Decimal digits, most significant first, without leading zeros (zero is `0`).
pub(super) struct Digits {
    bytes: [u8; MAX_DIGITS],
    start: usize,
}

impl Default for Digits {
    fn default() -> Self {
        Self {
            bytes: [b'0'; MAX_DIGITS],
            start: MAX_DIGITS,
        }
    }
}

impl Digits {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn push_u64(&mut self, mut value: u64, at_least: usize) {
        let mut written = 0;
        while value > 0 || written < at_least {
            self.start -= 1;
            self.bytes[self.start] = b'0' + (value % 10) as u8;
            value /= 10;
            written += 1;
        }
    }

    pub(super) fn push_u128(&mut self, value: u128) {
        const CHUNK: u128 = 10_000_000_000_000_000_000;
        match u64::try_from(value) {
            Ok(small) => self.push_u64(small, 1),
            Err(_) => {
                self.push_u64((value % CHUNK) as u64, 19);
                self.push_u128(value / CHUNK);
            }
        }
    }

    /// Adds digits from text of at most 78 digits, as `i256` prints itself without its sign.
    pub(super) fn push_text(&mut self, digits: &str) {
        for digit in digits.bytes().rev() {
            if self.start > 0 {
                self.start -= 1;
                self.bytes[self.start] = digit;
            }
        }
    }
}

/// Appends a decimal in plain notation with exactly `scale` digits after the point (none for a
/// negative scale).
pub(super) fn put_decimal(out: &mut BytesMut, negative: bool, digits: &[u8], scale: i8) {
    let zero = digits == b"0";
    if negative && !zero {
        out.put_u8(b'-');
    }
    let Ok(scale) = usize::try_from(scale) else {
        out.put_slice(digits);
        if !zero {
            out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
        }
        return;
    };
    if scale == 0 {
        out.put_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.put_slice(whole);
        out.put_u8(b'.');
        out.put_slice(fraction);
    } else {
        out.put_slice(b"0.");
        out.put_bytes(b'0', scale - digits.len());
        out.put_slice(digits);
    }
}

/// Appends the body of a binary numeric: ndigits, weight, sign, dscale, then base-10000 digits
/// without leading or trailing zero groups.
pub(super) fn put_numeric_binary(out: &mut BytesMut, negative: bool, digits: &[u8], scale: i8) {
    let zero = digits == b"0";
    let display_scale = u16::from(scale.max(0).unsigned_abs());
    if zero {
        out.put_slice(&[0, 0, 0, 0, 0, 0]);
        out.put_u16(display_scale);
        return;
    }
    // The power of ten of the first digit determines where the groups of four begin.
    let first_power = digits.len() as i32 - i32::from(scale) - 1;
    let weight = first_power.div_euclid(4);
    let mut groups = [0u16; MAX_DIGITS / 4 + 2];
    let mut in_group = 3 - first_power.rem_euclid(4);
    let mut count = 0;
    for digit in digits {
        let value = u16::from(digit - b'0') * [1000, 100, 10, 1][in_group as usize];
        groups[count] += value;
        in_group += 1;
        if in_group == 4 {
            in_group = 0;
            count += 1;
        }
    }
    if in_group > 0 {
        count += 1;
    }
    while count > 0 && groups[count - 1] == 0 {
        count -= 1;
    }
    out.put_u16(count as u16);
    out.put_i16(weight as i16);
    out.put_u16(if negative { 0x4000 } else { 0 });
    out.put_u16(display_scale);
    for group in &groups[..count] {
        out.put_u16(*group);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn decimal(value: i128, scale: i8) -> String {
        let mut digits = Digits::default();
        digits.push_u128(value.unsigned_abs());
        let mut out = BytesMut::new();
        put_decimal(&mut out, value < 0, digits.as_slice(), scale);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn numeric(value: i128, scale: i8) -> Vec<u16> {
        let mut digits = Digits::default();
        digits.push_u128(value.unsigned_abs());
        let mut out = BytesMut::new();
        put_numeric_binary(&mut out, value < 0, digits.as_slice(), scale);
        out.chunks(2)
            .map(|c| u16::from_be_bytes([c[0], c[1]]))
            .collect()
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(decimal(0, 2), "0.00");
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(12345, 2), "123.45");
        assert_eq!(decimal(-12345, 0), "-12345");
        assert_eq!(decimal(12, -3), "12000");
        assert_eq!(
            decimal(99999999999999999999999999999999999999, 38),
            "0.99999999999999999999999999999999999999"
        );
        assert_eq!(
            decimal(i128::MAX, 10),
            "17014118346046923173168730371.5884105727"
        );
    }

    // Expected digits: `numeric_send` of PostgreSQL 15.18.
    #[test]
    fn numerics_are_base_ten_thousand() {
        assert_eq!(numeric(0, 2), [0, 0, 0, 2]);
        assert_eq!(numeric(1, 0), [1, 0, 0, 0, 1]);
        assert_eq!(numeric(12345, 2), [2, 0, 0, 2, 123, 4500]);
        assert_eq!(numeric(-12345, 2), [2, 0, 0x4000, 2, 123, 4500]);
        assert_eq!(numeric(10000, 0), [1, 1, 0, 0, 1]);
        assert_eq!(numeric(1, 4), [1, 0xffff, 0, 4, 1]);
        assert_eq!(numeric(1, 5), [1, 0xfffe, 0, 5, 1000]);
        assert_eq!(numeric(12, -3), [2, 1, 0, 0, 1, 2000]);
        assert_eq!(numeric(123456789, 4), [3, 1, 0, 4, 1, 2345, 6789]);
    }
}
