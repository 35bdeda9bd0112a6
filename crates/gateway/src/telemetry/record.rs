//! The record of one query, and the user that it belongs to.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A query's state, named as in Athena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl QueryState {
    /// The name in Athena and in `system.queries`.
    pub fn name(self) -> &'static str {
        match self {
            QueryState::Queued => "QUEUED",
            QueryState::Running => "RUNNING",
            QueryState::Succeeded => "SUCCEEDED",
            QueryState::Failed => "FAILED",
            QueryState::Cancelled => "CANCELLED",
        }
    }

    /// Returns whether the query is over.
    pub fn is_final(self) -> bool {
        !matches!(self, QueryState::Queued | QueryState::Running)
    }
}

/// One row of `system.queries`.
#[derive(Debug, Clone)]
pub struct QueryRecord {
    pub query_id: Uuid,
    pub user_name: String,
    /// The user's id in the catalog; `None` for queries recorded before ids existed.
    pub user_id: Option<i64>,
    pub workgroup: String,
    pub database: String,
    pub state: QueryState,
    /// The statement's text, with passwords removed.
    pub query: String,
    pub submitted_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    /// Time spent on parsing, resolving and planning, including the listing of files.
    pub planning: Duration,
    /// Time spent waiting in a queue, or for an identical query.
    pub queued: Duration,
    pub execution: Duration,
    pub total: Duration,
    /// Total CPU time of all threads.
    pub cpu: Duration,
    pub bytes_scanned: u64,
    pub bytes_fetched: u64,
    /// Bytes of the files that it wrote.
    pub bytes_written: u64,
    pub rows: u64,
    pub cache_hit: bool,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub protocol: String,
    pub application_name: Option<String>,
}

impl QueryRecord {
    /// Returns the size of the record's texts, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.query.len()
            + self.user_name.len()
            + self.workgroup.len()
            + self.database.len()
            + self.protocol.len()
            + optional(&self.error_code)
            + optional(&self.error_message)
            + optional(&self.application_name)
    }
}

/// A user, as the owner of recorded queries.
#[derive(Debug, Clone)]
pub struct Owner {
    pub user_id: i64,
    /// Identifies the user in records without an id.
    pub user_name: String,
    /// When the user was created. Older records without an id belong to an earlier user with the
    /// same name.
    pub since: DateTime<Utc>,
}

impl Owner {
    pub(super) fn owns(&self, record: &QueryRecord) -> bool {
        record.user_id == Some(self.user_id)
    }
}
