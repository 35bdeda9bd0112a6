//! Why a file of a format that is read here cannot be read.

use arrow::error::ArrowError;
use lakegate_error::Error;

use super::files::damaged;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It holds what no such file holds.
    #[error("{0}")]
    Damaged(String),
    /// The text follows the file's name.
    #[error("{0}")]
    NotSupported(String),
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

pub(super) fn broken(what: impl Into<String>) -> Fault {
    Fault::Damaged(what.into())
}

impl Fault {
    /// The error to report. `format`: its name; `file`: the file's URL.
    pub(super) fn of(self, format: &str, file: &str) -> Error {
        match self {
            Self::Damaged(what) => damaged(format, file, what),
            Self::NotSupported(what) => {
                Error::not_supported(format!("file {file} {what}")).of_a_file(format!(" {what}"))
            }
        }
    }
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        broken(error.to_string())
    }
}
