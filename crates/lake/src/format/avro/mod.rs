//! Avro files: read block by block, and written.
//!
//! ```text
//!  store ─ container ─▶ schema ─▶ blocks, decompressed ─ skim ─▶ whole records, as many as a batch has
//!                        │                                             │
//!                        └─ the wanted fields, or `avro.schema.literal` ─▶ the crate `arrow-avro` ─▶ batches
//! ```
//!
//! `arrow-avro` resolves the two schemas and decodes values. It does not bound what a block unpacks to,
//! and does not end where a block has more bytes than records: it gets records that were walked before.
//!
//! A file is read by one partition of a scan.
//!
//! What never happens: memory is allocated because a file claims to need it; a union of several types
//! or a recursive schema is read as something else.
//!
//! Source of the format: <https://avro.apache.org/docs/1.12.0/specification/>.

mod columns;
mod container;
mod decode;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod parse;
mod reader;
mod schema;
mod skim;
mod writer;

#[cfg(test)]
mod tests;

pub use self::columns::{AvroColumn, columns_of};
pub use self::format::AvroFormat;
use super::fault::{Fault, Result, broken};
