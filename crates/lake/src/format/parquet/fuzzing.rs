//! Footers and pages from any bytes.

use std::sync::Arc;

use parquet::basic::Compression;

use super::statistics::file_statistics;
use super::{ColumnNames, decode, lz4, pages};

/// A footer, without the eight bytes behind it, of a file that is a little longer.
pub(crate) fn footer(bytes: &[u8]) -> bool {
    /// Bytes of the file before its footer.
    const DATA: u64 = 1 << 20;
    let size = DATA + bytes.len() as u64 + 8;
    match decode::decode(bytes, size, &ColumnNames::Own) {
        Ok(footer) => {
            let _ = file_statistics(&footer, &footer.schema);
            assert!(footer.bytes <= size);
            let table = ["a".to_owned(), "b".to_owned()];
            let by_place = ColumnNames::ByPlace(Arc::from(table));
            if let Ok(placed) = decode::decode(bytes, size, &by_place) {
                let named = placed.schema.fields().iter().zip(["a", "b"]);
                named.for_each(|(field, name)| assert_eq!(field.name(), name));
            }
            true
        }
        Err(_) => false,
    }
}

/// Pages with their headers, as they follow one another in a column chunk.
pub(crate) fn pages(bytes: &[u8]) -> bool {
    let Ok(pages) = pages::pages(bytes) else {
        return false;
    };
    for page in &pages {
        let is_bounded = page.check(Compression::LZ4).is_ok();
        if let (true, lz4::Verdict::Instead(rewritten)) = (is_bounded, lz4::examine(bytes, page)) {
            // LZ4 says one byte in 255 of what it makes.
            assert!(rewritten.len() as u64 <= bytes.len() as u64 + page.unpacked / 128 + 1024);
        }
    }
    !pages.is_empty()
}
