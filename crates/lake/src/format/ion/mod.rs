//! Amazon Ion files: values of Ion text or binary, of which each is a row, read and written.
//!
//! ```text
//!  store ─ text::input ─▶ Stream ─ one value, checked whole ─▶ Cursor ─▶ Decoder ─▶ text::columns ─▶ batches
//!          decompress      │ symbols of its tables              text or binary
//!                          └ version markers: which of the two follows
//! ```
//!
//! Files are read by code of this folder, since the reader of the crate `ion-rs` takes a blocking source
//! and sets no bounds on values, nesting and symbols. The crate writes them.
//!
//! What never happens: memory is allocated because a file claims to need it; nesting is followed on the
//! stack beyond what the table's types have; a value is skipped without being checked, so that two
//! queries on one file differ because they select different columns.
//!
//! Sources: <https://amazon-ion.github.io/ion-docs/docs/spec.html>,
//! <https://docs.aws.amazon.com/athena/latest/ug/ion-serde.html>.

mod binary;
mod checks;
mod cursor;
mod decode;
mod fit;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod kinds;
mod numbers;
mod options;
mod paths;
mod reader;
mod stream;
mod strings;
mod symbols;
mod text;
mod tokens;
mod writer;

#[cfg(test)]
mod tests;

use super::fault::{Fault, Result, broken};

pub use self::kinds::IonKind;
pub use self::options::{IonEncoding, IonFormat, NullForm};
pub use self::paths::Step;
