//! Formats of a table's files: which one a storage descriptor names, and the readers of the text formats.
//!
//! ```text
//!  StorageDescriptor ─ detect ─▶ TableFormat::Text(TextFormat) ─ source ─▶ TextSource, the engine's file source
//!
//!  object store ─▶ input ─▶ framing ─▶ RowDecoder (json, open_csv, lazy_simple) ─▶ columns ─▶ RecordBatch
//!                  decompress  lines     projected columns only
//! ```
//!
//! What never happens: a row longer than the configured bound is held in memory, a file's bytes are read past
//! the store that the engine gave, two queries on one file differ because they select different columns.

mod columns;
mod detect;
mod framing;
mod input;
mod json;
mod lazy_simple;
mod open_csv;
mod patterns;
mod properties;
mod reader;
mod rows;
mod scalars;
mod source;
mod times;

#[cfg(test)]
mod tests;

pub use properties::{JsonOptions, LazySimpleOptions, OpenCsvOptions, TextFormat, TextSerDe};
pub use rows::Places;
pub use source::TextSource;

/// The longest row of a text file, in bytes after decompression, where nothing else is configured: Athena's bound.
pub const MAX_ROW_BYTES: usize = 32 * 1024 * 1024;

/// How the files of a table or a partition are read. Its `Debug` form is stable: what reads alike prints alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableFormat {
    Parquet,
    Text(TextFormat),
}
