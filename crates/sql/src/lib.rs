//! Athena's two dialects in one parser: text to statements.
//!
//! [`parse`] splits a text and returns one [`Parsed`] per statement. DDL, access control, session
//! and cursor statements are parsed by this crate's recursive descent parser; queries are parsed by
//! `sqlparser` with [`AthenaDialect`] and stay in its form. Nothing here depends on a catalog, a
//! session or an engine.

pub mod ast;
mod dialect;
mod enclosed;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod joins;
mod lexer;
mod parser;
mod postgres;
mod redact;
mod sql_json;
pub mod trino;
pub mod walk;
mod words;

pub use ast::{Statement, StatementKind};
pub use dialect::AthenaDialect;
pub use error::ParseError;
pub use joins::{join_constraint, join_constraint_mut, named_tables};
pub use postgres::{FRAME_EXCLUSION, IS_JSON, ROWS_FROM, USING_ALIAS, VARIADIC};
pub use sqlparser;

/// The longest text that is parsed, in characters: Athena's limit for a query string.
pub const MAX_TEXT_CHARS: usize = 262_144;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub statement: Statement,
    /// The statement's source, without the semicolon and surrounding blanks and comments. May
    /// contain a password: see [`redact()`].
    pub text: String,
    /// Position of the statement in the whole text, in characters, from 1.
    pub position: usize,
}

/// Splits a text and parses each statement. Empty statements are dropped.
///
/// # Errors
///
/// An error in any statement fails the whole text.
pub fn parse(sql: &str) -> Result<Vec<Parsed>, ParseError> {
    parser::parse(sql)
}

/// Finds the first call in a text of a function that `is_sought` accepts by its name, which is in lower
/// case and has no qualifiers. Returns the name and its position in characters, from 1. The text need
/// not parse.
pub fn find_call(sql: &str, is_sought: impl Fn(&str) -> bool) -> Option<(String, usize)> {
    parser::calls::find(sql, is_sought)
}

/// Returns the text with every password replaced by `'***'`, for history, logs and errors. Works on
/// text that does not parse.
pub fn redact(sql: &str) -> String {
    redact::redact(sql)
}
