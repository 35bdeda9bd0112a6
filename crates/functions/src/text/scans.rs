//! Looks at eight bytes of a text at once: how many characters it has, where its ASCII ends.

/// A byte of 1 in each byte of a word.
const ONES: u64 = u64::MAX / 0xff;

/// Returns the number of characters.
#[inline]
pub(crate) fn characters(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut continued = 0;
    // A byte counts up to 255.
    for words in words.chunks(255) {
        let counts = words.iter().fold(0, |counts, word| {
            counts + continuations(u64::from_le_bytes(*word))
        });
        continued += total(counts);
    }
    // The last bytes once more as a word, without those that were counted.
    continued += match bytes.last_chunk::<8>() {
        Some(last) => {
            let counted = 64 - 8 * rest.len() as u32;
            let last = u64::from_le_bytes(*last).checked_shr(counted);
            continuations(last.unwrap_or(0)).count_ones() as usize
        }
        None => rest.iter().filter(|byte| **byte & 0xc0 == 0x80).count(),
    };
    bytes.len() - continued
}

/// Puts a 1 into each byte that continues a character: those whose first bits are 10.
#[inline]
fn continuations(word: u64) -> u64 {
    (word >> 7) & !(word >> 6) & ONES
}

/// Adds up the bytes of a word.
#[inline]
fn total(counts: u64) -> usize {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let pairs = (counts & EVEN) + (counts >> 8 & EVEN);
    (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize
}

/// Returns the bytes before the first character that is not of ASCII.
#[inline]
pub(crate) fn ascii(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let others = u64::from_le_bytes(*word) & (ONES << 7);
        if others != 0 {
            return index * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    let other = rest.iter().position(|byte| !byte.is_ascii());
    bytes.len() - rest.len() + other.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn characters_are_counted_as_by_chars() {
        let pieces = ["a", "é", "€", "😀", "xyz", "\0", "\u{7ff}", "\u{ffff}"];
        let mut text = String::new();
        // A fixed series of numbers picks the pieces.
        let mut next = 7usize;
        for _ in 0..3000 {
            assert_eq!(characters(&text), text.chars().count());
            let others = text.char_indices().find(|(_, one)| !one.is_ascii());
            assert_eq!(ascii(&text), others.map_or(text.len(), |(at, _)| at));
            next = next * 1_103_515_245 % 2_147_483_647;
            text.push_str(pieces[next % pieces.len()]);
            if next.is_multiple_of(97) {
                text.clear();
            }
        }
        for length in 0..40 {
            for filler in ["x", "é", "€", "😀"] {
                let text = "a".repeat(length) + &filler.repeat(length % 7);
                assert_eq!(characters(&text), text.chars().count(), "{text}");
                assert_eq!(
                    ascii(&text),
                    text.find(|one: char| !one.is_ascii()).unwrap_or(text.len())
                );
            }
        }
        let long = "😀é".repeat(10_000);
        assert_eq!(characters(&long), 20_000);
        assert_eq!(ascii(&("a".repeat(5000) + "é")), 5000);
    }
}
