//! What the functions of a query may change of sessions.

use std::fmt::Debug;

use lakegate_error::Result;

/// How a session is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Cancel what the session is running.
    Cancel,
    /// End the session.
    Terminate,
}

/// What the functions of a query may change of sessions. They are called while the query runs, on
/// its threads.
pub trait SessionControl: Debug + Send + Sync {
    /// Stops the session with this process id. Returns whether the user has, or administers, such
    /// a session; if not, the client gets a warning.
    ///
    /// # Errors
    ///
    /// The session that runs the query is over.
    fn signal(&self, pid: i64, signal: Signal) -> Result<bool>;

    /// Sets a parameter as SET and SET LOCAL do, and returns its new value. `None` is DEFAULT.
    ///
    /// # Errors
    ///
    /// The parameter does not exist, cannot be set, or does not accept the value.
    fn set(&self, name: &str, value: Option<&str>, local: bool) -> Result<String>;
}
