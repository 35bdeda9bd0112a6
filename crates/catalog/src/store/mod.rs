//! Where the catalog lives: two traits, and SQLite under both.
//!
//! [`Metastore`] is what is in the lake (databases, tables, partitions); [`Control`] is
//! users and their rights (roles, grants, workgroups, settings). [`SqliteStore`] is both on one file. What a
//! method changed is on disk before it returns, and visible to the next read; a failed method
//! changed nothing.

mod control;
mod metastore;
mod sqlite;
mod writes;

pub use control::Control;
pub use metastore::{AddedPartitions, Created, Metastore};
pub use sqlite::SqliteStore;
pub use writes::{
    CommitWrite, Committed, Discarded, ExpectedTable, OpenWrites, UnfinishedWrite, WriteId,
    WrittenFiles,
};
