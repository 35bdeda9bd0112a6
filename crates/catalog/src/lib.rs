//! The catalog of a lake and the rights on it: Glue's data model, partitions, grants, their stores.
//!
//! ```text
//!   store      Metastore (Glue's shapes) · WriteLog (writes to tables) · Control (users, grants)
//!              ordered by a Coordinator; SqliteStore is all of them on one file
//!   access     grants ──▶ Access (of one user) ──▶ TableAccess (that user's rights on a table)
//!   partition  values, their types, `key=value` folders, predicates, a table's partitions
//!   hive_type  `array<struct<a:int>>` ⇄ Arrow
//!   model      Database, Table, StorageDescriptor, Column: plain data, in Glue's shape
//! ```
//!
//! What never happens here: a query is planned, an object store is touched, a right is enforced.
//! This crate says what a principal may see and do; the policy and the statements apply it.

pub mod access;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod hive_type;
pub mod model;
pub mod partition;
pub mod store;

pub use error::{CatalogError, Kind, Result};
