//! A table as queries read it: its columns and partitions from the catalog, pruned by a query's
//! filters, and the files of what is left.
//!
//! ```text
//!  LakeTables ─ load ─▶ LakeTable ─ pruned ─▶ Pruned ─ list ─▶ TableSnapshot ─▶ scan
//!  kept by version                            partitions       FileIndex: folders as they are now,
//!                                             that can match   or a fixed list of files
//! ```

pub mod bounds;
mod bucket_pruning;
mod data_file;
pub(crate) mod estimates;
mod file_index;
pub mod folders;
mod hidden_columns;
mod key_sets;
mod lake_table;
mod lake_tables;
pub mod listing;
mod plain_conditions;
mod projected;
pub mod prune;
pub(crate) mod selectivity;
mod snapshot;
pub mod symlinks;

pub use self::data_file::DataFile;
pub use self::file_index::{FileIndex, FileList, FolderListing, ListRequest, Listing};
pub use self::hidden_columns::{HiddenColumn, HiddenColumns};
pub use self::lake_table::{LakeTable, PartitionSource};
#[cfg(test)]
pub(crate) use self::lake_tables::typed;
pub use self::lake_tables::{LakeTables, table_schema};
pub use self::projected::{Projected, projected_batches, projection_of};
pub use self::snapshot::{OpenedFiles, Pruned, SnapshotPartition, TableSnapshot};
