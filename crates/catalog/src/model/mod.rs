//! Glue's shapes: plain data with public fields, named and serialised as Glue does (PascalCase,
//! epoch seconds).
//!
//! `*Input` is what a caller passes; the shape without the suffix is what the store holds, with an
//! id, times and a version. Names are checked and lower-cased by the store on the way in
//! ([`names`]), so a stored name needs no folding.

mod database;
pub mod names;
mod statistics;
mod storage;
mod table;
mod time;
mod view;

pub use database::{Database, DatabaseInput};
pub use statistics::{
    BinaryStatistics, BooleanStatistics, ColumnStatistics, ColumnStatisticsData, DecimalNumber,
    MAX_COLUMNS_OF_PARTITIONS, RangeStatistics, StringStatistics, TableStatistics,
};
pub use storage::{BUCKETING_VERSION, Column, SerDeInfo, SortColumn, StorageDescriptor};
pub use table::{Claim, EXTERNAL_TABLE, Table, TableInput, VIRTUAL_VIEW};
pub use time::{epoch_seconds, now};
pub use view::{ViewColumn, ViewDefinition, ViewSyntax};

/// String properties of a database, table, partition, column or SerDe, in key order.
pub type Parameters = std::collections::BTreeMap<String, String>;
