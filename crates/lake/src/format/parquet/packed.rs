//! Pages compressed with codecs that the Parquet crate decompresses without a bound, or not at all.
//!
//! | codec | the crate | here |
//! |---|---|---|
//! | GZIP, Brotli | unpacks all that there is, whatever the page says | unpacked once before, into nothing, up to what it says |
//! | LZ4 | takes one way of writing it in its simplest form | [made into that form](super::lz4) |
//!
//! Which bytes were found to be good is kept with the footer, so that the next query does not check
//! them again.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use parking_lot::Mutex;
use parquet::basic::Compression;
use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use tokio::io::AsyncReadExt;

use super::lz4::{Verdict, examine};
use super::pages::Page;
use super::thrift::broken;

/// Unpacked bytes at a time.
const PIECE: usize = 64 * 1024;

/// Pages that cannot unpack to more bytes than this need no look.
const HARMLESS: u64 = 1024 * 1024;

/// What one byte of a deflated page can become.
const DEFLATE: u64 = 1032;

/// Ranges that are remembered of one file.
const MAX_REMEMBERED: usize = 16 * 1024;

/// The column chunks of a file that are looked at, and what was seen of them.
#[derive(Debug, Default)]
pub(super) struct PackedChunks {
    /// In the order of the file.
    chunks: Vec<(Range<u64>, Compression)>,
    good: Mutex<HashSet<(u64, u64)>>,
}

impl PackedChunks {
    pub(super) fn of(metadata: &ParquetMetaData) -> Self {
        let columns = metadata
            .row_groups()
            .iter()
            .flat_map(RowGroupMetaData::columns);
        let mut chunks: Vec<_> = columns
            .filter(|column| {
                matches!(
                    column.compression(),
                    Compression::GZIP(_) | Compression::BROTLI(_) | Compression::LZ4
                )
            })
            .map(|column| {
                let (start, length) = column.byte_range();
                (start..start.saturating_add(length), column.compression())
            })
            .collect();
        chunks.sort_unstable_by_key(|(place, _)| place.start);
        Self {
            chunks,
            good: Mutex::default(),
        }
    }

    /// The codec of the pages at a place, if they are to be looked at.
    fn codec(&self, at: u64) -> Option<Compression> {
        let behind = self.chunks.partition_point(|(place, _)| place.start <= at);
        let (place, codec) = self.chunks.get(behind.checked_sub(1)?)?;
        place.contains(&at).then_some(*codec)
    }

    /// The bytes as the crate reads them. `place`: where in the file they are; `pages`: the pages
    /// in them.
    ///
    /// # Errors
    /// A page that unpacks to more or fewer bytes than it says.
    pub(super) async fn checked(
        &self,
        bytes: Bytes,
        place: &Range<u64>,
        pages: &[Page],
    ) -> Result<Bytes> {
        let Some(codec) = self.codec(place.start) else {
            return Ok(bytes);
        };
        if codec == Compression::LZ4 {
            return rewritten(bytes, pages).await;
        }
        let key = (place.start, place.end);
        if self.good.lock().contains(&key) {
            return Ok(bytes);
        }
        for page in pages {
            let Some(packed) = bytes.get(page.packed.clone()) else {
                continue;
            };
            if page.unpacked == 0 || packed.is_empty() {
                continue;
            }
            match codec {
                Compression::GZIP(_) => {
                    let most = (packed.len() as u64).saturating_mul(DEFLATE);
                    if most > HARMLESS.max(page.unpacked) {
                        inflate(packed, page.unpacked).await?;
                    }
                }
                _ => unpack_brotli(packed, page.unpacked).await?,
            }
        }
        let mut good = self.good.lock();
        if good.len() >= MAX_REMEMBERED {
            good.clear();
        }
        good.insert(key);
        Ok(bytes)
    }
}

async fn rewritten(bytes: Bytes, pages: &[Page]) -> Result<Bytes> {
    let mut changed: Option<Vec<u8>> = None;
    for page in pages {
        match examine(&bytes, page) {
            Verdict::Fine => {}
            Verdict::Wrong => return Err(wrong(page.unpacked)),
            Verdict::Instead(whole) => {
                let all = changed.get_or_insert_with(|| bytes.to_vec());
                let place = page.header.start..page.packed.end;
                if let Some(place) = all.get_mut(place).filter(|to| to.len() == whole.len()) {
                    place.copy_from_slice(&whole);
                }
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(changed.map_or(bytes, Bytes::from))
}

async fn inflate(packed: &[u8], claimed: u64) -> Result<()> {
    let mut decoder = GzipDecoder::new(packed);
    decoder.multiple_members(true);
    let mut piece = vec![0; PIECE];
    let mut all: u64 = 0;
    loop {
        let length = decoder
            .read(&mut piece)
            .await
            .map_err(|e| broken(format!("a page cannot be unpacked: {e}")))?;
        all = all.saturating_add(length as u64);
        if length == 0 || all > claimed {
            break;
        }
        tokio::task::coop::consume_budget().await;
    }
    if all > claimed {
        Err(wrong(claimed))
    } else {
        Ok(())
    }
}

async fn unpack_brotli(packed: &[u8], claimed: u64) -> Result<()> {
    let mut decoder = brotli::Decompressor::new(packed, PIECE);
    let mut piece = vec![0; PIECE];
    let mut all: u64 = 0;
    loop {
        let length = decoder
            .read(&mut piece)
            .map_err(|e| broken(format!("a page cannot be unpacked: {e}")))?;
        all = all.saturating_add(length as u64);
        if length == 0 || all > claimed {
            break;
        }
        tokio::task::coop::consume_budget().await;
    }
    if all == claimed {
        Ok(())
    } else {
        Err(wrong(claimed))
    }
}

fn wrong(claimed: u64) -> parquet::errors::ParquetError {
    broken(format!(
        "a page does not unpack to the {claimed} bytes that it claims"
    ))
}
