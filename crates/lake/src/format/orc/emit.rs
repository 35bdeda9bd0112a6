//! Streams of a new stripe: runs of integers, bytes and bits, and plain bytes.
//!
//! At the beginning of each group of rows the runs end, so that a reader can begin there: it needs
//! the place of the stream alone, and within bits that of the bit.

use super::runs::WIDE;
use super::wire::{folded, zigzag};

/// Integers and bytes of one run at most.
const MAX_INTEGERS: usize = 512;
const MAX_BYTES: usize = 128;
/// Equal bytes of one run at most.
const MAX_EQUAL_BYTES: usize = 130;

/// Integers that have the same distance from each other are a run of their own from here on.
const MIN_STEADY: usize = 6;
/// Equal integers that are written without a count of two bytes at most.
const MAX_SHORT: usize = 10;
/// Equal bytes are a run from here on.
const MIN_EQUAL_BYTES: usize = 3;

/// Bytes that wait for their run at most.
const WAITING_BYTES: usize = 4096;

/// Where in a stream a group of rows begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub offset: usize,
    pub within: Within,
}

/// What else a reader wants to know of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Bytes,
    /// It is the beginning of a run.
    Run,
    /// It is that of a run whose first byte has bits of values before.
    Bits(u8),
}

/// Integers in the second version of their encoding.
#[derive(Debug, Default)]
pub(super) struct Integers {
    /// As they are packed: signed ones are in zigzag encoding.
    waiting: Vec<u64>,
    signed: bool,
    bytes: Vec<u8>,
}

impl Integers {
    pub(super) fn signed() -> Self {
        Self {
            signed: true,
            ..Self::default()
        }
    }

    /// Of lengths, and of nanoseconds as their bits are.
    pub(super) fn unsigned() -> Self {
        Self::default()
    }

    pub(super) fn push(&mut self, value: i64) {
        self.waiting.push(match self.signed {
            true => folded(value),
            false => value.cast_unsigned(),
        });
        if self.waiting.len() == MAX_INTEGERS {
            self.end_run();
        }
    }

    pub(super) fn position(&mut self) -> Position {
        self.end_run();
        Position {
            offset: self.bytes.len(),
            within: Within::Run,
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.bytes
    }

    fn end_run(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        let mut direct = 0;
        while let Some(from) = rest.get(direct..).filter(|from| !from.is_empty()) {
            let (length, step) = self.steady(from);
            if length < MIN_STEADY {
                direct += 1;
                continue;
            }
            let (before, others) = rest.split_at(direct);
            self.direct(before);
            let (run, others) = others.split_at(length);
            self.steady_run(run, step);
            (rest, direct) = (others, 0);
        }
        self.direct(rest);
        self.waiting = waiting;
        self.waiting.clear();
    }

    fn value(&self, packed: u64) -> i64 {
        match self.signed {
            true => zigzag(packed),
            false => packed.cast_signed(),
        }
    }

    /// How many of the first integers have the same distance from each other, and the distance.
    fn steady(&self, values: &[u64]) -> (usize, i64) {
        let mut numbers = values.iter().map(|packed| self.value(*packed));
        let (Some(first), Some(second)) = (numbers.next(), numbers.next()) else {
            return (values.len(), 0);
        };
        let Some(step) = second.checked_sub(first) else {
            return (1, 0);
        };
        let (mut length, mut last) = (2, second);
        for number in numbers {
            if number.checked_sub(last) != Some(step) {
                break;
            }
            (length, last) = (length + 1, number);
        }
        (length, step)
    }

    /// At most 512 integers of the same distance: the casts keep all bits.
    fn steady_run(&mut self, run: &[u64], step: i64) {
        let Some(first) = run.first() else {
            return;
        };
        if step == 0 && run.len() <= MAX_SHORT {
            let width = (8 - first.leading_zeros() as usize / 8).max(1);
            self.bytes
                .push((((width - 1) << 3) | (run.len() - MIN_EQUAL_BYTES)) as u8);
            let bytes = first.to_be_bytes();
            self.bytes.extend(bytes.iter().skip(8 - width));
            return;
        }
        let length = run.len() - 1;
        self.bytes.push(0xc0 | (length >> 8) as u8);
        self.bytes.push(length as u8);
        varint(u128::from(*first), &mut self.bytes);
        varint(u128::from(folded(step)), &mut self.bytes);
    }

    /// At most 512 integers, all of the width of the widest: the casts keep all bits.
    fn direct(&mut self, values: &[u64]) {
        if values.is_empty() {
            return;
        }
        let all = values.iter().fold(0, |all, value| all | value);
        let (code, width) = width(64 - all.leading_zeros());
        let length = values.len() - 1;
        self.bytes
            .push(0x40 | (code << 1) as u8 | (length >> 8) as u8);
        self.bytes.push(length as u8);
        let (mut bits, mut count) = (0_u128, 0);
        for value in values {
            bits = (bits << width) | u128::from(*value);
            count += width;
            while count >= 8 {
                count -= 8;
                self.bytes.push((bits >> count) as u8);
            }
            bits &= (1 << count) - 1;
        }
        if count > 0 {
            self.bytes.push((bits << (8 - count)) as u8);
        }
    }
}

/// The code and the width of packed integers that have up to `bits` bits.
fn width(bits: u32) -> (u32, u32) {
    let bits = bits.max(1);
    let wide = WIDE.iter().zip(24..).find(|(width, _)| **width >= bits);
    match wide {
        Some((width, code)) if bits > 24 => (code, *width),
        _ => (bits - 1, bits),
    }
}

/// A signed number in zigzag encoding, as of [`folded`].
pub(super) fn folded_wide(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

/// Appends a number, seven bits in each byte.
pub(super) fn varint(mut value: u128, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Runs of bytes.
#[derive(Debug, Default)]
pub(super) struct Runs {
    waiting: Vec<u8>,
    bytes: Vec<u8>,
}

impl Runs {
    pub(super) fn push(&mut self, byte: u8) {
        self.waiting.push(byte);
        if self.waiting.len() == WAITING_BYTES {
            self.end_run();
        }
    }

    pub(super) fn position(&mut self) -> Position {
        self.end_run();
        Position {
            offset: self.bytes.len(),
            within: Within::Run,
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.bytes
    }

    fn end_run(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        let mut literals = 0;
        while let Some((first, _)) = rest.get(literals..).and_then(<[u8]>::split_first) {
            let same = rest.iter().skip(literals).take(MAX_EQUAL_BYTES);
            let length = same.take_while(|byte| *byte == first).count();
            if length < MIN_EQUAL_BYTES {
                literals += 1;
                continue;
            }
            let (before, others) = rest.split_at(literals);
            self.literals(before);
            self.bytes.push((length - MIN_EQUAL_BYTES) as u8);
            self.bytes.push(*first);
            (rest, literals) = (others.get(length..).unwrap_or_default(), 0);
        }
        self.literals(rest);
        self.waiting = waiting;
        self.waiting.clear();
    }

    fn literals(&mut self, bytes: &[u8]) {
        for run in bytes.chunks(MAX_BYTES) {
            // Their number, below zero.
            self.bytes.push((256 - run.len()) as u8);
            self.bytes.extend_from_slice(run);
        }
    }
}

/// Bits, the first one the highest of a byte.
#[derive(Debug, Default)]
pub(super) struct Bits {
    runs: Runs,
    byte: u8,
    count: u8,
}

impl Bits {
    pub(super) fn push(&mut self, bit: bool) {
        self.byte = (self.byte << 1) | u8::from(bit);
        self.count += 1;
        if self.count == 8 {
            self.runs.push(self.byte);
            (self.byte, self.count) = (0, 0);
        }
    }

    pub(super) fn position(&mut self) -> Position {
        Position {
            within: Within::Bits(self.count),
            ..self.runs.position()
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.runs.push(self.byte << (8 - self.count));
        }
        self.runs.finish()
    }
}

/// The place at the end of plain bytes.
pub(super) fn end_of(bytes: &[u8]) -> Position {
    Position {
        offset: bytes.len(),
        within: Within::Bytes,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::runs;
    use super::*;

    fn read(stream: &[u8], signed: bool, count: usize) -> Vec<i64> {
        let integers = runs::Integers {
            second: true,
            signed,
        };
        let mut found = Vec::new();
        integers
            .each(stream, count as u64, |value| {
                found.push(value);
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn integers_are_read_back() {
        let extremes = [i64::MIN, i64::MAX, 0, -1, 1, i64::MIN, i64::MIN];
        let mut values: Vec<i64> = extremes.to_vec();
        values.extend([7; 6]);
        values.extend([i64::MIN; 10]);
        values.extend([9; 11]);
        values.extend([9; 700]);
        values.extend((0..1000).map(|n| 5 - n * 3));
        for bits in 0..63 {
            values.extend([1_i64 << bits, -(1_i64 << bits), 3]);
        }
        let mut signed = Integers::signed();
        let mut unsigned = Integers::unsigned();
        for value in &values {
            signed.push(*value);
            unsigned.push(*value);
        }
        assert_eq!(read(&signed.finish(), true, values.len()), values);
        assert_eq!(read(&unsigned.finish(), false, values.len()), values);
    }

    #[test]
    fn runs_are_those_of_the_specification() {
        let encoded = |values: &[i64]| {
            let mut integers = Integers::unsigned();
            values.iter().for_each(|value| integers.push(*value));
            integers.finish()
        };
        assert_eq!(encoded(&[10_000; 6]), [0x0b, 0x27, 0x10]);
        assert_eq!(
            encoded(&[23713, 43806, 57005, 48879]),
            [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef]
        );
        assert_eq!(encoded(&[5; 600]).len(), 2 * 4);
        assert!(encoded(&[]).is_empty());
        let mut runs = Runs::default();
        (0..100).for_each(|_| runs.push(0));
        assert_eq!(runs.finish(), [0x61, 0x00]);
        let mut runs = Runs::default();
        [0x44, 0x45].into_iter().for_each(|byte| runs.push(byte));
        assert_eq!(runs.finish(), [0xfe, 0x44, 0x45]);
    }

    #[test]
    fn integers_begin_anew_where_a_group_does() {
        let mut integers = Integers::signed();
        (0..100).for_each(|value| integers.push(value * value));
        let at = integers.position().offset;
        (0..50).for_each(|value| integers.push(-value));
        let stream = integers.finish();
        let second: Vec<i64> = (0..50).map(|value| -value).collect();
        assert_eq!(read(&stream[at..], true, 50), second);
    }

    #[test]
    fn bits_are_the_highest_first() {
        let mut bits = Bits::default();
        bits.push(true);
        let at = bits.position();
        assert_eq!((at.offset, at.within), (0, Within::Bits(1)));
        (0..8).for_each(|_| bits.push(false));
        assert_eq!(bits.finish(), [0xfe, 0x80, 0x00]);
    }
}
