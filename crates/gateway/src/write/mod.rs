//! Writes of rows into tables.

pub(crate) mod ingest;
