//! Where the catalog lives: three stores, what orders them, and SQLite under all.
//!
//! ```text
//!   Metastore    databases, tables, partitions, versions: Glue's shapes alone
//!   WriteLog     writes that are open, what commits recorded and discarded
//!   Control      users, roles, credentials, grants by resource id, data locations, workgroups
//!        └── Coordinator: changes of several of them, all or nothing
//!              └── Draft: several such changes, held back until all are committed
//! ```
//!
//! [`SqliteStore`] is all of these on one file; [`MemoryMetastore`] is a second [`Metastore`], for
//! tests. A change is on disk before its method returns, and visible to the next read; a failed
//! method changed nothing.

mod control;
mod coordinator;
mod draft;
mod memory;
mod metastore;
mod sqlite;
mod table_rules;
mod write_log;

pub use control::Control;
pub use coordinator::{CommitWrite, Committed, Coordinator, ExpectedTable, Stores};
pub use draft::Draft;
pub use memory::MemoryMetastore;
pub use metastore::{AddedPartitions, Created, Metastore, TableVersion};
pub use sqlite::SqliteStore;
pub use write_log::{
    Discarded, MAX_BUCKETS, OpenWrites, RetiredFolders, UnfinishedWrite, WriteId, WriteLog,
    WriteRecord, WrittenFiles,
};
