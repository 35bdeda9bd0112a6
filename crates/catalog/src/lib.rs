//! What is in the lake and who may see it: Glue's data model, partitions, grants, and their stores.
//!
//! ```text
//!   store      Metastore (databases, tables, partitions)      Control (users, roles, grants, workgroups)
//!                        └───────────── SqliteStore: both, on one file ─────────────┘
//!   access     grants ──▶ Access (of one user) ──▶ TableAccess (what of a table that user may see and do)
//!   partition  values, their types, `key=value` folders, the set of a table's partitions
//!   hive_type  `array<struct<a:int>>` ⇄ Arrow
//!   model      Database, Table, StorageDescriptor, Column: plain data, in Glue's shape
//! ```
//!
//! What never happens here: no query is planned, no object store is touched, nothing is shown to
//! anybody. This crate says what a principal may see; the server's `view` room is where it is
//! applied.

pub mod access;
pub mod error;
pub mod hive_type;
pub mod model;
pub mod partition;
pub mod store;

pub use error::{CatalogError, Kind, Result};
