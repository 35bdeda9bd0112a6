//! Warnings and notices of statements, which a client gets beside their results.

use crate::Protocol;
use crate::session::Session;

/// The maximum number of warnings that wait for the client. Later ones are dropped.
const MAX_WARNINGS: usize = 100;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Notice,
    Warning,
}

impl Level {
    /// PostgreSQL's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Notice => "NOTICE",
            Level::Warning => "WARNING",
        }
    }
}

/// A warning or a notice, worded as PostgreSQL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub level: Level,
    pub sqlstate: &'static str,
    pub message: String,
}

impl Session {
    /// Keeps a warning for the client, if its protocol has any and the session shows them.
    pub(crate) fn warn(&self, sqlstate: &'static str, message: impl Into<String>) {
        self.tell(Level::Warning, sqlstate, message.into());
    }

    /// Keeps a notice for the client, as [`Self::take_warnings`] returns it: if its protocol has any,
    /// and the session shows them.
    pub fn notice(&self, message: impl Into<String>) {
        self.tell(Level::Notice, "00000", message.into());
    }

    fn tell(&self, level: Level, sqlstate: &'static str, message: String) {
        if self.protocol != Protocol::Postgres {
            return;
        }
        let mut state = self.state.lock();
        let least = state.settings.get("client_min_messages");
        let hidden = least.is_ok_and(|least| match level {
            Level::Notice => least == "warning" || least == "error",
            Level::Warning => least == "error",
        });
        if hidden || state.warnings.len() >= MAX_WARNINGS {
            return;
        }
        state.warnings.push(Warning {
            level,
            sqlstate,
            message,
        });
    }

    /// Takes the warnings since the last call.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.state.lock().warnings)
    }
}
