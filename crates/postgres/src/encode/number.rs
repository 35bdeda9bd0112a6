//! Numbers in Postgres' text form: integers, exact decimals of any width; and the binary `numeric`
//! of `numeric_send` (base 10000). Floats are formatted by the dialect.

use bytes::{BufMut, BytesMut};
pub(super) use lakegate_gateway::values::put_f32;

/// Space for the decimal digits of a `u128` (39) or of an `i256` (78).
const MAX_DIGITS: usize = 80;

pub(super) fn put_int(out: &mut BytesMut, value: i64) {
    put_short_decimal(out, value < 0, value.unsigned_abs(), 0);
}

/// Appends a number in decimal digits.
pub(crate) fn put_uint(out: &mut BytesMut, value: u64) {
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
    if let Some((text, length)) = short_text(negative, magnitude, scale) {
        return put_start(out, &text.to_le_bytes(), length);
    }
    // 20 digits, or one before the point and `MAX_SHORT_SCALE` after it; the point and the sign.
    let mut text = [0u8; 24];
    let mut start = text.len();
    let mut rest = magnitude;
    let mut fraction = scale;
    if fraction % 2 == 1 {
        start -= 1;
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        fraction -= 1;
    }
    while fraction > 0 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&two_digits((rest % 100) as u32));
        rest /= 100;
        fraction -= 2;
    }
    if scale > 0 {
        start -= 1;
        text[start] = b'.';
    }
    while rest >= 100 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&two_digits((rest % 100) as u32));
        rest /= 100;
    }
    let [tens, ones] = two_digits(rest as u32);
    start -= 1;
    text[start] = ones;
    if rest >= 10 {
        start -= 1;
        text[start] = tens;
    }
    if negative && magnitude != 0 {
        start -= 1;
        text[start] = b'-';
    }
    out.extend_from_slice(&text[start..]);
}

/// Returns the text of a decimal, its first byte the lowest one of the word, and its length, if it
/// has at most 16 digits and 16 bytes. Without a loop, and without bytes in memory that are read
/// again as a word, which processors wait for.
#[inline]
pub(super) fn short_text(negative: bool, magnitude: u64, scale: u8) -> Option<(u128, usize)> {
    const EIGHT_DIGITS: u64 = 100_000_000;
    let scale = u32::from(scale);
    let (text, length) = if magnitude < EIGHT_DIGITS && scale < 8 {
        let digits = eight_digits(magnitude as u32);
        // One digit stays before the point.
        let zeros = (digits.trailing_zeros() / 8).min(7 - scale);
        let text = (digits | ASCII_ZEROS) >> (8 * zeros);
        match (8 - zeros, scale) {
            (length, 0) => (u128::from(text), length),
            (length, _) => {
                let whole = 8 * (length - scale);
                let fraction = (u128::from(text >> whole) << 8) | u128::from(b'.');
                let before = text & ((1 << whole) - 1);
                (u128::from(before) | (fraction << whole), length + 1)
            }
        }
    } else if magnitude < EIGHT_DIGITS * EIGHT_DIGITS && scale < 15 {
        let high = eight_digits((magnitude / EIGHT_DIGITS) as u32);
        let low = eight_digits((magnitude % EIGHT_DIGITS) as u32);
        let digits = u128::from(high) | (u128::from(low) << 64);
        let zeros = (digits.trailing_zeros() / 8).min(15 - scale);
        let ascii = u128::from(ASCII_ZEROS) | (u128::from(ASCII_ZEROS) << 64);
        let text = (digits | ascii) >> (8 * zeros);
        match (16 - zeros, scale) {
            (length, 0) => (text, length),
            (16, _) => return None,
            (length, _) => {
                let whole = 8 * (length - scale);
                let fraction = ((text >> whole) << 8) | u128::from(b'.');
                let before = text & ((1 << whole) - 1);
                (before | (fraction << whole), length + 1)
            }
        }
    } else {
        return None;
    };
    match (negative && magnitude != 0, length) {
        (false, _) => Some((text, length as usize)),
        (true, 16) => None,
        (true, _) => Some(((text << 8) | u128::from(b'-'), length as usize + 1)),
    }
}

/// The digit 0 in each byte of a word.
pub(crate) const ASCII_ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// Returns the eight digits of a number below 10^8, each in a byte, the first in the lowest one.
#[inline]
pub(super) fn eight_digits(value: u32) -> u64 {
    let value = u64::from(value);
    // Numbers of four digits in two halves, of two digits in four parts, of one digit in bytes. The
    // products are quotients: `x * 10_486 >> 20` is `x / 100` below 10^4, and `x * 103 >> 10` is
    // `x / 10` below 100.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
}

/// Appends the first `length` of some bytes. A copy of a constant length and a cut cost less than a
/// copy of any length.
#[inline]
pub(super) fn put_start<const N: usize>(out: &mut BytesMut, bytes: &[u8; N], length: usize) {
    let end = out.len() + length.min(N);
    out.extend_from_slice(bytes);
    out.truncate(end);
}

/// Appends a float with `extra_float_digits`.
pub(super) fn put_f64(out: &mut BytesMut, value: f64, extra_digits: i32) {
    match few_decimals(value) {
        Some((magnitude, scale)) if extra_digits > 0 => {
            put_short_decimal(out, value < 0.0, magnitude, scale)
        }
        _ => lakegate_gateway::values::put_f64(out, value, extra_digits),
    }
}

/// Returns the shortest text of a float as [`short_text`] does, if it has few digits.
#[inline]
pub(super) fn short_float(value: f64) -> Option<(u128, usize)> {
    if value == 0.0 && value.is_sign_positive() {
        return Some((u128::from(b'0'), 1));
    }
    let (magnitude, scale) = few_decimals(value)?;
    short_text(value < 0.0, magnitude, scale)
}

/// Returns the digits of a float's shortest text, and how many of them follow the point, if at most
/// eleven precede the point and four follow it; not of zero, which may have a sign.
///
/// No two decimals of at most 15 digits are the same float, and a division rounds to the nearest
/// float: the decimal whose quotient is the value is its shortest text.
fn few_decimals(value: f64) -> Option<(u64, u8)> {
    const MOST: u64 = 1_000_000_000_000_000;
    let value = value.abs();
    // Casting saturates; NaN becomes 0.
    let mut magnitude = (value * 10_000.0 + 0.5) as u64;
    if magnitude == 0 || magnitude >= MOST || magnitude as f64 / 10_000.0 != value {
        return None;
    }
    let mut scale = 4;
    while scale > 0 && magnitude.is_multiple_of(10) {
        magnitude /= 10;
        scale -= 1;
    }
    Some((magnitude, scale))
}

/// Returns the last two digits of an integer, as in times and dates.
#[inline]
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

/// Returns what [`put_numeric_binary`] appends, its first byte the lowest one of the word, and its
/// length, if it has at most four groups of digits. `scale`: of [`short_scale`].
#[inline]
pub(super) fn short_numeric(negative: bool, magnitude: u64, scale: u8) -> Option<(u128, usize)> {
    const EIGHT_DIGITS: u64 = 100_000_000;
    // The last group is filled up with zeros.
    let filled = magnitude.checked_mul([1, 1000, 100, 10][usize::from(scale % 4)])?;
    if filled >= EIGHT_DIGITS * EIGHT_DIGITS {
        return None;
    }
    if filled == 0 {
        return Some((u128::from(u64::from(scale).swap_bytes()), 8));
    }
    let (high, low) = (filled / EIGHT_DIGITS, filled % EIGHT_DIGITS);
    let halves = [high / 10_000, high % 10_000, low / 10_000, low % 10_000];
    let groups = halves.iter().fold(0u64, |all, group| (all << 16) | group);
    let (before, after) = (groups.leading_zeros() / 16, groups.trailing_zeros() / 16);
    let count = 4 - before - after;
    let weight = 3 - i64::from(before) - i64::from(scale.div_ceil(4));
    let head = (u64::from(count) << 48)
        | (u64::from(weight as u16) << 32)
        | (u64::from(negative) << 30)
        | u64::from(scale);
    let bytes = (u128::from(head) << 64) | u128::from(groups << (16 * before));
    Some((bytes.swap_bytes(), 8 + 2 * count as usize))
}

/// Appends what [`put_numeric_binary`] does, of a decimal whose digits fit 64 bits, and returns
/// true; if its last group of four digits does not fit, appends nothing. `scale`: of
/// [`short_scale`].
pub(super) fn put_short_numeric(
    out: &mut BytesMut,
    negative: bool,
    magnitude: u64,
    scale: u8,
) -> bool {
    /// The groups of four digits of a `u64`, which has up to 20 digits.
    const GROUPS: usize = 5;
    if let Some((bytes, length)) = short_numeric(negative, magnitude, scale) {
        put_start(out, &bytes.to_le_bytes(), length);
        return true;
    }
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
mod tests;
