//! Writes of rows into tables.

mod ingest;
mod job;
mod literals;
pub(crate) mod many;
mod query;
pub(crate) mod recovery;
