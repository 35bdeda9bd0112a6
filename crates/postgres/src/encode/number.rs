//! Numbers in Postgres' text form: integers, exact decimals of any width; and the binary `numeric`
//! of `numeric_send` (base 10000). Floats are formatted by the dialect.

use bytes::{BufMut, BytesMut};
pub(super) use lakegate_gateway::values::{put_f32, put_f64};

/// Space for the decimal digits of a `u128` (39) or of an `i256` (78).
const MAX_DIGITS: usize = 80;

pub(super) fn put_int(out: &mut BytesMut, value: i64) {
    put_short_decimal(out, value < 0, value.unsigned_abs(), 0);
}

pub(super) fn put_uint(out: &mut BytesMut, value: u64) {
    put_short_decimal(out, false, value, 0);
}

/// The most digits after the point of a decimal that [`put_short_decimal`] and
/// [`put_short_numeric`] write.
const MAX_SHORT_SCALE: u8 = 19;

/// Returns the scale as [`put_short_decimal`] takes it, if it does.
pub(super) fn short_scale(scale: i8) -> Option<u8> {
    u8::try_from(scale)
        .ok()
        .filter(|scale| *scale <= MAX_SHORT_SCALE)
}

/// Appends a decimal whose digits fit 64 bits, as [`put_decimal`] does. Most are such, and this is
/// faster. `scale`: of [`short_scale`].
pub(super) fn put_short_decimal(out: &mut BytesMut, negative: bool, magnitude: u64, scale: u8) {
    // 20 digits, or one before the point and `MAX_SHORT_SCALE` after it; the point and the sign.
    let mut text = [0; 24];
    let mut start = text.len();
    let mut rest = magnitude;
    for _ in 0..scale {
        start -= 1;
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    if scale > 0 {
        start -= 1;
        text[start] = b'.';
    }
    loop {
        start -= 1;
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if negative && magnitude != 0 {
        start -= 1;
        text[start] = b'-';
    }
    out.put_slice(&text[start..]);
}

/// Returns the last two digits of an integer, as in times and dates.
pub(super) fn two_digits(value: u32) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
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

/// Appends what [`put_numeric_binary`] does, of a decimal whose digits fit 64 bits, and returns true;
/// if its last group of four digits does not fit, appends nothing. `scale`: of [`short_scale`].
pub(super) fn put_short_numeric(
    out: &mut BytesMut,
    negative: bool,
    magnitude: u64,
    scale: u8,
) -> bool {
    /// The groups of four digits of a `u64`, which has up to 20 digits.
    const GROUPS: usize = 5;
    // The last group is filled up with zeros.
    let Some(mut rest) = magnitude.checked_mul([1, 1000, 100, 10][usize::from(scale % 4)]) else {
        return false;
    };
    let mut groups = [0u16; GROUPS];
    let mut start = GROUPS;
    while rest > 0 && start > 0 {
        start -= 1;
        groups[start] = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    let mut end = GROUPS;
    while end > start && groups[end - 1] == 0 {
        end -= 1;
    }
    let zero = magnitude == 0;
    let weight = (GROUPS - start) as i16 - i16::from(scale.div_ceil(4)) - 1;
    let mut bytes = [0; 8 + 2 * GROUPS];
    let head = [
        (end - start) as u16,
        if zero { 0 } else { weight as u16 },
        if negative && !zero { 0x4000 } else { 0 },
        u16::from(scale),
    ];
    let words = head.iter().chain(&groups[start..end]);
    for (place, word) in bytes.chunks_exact_mut(2).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out.put_slice(&bytes[..8 + 2 * (end - start)]);
    true
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

    /// Values of all lengths, with digits at both ends and without.
    fn short() -> impl Iterator<Item = (bool, u64, u8)> {
        let powers = (0..20).map(|power| 10u64.pow(power));
        let near = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(7)]);
        let values = near.chain([u64::MAX, 12_345, 1_234_567_890_123_456_789]);
        values.flat_map(|value| {
            (0..=MAX_SHORT_SCALE)
                .flat_map(move |scale| [(false, value, scale), (true, value, scale)])
        })
    }

    #[test]
    fn short_decimals_are_written_as_long_ones() {
        for (negative, value, scale) in short() {
            let mut digits = Digits::default();
            digits.push_u128(u128::from(value));
            let (mut short, mut long) = (BytesMut::new(), BytesMut::new());
            put_short_decimal(&mut short, negative, value, scale);
            put_decimal(&mut long, negative, digits.as_slice(), scale as i8);
            assert_eq!(short, long, "{negative} {value} {scale}");
            short.clear();
            long.clear();
            put_numeric_binary(&mut long, negative, digits.as_slice(), scale as i8);
            if put_short_numeric(&mut short, negative, value, scale) {
                assert_eq!(short, long, "{negative} {value} {scale}");
            } else {
                assert!(short.is_empty() && value > u64::MAX / 1000);
            }
        }
        assert_eq!(short_scale(-1), None);
        assert_eq!(short_scale(19), Some(19));
        assert_eq!(short_scale(20), None);
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
