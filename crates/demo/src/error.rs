//! Errors of generating a lake.

use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the demo lake cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{option} is {given}; it must be {bounds}")]
    Argument {
        option: &'static str,
        given: String,
        bounds: &'static str,
    },

    #[error(
        "the lake in {} was made with {existing}, but {requested} was asked for; \
         give the same arguments, another --dir, or remove the directory", dir.display()
    )]
    OtherArguments {
        dir: PathBuf,
        existing: String,
        requested: String,
    },

    #[error(
        "the directory {} holds {entry}, which is not part of a demo lake; \
         give an empty directory or another --dir", dir.display()
    )]
    Foreign { dir: PathBuf, entry: String },

    #[error(
        "the manifest {} cannot be read ({reason}); remove the directory to make the lake anew",
        path.display()
    )]
    Manifest { path: PathBuf, reason: String },

    #[error("another process is making the lake in {}; wait for it or give another --dir", dir.display())]
    Busy { dir: PathBuf },

    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("cannot write {} as parquet: {source}", path.display())]
    Parquet {
        path: PathBuf,
        source: parquet::errors::ParquetError,
    },

    #[error("cannot build rows for {}: {source}", path.display())]
    Arrow {
        path: PathBuf,
        source: arrow::error::ArrowError,
    },

    #[error("cannot write {} as json: {source}", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },

    #[error("cannot generate tpc-ds data: {0}")]
    Tpcds(String),

    #[error("a generator thread failed: {0}")]
    Worker(String),
}

impl Error {
    /// For `map_err` on file system calls.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
