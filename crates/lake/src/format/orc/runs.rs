//! Runs of integers and bytes, as ORC's encodings have them: how many there are, and how large.
//!
//! Values are decoded by `orc-rust`; here only lengths are, which decide how much memory it takes.

use super::wire::{varint, zigzag};
use super::{Result, broken};

/// Widths of packed values by their codes, for codes from 24 on; below, a code is the width less one.
pub(super) const WIDE: [u32; 8] = [26, 28, 30, 32, 40, 48, 56, 64];

/// How integers are encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Integers {
    /// Of the second version of the encoding.
    pub second: bool,
    pub signed: bool,
}

impl Integers {
    /// Calls `each` for the first `count` integers of a stream.
    ///
    /// # Errors
    /// The stream has fewer, or is damaged; those of `each`.
    pub(super) fn each(
        self,
        stream: &[u8],
        count: u64,
        mut each: impl FnMut(i64) -> Result<()>,
    ) -> Result<()> {
        let mut rest = stream;
        let mut left = count;
        let mut run = Vec::new();
        while left > 0 {
            run.clear();
            let read = match self.second {
                true => self.second_version(rest, &mut run),
                false => self.first_version(rest, &mut run),
            };
            rest = read.ok_or_else(|| broken("its integers are cut short"))?;
            for value in &run {
                if left == 0 {
                    break;
                }
                left -= 1;
                each(*value)?;
            }
        }
        Ok(())
    }

    fn sign(self, value: u64) -> i64 {
        match self.signed {
            true => zigzag(value),
            false => value.cast_signed(),
        }
    }

    fn first_version<'a>(self, stream: &'a [u8], run: &mut Vec<i64>) -> Option<&'a [u8]> {
        let (control, rest) = stream.split_first()?;
        let control = *control as i8;
        if control >= 0 {
            let (delta, rest) = rest.split_first()?;
            let delta = i64::from(*delta as i8);
            let (base, rest) = varint(rest)?;
            let base = self.sign(base);
            let length = i64::from(control) + 3;
            run.extend((0..length).map(|index| base.wrapping_add(delta.wrapping_mul(index))));
            return Some(rest);
        }
        let mut rest = rest;
        for _ in 0..control.unsigned_abs() {
            let (value, others) = varint(rest)?;
            run.push(self.sign(value));
            rest = others;
        }
        Some(rest)
    }

    fn second_version<'a>(self, stream: &'a [u8], run: &mut Vec<i64>) -> Option<&'a [u8]> {
        let first = u64::from(*stream.first()?);
        if first >> 6 == 0 {
            let width = ((first >> 3) & 7) + 1;
            let mut bits = Bits::new(stream.get(1..)?);
            let value = self.sign(bits.take(u32::try_from(width).ok()? * 8)?);
            run.extend((0..(first & 7) + 3).map(|_| value));
            return Some(bits.rest());
        }
        let code = (first >> 1) & 0x1f;
        let length = (((first & 1) << 8) | u64::from(*stream.get(1)?)) + 1;
        let rest = stream.get(2..)?;
        match first >> 6 {
            1 => {
                let width = width(code)?;
                let mut bits = Bits::new(rest);
                for _ in 0..length {
                    run.push(self.sign(bits.take(width)?));
                }
                Some(bits.rest())
            }
            2 => patched(width(code)?, length, rest, run),
            _ => self.deltas(code, length, rest, run),
        }
    }

    fn deltas<'a>(
        self,
        code: u64,
        length: u64,
        stream: &'a [u8],
        run: &mut Vec<i64>,
    ) -> Option<&'a [u8]> {
        let (base, rest) = varint(stream)?;
        let (delta, rest) = varint(rest)?;
        let (mut value, delta) = (self.sign(base), zigzag(delta));
        run.push(value);
        if code == 0 {
            for _ in 1..length {
                value = value.wrapping_add(delta);
                run.push(value);
            }
            return Some(rest);
        }
        let width = width(code)?;
        let mut bits = Bits::new(rest);
        if length > 1 {
            value = value.wrapping_add(delta);
            run.push(value);
        }
        for _ in 2..length {
            let step = bits.take(width)?.cast_signed();
            value = match delta < 0 {
                true => value.wrapping_sub(step),
                false => value.wrapping_add(step),
            };
            run.push(value);
        }
        Some(bits.rest())
    }
}

fn patched<'a>(width: u32, length: u64, stream: &'a [u8], run: &mut Vec<i64>) -> Option<&'a [u8]> {
    let (third, rest) = stream.split_first()?;
    let (fourth, rest) = rest.split_first()?;
    let base_bits = (u32::from(third >> 5) + 1) * 8;
    let patch_width = self::width(u64::from(third & 0x1f))?;
    let gap_width = u32::from(fourth >> 5) + 1;
    let patches = fourth & 0x1f;
    let mut bits = Bits::new(rest);
    let base = bits.take(base_bits)?;
    // The first bit is the sign.
    let sign = 1_u64 << (base_bits - 1);
    let base = match base & sign {
        0 => base.cast_signed(),
        _ => (base & !sign).cast_signed().wrapping_neg(),
    };
    let mut values = Vec::new();
    for _ in 0..length {
        values.push(bits.take(width)?);
    }
    let mut bits = Bits::new(bits.rest());
    let entry = closest(gap_width + patch_width)?;
    let mut at = 0_usize;
    for _ in 0..patches {
        let patch = bits.take(entry)?;
        at += usize::try_from(patch.checked_shr(patch_width).unwrap_or(0)).ok()?;
        let patch = match patch_width {
            64 => patch,
            bits => patch & ((1 << bits) - 1),
        };
        // A gap of 255 with an empty patch only leads to the next.
        if patch != 0 {
            *values.get_mut(at)? |= patch.checked_shl(width).unwrap_or(0);
        }
    }
    run.extend(
        values
            .into_iter()
            .map(|value| base.wrapping_add(value.cast_signed())),
    );
    Some(bits.rest())
}

fn width(code: u64) -> Option<u32> {
    let code = usize::try_from(code).ok()?;
    match code.checked_sub(24) {
        None => u32::try_from(code + 1).ok(),
        Some(wide) => WIDE.get(wide).copied(),
    }
}

/// The least width with a code that holds as many bits.
fn closest(bits: u32) -> Option<u32> {
    match bits {
        ..=24 => Some(bits.max(1)),
        _ => WIDE.into_iter().find(|width| *width >= bits),
    }
}

/// Values packed from the highest bit of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits of the first byte that are taken.
    taken: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    fn take(&mut self, width: u32) -> Option<u64> {
        let mut value = 0_u64;
        let mut left = width;
        while left > 0 {
            let byte = u64::from(*self.bytes.first()?);
            let here = (8 - self.taken).min(left);
            let part = (byte >> (8 - self.taken - here)) & ((1 << here) - 1);
            value = (value << here) | part;
            left -= here;
            self.taken += here;
            if self.taken == 8 {
                self.taken = 0;
                self.bytes = self.bytes.get(1..)?;
            }
        }
        Some(value)
    }

    /// What follows the last byte that was begun.
    fn rest(self) -> &'a [u8] {
        match self.taken {
            0 => self.bytes,
            _ => self.bytes.get(1..).unwrap_or_default(),
        }
    }
}

/// Calls `each` for the bytes of a stream of runs of bytes, until it returns false.
///
/// # Errors
/// The stream ends before.
pub(super) fn each_byte(stream: &[u8], mut each: impl FnMut(u8) -> bool) -> Result<()> {
    let short = || broken("its bytes are cut short");
    let mut rest = stream;
    loop {
        let (control, others) = rest.split_first().ok_or_else(short)?;
        let control = *control as i8;
        if control >= 0 {
            let (byte, others) = others.split_first().ok_or_else(short)?;
            for _ in 0..i32::from(control) + 3 {
                if !each(*byte) {
                    return Ok(());
                }
            }
            rest = others;
            continue;
        }
        let length = usize::from(control.unsigned_abs());
        let (bytes, others) = others.split_at_checked(length).ok_or_else(short)?;
        for byte in bytes {
            if !each(*byte) {
                return Ok(());
            }
        }
        rest = others;
    }
}

/// How many of the first `count` bits of a stream of runs of bytes are set.
///
/// # Errors
/// The stream has fewer.
pub(super) fn set_bits(stream: &[u8], count: u64) -> Result<u64> {
    let mut left = count;
    let mut set = 0;
    if left == 0 {
        return Ok(0);
    }
    each_byte(stream, |byte| {
        let here = left.min(8);
        // The first bit is the highest.
        let byte = u16::from(byte) >> (8 - here);
        set += u64::from(byte.count_ones());
        left -= here;
        left > 0
    })?;
    Ok(set)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(second: bool, signed: bool, stream: &[u8], count: u64) -> Vec<i64> {
        let mut values = Vec::new();
        let integers = Integers { second, signed };
        integers
            .each(stream, count, |value| {
                values.push(value);
                Ok(())
            })
            .unwrap();
        values
    }

    // The examples of the specification.
    #[test]
    fn first_version_has_runs_and_literals() {
        assert_eq!(all(false, false, &[0x61, 0x00, 0x07], 100), [7; 100]);
        let down: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(all(false, false, &[0x61, 0xff, 0x64], 100), down);
        let literals = [0xfb, 0x02, 0x03, 0x06, 0x07, 0x0b];
        assert_eq!(all(false, false, &literals, 5), [2, 3, 6, 7, 11]);
    }

    #[test]
    fn second_version_has_four_encodings() {
        assert_eq!(all(true, false, &[0x0a, 0x27, 0x10], 5), [10_000; 5]);
        let direct = [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef];
        let expected = [23_713, 43_806, 57_005, 48_879];
        assert_eq!(all(true, false, &direct, 4), expected);
        let patched = [
            0x8e, 0x09, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46,
            0x50, 0x5a, 0xfc, 0xe8,
        ];
        let expected = [
            2030, 2000, 2020, 1_000_000, 2040, 2050, 2060, 2070, 2080, 2090,
        ];
        assert_eq!(all(true, false, &patched, 10), expected);
        let delta = [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46];
        let primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29];
        assert_eq!(all(true, false, &delta, 10), primes);
    }

    #[test]
    fn stream_that_is_cut_short_is_an_error() {
        for (second, stream) in [
            (false, &[0x61, 0x00][..]),
            (false, &[0xfb, 0x02]),
            (true, &[0x0a, 0x27]),
            (true, &[0x5e, 0x03, 0x5c]),
            (true, &[0x8e, 0x09, 0x2b]),
            (true, &[0xc6, 0x09, 0x02]),
            (true, &[]),
        ] {
            let integers = Integers {
                second,
                signed: true,
            };
            assert!(integers.each(stream, 1, |_| Ok(())).is_err(), "{stream:?}");
        }
    }

    #[test]
    fn bits_are_counted_from_the_highest() {
        // A run of three bytes of all bits, then one literal byte.
        let stream = [0x00, 0xff, 0xff, 0x80];
        assert_eq!(set_bits(&stream, 24).unwrap(), 24);
        assert_eq!(set_bits(&stream, 25).unwrap(), 25);
        assert_eq!(set_bits(&stream, 26).unwrap(), 25);
        assert_eq!(set_bits(&stream, 5).unwrap(), 5);
        assert!(set_bits(&stream, 33).is_err());
    }
}
