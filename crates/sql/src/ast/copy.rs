//! COPY .. TO STDOUT, the only supported COPY.

use sqlparser::ast;

/// `COPY {(q) | t [(c, ..)]} TO STDOUT [[WITH] (..)]`, also with the old options (`WITH BINARY`,
/// `CSV HEADER`).
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// `COPY t (a, b)` is represented as `SELECT a, b FROM t`.
    pub query: Box<ast::Query>,
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
    pub header: bool,
    pub delimiter: Option<String>,
    pub null: Option<String>,
    pub quote: Option<String>,
    pub escape: Option<String>,
    pub encoding: Option<String>,
    pub force_quote: ForceQuote,
}

/// FORCE_QUOTE of CSV.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ForceQuote {
    #[default]
    None,
    All,
    /// Lower case.
    Columns(Vec<String>),
}
