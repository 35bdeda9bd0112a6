//! What of a table's files a principal may be told: a file's path holds the values of all partition keys, a line those of all columns.
//!
//! A principal that may select every column and key sees both. Another one is told neither, in whatever words an error has; the server's
//! log has them.

use std::sync::Arc;

use lakegate_error::Error;

/// The table that files are of, and whether what lies in them may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    table: Arc<str>,
    whole: bool,
}

impl Sight {
    /// Every column of the table may be selected. `table`: `database.table`.
    pub fn whole(table: impl Into<Arc<str>>) -> Self {
        Self {
            table: table.into(),
            whole: true,
        }
    }

    /// Some columns or partition keys of the table are hidden.
    pub fn part(table: impl Into<Arc<str>>) -> Self {
        Self {
            table: table.into(),
            whole: false,
        }
    }

    /// Whether paths of files and pieces of lines may be told.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// An error that came up while one of the files was read.
    #[must_use]
    pub fn of_file(&self, error: Error) -> Error {
        if self.whole {
            return error;
        }
        error.withheld(&format!("a file of {}", self.table))
    }

    /// An error that came up while the table's partitions or files were looked for.
    #[must_use]
    pub fn of_table(&self, error: Error) -> Error {
        if self.whole {
            return error;
        }
        error.withheld(&format!("table {}", self.table))
    }
}
