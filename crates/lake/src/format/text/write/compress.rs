//! One member of a compressed text file: bytes that decompress on their own.

use std::io;

use async_compression::Level;
use async_compression::tokio::write::{BzEncoder, GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::format::Codec;

/// Bytes of text in one block of Hadoop's framing. Hadoop's own decompressors have buffers of
/// 256 KiB for a block, packed and unpacked.
const HADOOP_BLOCK: usize = 128 * 1024;
/// Levels of Zstandard above this one have windows of 8 to 128 MiB, and tables to go with them: the
/// window is cut to a member's length.
const LAST_SMALL_WINDOW: u8 = 16;
/// 4 MiB.
const WINDOW_LOG: u32 = 22;

/// # Errors
/// Text files have no such codec.
pub(in crate::format) async fn compressed(codec: Codec, text: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        Codec::Gzip => {
            let mut encoder = GzipEncoder::new(Vec::new());
            encode(&mut encoder, text).await?;
            Ok(encoder.into_inner())
        }
        Codec::Bzip2 => {
            let mut encoder = BzEncoder::new(Vec::new());
            encode(&mut encoder, text).await?;
            Ok(encoder.into_inner())
        }
        Codec::Zstd(level) => {
            let window = [CParameter::window_log(WINDOW_LOG)];
            let parameters = match level.get() > LAST_SMALL_WINDOW {
                true => &window[..],
                false => &[],
            };
            let level = Level::Precise(i32::from(level.get()));
            let mut encoder = ZstdEncoder::with_quality_and_params(Vec::new(), level, parameters);
            encode(&mut encoder, text).await?;
            Ok(encoder.into_inner())
        }
        Codec::Snappy => {
            let mut encoder = snap::raw::Encoder::new();
            hadoop_blocks(text, |block| {
                encoder.compress_vec(block).map_err(io::Error::other)
            })
        }
        Codec::Lz4 => hadoop_blocks(text, |block| Ok(lz4_flex::block::compress(block))),
        Codec::Uncompressed | Codec::Brotli | Codec::Deflate => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "text files have no such codec",
        )),
    }
}

async fn encode(encoder: &mut (impl AsyncWrite + Unpin), text: &[u8]) -> io::Result<()> {
    encoder.write_all(text).await?;
    encoder.shutdown().await
}

/// The framing of Hadoop's `BlockCompressorStream`, which the codecs Snappy and LZ4 have in text
/// files of Hive and Athena: blocks of their length unpacked, their length packed, both big-endian
/// in 4 bytes, and the packed bytes.
fn hadoop_blocks(
    text: &[u8],
    mut pack: impl FnMut(&[u8]) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<u8>> {
    let mut framed = Vec::with_capacity(text.len() / 2);
    for block in text.chunks(HADOOP_BLOCK) {
        let packed = pack(block)?;
        for length in [block.len(), packed.len()] {
            let length = u32::try_from(length).map_err(io::Error::other)?;
            framed.extend_from_slice(&length.to_be_bytes());
        }
        framed.extend_from_slice(&packed);
    }
    Ok(framed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::format::ZstdLevel;

    fn text() -> Vec<u8> {
        (0..60_000)
            .flat_map(|n: u32| format!("{n},{}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    fn number(framed: &mut &[u8]) -> usize {
        let (number, rest) = framed.split_first_chunk::<4>().unwrap();
        *framed = rest;
        u32::from_be_bytes(*number) as usize
    }

    fn unpacked(mut framed: &[u8], unpack: impl Fn(&[u8], usize) -> Vec<u8>) -> Vec<u8> {
        let mut text = Vec::new();
        while !framed.is_empty() {
            let (length, packed) = (number(&mut framed), number(&mut framed));
            assert!(length <= HADOOP_BLOCK);
            let (block, rest) = framed.split_at(packed);
            framed = rest;
            let block = unpack(block, length);
            assert_eq!(block.len(), length);
            text.extend(block);
        }
        text
    }

    #[tokio::test]
    async fn snappy_and_lz4_are_blocks_of_hadoop() {
        let text = text();
        assert!(text.len() > 2 * HADOOP_BLOCK);
        let snappy = compressed(Codec::Snappy, &text).await.unwrap();
        let unsnapped = unpacked(&snappy, |block, _| {
            snap::raw::Decoder::new().decompress_vec(block).unwrap()
        });
        assert!(unsnapped == text);
        let lz4 = compressed(Codec::Lz4, &text).await.unwrap();
        let plain = unpacked(&lz4, |block, length| {
            lz4_flex::block::decompress(block, length).unwrap()
        });
        assert!(plain == text);
    }

    #[tokio::test]
    async fn every_level_of_zstandard_is_smaller_or_equal_in_the_end() {
        let text = text();
        let mut lengths = Vec::new();
        for level in [1, 3, 16, 17, 22] {
            let codec = Codec::Zstd(ZstdLevel::new(level).unwrap());
            lengths.push(compressed(codec, &text).await.unwrap().len());
        }
        assert!(lengths.iter().all(|length| *length < text.len()));
        assert!(lengths.last() < lengths.first(), "{lengths:?}");
    }
}
