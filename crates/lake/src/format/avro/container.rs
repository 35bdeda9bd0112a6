//! Object container files: a header with the schema, then blocks of records.
//!
//! ```text
//!  Obj 1 │ metadata: avro.schema, avro.codec │ sync │ records │ bytes │ … │ sync │ records │ …
//! ```

use super::schema::Schema;
use super::skim::long;
use super::{Fault, Result, broken};
use crate::format::unpack::{Packing, unpack};

const MAGIC: &[u8] = b"Obj\x01";
const SYNC: usize = 16;

/// Bytes of a header at most.
pub(super) const MAX_HEADER: usize = 32 * 1024 * 1024;

/// Bytes of a block at most, as it is in the file and once decompressed.
const MAX_BLOCK: u64 = 256 * 1024 * 1024;

/// Records of a block whose records have no bytes.
const MAX_EMPTY: u64 = 1 << 32;

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    pub schema: Schema,
    packing: Option<Packing>,
    /// Whether a block is followed by a checksum.
    is_checked: bool,
    sync: [u8; SYNC],
}

/// A block's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub records: u64,
    /// Of the records, as they are in the file. The mark follows them.
    pub bytes: usize,
}

impl Header {
    /// Reads a header from the first bytes of a file, and returns how many it has. `None`: there are
    /// more.
    ///
    /// # Errors
    /// The bytes begin no Avro file; its codec is not supported.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>> {
        let begins = bytes.get(..MAGIC.len());
        if begins.is_some_and(|begins| begins != MAGIC) {
            return Err(broken("it does not begin as such files do"));
        }
        let Some(mut rest) = bytes.get(MAGIC.len()..) else {
            return Ok(None);
        };
        let (mut schema, mut codec) = (None, None);
        loop {
            let Some((count, others)) = long(rest) else {
                return unfinished(bytes);
            };
            rest = others;
            if count == 0 {
                break;
            }
            if count < 0 {
                let Some((_, others)) = long(rest) else {
                    return unfinished(bytes);
                };
                rest = others;
            }
            for _ in 0..count.unsigned_abs() {
                let Some((key, others)) = sized(rest)? else {
                    return unfinished(bytes);
                };
                let Some((value, others)) = sized(others)? else {
                    return unfinished(bytes);
                };
                rest = others;
                match key {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = Some(value),
                    _ => {}
                }
            }
        }
        let Some((sync, rest)) = rest.split_first_chunk::<SYNC>() else {
            return unfinished(bytes);
        };
        let (packing, is_checked) = packing(codec.unwrap_or(b"null"))?;
        let schema = schema.ok_or_else(|| broken("it has no schema"))?;
        let header = Self {
            schema: Schema::parse(schema)?,
            packing,
            is_checked,
            sync: *sync,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Reads a block's head, and returns how many bytes it has. `None`: there are more.
    ///
    /// # Errors
    /// The head claims what no block has.
    pub(super) fn block(&self, bytes: &[u8]) -> Result<Option<(Block, usize)>> {
        let head = long(bytes).and_then(|(records, rest)| {
            let (length, rest) = long(rest)?;
            Some((records, length, bytes.len() - rest.len()))
        });
        let Some((records, length, head)) = head else {
            return match bytes.len() {
                // Two numbers.
                0..20 => Ok(None),
                _ => Err(broken("the head of a block is damaged")),
            };
        };
        let length = u64::try_from(length).ok();
        let length = length.filter(|length| *length <= MAX_BLOCK);
        match (u64::try_from(records), length.map(usize::try_from)) {
            (Ok(records), Some(Ok(bytes))) => Ok(Some((Block { records, bytes }, head))),
            _ => Err(broken(format!(
                "a block claims {records} records, and more or less than 0 to {MAX_BLOCK} bytes"
            ))),
        }
    }

    /// Bytes of a block behind its head.
    pub(super) fn length(block: Block) -> usize {
        block.bytes + SYNC
    }

    /// The records of a block. `bytes`: what is behind its head.
    ///
    /// # Errors
    /// The block is damaged; it has fewer bytes than its records.
    pub(super) fn records(&self, block: Block, bytes: &[u8]) -> Result<Vec<u8>> {
        let (packed, sync) = bytes
            .split_at_checked(block.bytes)
            .ok_or_else(|| broken("a block is cut short"))?;
        if sync != self.sync {
            return Err(broken("a block does not end with the mark of the file"));
        }
        let mut records = Vec::new();
        let limit = usize::try_from(MAX_BLOCK).unwrap_or(usize::MAX);
        match self.packing {
            None => records.extend_from_slice(packed),
            Some(packing) if self.is_checked => {
                let (packed, sum) = packed
                    .split_last_chunk::<4>()
                    .ok_or_else(|| broken("a block has no checksum"))?;
                unpack(packing, packed, limit, &mut records).map_err(broken)?;
                if crc32fast::hash(&records) != u32::from_be_bytes(*sum) {
                    return Err(broken("a block does not have its checksum"));
                }
            }
            Some(packing) => unpack(packing, packed, limit, &mut records).map_err(broken)?,
        }
        let least = self.schema.root.least;
        let fits = match least {
            0 => block.records <= MAX_EMPTY,
            _ => block.records.saturating_mul(least) <= records.len() as u64,
        };
        match fits {
            true => Ok(records),
            false => Err(broken(format!(
                "a block claims {} records in {} bytes",
                block.records,
                records.len()
            ))),
        }
    }
}

fn unfinished<T>(bytes: &[u8]) -> Result<Option<T>> {
    match bytes.len() < MAX_HEADER {
        true => Ok(None),
        false => Err(broken(format!(
            "its header has more than {MAX_HEADER} bytes"
        ))),
    }
}

/// Bytes after their length, and what follows. `None`: there are more.
fn sized(bytes: &[u8]) -> Result<Option<(&[u8], &[u8])>> {
    let Some((length, rest)) = long(bytes) else {
        return Ok(None);
    };
    let length = usize::try_from(length).ok();
    let length = length.filter(|length| *length <= MAX_HEADER);
    let length = length.ok_or_else(|| broken("a part of its header has an impossible length"))?;
    Ok(rest.split_at_checked(length))
}

fn packing(codec: &[u8]) -> Result<(Option<Packing>, bool)> {
    Ok(match codec {
        b"null" => (None, false),
        b"deflate" => (Some(Packing::Deflate), false),
        b"snappy" => (Some(Packing::Snappy), true),
        b"zstandard" => (Some(Packing::Zstd), false),
        b"bzip2" => (Some(Packing::Bzip2), false),
        other => {
            let other = String::from_utf8_lossy(other);
            let shown: String = other.chars().take(40).collect();
            return Err(Fault::NotSupported(format!(
                "is compressed with '{}', which is not supported; rewrite it with deflate, snappy, zstandard or bzip2",
                shown.escape_default()
            )));
        }
    })
}
