//! Parse errors.

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// In Postgres' wording: `syntax error at or near "x"`, and what was expected instead if known.
    pub message: String,
    /// Position in characters of the whole text, from 1.
    pub position: Option<usize>,
    /// How to fix it.
    pub hint: Option<String>,
}
