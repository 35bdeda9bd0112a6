//! Flags of rows, worked out from the small numbers that are kept of them.
//!
//! The loops are over words of 64 rows and without branches, so that the compiler makes vectors of
//! them: a comparison of a byte takes a fraction of a nanosecond.

use std::ops::Range;

use arrow::buffer::{BooleanBuffer, Buffer};

use super::packed::{Values, joined};

/// The bits of a word.
const WORD: usize = 64;

/// For each of these rows: whether its number is between two others, both included; they are not
/// greater than numbers of so many bytes can be. `None`: there are fewer rows.
pub(super) fn between(
    values: &Values,
    rows: Range<usize>,
    least: u64,
    greatest: u64,
) -> Option<BooleanBuffer> {
    Some(match values {
        Values::Bytes1(numbers) => within(numbers.get(rows)?, least as u8, greatest as u8),
        Values::Bytes2(numbers) => within(numbers.get(rows)?, least as u16, greatest as u16),
        Values::Bytes3(numbers) => {
            let (low, high) = numbers.parts(rows)?;
            let (least, greatest) = (least as u32, greatest as u32);
            flagged_threes(low, high, |number| (number >= least) & (number <= greatest))
        }
        Values::Bytes4(numbers) => within(numbers.get(rows)?, least as u32, greatest as u32),
        Values::Bytes8(numbers) => within(numbers.get(rows)?, least, greatest),
    })
}

/// For each of these rows: the flag that a table has at the place of its number, which has one or two
/// bytes; not set beyond the table. `None`: there are fewer rows, or the numbers have more bytes.
pub(super) fn of_table(
    values: &Values,
    rows: Range<usize>,
    table: &BooleanBuffer,
) -> Option<BooleanBuffer> {
    if !matches!(values, Values::Bytes1(_) | Values::Bytes2(_)) {
        return None;
    }
    let set = table.count_set_bits();
    if set == 0 {
        return Some(BooleanBuffer::new_unset(rows.len()));
    }
    // Flags in a row are a comparison.
    if let Some((first, after)) = table.set_slices().next()
        && after - first == set
    {
        return between(values, rows, first as u64, after as u64 - 1);
    }
    let table: Vec<bool> = table.iter().collect();
    let flag = |place: usize| table.get(place).copied().unwrap_or(false);
    Some(match values {
        Values::Bytes1(numbers) => flagged(numbers.get(rows)?, |number| flag(number.into())),
        Values::Bytes2(numbers) => flagged(numbers.get(rows)?, |number| flag(number.into())),
        Values::Bytes3(_) | Values::Bytes4(_) | Values::Bytes8(_) => return None,
    })
}

fn within<N: Copy + PartialOrd>(numbers: &[N], least: N, greatest: N) -> BooleanBuffer {
    flagged(numbers, |number| (number >= least) & (number <= greatest))
}

/// A bit for each number.
fn flagged<N: Copy>(numbers: &[N], is_set: impl Fn(N) -> bool) -> BooleanBuffer {
    let mut words: Vec<u64> = Vec::with_capacity(numbers.len().div_ceil(WORD));
    let (whole, rest) = numbers.as_chunks::<WORD>();
    for numbers in whole {
        let mut flags = [0_u8; WORD];
        for (flag, number) in flags.iter_mut().zip(numbers) {
            *flag = u8::from(is_set(*number));
        }
        words.push(packed(&flags).to_le());
    }
    if !rest.is_empty() {
        let mut flags = [0_u8; WORD];
        for (flag, number) in flags.iter_mut().zip(rest) {
            *flag = u8::from(is_set(*number));
        }
        words.push(packed(&flags).to_le());
    }
    BooleanBuffer::new(Buffer::from_vec(words), 0, numbers.len())
}

/// As [`flagged`], of numbers of 3 bytes. `high`: the third ones, as many.
fn flagged_threes(low: &[u16], high: &[u8], is_set: impl Fn(u32) -> bool) -> BooleanBuffer {
    let mut words: Vec<u64> = Vec::with_capacity(low.len().div_ceil(WORD));
    let (whole_low, rest_low) = low.as_chunks::<WORD>();
    let (whole_high, rest_high) = high.as_chunks::<WORD>();
    for (low, high) in whole_low.iter().zip(whole_high) {
        let mut flags = [0_u8; WORD];
        for ((flag, low), high) in flags.iter_mut().zip(low).zip(high) {
            *flag = u8::from(is_set(joined(*low, *high)));
        }
        words.push(packed(&flags).to_le());
    }
    if !rest_low.is_empty() {
        let mut flags = [0_u8; WORD];
        for ((flag, low), high) in flags.iter_mut().zip(rest_low).zip(rest_high) {
            *flag = u8::from(is_set(joined(*low, *high)));
        }
        words.push(packed(&flags).to_le());
    }
    BooleanBuffer::new(Buffer::from_vec(words), 0, low.len())
}

/// The bits of bytes that are 0 or 1, the first one lowest.
fn packed(flags: &[u8; WORD]) -> u64 {
    // The product has the first byte's flag at its bit 56, the second one's at 57, and so on.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    let mut word = 0;
    for (place, eight) in eights.iter().enumerate() {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        word |= bits << (8 * place);
    }
    word
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::packed::Threes;
    use super::*;

    fn numbers(count: usize) -> Vec<u64> {
        let numbers = (1..=count as u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16);
        numbers.collect()
    }

    #[test]
    fn flags_are_packed_in_order() {
        for seed in numbers(500) {
            let mut flags = [0_u8; WORD];
            for (bit, flag) in flags.iter_mut().enumerate() {
                *flag = ((seed >> (bit % 48)) & 1) as u8;
            }
            let expected = flags.iter().rev();
            let expected = expected.fold(0_u64, |word, flag| (word << 1) | u64::from(*flag));
            assert_eq!(packed(&flags), expected);
        }
    }

    #[test]
    fn numbers_are_compared_and_looked_up() {
        for count in [0, 1, 63, 64, 65, 200, 1000] {
            let numbers = numbers(count);
            let ones: Vec<u8> = numbers.iter().map(|n| *n as u8).collect();
            let twos: Vec<u16> = numbers.iter().map(|n| *n as u16).collect();
            let threes = numbers.iter().map(|n| *n as u32 & 0xFF_FFFF);
            let fours: Vec<u32> = numbers.iter().map(|n| *n as u32).collect();
            let all = [
                (Values::Bytes1(ones.into()), 0xFF_u64),
                (Values::Bytes2(twos.into()), 0xFFFF),
                (Values::Bytes3(Threes::of(threes)), 0xFF_FFFF),
                (Values::Bytes4(fours.into()), 0xFFFF_FFFF),
                (Values::Bytes8(numbers.clone().into()), u64::MAX),
            ];
            for (values, most) in all {
                for (least, greatest) in [(0, most), (3, 3), (most / 3, most / 2), (most, most)] {
                    let rows = count / 3..count;
                    let found = between(&values, rows.clone(), least, greatest).unwrap();
                    let expected = numbers[rows].iter().map(|n| n & most);
                    let expected: BooleanBuffer =
                        expected.map(|n| least <= n && n <= greatest).collect();
                    assert_eq!(found, expected);
                }
                assert!(between(&values, 0..count + 1, 0, most).is_none());
                for step in [1, 2, 7, 1000] {
                    // Shorter than what the numbers may be.
                    let table = BooleanBuffer::collect_bool(200, |place| place % step == 0);
                    let found = of_table(&values, 0..count, &table);
                    let expected = numbers.iter().map(|n| (n & most) as usize);
                    let expected: BooleanBuffer =
                        expected.map(|n| n < 200 && n % step == 0).collect();
                    assert_eq!(found, (most <= 0xFFFF).then_some(expected));
                }
            }
        }
        let none = Values::Bytes1(vec![0_u8; 3].into());
        let table = BooleanBuffer::new_unset(0);
        assert_eq!(of_table(&none, 0..3, &table).unwrap().count_set_bits(), 0);
    }
}
