//! Streams of a new file, compressed block by block.

use super::emit::{Position, Within};
use crate::format::{Codec, ZstdLevel};

/// Bytes of a compressed block's header, and of a block at most.
const HEADER: usize = 3;
pub(super) const MAX_BLOCK: usize = 256 * 1024;

/// How the streams of a new file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packer {
    /// They are not, and have no blocks.
    Plain,
    Zlib,
    Snappy,
    Lz4,
    Zstd(ZstdLevel),
}

impl Packer {
    /// `None`: ORC files are not compressed so.
    pub(super) fn new(codec: Codec) -> Option<Self> {
        Some(match codec {
            Codec::Uncompressed => Self::Plain,
            Codec::Deflate => Self::Zlib,
            Codec::Snappy => Self::Snappy,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd(level) => Self::Zstd(level),
            Codec::Gzip | Codec::Brotli | Codec::Bzip2 => return None,
        })
    }

    /// The number of the compression in a file.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Zlib => 1,
            Self::Snappy => 2,
            Self::Lz4 => 4,
            Self::Zstd(_) => 5,
        }
    }

    /// # Errors
    /// The compression fails, which none does of bytes of this length.
    pub(super) fn pack(self, bytes: Vec<u8>) -> std::io::Result<Packed> {
        if self == Self::Plain {
            return Ok(Packed {
                bytes,
                blocks: None,
            });
        }
        let mut packed = Vec::new();
        let mut begins = Vec::new();
        for block in bytes.chunks(MAX_BLOCK) {
            begins.push(packed.len());
            let smaller = self.block(block)?.filter(|made| made.len() < block.len());
            let (made, original) = match &smaller {
                Some(made) => (made.as_slice(), 0),
                None => (block, 1),
            };
            let header = ((made.len() << 1) | original).to_le_bytes();
            packed.extend(header.into_iter().take(HEADER));
            packed.extend_from_slice(made);
        }
        // Where a block would begin that follows the last one.
        begins.push(packed.len());
        Ok(Packed {
            bytes: packed,
            blocks: Some(begins),
        })
    }

    fn block(self, block: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        Ok(Some(match self {
            Self::Plain => return Ok(None),
            Self::Zlib => {
                let made = Vec::with_capacity(block.len() / 2);
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::DeflateEncoder::new(made, level);
                std::io::Write::write_all(&mut encoder, block)?;
                encoder.finish()?
            }
            Self::Snappy => snap::raw::Encoder::new()
                .compress_vec(block)
                .map_err(std::io::Error::other)?,
            Self::Lz4 => lz4_flex::block::compress(block),
            Self::Zstd(level) => zstd::bulk::compress(block, i32::from(level.get()))?,
        }))
    }
}

/// A stream as it is in the file.
#[derive(Debug)]
pub(super) struct Packed {
    pub bytes: Vec<u8>,
    /// Where its blocks begin, and where the last one ends. `None`: it has no blocks.
    pub blocks: Option<Vec<usize>>,
}

impl Packed {
    /// Appends the numbers by which an index names a place of the stream.
    pub(super) fn locate(&self, position: Position, into: &mut Vec<u64>) {
        let offset = match &self.blocks {
            None => position.offset,
            Some(blocks) => {
                let block = blocks.get(position.offset / MAX_BLOCK);
                let end = || blocks.last().copied().unwrap_or_default();
                into.push(block.copied().unwrap_or_else(end) as u64);
                position.offset % MAX_BLOCK
            }
        };
        into.push(offset as u64);
        match position.within {
            Within::Bytes => {}
            Within::Run => into.push(0),
            Within::Bits(bits) => into.extend([0, u64::from(bits)]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::blocks::Blocks;
    use super::*;
    use crate::format::unpack::Packing;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut bytes: Vec<u8> = vec![7; MAX_BLOCK];
        let mut state = 1_u64;
        bytes.extend((0..MAX_BLOCK).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        }));
        bytes.extend([1, 2, 3]);
        for (codec, packing) in [
            (Codec::Uncompressed, None),
            (Codec::Deflate, Some(Packing::Deflate)),
            (Codec::Snappy, Some(Packing::Snappy)),
            (Codec::Lz4, Some(Packing::Lz4)),
            (Codec::ZSTD, Some(Packing::Zstd)),
        ] {
            let packer = Packer::new(codec).unwrap();
            let packed = packer.pack(bytes.clone()).unwrap();
            let blocks = Blocks {
                packing,
                size: MAX_BLOCK,
            };
            let mut found = Vec::new();
            blocks
                .unpack(&packed.bytes, bytes.len(), &mut found)
                .unwrap();
            assert!(found == bytes, "{codec:?}");

            // From the place of the last three bytes on.
            let mut place = Vec::new();
            let position = Position {
                offset: 2 * MAX_BLOCK + 1,
                within: Within::Bits(5),
            };
            packed.locate(position, &mut place);
            let (start, rest) = match packing {
                None => (0, place.as_slice()),
                Some(_) => (place[0], &place[1..]),
            };
            let start = usize::try_from(start).unwrap();
            found.clear();
            blocks
                .unpack(&packed.bytes[start..], bytes.len(), &mut found)
                .unwrap();
            let at = usize::try_from(rest[0]).unwrap();
            assert_eq!(&found[at..], [2, 3], "{codec:?}");
            assert_eq!(rest[1..], [0, 5]);
            assert!(packer.pack(Vec::new()).unwrap().bytes.is_empty());
        }
    }
}
