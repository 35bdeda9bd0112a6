//! What may be reported of a table's files: a file's path holds the values of all partition keys,
//! and a line those of all columns.
//!
//! A principal that may select every column and key sees both. For any other, errors contain
//! neither; the server's log has them.

use std::sync::Arc;

use lakegate_error::Error;

/// The table that files belong to, and whether their paths and contents may be reported.
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

    /// What the principal knows the table as: its name, or that of the view that it reads it by.
    pub fn name(&self) -> &str {
        &self.table
    }

    /// Whether paths of files and pieces of lines may be reported.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The error to report for one that came up while a file was read.
    #[must_use]
    pub fn of_file(&self, error: Error) -> Error {
        if self.whole {
            return error;
        }
        error.withheld(&format!("a file of {}", self.table))
    }

    /// The error to report for one that came up while the table's partitions or files were looked
    /// up.
    #[must_use]
    pub fn of_table(&self, error: Error) -> Error {
        if self.whole {
            return error;
        }
        error.withheld(&format!("table {}", self.table))
    }
}
