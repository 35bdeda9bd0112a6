//! The lake: object stores under configured roots, the byte meter, file listing, and scans of exactly
//! the files that a query was planned against.
//!
//! What never happens: a request outside a configured root, a read that the query's meter does not see,
//! a scan that lists.

pub mod bounds;
pub mod format;
pub mod listing;
pub mod meter;
pub mod metered_store;
pub mod parquet;
pub mod prune;
pub mod root_store;
pub mod roots;
pub mod s3;
pub mod scan;
pub mod snapshot;
pub mod tables;
pub mod write;

use arrow::datatypes::DataType;
use lakegate_catalog::hive_type::HiveType;

/// An Arrow type in the words of a table definition; Arrow's own where Hive has none.
pub fn type_name(data_type: &DataType) -> String {
    HiveType::from_arrow(data_type).map_or_else(|_| data_type.to_string(), |hive| hive.to_string())
}
