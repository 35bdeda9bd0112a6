//! Pages of the codec LZ4, which writers fill in three ways.
//!
//! | | |
//! |---|---|
//! | Hadoop's | blocks of `[length unpacked]` and one or more of `[length packed] [LZ4 block]`, lengths big-endian |
//! | LZ4's frame format | old Rust and C++ writers |
//! | one bare LZ4 block | old C++ writers |
//!
//! The Parquet crate reads Hadoop's only if each block is one LZ4 block and none is shorter than
//! the one before it (`try_decompress_hadoop` of parquet 59), so pages of several are made into
//! pages of one. LZ4 blocks that follow each other are one block, if the literals that end the one
//! and those that begin the next become one run: nothing is unpacked for it. The page keeps its
//! length, so that what comes after it stays in its place.

use super::pages::Page;
use super::thrift;

/// The first bytes of LZ4's frame format.
const MAGIC: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// The number of a field that no page header has, for bytes that are to be skipped.
const FILLER: [u8; 3] = [0x08, 0xc8, 0x01];

/// What is to be done with a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The crate reads it, and takes no more memory than the page says.
    Fine,
    /// The whole page, header and data, as the crate reads it.
    Instead(Vec<u8>),
    /// It unpacks to more or less than it says.
    Wrong,
}

/// Looks at a page. `bytes`: what the page's places are in.
pub(super) fn examine(bytes: &[u8], page: &Page) -> Verdict {
    let Some(packed) = bytes.get(page.packed.clone()) else {
        return Verdict::Fine;
    };
    if packed.starts_with(MAGIC) {
        return match frame_length(packed) {
            Some(length) if length == page.unpacked => Verdict::Fine,
            _ => Verdict::Wrong,
        };
    }
    let Some(blocks) = hadoop_blocks(packed, page.unpacked) else {
        // A bare block: the crate unpacks it into as many bytes as the page says, and no more.
        return Verdict::Fine;
    };
    if blocks.len() == 1 {
        return Verdict::Fine;
    }
    match merged(&blocks).and_then(|block| rewritten(bytes, page, &block)) {
        Some(page) => Verdict::Instead(page),
        None => Verdict::Wrong,
    }
}

/// The LZ4 blocks of Hadoop's framing; none if it is not that, or does not unpack to `unpacked`
/// bytes.
fn hadoop_blocks(mut rest: &[u8], unpacked: u64) -> Option<Vec<&[u8]>> {
    let mut blocks = Vec::new();
    let mut all: u64 = 0;
    while !rest.is_empty() {
        let length = u64::from(big_endian(&mut rest)?);
        let mut of_block: u64 = 0;
        while of_block < length {
            let packed = usize::try_from(big_endian(&mut rest)?).ok()?;
            let block = rest.get(..packed)?;
            rest = rest.get(packed..)?;
            of_block = of_block.checked_add(block_length(block)?)?;
            blocks.push(block);
        }
        all = all.checked_add(of_block)?;
        if of_block != length || all > unpacked {
            return None;
        }
    }
    (all == unpacked && !blocks.is_empty()).then_some(blocks)
}

fn big_endian(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

/// Bytes that LZ4's frame format unpacks to.
fn frame_length(mut rest: &[u8]) -> Option<u64> {
    let mut length: u64 = 0;
    while let Some(frame) = rest.strip_prefix(MAGIC) {
        let (flags, frame) = frame.split_first()?;
        let has = |bit: u8| flags & (1 << bit) != 0;
        let (block_checksum, size, content_checksum, dictionary) = (has(4), has(3), has(2), has(0));
        // The largest block, the size of the content, the dictionary, a checksum of the header.
        let header = 2 + if size { 8 } else { 0 } + if dictionary { 4 } else { 0 };
        rest = frame.get(header..)?;
        loop {
            let (field, after) = rest.split_first_chunk()?;
            let field = u32::from_le_bytes(*field);
            rest = after;
            if field == 0 {
                break;
            }
            let packed = usize::try_from(field & 0x7fff_ffff).ok()?;
            let block = rest.get(..packed)?;
            rest = rest.get(packed + if block_checksum { 4 } else { 0 }..)?;
            length = length.checked_add(match field >> 31 {
                0 => block_length(block)?,
                _ => packed as u64,
            })?;
        }
        if content_checksum {
            rest = rest.get(4..)?;
        }
    }
    Some(length)
}

/// A run of literals, and the match that follows it but for the last.
struct Sequence<'a> {
    literals: &'a [u8],
    /// How far back, as it is written, and how many bytes.
    copied: Option<([u8; 2], u64)>,
}

/// Takes a sequence off a block.
fn sequence<'a>(rest: &mut &'a [u8]) -> Option<Sequence<'a>> {
    let (token, after) = rest.split_first()?;
    *rest = after;
    let literals = usize::try_from(length_from(token >> 4, rest)?).ok()?;
    let (literals, after) = rest.split_at_checked(literals)?;
    *rest = after;
    if rest.is_empty() {
        return Some(Sequence {
            literals,
            copied: None,
        });
    }
    let (back, after) = rest.split_first_chunk()?;
    *rest = after;
    let length = length_from(token & 15, rest)?.checked_add(4)?;
    Some(Sequence {
        literals,
        copied: Some((*back, length)),
    })
}

/// A length that starts with four bits and goes on while they, or a byte, are full.
fn length_from(start: u8, rest: &mut &[u8]) -> Option<u64> {
    let mut length = u64::from(start);
    if start < 15 {
        return Some(length);
    }
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length = length.checked_add(u64::from(*byte))?;
        if *byte < 255 {
            return Some(length);
        }
    }
}

/// Bytes that an LZ4 block unpacks to; none if it is none.
fn block_length(mut rest: &[u8]) -> Option<u64> {
    let mut length: u64 = 0;
    loop {
        let sequence = sequence(&mut rest)?;
        length = length.checked_add(sequence.literals.len() as u64)?;
        match sequence.copied {
            Some((_, copied)) => length = length.checked_add(copied)?,
            None => return Some(length),
        }
    }
}

/// One block of several that follow each other.
fn merged(blocks: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(blocks.iter().map(|block| block.len()).sum());
    // Literals that wait for a match.
    let mut waiting: Vec<&[u8]> = Vec::new();
    for block in blocks {
        let mut rest = *block;
        loop {
            let sequence = sequence(&mut rest)?;
            waiting.push(sequence.literals);
            let Some(copied) = sequence.copied else {
                break;
            };
            write(&mut out, &waiting, Some(copied));
            waiting.clear();
        }
    }
    write(&mut out, &waiting, None);
    Some(out)
}

fn write(out: &mut Vec<u8>, literals: &[&[u8]], copied: Option<([u8; 2], u64)>) {
    let length: u64 = literals.iter().map(|part| part.len() as u64).sum();
    let more = copied.map_or(0, |(_, length)| length.saturating_sub(4));
    let bits = |length: u64| u8::try_from(length.min(15)).unwrap_or(15);
    out.push((bits(length) << 4) | bits(more));
    write_rest(out, length);
    for part in literals {
        out.extend_from_slice(part);
    }
    if let Some((back, _)) = copied {
        out.extend_from_slice(&back);
        write_rest(out, more);
    }
}

fn write_rest(out: &mut Vec<u8>, length: u64) {
    let Some(mut rest) = length.checked_sub(15) else {
        return;
    };
    while rest >= 255 {
        out.push(255);
        rest -= 255;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

/// The page with one block in Hadoop's framing, as long as it was: the header is filled up.
fn rewritten(bytes: &[u8], page: &Page, block: &[u8]) -> Option<Vec<u8>> {
    let header = bytes.get(page.header.clone())?;
    let levels = bytes.get(page.header.end..page.packed.start)?;
    let whole = page.packed.end.checked_sub(page.header.start)?;
    let size = levels.len() + 8 + block.len();
    let place = thrift::place_of(header, super::shapes::PAGE_COMPRESSED)?;
    let (before, after) = (header.get(..place.start)?, header.get(place.end..)?);
    let (stop, after) = after.split_last()?;
    let number = varint(u64::try_from(size).ok()? << 1);
    let used = before.len() + number.len() + after.len() + 1 + size;
    let missing = whole.checked_sub(used)?;

    let mut out = Vec::with_capacity(whole);
    out.extend_from_slice(before);
    // Too few bytes for a field are put into the number, whose last bytes may be zeros.
    out.extend(stretched(number, if missing < 4 { missing } else { 0 }));
    out.extend_from_slice(after);
    if missing >= 4 {
        let (filling, width) = if missing < 132 {
            (missing - 4, 1)
        } else {
            (missing - 8, 5)
        };
        let length = varint(u64::try_from(filling).ok()?);
        let by = usize::checked_sub(width, length.len())?;
        out.extend_from_slice(&FILLER);
        out.extend(stretched(length, by));
        out.resize(out.len() + filling, 0);
    }
    out.push(*stop);
    out.extend_from_slice(levels);
    out.extend(u32::try_from(page.unpacked).ok()?.to_be_bytes());
    out.extend(u32::try_from(block.len()).ok()?.to_be_bytes());
    out.extend_from_slice(block);
    (out.len() == whole).then_some(out)
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// The same number in more bytes.
fn stretched(mut number: Vec<u8>, by: usize) -> Vec<u8> {
    if by > 0 {
        if let Some(last) = number.last_mut() {
            *last |= 0x80;
        }
        number.extend(std::iter::repeat_n(0x80, by - 1));
        number.push(0);
    }
    number
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Literals in the one block, literals and a match in the other.
    const ONE: &[u8] = &[0x30, b'a', b'b', b'c'];
    const TWO: &[u8] = &[0x21, b'd', b'e', 2, 0, 0x10, b'f'];

    #[test]
    fn blocks_that_follow_each_other_are_one() {
        assert_eq!((block_length(ONE), block_length(TWO)), (Some(3), Some(8)));
        let both = merged(&[ONE, TWO, ONE]).unwrap();
        assert_eq!(
            both,
            [
                0x51, b'a', b'b', b'c', b'd', b'e', 2, 0, 0x40, b'f', b'a', b'b', b'c'
            ]
        );
        assert_eq!(block_length(&both), Some(14));
        // Runs of literals that fill their bytes.
        let long = |length: usize| {
            let mut block = Vec::new();
            write(&mut block, &[&vec![7; length]], None);
            block
        };
        for (one, two) in [(14, 1), (15, 0), (255, 15), (270, 1), (1000, 1000)] {
            let (a, b) = (long(one), long(two));
            let both = merged(&[&a, &b]).unwrap();
            assert_eq!(block_length(&both), Some((one + two) as u64));
            assert!(both.len() <= a.len() + b.len(), "{one} {two}");
        }
    }

    #[test]
    fn blocks_that_end_too_early_are_none() {
        for end in 0..TWO.len() {
            let cut = block_length(TWO.get(..end).unwrap());
            assert!(cut.is_none() || end == 3, "{end}: {cut:?}");
        }
        assert_eq!(block_length(&[0xf0, 255, 255]), None);
    }
}
