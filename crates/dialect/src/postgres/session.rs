//! The session that runs a query, as its functions and catalog tables see it.

use std::fmt::Debug;
use std::sync::Arc;

use lakegate_error::Result;

use crate::postgres::Settings;

/// A session as its queries see it, captured when a query is planned.
#[derive(Debug, Clone, Default)]
pub struct SessionInfo {
    /// The principal.
    pub user: String,
    /// The Postgres database: the catalog's name.
    pub database: String,
    /// The databases in which unqualified names are looked up, in order, without the implicit
    /// `pg_catalog`.
    pub search_path: Vec<String>,
    pub backend_pid: i32,
    pub settings: Settings,
    /// When the server started, in microseconds since 1970, UTC.
    pub server_start: i64,
    pub server_addr: Option<String>,
    pub server_port: Option<i32>,
    pub client_addr: Option<String>,
    pub client_port: Option<i32>,
    /// What the functions of the query may change; `None` where they may change nothing, as in the
    /// query of a view, whose author is not its reader.
    pub control: Option<Arc<dyn SessionControl>>,
}

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
