//! Writes of rows into tables.

pub(crate) mod assigned;
mod condition;
pub(crate) mod copy;
pub(crate) mod ingest;
mod job;
mod kept;
mod literals;
pub(crate) mod many;
pub(crate) mod query;
pub(crate) mod recovery;
pub(crate) mod returning;
