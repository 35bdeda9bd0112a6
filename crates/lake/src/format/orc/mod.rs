//! ORC files: read stripe by stripe and column by column, and written.
//!
//! ```text
//!  store ─ tail ─▶ Tail: nothing impossible ─▶ statistics, stripes that can match
//!                    │
//!                    ▼ for each stripe
//!  store ─ stripe ─▶ streams of the wanted columns ─ blocks ─▶ decompressed ─ demands ─▶ checked
//!                    ─ subset ─▶ a file of one stripe, not compressed ─▶ the crate `orc-rust` ─▶ batches
//! ```
//!
//! `orc-rust` believes the lengths that a file claims, decompresses without bounds and reads all of a
//! stripe's columns. It gets a file that was made here: only the wanted columns, decompressed, with
//! lengths that were counted. Values are decoded by the crate alone.
//!
//! ```text
//!  batches ─ encode ─▶ streams and summaries of a column ─ pack ─▶ blocks ─ new_stripe ─▶ store
//!            new_values, new_texts
//! ```
//!
//! Files are written here throughout: the crate writes neither nested columns nor decimals, nor
//! statistics.
//!
//! What never happens: memory is allocated because a file claims to need it, a column that is not
//! wanted is read, a file's time zone changes a value without notice.
//!
//! Source of the format: <https://orc.apache.org/specification/ORCv1/>.

mod blocks;
mod decode;
mod demands;
mod emit;
mod encode;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod new_stripe;
mod new_texts;
mod new_types;
mod new_values;
mod pack;
mod reader;
mod runs;
mod statistics;
mod stripe;
mod subset;
mod summary;
mod tail;
mod times;
mod types;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

pub use self::format::OrcFormat;
pub(in crate::format) use self::tail::{Tail, load as load_tail};
use super::fault::{Fault, Result, broken};
