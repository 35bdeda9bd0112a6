//! Writes of rows into tables.

mod ingest;
mod job;
mod recovery;
