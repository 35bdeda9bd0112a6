//! Warnings of statements, which a client gets beside their results.

use crate::Protocol;
use crate::session::Session;

/// The maximum number of warnings that wait for the client. Later ones are dropped.
const MAX_WARNINGS: usize = 100;

/// A warning, worded as PostgreSQL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub sqlstate: &'static str,
    pub message: String,
}

impl Session {
    /// Keeps a warning for the client, if its protocol has any and the session shows them.
    pub(crate) fn warn(&self, sqlstate: &'static str, message: impl Into<String>) {
        if self.protocol != Protocol::Postgres {
            return;
        }
        let mut state = self.state.lock();
        let hidden = state.settings.get("client_min_messages");
        if hidden.is_ok_and(|level| level == "error") || state.warnings.len() >= MAX_WARNINGS {
            return;
        }
        let message = message.into();
        state.warnings.push(Warning { sqlstate, message });
    }

    /// Takes the warnings since the last call.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.state.lock().warnings)
    }
}
