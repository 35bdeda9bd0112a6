//! `hashtext` and `hashtextextended`: PostgreSQL's hashes of texts, which clients make numbers of locks
//! and parts of tables with.
//!
//! The hash is Bob Jenkins' lookup3 of 2006, as PostgreSQL's `hashfn.c` has it on machines whose lowest
//! byte comes first.

use arrow::datatypes::DataType;

use crate::postgres::{Cell, PgFunction, invalid};

/// What PostgreSQL adds to the length of a text.
const START: u32 = 0x9e37_79b9_u32.wrapping_add(3_923_095);

pub(super) fn functions() -> Vec<PgFunction> {
    let of_text = |args: &[Cell<'static>]| args.first().and_then(Cell::to_text).unwrap_or_default();
    vec![
        PgFunction::new("hashtext", 1..=1, DataType::Int32, move |args| {
            let [_, low] = hash(of_text(args).as_bytes(), 0);
            Ok(Cell::Int(i64::from(low.cast_signed())))
        })
        .immutable(),
        PgFunction::new("hashtextextended", 2..=2, DataType::Int64, move |args| {
            let Some(seed) = args.get(1).and_then(Cell::as_int) else {
                return Err(invalid("the seed of hashtextextended must be an integer"));
            };
            let [high, low] = hash(of_text(args).as_bytes(), seed.cast_unsigned());
            let hash = (u64::from(high) << 32) | u64::from(low);
            Ok(Cell::Int(hash.cast_signed()))
        })
        .immutable(),
    ]
}

/// Returns the upper and the lower half of a hash of 64 bits. The lower half is the hash of 32 bits, if
/// the seed is 0.
fn hash(bytes: &[u8], seed: u64) -> [u32; 2] {
    // The length is added modulo 2^32, as in PostgreSQL, whose texts are shorter.
    let start = START.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    if seed != 0 {
        state[0] = state[0].wrapping_add((seed >> 32) as u32);
        state[1] = state[1].wrapping_add(seed as u32);
        mix(&mut state);
    }
    let (blocks, rest) = bytes.as_chunks::<12>();
    for block in blocks {
        add(&mut state, block);
        mix(&mut state);
    }
    // The lowest byte of the third word is kept for the length.
    let mut last = [0; 12];
    for (place, byte) in rest.iter().enumerate() {
        let place = if place < 8 { place } else { place + 1 };
        if let Some(there) = last.get_mut(place) {
            *there = *byte;
        }
    }
    add(&mut state, &last);
    finish(&mut state);
    [state[1], state[2]]
}

fn add(state: &mut [u32; 3], block: &[u8; 12]) {
    let (words, _) = block.as_chunks::<4>();
    for (word, bytes) in state.iter_mut().zip(words) {
        *word = word.wrapping_add(u32::from_le_bytes(*bytes));
    }
}

fn mix(state: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *state;
    for [first, second, third] in [[4, 6, 8], [16, 19, 4]] {
        a = a.wrapping_sub(c) ^ c.rotate_left(first);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(second);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(third);
        b = b.wrapping_add(a);
    }
    *state = [a, b, c];
}

fn finish(state: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *state;
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    *state = [a, b, c];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_postgres() {
        for (text, expected) in [
            ("a", 1_075_015_857),
            ("", -1_477_818_771),
            ("hello world, longer", 2_136_374_831),
            ("é", -983_094_517),
            ("123456789012", -2_102_057_603),
            ("1234567890123", 437_480_032),
        ] {
            let [_, low] = hash(text.as_bytes(), 0);
            assert_eq!(low.cast_signed(), expected, "{text}");
        }
        for (text, seed, expected) in [
            ("a", 0_i64, 3_591_986_179_850_072_241_i64),
            ("hello world, longer", 42, 1_039_249_599_623_455_645),
            ("a", 1, 3_325_245_193_489_759_299),
            ("a", -5, 4_255_227_035_821_428_796),
        ] {
            let [high, low] = hash(text.as_bytes(), seed.cast_unsigned());
            let hash = (u64::from(high) << 32) | u64::from(low);
            assert_eq!(hash.cast_signed(), expected, "{text}");
        }
    }
}
