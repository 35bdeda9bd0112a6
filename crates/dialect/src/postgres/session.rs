//! The session that runs a query, as its functions and catalog tables see it.

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
}
