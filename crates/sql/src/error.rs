//! Parse errors.

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// In Postgres' wording: `syntax error at or near "x"`.
    pub message: String,
    /// Position in characters of the whole text, from 1.
    pub position: Option<usize>,
    /// What was expected instead, or how to fix it.
    pub hint: Option<String>,
}

impl ParseError {
    /// The message with what was expected, in one line.
    pub fn said(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}: {hint}", self.message),
            None => self.message.clone(),
        }
    }
}
