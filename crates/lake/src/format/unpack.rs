//! Decompression of one block, bounded by what a block may have.

use std::io::{self, Read};

use flate2::{FlushDecompress, Status};

/// Bytes that a block's output grows by.
const PIECE: usize = 64 * 1024;

/// How a block is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// DEFLATE without a header.
    Deflate,
    /// A block of snappy, without framing.
    Snappy,
    Zstd,
    /// A block of LZ4, without framing.
    Lz4,
    Bzip2,
}

/// Appends a block's bytes to `out`.
///
/// # Errors
/// The block is damaged, or has more than `limit` bytes. `out` may have some of them then.
pub(super) fn unpack(
    packing: Packing,
    block: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match packing {
        Packing::Deflate => inflate(block, limit, out),
        Packing::Bzip2 => stream(bzip2::bufread::BzDecoder::new(block), limit, out),
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(block);
            stream(decoder.map_err(|error| error.to_string())?, limit, out)
        }
        Packing::Snappy => {
            let length = snap::raw::decompress_len(block).map_err(|error| error.to_string())?;
            // Three bytes make at most 64.
            if length > limit || length / 24 > block.len() {
                return Err(too_large(limit));
            }
            whole(length, out, |room| {
                let written = snap::raw::Decoder::new().decompress(block, room);
                written.map_err(|error| error.to_string())
            })
        }
        Packing::Lz4 => {
            // One byte makes at most 255.
            let room = limit.min(block.len().saturating_mul(255).saturating_add(64));
            whole(room, out, |room| {
                lz4_flex::block::decompress_into(block, room).map_err(|error| error.to_string())
            })
        }
    }
}

/// The crate's reader takes a block that is cut short for one that ends there.
fn inflate(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let before = out.len();
    let mut state = flate2::Decompress::new(false);
    loop {
        let (taken, made) = (state.total_in(), state.total_out());
        let rest = usize::try_from(taken)
            .ok()
            .and_then(|taken| block.get(taken..));
        if out.len() == out.capacity() {
            out.reserve(PIECE);
        }
        let status = state
            .decompress_vec(rest.unwrap_or_default(), out, FlushDecompress::None)
            .map_err(|error| error.to_string())?;
        if out.len() - before > limit {
            return Err(too_large(limit));
        }
        match status {
            Status::StreamEnd => return Ok(()),
            _ if (taken, made) == (state.total_in(), state.total_out()) => {
                return Err("a block is cut short".to_owned());
            }
            _ => {}
        }
    }
}

fn stream(decoder: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let before = out.len();
    let more = limit as u64 + 1;
    let read = io::copy(&mut decoder.take(more), out).map_err(|error| error.to_string())?;
    if read == more {
        out.truncate(before);
        return Err(too_large(limit));
    }
    Ok(())
}

/// Decompresses into `room` bytes at the end of `out`.
fn whole(
    room: usize,
    out: &mut Vec<u8>,
    unpack: impl FnOnce(&mut [u8]) -> Result<usize, String>,
) -> Result<(), String> {
    let before = out.len();
    out.resize(before + room, 0);
    let written = unpack(out.get_mut(before..).unwrap_or_default())?;
    out.truncate(before + written);
    Ok(())
}

fn too_large(limit: usize) -> String {
    format!("a block has more than {limit} bytes once decompressed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn packed(packing: Packing, bytes: &[u8]) -> Vec<u8> {
        match packing {
            Packing::Deflate => {
                let mut encoder =
                    flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Bzip2 => {
                let mut encoder =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => zstd::stream::encode_all(bytes, 3).unwrap(),
            Packing::Snappy => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            Packing::Lz4 => lz4_flex::block::compress(bytes),
        }
    }

    #[test]
    fn blocks_are_unpacked_up_to_their_limit() {
        let bytes = vec![7; 100_000];
        for packing in [
            Packing::Deflate,
            Packing::Snappy,
            Packing::Zstd,
            Packing::Lz4,
            Packing::Bzip2,
        ] {
            let block = packed(packing, &bytes);
            let mut out = b"before".to_vec();
            unpack(packing, &block, bytes.len(), &mut out).unwrap();
            assert_eq!(out[6..], bytes, "{packing:?}");
            let less = unpack(packing, &block, bytes.len() - 1, &mut Vec::new());
            assert!(less.is_err(), "{packing:?}");
            let half = &block[..block.len() / 2];
            let broken = unpack(packing, half, bytes.len(), &mut Vec::new());
            assert!(broken.is_err(), "{packing:?}");
        }
    }
}
