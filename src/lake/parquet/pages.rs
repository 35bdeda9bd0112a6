//! Headers of pages, looked at before pages are decoded.
//!
//! A page says how many bytes and values it will have, and the Parquet crate takes the memory before it looks
//! whether that is so.

use parquet::basic::Compression;
use parquet::errors::Result;

use super::shapes::{self, DICTIONARY_VALUES, PAGE_COMPRESSED, PAGE_UNCOMPRESSED};
use super::thrift::{Part, Walk, Watch, broken};

/// Pages up to this many bytes are taken at their word.
const SMALL: u64 = 64 * 1024 * 1024;

/// What a large page claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Where its header starts, in bytes from the start of what was looked at.
    pub at: usize,
    compressed: u64,
    uncompressed: u64,
}

#[derive(Default)]
struct Header {
    compressed: Option<i64>,
    uncompressed: Option<i64>,
    dictionary: i64,
}

impl Watch for Header {
    fn int(&mut self, part: Part, field: i16, value: i64) -> Result<()> {
        match (part, field) {
            (Part::PageHeader, PAGE_COMPRESSED) => self.compressed = Some(value),
            (Part::PageHeader, PAGE_UNCOMPRESSED) => self.uncompressed = Some(value),
            (Part::DictionaryPage, DICTIONARY_VALUES) => self.dictionary = value,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _part: Part) -> Result<()> {
        Ok(())
    }
}

/// Looks at the headers of the pages in `bytes`, which begin with one, and gives the claims of large pages.
///
/// Errors: a header that is none, a dictionary of more values than it has bytes.
pub(super) fn large_pages(bytes: &[u8]) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let mut header = Header::default();
        let mut walk = Walk::new(rest);
        walk.structure(&shapes::PAGE, &mut header)?;
        // Without its sizes it is no page, but what some writers leave between column chunks.
        let (Some(compressed), Some(uncompressed)) = (header.compressed, header.uncompressed)
        else {
            break;
        };
        let (Ok(compressed), Ok(uncompressed)) =
            (u64::try_from(compressed), u64::try_from(uncompressed))
        else {
            return Err(broken("a page claims fewer than no bytes"));
        };
        if !u64::try_from(header.dictionary).is_ok_and(|values| values <= uncompressed) {
            return Err(broken(format!(
                "a dictionary of {uncompressed} bytes claims {} values",
                header.dictionary
            )));
        }
        if uncompressed > SMALL {
            claims.push(Claim {
                at,
                compressed,
                uncompressed,
            });
        }
        // One that ends behind the bytes is the reader's to refuse.
        at = usize::try_from(compressed)
            .ok()
            .and_then(|length| at.checked_add(walk.at())?.checked_add(length))
            .unwrap_or(usize::MAX);
    }
    Ok(claims)
}

impl Claim {
    /// Errors: the page claims more bytes than the codec can make of what it has.
    pub fn check(&self, codec: Compression) -> Result<()> {
        // Snappy copies at most 64 bytes by three, LZ4 255 by one, deflate makes 1032 of one. Those that take
        // memory only as they go are left to find out.
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
