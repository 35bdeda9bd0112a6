//! The session that runs a query, as its functions and catalog tables see it.

use std::sync::Arc;

use crate::postgres::{SessionControl, Settings};

/// The transaction of rows that were there from the beginning: PostgreSQL's bootstrap transaction.
pub(crate) const PERMANENT_TRANSACTION: i64 = 1;

/// The first number of an ordinary transaction. Smaller ones are of no age.
pub(crate) const FIRST_TRANSACTION: i64 = 3;

/// The ages of all transactions with such a number, as in PostgreSQL.
const AGE_OF_PERMANENT: i64 = i32::MAX as i64;

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
    /// The OID of the schema of the session's temporary tables and views; `None` while it has none.
    pub temporary_schema: Option<i64>,
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
    /// The state of the catalog and of the grants that the query sees, as the id of a transaction:
    /// never lower than that of an earlier state, and higher after each change.
    pub transaction: i64,
}

impl SessionInfo {
    /// Returns the id of the transaction that brought about the state with this number of changes.
    pub fn transaction_after(changes: u64) -> i64 {
        // Ids have 32 bits, and begin again when they are used up.
        let ids = u64::from(u32::MAX) - FIRST_TRANSACTION.unsigned_abs() + 1;
        FIRST_TRANSACTION + i64::try_from(changes % ids).unwrap_or_default()
    }

    /// Returns how many transactions ago a transaction was, as PostgreSQL's `age(xid)`.
    pub(crate) fn age_of(&self, transaction: i64) -> i64 {
        match transaction {
            ..FIRST_TRANSACTION => AGE_OF_PERMANENT,
            _ => (self.transaction - transaction).clamp(i64::from(i32::MIN), i64::from(i32::MAX)),
        }
    }
}
