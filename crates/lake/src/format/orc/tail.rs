//! The end of an ORC file: how it is compressed, its types, its stripes and what is known of them.
//!
//! ```text
//!  … stripes │ metadata: statistics of stripes │ footer: types, stripes │ postscript │ its length
//! ```
//!
//! Everything that the tail claims is checked before it is used: no offset lies outside the file, no
//! sum overflows, types are a tree.

use std::ops::Range;

use bytes::Bytes;
use lakegate_error::Result as Reported;
use object_store::{ObjectMeta, ObjectStore};

use super::blocks::Blocks;
use super::statistics::Known;
use super::types::Types;
use super::wire::Fields;
use super::{Fault, Result, broken};
use crate::format::files::ranges;
use crate::format::unpack::Packing;
use crate::meter::QueryMeter;
use crate::roots::Root;

/// The last bytes of a file that are fetched in one request, in the hope that they hold the whole
/// tail.
const TAIL_HINT: u64 = 64 * 1024;

/// A tail larger than this is refused, compressed or not: a file can claim any length.
const MAX_TAIL: usize = 128 * 1024 * 1024;

/// The largest block once decompressed: its compressed length has 23 bits.
const MAX_BLOCK: u64 = 1 << 23;

/// Blocks of files that do not say how large they are.
const DEFAULT_BLOCK: u64 = 256 * 1024;

/// A file begins with three letters.
const HEAD: u64 = 3;

/// Rows of a file at most: sums of them do not overflow.
const MAX_ROWS: u64 = 1 << 48;

/// Stripes of a file at most.
const MAX_STRIPES: usize = 1 << 20;

/// What a file's tail says, without anything impossible.
#[derive(Debug)]
pub(in crate::format) struct Tail {
    pub(super) blocks: Blocks,
    pub(super) types: Types,
    pub(super) stripes: Vec<Stripe>,
    pub(super) rows: u64,
    /// Of the columns of rows, in their order; empty where the file has none.
    pub(super) columns: Vec<Known>,
    /// What reading the tail costs, in bytes.
    pub(in crate::format) bytes: u64,
    /// Bytes that the tail takes in memory, about.
    pub(in crate::format) memory: usize,
}

/// Where a stripe is, and what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stripe {
    pub offset: u64,
    pub index: u64,
    pub data: u64,
    pub footer: u64,
    pub rows: u64,
    /// As of [`Tail::columns`].
    pub columns: Vec<Known>,
}

impl Stripe {
    /// Where its streams are.
    pub(super) fn streams(&self) -> Range<u64> {
        self.offset..self.offset + self.index + self.data
    }

    pub(super) fn footer(&self) -> Range<u64> {
        let start = self.streams().end;
        start..start + self.footer
    }
}

/// What the uncompressed end of a file says of the rest of its tail.
#[derive(Debug, Clone, Copy)]
struct Postscript {
    footer: u64,
    metadata: u64,
    blocks: Blocks,
    writer_version: u32,
    /// Its own bytes and that of its length.
    bytes: u64,
}

/// Reads the tail of a file through a store.
///
/// `meter`: a tail that it has no room for is not read to its beginning.
///
/// # Errors
/// The file is no ORC file, or damaged; its compression is not supported; the cutoff; the store.
pub(in crate::format) async fn load(
    root: &Root,
    file: &ObjectMeta,
    store: &dyn ObjectStore,
    meter: &QueryMeter,
) -> Reported<Tail> {
    let url = root.display_path(&file.location);
    let size = file.size;
    let read = async |range: Range<u64>| -> Reported<Bytes> {
        let mut pieces = ranges("ORC", store, &file.location, &url, &[range]).await?;
        Ok(pieces.pop().unwrap_or_default())
    };
    let start = size.saturating_sub(TAIL_HINT);
    let end = read(start..size).await?;
    let postscript = postscript(&end, size).map_err(|fault| fault.of("ORC", &url))?;
    let bytes = postscript.footer + postscript.metadata + postscript.bytes;
    let first = size - bytes;
    meter.has_room_for_footer(&root.object_id(&file.location), bytes)?;
    let whole = match first.checked_sub(start).map(usize::try_from) {
        Some(Ok(within)) => end.slice(within.min(end.len())..),
        _ => {
            let before = read(first..start).await?;
            [before, end].concat().into()
        }
    };
    decode(&whole, postscript, size).map_err(|fault| fault.of("ORC", &url))
}

/// Decodes the tail of a whole file.
///
/// # Errors
/// As of [`load`], but for the store.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn of_bytes(file: &[u8]) -> Result<Tail> {
    let size = file.len() as u64;
    let postscript = postscript(file, size)?;
    let bytes = postscript.footer + postscript.metadata + postscript.bytes;
    let first = usize::try_from(size - bytes).map_err(|_| broken("it is too large"))?;
    decode(file.get(first..).unwrap_or_default(), postscript, size)
}

/// Reads the postscript. `end`: the last bytes of a file of `size` bytes.
fn postscript(end: &[u8], size: u64) -> Result<Postscript> {
    let ends_otherwise = || broken("it does not end as such files do");
    let (length, before) = end.split_last().ok_or_else(ends_otherwise)?;
    let start = before.len().checked_sub(usize::from(*length));
    let bytes = start.and_then(|start| before.get(start..));
    let mut fields = Fields(bytes.ok_or_else(ends_otherwise)?);
    let mut is_orc = false;
    let mut block = DEFAULT_BLOCK;
    let mut packing = 0;
    let mut read = Postscript {
        footer: 0,
        metadata: 0,
        blocks: Blocks {
            packing: None,
            size: 0,
        },
        writer_version: 0,
        bytes: u64::from(*length) + 1,
    };
    while let Some((field, value)) = fields.next().map_err(|_| ends_otherwise())? {
        match field {
            1 => read.footer = value.number()?,
            2 => packing = value.number()?,
            3 => block = value.number()?,
            5 => read.metadata = value.number()?,
            6 => read.writer_version = value.small()?,
            8000 => is_orc = value.bytes()? == b"ORC",
            _ => {}
        }
    }
    if !is_orc {
        return Err(ends_otherwise());
    }
    read.blocks.packing = match packing {
        0 => None,
        1 => Some(Packing::Deflate),
        2 => Some(Packing::Snappy),
        3 => {
            return Err(Fault::NotSupported(
                "is compressed with LZO, which is not supported; rewrite it with ZSTD, ZLIB, SNAPPY or LZ4"
                    .to_owned(),
            ));
        }
        4 => Some(Packing::Lz4),
        5 => Some(Packing::Zstd),
        other => {
            return Err(Fault::NotSupported(format!(
                "is compressed with the codec of number {other}, which is not known"
            )));
        }
    };
    if block > MAX_BLOCK {
        return Err(broken(format!(
            "its blocks claim {block} bytes, of at most {MAX_BLOCK}"
        )));
    }
    read.blocks.size = usize::try_from(block).map_err(|_| broken("its blocks are too large"))?;
    let length = read.footer.checked_add(read.metadata);
    let length = length.and_then(|length| length.checked_add(read.bytes));
    match length {
        Some(length) if length > MAX_TAIL as u64 => Err(broken(format!(
            "its tail claims {length} bytes, of at most {MAX_TAIL}"
        ))),
        Some(length) if length.saturating_add(HEAD) <= size => Ok(read),
        _ => Err(broken(format!(
            "its tail is longer than the file, which has {size} bytes"
        ))),
    }
}

/// `bytes`: the tail, its metadata first, of a file of `size` bytes.
fn decode(bytes: &[u8], postscript: Postscript, size: u64) -> Result<Tail> {
    let metadata = usize::try_from(postscript.metadata).ok();
    let footer = usize::try_from(postscript.footer).ok();
    let parts = metadata.zip(footer).and_then(|(metadata, footer)| {
        let (metadata, rest) = bytes.split_at_checked(metadata)?;
        Some((metadata, rest.get(..footer)?))
    });
    let (metadata, footer) = parts.ok_or_else(|| broken("its tail is cut short"))?;
    let blocks = postscript.blocks;
    let mut unpacked = Vec::new();
    blocks.unpack(footer, MAX_TAIL, &mut unpacked)?;
    let version = postscript.writer_version;
    let tail_start = size - bytes.len() as u64;
    let mut tail = footer_of(&unpacked, blocks, tail_start, version)?;
    unpacked.clear();
    blocks.unpack(metadata, MAX_TAIL, &mut unpacked)?;
    stripe_statistics(&unpacked, &mut tail, version)?;
    tail.bytes = bytes.len() as u64;
    tail.memory = memory(&tail);
    Ok(tail)
}

fn footer_of(bytes: &[u8], blocks: Blocks, tail_start: u64, version: u32) -> Result<Tail> {
    let mut tail = Tail {
        blocks,
        types: Types::default(),
        stripes: Vec::new(),
        rows: 0,
        columns: Vec::new(),
        bytes: 0,
        memory: 0,
    };
    let mut statistics = Vec::new();
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            3 if tail.stripes.len() == MAX_STRIPES => {
                return Err(broken(format!("it has more than {MAX_STRIPES} stripes")));
            }
            3 => tail.stripes.push(stripe(value.bytes()?, tail_start)?),
            4 => tail.types.push(value.bytes()?)?,
            6 => tail.rows = value.number()?,
            7 => statistics.push(value.bytes()?),
            10 => {
                return Err(Fault::NotSupported(
                    "is encrypted, which is not supported".to_owned(),
                ));
            }
            _ => {}
        }
    }
    tail.types.check()?;
    let mut rows = 0_u64;
    for stripe in &tail.stripes {
        rows = rows.saturating_add(stripe.rows);
    }
    if rows != tail.rows || rows > MAX_ROWS {
        return Err(broken(format!(
            "it claims {} rows, its stripes {rows}",
            tail.rows
        )));
    }
    tail.columns = known(&tail.types, &statistics, version)?;
    Ok(tail)
}

fn stripe(bytes: &[u8], tail_start: u64) -> Result<Stripe> {
    let mut stripe = Stripe::default();
    let mut fields = Fields(bytes);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => stripe.offset = value.number()?,
            2 => stripe.index = value.number()?,
            3 => stripe.data = value.number()?,
            4 => stripe.footer = value.number()?,
            5 => stripe.rows = value.number()?,
            _ => {}
        }
    }
    let parts = [stripe.index, stripe.data, stripe.footer];
    let end = parts.into_iter().try_fold(stripe.offset, u64::checked_add);
    if end.is_none_or(|end| end > tail_start) || stripe.footer > MAX_TAIL as u64 {
        return Err(broken(format!(
            "a stripe is said to lie from byte {} on, outside of the file",
            stripe.offset
        )));
    }
    Ok(stripe)
}

/// The statistics of the columns of rows, of those of all types.
fn known(types: &Types, statistics: &[&[u8]], version: u32) -> Result<Vec<Known>> {
    if statistics.len() != types.len() {
        return Ok(Vec::new());
    }
    let columns = types.columns();
    let of_columns = columns.filter_map(|(id, _)| statistics.get(id as usize));
    of_columns
        .map(|statistics| Known::parse(statistics, version))
        .collect()
}

/// Adds the statistics of stripes. Where their number is another than that of the stripes, none is
/// believed.
fn stripe_statistics(metadata: &[u8], tail: &mut Tail, version: u32) -> Result<()> {
    let mut of_stripes = Vec::new();
    let mut fields = Fields(metadata);
    while let Some((field, value)) = fields.next()? {
        if field != 1 {
            continue;
        }
        let mut of_types = Vec::new();
        let mut inner = Fields(value.bytes()?);
        while let Some((field, value)) = inner.next()? {
            if field == 1 {
                of_types.push(value.bytes()?);
            }
        }
        if of_stripes.len() > tail.stripes.len() {
            return Ok(());
        }
        of_stripes.push(known(&tail.types, &of_types, version)?);
    }
    if of_stripes.len() == tail.stripes.len() {
        for (stripe, columns) in tail.stripes.iter_mut().zip(of_stripes) {
            stripe.columns = columns;
        }
    }
    Ok(())
}

fn memory(tail: &Tail) -> usize {
    let of_stripes = tail.stripes.iter().flat_map(|stripe| &stripe.columns);
    let known = tail.columns.iter().chain(of_stripes);
    let known: usize = known.map(Known::memory).sum();
    known + tail.stripes.len() * size_of::<Stripe>() + tail.types.len() * 160
}
