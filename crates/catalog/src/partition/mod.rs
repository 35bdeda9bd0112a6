//! Partitions: their values, their `key=value` folders, predicates, and the set of a table's
//! partitions, registered or projected.
//!
//! A value is kept as the text that came in (`month=07` stays `07`), and compares as a value of the
//! key's type (`07` and `7` of an `int` key are equal), by its *canonical* text.

mod path;
mod predicate;
pub mod projection;
mod set;
mod spec;
mod value;

pub use path::{
    PathMismatch, escape_path_name, parse_partition_path, partition_path, unescape_path_name,
};
pub use predicate::{Comparison, PartitionPredicate};
pub use set::{Partition, PartitionInput, Partitions};
pub use set::{canonical_key, default_location, identity_key, new_location};
pub(crate) use set::{is_below, spellings};
pub use spec::PartitionSpec;
pub use value::{HIVE_DEFAULT_PARTITION, MAX_VALUE_CHARS, PartitionKey, canonical_value, is_null};
