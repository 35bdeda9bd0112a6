//! Parquet files: footers are checked, cached and charged, a file's columns are matched with the
//! table's whatever their case, and every error names its file.
//!
//! ```text
//!  store ─ footer ─▶ decode ─▶ Footer: nothing impossible, names in lower case ─▶ statistics, checks
//!                                  │
//!  ParquetFiles (the engine's ParquetSource) ◀─ reader: ranges in the file, pages that can be true
//! ```
//!
//! What never happens: memory is allocated because a file claims to need it, a damaged file panics
//! a query.

mod adapt;
mod checks;
mod convert;
mod decode;
mod dictionaries;
mod faults;
mod footer;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hints;
mod hot;
mod lz4;
mod marked;
mod names;
mod packed;
mod pages;
mod quirks;
mod reader;
mod row_filters;
mod row_group;
mod shapes;
mod source;
mod statistics;
mod thrift;
mod trust;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt::Display;

use adapt::FileAdapters;
pub use checks::ColumnChecks;
pub(in crate::format) use checks::readable_as;
pub(in crate::format) use convert::{FORM, UUID, convert, keeps_order};
pub use decode::Footer;
pub(in crate::format) use decode::{caught, panic_message};
pub use footer::FooterCache;
pub(in crate::format) use footer::whole_ranges;
pub use format::ParquetFormat;
pub use hot::ColumnCache;
use lakegate_error::{Code, Error};
pub use names::ColumnNames;
use parquet::errors::ParquetError;
pub use reader::LakeReaderFactory;
pub use row_filters::{FilterRows, KeyFilter};
pub use source::ParquetFiles;
pub use statistics::file_statistics;

/// The error for a file that cannot be read. `file`: its URL.
fn damaged(file: &str, what: impl Display) -> Error {
    Error::new(
        Code::BadData,
        format!("file {file} cannot be read as Parquet: {what}"),
    )
    .of_a_file(" cannot be read as Parquet")
    .with_hint(
        "remove the file or rewrite it; a name that starts with '_' or '.' hides it from queries",
    )
}

/// An error of ours comes back as what it was; others are the file's.
fn from_parquet(file: &str, error: &ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match lakegate_error::find(source.as_ref()) {
            Some(ours) => ours,
            None => damaged(file, source),
        },
        ParquetError::General(what) | ParquetError::EOF(what) => damaged(file, what),
        other => damaged(file, other),
    }
}
