//! What does not fit about the columns that a statement writes, for dialects that say it in other
//! words than the message of the error.

use arrow::datatypes::FieldRef;

/// What does not fit about the columns that an INSERT writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// The query has another number of columns than are written.
    Count {
        /// The columns of the query.
        given: usize,
        /// The columns that are written.
        written: usize,
    },
    /// The values of a column of the query are not of the type of the column that they are written
    /// to.
    Type {
        /// The number of both columns, from 0, among those that are written.
        place: usize,
        /// The column of the table.
        target: FieldRef,
        /// The column of the query.
        given: FieldRef,
    },
    /// The table does not have a column that the statement names.
    Missing {
        column: String,
        /// The name of the table without its database.
        table: String,
    },
    /// The statement names a column twice.
    Twice { column: String },
}
