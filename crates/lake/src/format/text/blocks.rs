//! Compressed text that comes in blocks: snappy and lz4, each in a framing of its own and in
//! Hadoop's.
//!
//! | | a file is |
//! |---|---|
//! | [snappy's](https://github.com/google/snappy/blob/main/framing_format.txt) | chunks of `type [length: 3 bytes, little-endian] data` |
//! | [LZ4's](https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) | frames: a header, blocks of `[length: 4 bytes, little-endian] data`, an end mark |
//! | Hadoop's (`BlockCompressorStream`) | blocks of `[length unpacked: 4 bytes, big-endian]`, and in each pieces of `[length: 4 bytes, big-endian] data` until that length is unpacked |
//!
//! The crates' readers take streams that block. Here they get one block at a time, when all of its
//! bytes are there; a length that is claimed is checked before anything is kept or made for it.

use std::io::{self, Cursor, Read};

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

/// The largest piece of Hadoop's framing, unpacked: 64 times the buffer that its codecs have by
/// default (256 KiB). Two of these may be in memory for each file that is read.
const MAX_PIECE: usize = 16 << 20;

/// The largest chunk of snappy's framing, packed: 64 KiB that cannot be compressed, as the crate
/// has it (`snap::frame::MAX_COMPRESS_BLOCK_SIZE`).
const MAX_CHUNK: usize = 76_490;

/// The largest block of an LZ4 frame, packed.
const MAX_BLOCK: usize = 4 << 20;

/// The first bytes of an LZ4 frame.
pub(super) const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Framing {
    Snappy,
    Lz4,
    HadoopSnappy,
    HadoopLz4,
}

/// What is done with the next bytes.
enum Step {
    /// So many must be there.
    Needs(usize),
    /// They have been used up, and are these.
    Unpacked(Bytes),
    /// So many are of no use.
    Skip(u64),
}

enum Unpacker {
    Snappy(Box<snap::read::FrameDecoder<Cursor<Bytes>>>),
    Lz4(Option<Lz4Frame>),
    Hadoop {
        is_snappy: bool,
        /// Bytes of the block that have not been unpacked.
        left: usize,
    },
}

struct Lz4Frame {
    decoder: Box<lz4_flex::frame::FrameDecoder<Cursor<Bytes>>>,
    /// Bytes after each block.
    block_sum: usize,
    /// Bytes after the end mark.
    content_sum: usize,
}

/// A compressed file.
struct Blocks<S> {
    stream: S,
    unpacker: Unpacker,
    /// Bytes that have come and are not used up: at most one block's, and a piece of the stream.
    waiting: BytesMut,
    skip: u64,
}

/// Unpacks a stream.
pub(super) fn unpacked<S>(stream: S, framing: Framing) -> BoxStream<'static, io::Result<Bytes>>
where
    S: Stream<Item = object_store::Result<Bytes>> + Send + Unpin + 'static,
{
    let hadoop = |is_snappy| Unpacker::Hadoop { is_snappy, left: 0 };
    let unpacker = match framing {
        Framing::Snappy => {
            let decoder = snap::read::FrameDecoder::new(Cursor::new(Bytes::new()));
            Unpacker::Snappy(Box::new(decoder))
        }
        Framing::Lz4 => Unpacker::Lz4(None),
        Framing::HadoopSnappy => hadoop(true),
        Framing::HadoopLz4 => hadoop(false),
    };
    let blocks = Blocks {
        stream,
        unpacker,
        waiting: BytesMut::new(),
        skip: 0,
    };
    futures::stream::try_unfold(blocks, |mut blocks| async move {
        Ok(blocks.next().await?.map(|piece| (piece, blocks)))
    })
    .boxed()
}

impl<S> Blocks<S>
where
    S: Stream<Item = object_store::Result<Bytes>> + Unpin,
{
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            self.drop_skipped();
            let needs = match self.skip {
                0 => match self.unpacker.step(&mut self.waiting)? {
                    Step::Needs(bytes) => bytes,
                    Step::Skip(bytes) => {
                        self.skip = bytes;
                        continue;
                    }
                    Step::Unpacked(piece) if piece.is_empty() => {
                        // Blocks of nothing, however many, must not keep others waiting.
                        tokio::task::consume_budget().await;
                        continue;
                    }
                    Step::Unpacked(piece) => return Ok(Some(piece)),
                },
                _ => 1,
            };
            while self.waiting.len() < needs {
                match self.stream.next().await.transpose()? {
                    Some(piece) => self.waiting.extend_from_slice(&piece),
                    None if self.waiting.is_empty()
                        && self.skip == 0
                        && self.unpacker.is_whole() =>
                    {
                        return Ok(None);
                    }
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        }
    }

    fn drop_skipped(&mut self) {
        let here = self.waiting.len() as u64;
        let dropped = usize::try_from(self.skip.min(here)).unwrap_or(self.waiting.len());
        self.waiting.advance(dropped);
        self.skip -= dropped as u64;
    }
}

impl Unpacker {
    /// Whether a file may end here.
    fn is_whole(&self) -> bool {
        match self {
            Self::Snappy(_) => true,
            Self::Lz4(frame) => frame.is_none(),
            Self::Hadoop { left, .. } => *left == 0,
        }
    }

    fn step(&mut self, waiting: &mut BytesMut) -> io::Result<Step> {
        match self {
            Self::Snappy(decoder) => {
                let Some(&[_, a, b, c]) = waiting.first_chunk::<4>() else {
                    return Ok(Step::Needs(4));
                };
                let length = number(&[a, b, c, 0]);
                within(length, MAX_CHUNK)?;
                let Some(chunk) = take(waiting, 4 + length) else {
                    return Ok(Step::Needs(4 + length));
                };
                *decoder.get_mut() = Cursor::new(chunk);
                all_of(&mut **decoder)
            }
            Self::Lz4(frame) => match frame {
                None => match Lz4Frame::begin(waiting)? {
                    Ok(begun) => {
                        *frame = Some(begun);
                        Ok(Step::Unpacked(Bytes::new()))
                    }
                    Err(step) => Ok(step),
                },
                Some(open) => {
                    let (step, is_end) = open.step(waiting)?;
                    if is_end {
                        *frame = None;
                    }
                    Ok(step)
                }
            },
            Self::Hadoop { is_snappy, left } => {
                let Some(first) = waiting.first_chunk::<4>() else {
                    return Ok(Step::Needs(4));
                };
                let length = usize::try_from(u32::from_be_bytes(*first)).unwrap_or(usize::MAX);
                if *left == 0 {
                    waiting.advance(4);
                    *left = length;
                    return Ok(Step::Unpacked(Bytes::new()));
                }
                // What cannot be compressed grows by less than a sixth.
                within(length, MAX_PIECE + MAX_PIECE / 4)?;
                let Some(piece) = take(waiting, 4 + length) else {
                    return Ok(Step::Needs(4 + length));
                };
                let packed = piece.get(4..).unwrap_or_default();
                let most = (*left).min(MAX_PIECE);
                let unpacked = match is_snappy {
                    true => snappy_piece(packed, most)?,
                    false => lz4_piece(packed, most)?,
                };
                *left -= unpacked.len();
                Ok(Step::Unpacked(unpacked))
            }
        }
    }
}

impl Lz4Frame {
    /// Begins a frame. `Err`: what must come before.
    fn begin(waiting: &mut BytesMut) -> io::Result<Result<Self, Step>> {
        let Some(magic) = waiting.first_chunk::<4>() else {
            return Ok(Err(Step::Needs(4)));
        };
        if let [0x50..=0x5f, 0x2a, 0x4d, 0x18] = magic {
            let Some(&[_, _, _, _, a, b, c, d]) = waiting.first_chunk::<8>() else {
                return Ok(Err(Step::Needs(8)));
            };
            return Ok(Err(Step::Skip(8 + number(&[a, b, c, d]) as u64)));
        }
        if *magic != LZ4_MAGIC {
            return Err(invalid("no frame starts where one should"));
        }
        let Some(flags) = waiting.get(4).copied() else {
            return Ok(Err(Step::Needs(5)));
        };
        let has = |bit: u8| flags & (1 << bit) != 0;
        // Magic, flags, the largest block, the size of the content, a dictionary, a checksum.
        let length = 6 + if has(3) { 8 } else { 0 } + if has(0) { 4 } else { 0 } + 1;
        let Some(header) = take(waiting, length) else {
            return Ok(Err(Step::Needs(length)));
        };
        let mut decoder = Box::new(lz4_flex::frame::FrameDecoder::new(Cursor::new(header)));
        // Reads the header, and that no block follows yet.
        if decoder.read(&mut [0])? > 0 {
            return Err(invalid("a frame has text in its header"));
        }
        Ok(Ok(Self {
            decoder,
            block_sum: if has(4) { 4 } else { 0 },
            content_sum: if has(2) { 4 } else { 0 },
        }))
    }

    /// The next block, and whether the frame ends with it.
    fn step(&mut self, waiting: &mut BytesMut) -> io::Result<(Step, bool)> {
        let Some(field) = waiting.first_chunk::<4>() else {
            return Ok((Step::Needs(4), false));
        };
        let length = number(field) & 0x7fff_ffff;
        let is_end = number(field) == 0;
        within(length, MAX_BLOCK)?;
        let length = 4 + match is_end {
            true => self.content_sum,
            false => length + self.block_sum,
        };
        let Some(block) = take(waiting, length) else {
            return Ok((Step::Needs(length), false));
        };
        *self.decoder.get_mut() = Cursor::new(block);
        Ok((all_of(&mut *self.decoder)?, is_end))
    }
}

/// A little-endian number of four bytes.
fn number(bytes: &[u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX)
}

fn within(length: usize, most: usize) -> io::Result<()> {
    if length <= most {
        return Ok(());
    }
    Err(invalid(format!(
        "a block of {length} bytes is too large; {most} are the most"
    )))
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

/// Takes bytes if they are there.
fn take(waiting: &mut BytesMut, length: usize) -> Option<Bytes> {
    (waiting.len() >= length).then(|| waiting.split_to(length).freeze())
}

/// What a decoder makes of the block that it was given. Blocks are bounded by their formats.
fn all_of(decoder: &mut impl Read) -> io::Result<Step> {
    let mut unpacked = Vec::new();
    decoder.read_to_end(&mut unpacked)?;
    Ok(Step::Unpacked(unpacked.into()))
}

fn snappy_piece(packed: &[u8], most: usize) -> io::Result<Bytes> {
    let length = snap::raw::decompress_len(packed)?;
    within(length, most)?;
    Ok(snap::raw::Decoder::new().decompress_vec(packed)?.into())
}

fn lz4_piece(packed: &[u8], most: usize) -> io::Result<Bytes> {
    // A byte of a block stands for at most 255.
    let most = most.min(packed.len().saturating_mul(255).saturating_add(64));
    let mut unpacked = vec![0; most];
    let length = lz4_flex::block::decompress_into(packed, &mut unpacked)
        .map_err(|error| invalid(error.to_string()))?;
    unpacked.truncate(length);
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::io::Write;

    use futures::TryStreamExt;

    use super::*;

    async fn unpack(bytes: &[u8], framing: Framing, size: usize) -> io::Result<Vec<u8>> {
        let pieces: Vec<object_store::Result<Bytes>> = bytes
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let stream = unpacked(futures::stream::iter(pieces), framing);
        let all: Vec<Bytes> = stream.try_collect().await?;
        Ok(all.concat())
    }

    fn text() -> Vec<u8> {
        let line = |row: u32| format!("{row},{}\n", "x".repeat(row as usize % 90));
        (0..6000).map(line).collect::<String>().into_bytes()
    }

    fn snappy(text: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.into_inner().unwrap()
    }

    fn lz4(text: &[u8], sums: bool, linked: bool) -> Vec<u8> {
        use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
        let info = FrameInfo::new()
            .block_size(BlockSize::Max64KB)
            .block_checksums(sums)
            .content_checksum(sums)
            .block_mode(match linked {
                true => BlockMode::Linked,
                false => BlockMode::Independent,
            });
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Blocks of 100,000 bytes, in pieces of 30,000.
    fn hadoop(text: &[u8], compress: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut out = Vec::new();
        for block in text.chunks(100_000) {
            out.extend(length(block));
            for piece in block.chunks(30_000) {
                let packed = compress(piece);
                out.extend(length(&packed));
                out.extend(packed);
            }
        }
        out
    }

    fn all(text: &[u8]) -> Vec<(Framing, Vec<u8>)> {
        let raw = |piece: &[u8]| snap::raw::Encoder::new().compress_vec(piece).unwrap();
        vec![
            (Framing::Snappy, snappy(text)),
            (Framing::Lz4, lz4(text, false, false)),
            (Framing::Lz4, lz4(text, true, true)),
            (Framing::HadoopSnappy, hadoop(text, raw)),
            (Framing::HadoopLz4, hadoop(text, lz4_flex::block::compress)),
        ]
    }

    #[tokio::test]
    async fn every_framing_is_unpacked_however_its_bytes_come() {
        let text = text();
        for (framing, packed) in all(&text) {
            assert!(packed.len() < text.len(), "{framing:?}");
            for size in [1, 7, 1000, 100_000, 10_000_000] {
                let found = unpack(&packed, framing, size).await.unwrap();
                assert!(found == text, "{framing:?} {size}");
            }
            let twice = [packed.clone(), packed].concat();
            let found = unpack(&twice, framing, 5000).await.unwrap();
            assert!(
                found == [text.clone(), text.clone()].concat(),
                "{framing:?}"
            );
        }
    }

    #[tokio::test]
    async fn frames_to_skip_are_skipped() {
        let mut packed = vec![0x53, 0x2a, 0x4d, 0x18, 200, 0, 0, 0];
        packed.extend([7; 200]);
        packed.extend(lz4(b"a\nb\n", true, false));
        packed.extend([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
        for size in [1, 3, 1000] {
            assert_eq!(
                unpack(&packed, Framing::Lz4, size).await.unwrap(),
                b"a\nb\n"
            );
        }
    }

    #[tokio::test]
    async fn files_that_are_cut_short_or_changed_are_refused() {
        let text = text();
        for (framing, packed) in all(&text) {
            for end in [3, 15, packed.len() / 2, packed.len() - 1] {
                let cut = unpack(&packed[..end], framing, 1000).await;
                assert!(cut.is_err(), "{framing:?} {end}");
            }
        }
        for (framing, packed) in [
            (Framing::Snappy, snappy(&text)),
            (Framing::Lz4, lz4(&text, true, false)),
        ] {
            let mut changed = packed.clone();
            changed[packed.len() / 2] ^= 0x40;
            assert!(
                unpack(&changed, framing, 1000).await.is_err(),
                "{framing:?}"
            );
        }
    }

    #[tokio::test]
    async fn claimed_lengths_are_bounded() {
        let huge = [0xff_u8; 4];
        let long = [0x7f, 0xff, 0xff, 0xff];
        for (framing, bytes, part) in [
            (Framing::Snappy, vec![0, 0xff, 0xff, 0xff], "too large"),
            (Framing::HadoopSnappy, [huge, huge].concat(), "too large"),
            (Framing::HadoopLz4, [long, huge].concat(), "too large"),
            // A piece that claims 4 GiB unpacked in 5 bytes.
            (
                Framing::HadoopSnappy,
                [&huge[..], &[0, 0, 0, 5], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
                "too large",
            ),
            // More than its block has.
            (
                Framing::HadoopSnappy,
                hadoop(b"abcdef", |piece| {
                    snap::raw::Encoder::new()
                        .compress_vec(&piece.repeat(2))
                        .unwrap()
                }),
                "too large",
            ),
            (
                Framing::Lz4,
                [&lz4(b"", false, false)[..7], &[0xff, 0xff, 0xff, 0x7f]].concat(),
                "too large",
            ),
            (Framing::Lz4, b"no frame".to_vec(), "no frame starts"),
        ] {
            let error = unpack(&bytes, framing, 3).await.unwrap_err();
            assert!(error.to_string().contains(part), "{framing:?}: {error}");
        }
    }

    #[tokio::test]
    async fn any_bytes_end_in_text_or_an_error() {
        let text = text();
        let mut seed = 1_u64;
        for (framing, packed) in all(&text[..3000]) {
            for _ in 0..300 {
                let mut changed = packed.clone();
                for _ in 0..3 {
                    seed = seed
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(99);
                    let at = usize::try_from(seed >> 33).unwrap() % changed.len();
                    changed[at] = u8::try_from((seed >> 20) & 0xff).unwrap();
                }
                let _ = unpack(&changed, framing, 64).await;
            }
        }
    }
}
