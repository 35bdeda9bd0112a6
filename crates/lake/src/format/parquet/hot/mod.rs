//! Columns that are read again and again, kept as they were decoded.
//!
//! ```text
//!  file ─ HotScan: the row groups that DataFusion would read ─▶ Groups: a row group after the other
//!                                                                        │ columns of ColumnCache, sliced
//!                                                                        │ other columns, decoded ─▶ ColumnCache
//!                                                                        ▼
//!                                                            the scan's projection of a batch
//! ```
//!
//! Where a scan filters rows, only its conditions need whole columns (`filled.rs`). Where an operator above
//! does, rows that fail are not made of columns that are all kept (`early.rs`). Conditions are tested on what is
//! kept, without making values of it (`condition.rs`). Of files nothing of which is kept, columns of conditions
//! are decoded before the others (`late.rs`).
//!
//! A column of a file is kept once a second query reads it. Queries are charged for what they read
//! here as if it came from the store, before they get it. What is kept is a file's own, without
//! conditions and expressions of queries: which columns a user may read is decided above, where
//! a scan's columns are chosen, and a scan asks for no others here. A file is known by its ETag, so
//! a file that was replaced is another file.
//!
//! What never happens: a query is charged for other bytes than DataFusion would read, more memory is
//! kept than was configured, an array that is kept holds memory that is not counted.

mod between;
mod cache;
mod chosen;
mod column;
mod condition;
mod early;
mod filled;
mod filter;
mod flags;
mod groups;
mod late;
mod listed;
mod narrow;
mod packed;
mod pruning;
mod scan;
mod texts;

pub use cache::ColumnCache;
pub(super) use scan::{HotScan, Opened};
