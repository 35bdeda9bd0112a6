//! Headers of pages, checked before pages are decoded.
//!
//! A header states how many bytes and values the page has, and the Parquet crate allocates that
//! memory before it checks the claim.

use std::ops::Range;

use parquet::basic::Compression;
use parquet::errors::Result;

use super::shapes::{
    self, DEFINITION_LEVELS, DICTIONARY_VALUES, IS_PACKED, PAGE_COMPRESSED, PAGE_UNCOMPRESSED,
    REPETITION_LEVELS,
};
use super::thrift::{Part, Walk, Watch, broken};

/// Pages up to this many bytes are taken at their word.
const SMALL: u64 = 64 * 1024 * 1024;

/// The most bytes that a page may unpack to.
const MAX_PAGE: u64 = 1 << 30;

/// A page and what it claims. Places are in what was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub header: Range<usize>,
    /// The data but for levels that are not packed; empty if nothing is.
    pub packed: Range<usize>,
    /// Bytes that the packed ones are to become.
    pub unpacked: u64,
    compressed: u64,
    uncompressed: u64,
}

struct Header {
    compressed: Option<i64>,
    uncompressed: Option<i64>,
    dictionary: i64,
    levels: [i64; 2],
    is_packed: bool,
}

impl Watch for Header {
    fn int(&mut self, part: Part, field: i16, value: i64) -> Result<()> {
        match (part, field) {
            (Part::PageHeader, PAGE_COMPRESSED) => self.compressed = Some(value),
            (Part::PageHeader, PAGE_UNCOMPRESSED) => self.uncompressed = Some(value),
            (Part::DictionaryPage, DICTIONARY_VALUES) => self.dictionary = value,
            (Part::DataPageV2, DEFINITION_LEVELS) => self.levels[0] = value,
            (Part::DataPageV2, REPETITION_LEVELS) => self.levels[1] = value,
            _ => {}
        }
        Ok(())
    }

    fn flag(&mut self, part: Part, field: i16, value: bool) {
        if (part, field) == (Part::DataPageV2, IS_PACKED) {
            self.is_packed = value;
        }
    }

    fn end(&mut self, _part: Part) -> Result<()> {
        Ok(())
    }
}

/// Looks at the headers of the pages in `bytes`, which begin with one.
///
/// # Errors
/// A header that is none, a dictionary of more values than it has bytes, a page of more than 1 GiB.
pub(super) fn pages(bytes: &[u8]) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let mut header = Header {
            compressed: None,
            uncompressed: None,
            dictionary: 0,
            levels: [0; 2],
            is_packed: true,
        };
        let mut walk = Walk::new(rest);
        walk.structure(&shapes::PAGE, &mut header)?;
        // Without its sizes it is not a page, but what some writers leave between column chunks.
        let (Some(compressed), Some(uncompressed)) = (header.compressed, header.uncompressed)
        else {
            break;
        };
        let (Ok(compressed), Ok(uncompressed)) =
            (u64::try_from(compressed), u64::try_from(uncompressed))
        else {
            return Err(broken("a page claims fewer than no bytes"));
        };
        if uncompressed > MAX_PAGE {
            return Err(broken(format!(
                "a page claims to be {uncompressed} bytes, of at most {MAX_PAGE}"
            )));
        }
        if !u64::try_from(header.dictionary).is_ok_and(|values| values <= uncompressed) {
            return Err(broken(format!(
                "a dictionary of {uncompressed} bytes claims {} values",
                header.dictionary
            )));
        }
        let start = at + walk.at();
        // One that ends behind the bytes is the reader's to refuse.
        let end = usize::try_from(compressed)
            .ok()
            .and_then(|length| start.checked_add(length))
            .unwrap_or(usize::MAX);
        let [definition, repetition] = header.levels.map(|length| u64::try_from(length).ok());
        let levels = definition
            .zip(repetition)
            .and_then(|(a, b)| a.checked_add(b));
        let packed = levels
            .filter(|_| header.is_packed)
            .and_then(|levels| usize::try_from(levels).ok())
            .and_then(|levels| start.checked_add(levels))
            .filter(|start| *start <= end)
            .map_or(end..end, |start| start..end);
        let unpacked = uncompressed.saturating_sub(levels.unwrap_or(0));
        pages.push(Page {
            header: at..start,
            packed,
            unpacked,
            compressed,
            uncompressed,
        });
        at = end;
    }
    Ok(pages)
}

impl Page {
    /// Whether it claims so much that it is to be [checked](Self::check).
    pub(super) fn is_large(&self) -> bool {
        self.uncompressed > SMALL
    }

    /// # Errors
    /// The page claims more bytes than the codec can make of what it has.
    pub(super) fn check(&self, codec: Compression) -> Result<()> {
        // Snappy copies at most 64 bytes by three, LZ4 255 by one, deflate makes 1032 of one. Those
        // that take memory only as they go are left to find out.
        let most = match codec {
            Compression::SNAPPY => 22,
            Compression::LZ4 | Compression::LZ4_RAW => 256,
            Compression::GZIP(_) => 1033,
            _ => return Ok(()),
        };
        if self.uncompressed > self.compressed.saturating_mul(most).saturating_add(1024) {
            return Err(broken(format!(
                "a page claims to be {} bytes, packed in {}",
                self.uncompressed, self.compressed
            )));
        }
        Ok(())
    }
}
