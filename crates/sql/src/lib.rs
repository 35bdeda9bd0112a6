//! Athena's two dialects in one parser: text to statements.
//!
//! [`parse`] splits a text and gives one [`Parsed`] a statement. DDL, access control, session and cursor statements are read
//! by a recursive descent of our own; queries are read by `sqlparser` with [`AthenaDialect`] and handed on unchanged in
//! form. Nothing here knows a catalog, a session or an engine.

pub mod ast;
mod dialect;
mod error;
mod lexer;
mod parser;
mod redact;

pub use ast::{Statement, StatementKind};
pub use dialect::AthenaDialect;
pub use error::ParseError;
pub use sqlparser;

/// The longest text that is parsed, in characters: Athena's bound on a query string.
pub const MAX_TEXT_CHARS: usize = 262_144;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub statement: Statement,
    /// The statement's source, without the semicolon and the blanks and comments around it. May hold a password: see [`redact()`].
    pub text: String,
    /// Where the statement begins in the whole text, in characters, from 1.
    pub position: usize,
}

/// Splits a text and parses each statement. Empty statements vanish; an error anywhere is an error of the whole text.
pub fn parse(sql: &str) -> Result<Vec<Parsed>, ParseError> {
    parser::parse(sql)
}

/// The text with every password replaced by `'***'`, for history, logs and errors. Works on text that does not parse.
pub fn redact(sql: &str) -> String {
    redact::redact(sql)
}
