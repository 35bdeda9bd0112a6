//! What the functions of a query may know of the session that runs it.

use std::collections::BTreeMap;

/// A session as its queries see it, captured when a query is planned.
#[derive(Debug, Clone, Default)]
pub struct SessionInfo {
    /// The principal.
    pub user: String,
    /// The Postgres database: the catalog's name.
    pub database: String,
    /// The databases of unqualified names, in order, without the implicit `pg_catalog`.
    pub search_path: Vec<String>,
    pub backend_pid: i32,
    /// Settings by lower-case name, as `SHOW` gives them.
    pub settings: BTreeMap<String, String>,
    /// What `version()` answers, such as `PostgreSQL 16.4 (Lakegate 0.1.0)`.
    pub version: String,
    /// When the server started, in microseconds since 1970, UTC.
    pub server_start: i64,
    pub server_addr: Option<String>,
    pub server_port: Option<i32>,
    pub client_addr: Option<String>,
    pub client_port: Option<i32>,
}

/// Settings that every PostgreSQL has and that do not change here; a session's own come before them.
pub const BUILT_IN_SETTINGS: &[(&str, &str)] = &[
    ("block_size", "8192"),
    ("bytea_output", "hex"),
    ("data_checksums", "off"),
    ("default_table_access_method", "heap"),
    ("default_tablespace", ""),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("jit", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("server_encoding", "UTF8"),
    ("server_version", "16.4"),
    ("server_version_num", "160004"),
    ("standard_conforming_strings", "on"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "off"),
];
