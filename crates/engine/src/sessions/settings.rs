//! What the engine and its sessions are set to.

use std::path::PathBuf;

/// Limits and sizes of the engine, from the configuration.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Bytes shared by all running queries.
    pub memory_limit: usize,
    /// Folder for spilled data; created if it does not exist.
    pub spill_dir: PathBuf,
    /// Bytes on disk shared by all spilling queries.
    pub spill_limit: u64,
    /// Threads that run queries, and partitions of a plan.
    pub threads: usize,
    /// Rows in a batch.
    pub batch_size: usize,
}

/// Session settings that change how queries are planned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanSettings {
    /// An IANA name, or an offset such as `+02:00`.
    pub time_zone: String,
    /// The databases in which unqualified names are looked up, in order.
    pub search_path: Vec<String>,
    pub names: Names,
}

/// Which function a name means where PostgreSQL and Trino have different ones of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    Postgres,
    Trino,
}
