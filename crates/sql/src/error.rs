//! Why a text is not a statement.

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// As Postgres says it: `syntax error at or near "x"`, and what was expected instead where that is known.
    pub message: String,
    /// Where, in characters of the whole text, from 1.
    pub position: Option<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}
