//! COPY .. TO STDOUT and COPY .. FROM STDIN.

use sqlparser::ast;

use super::TableName;

/// `COPY {(q) | t [(c, ..)]} TO STDOUT [[WITH] (..)]`, also with the old options (`WITH BINARY`,
/// `CSV HEADER`).
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// `COPY t (a, b)` is represented as `SELECT a, b FROM t`.
    pub query: Box<ast::Query>,
    pub format: CopyFormat,
    pub options: CopyOptions,
}

/// `COPY t [(c, ..)] FROM STDIN [[WITH] (..)] [WHERE q]`, also with the old options.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyFrom {
    pub table: TableName,
    /// Lower case. Empty: all columns, in the order of the table.
    pub columns: Vec<String>,
    /// A query over the rows that are sent, as that of a RETURNING clause. Its only column says which
    /// of them are written.
    pub condition: Option<Box<ast::Query>>,
    pub format: CopyFormat,
    pub options: CopyOptions,
}

/// Formats of COPY.
#[derive(Debug, Clone, std::marker::Copy, Default, PartialEq, Eq)]
pub enum CopyFormat {
    #[default]
    Text,
    Csv,
    Binary,
}

/// The options of COPY besides the format; `None` is the format's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    pub header: CopyHeader,
    pub delimiter: Option<String>,
    pub null: Option<String>,
    pub quote: Option<String>,
    pub escape: Option<String>,
    pub encoding: Option<String>,
    pub force_quote: ForcedColumns,
    pub force_not_null: ForcedColumns,
    pub force_null: ForcedColumns,
    /// The text that stands for a column's default, of COPY FROM.
    pub default: Option<String>,
    /// ON_ERROR ignore: rows with a value that is not of its column's type are left out.
    pub ignore_errors: bool,
}

/// HEADER.
#[derive(Debug, Clone, std::marker::Copy, Default, PartialEq, Eq)]
pub enum CopyHeader {
    #[default]
    Absent,
    /// A line that is written, or skipped.
    Line,
    /// A line that must have the names of the columns.
    Match,
}

/// The columns of FORCE_QUOTE, FORCE_NOT_NULL or FORCE_NULL of CSV.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ForcedColumns {
    #[default]
    None,
    All,
    /// Lower case.
    Columns(Vec<String>),
}
