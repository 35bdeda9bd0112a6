//! The session that runs a query, as its functions and catalog tables see it.

use std::sync::Arc;

use crate::postgres::{SessionControl, Settings};

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
    /// What the functions of the query may change; `None` where they may change nothing, as in the
    /// query of a view, whose author is not its reader.
    pub control: Option<Arc<dyn SessionControl>>,
    pub settings: Settings,
    /// When the server started, in microseconds since 1970, UTC.
    pub server_start: i64,
    pub server_addr: Option<String>,
    pub server_port: Option<i32>,
    pub client_addr: Option<String>,
    pub client_port: Option<i32>,
}
