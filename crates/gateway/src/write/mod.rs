//! Writes of rows into tables.

mod ingest;
mod job;
mod literals;
pub(crate) mod many;
pub(crate) mod query;
pub(crate) mod recovery;
