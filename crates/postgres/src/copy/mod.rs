//! COPY over the protocol: rows out as lines or in binary, and in from the client.
//!
//! ```text
//!  rows ─ encode ─ output ─▶ CopyData
//!
//!  CopyData ─┬─ converter ─ records ─ fields ─┬─ values ─▶ decoder ─▶ batches
//!            └─ binary ───────────────────────┘
//! ```
//!
//! Formats: PostgreSQL's documentation of COPY, "File Formats".

mod binary;
mod converter;
mod decoder;
mod fields;
mod input;
mod options;
mod output;
mod records;
#[cfg(test)]
mod tests;
mod values;

use lakegate_gateway::Prepared;
use lakegate_gateway::sql::ast;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use self::decoder::Decoder;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use self::options::{Direction, Options};
pub(super) use self::output::Lines;

/// Signature, no flags, no extension.
const BINARY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Returns the statement's COPY TO STDOUT, if it is one.
pub(super) fn to_stdout(prepared: &Prepared) -> Option<&ast::Copy> {
    match prepared.statement()? {
        ast::Statement::Copy(copy) => Some(copy),
        _ => None,
    }
}

/// Returns the statement's COPY FROM STDIN, if it is one.
pub(super) fn from_stdin(prepared: &Prepared) -> Option<&ast::CopyFrom> {
    match prepared.statement()? {
        ast::Statement::CopyFrom(copy) => Some(copy),
        _ => None,
    }
}
