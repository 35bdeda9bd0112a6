//! Streams of an ORC file, decompressed block by block.

use super::{Result, broken};
use crate::format::unpack::{Packing, unpack};

/// How the streams of a file are compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    /// `None`: they are not, and have no blocks.
    pub packing: Option<Packing>,
    /// The most bytes of a block once decompressed.
    pub size: usize,
}

/// A block begins with its length and whether it is compressed.
const HEADER: usize = 3;

impl Blocks {
    /// Appends a stream's bytes to `out`, which has at most `limit` bytes then.
    ///
    /// # Errors
    /// A block is damaged or larger than it may be; there are more than `limit` bytes.
    pub(super) fn unpack(&self, stream: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let Some(packing) = self.packing else {
            return append(stream, limit, out);
        };
        let mut rest = stream;
        while !rest.is_empty() {
            let (header, blocks) = rest
                .split_first_chunk::<HEADER>()
                .ok_or_else(|| broken("the header of a block is cut short"))?;
            let [low, middle, high] = *header;
            let header = u32::from_le_bytes([low, middle, high, 0]);
            let (block, others) = usize::try_from(header >> 1)
                .ok()
                .and_then(|length| blocks.split_at_checked(length))
                .ok_or_else(|| broken("a block is longer than its stream"))?;
            rest = others;
            if header & 1 == 1 {
                append(block, limit, out)?;
                continue;
            }
            let room = self.size.min(limit.saturating_sub(out.len()));
            unpack(packing, block, room, out).map_err(broken)?;
        }
        Ok(())
    }
}

fn append(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
    if bytes.len() > limit.saturating_sub(out.len()) {
        return Err(broken(format!(
            "a part of it has more than {limit} bytes once decompressed"
        )));
    }
    out.extend_from_slice(bytes);
    Ok(())
}
