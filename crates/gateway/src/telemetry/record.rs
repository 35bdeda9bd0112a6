//! One query as it is recorded, and the user it belongs to.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A query's state, in Athena's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl QueryState {
    pub fn name(self) -> &'static str {
        match self {
            QueryState::Queued => "QUEUED",
            QueryState::Running => "RUNNING",
            QueryState::Succeeded => "SUCCEEDED",
            QueryState::Failed => "FAILED",
            QueryState::Cancelled => "CANCELLED",
        }
    }

    pub fn is_final(self) -> bool {
        !matches!(self, QueryState::Queued | QueryState::Running)
    }
}

/// One row of `system.queries`.
#[derive(Debug, Clone)]
pub struct QueryRecord {
    pub query_id: Uuid,
    pub user_name: String,
    /// Id of the user in the catalog; `None` for queries recorded before ids were.
    pub user_id: Option<i64>,
    pub workgroup: String,
    pub database: String,
    pub state: QueryState,
    /// The statement's text, with passwords taken out.
    pub query: String,
    pub submitted_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    /// Parsing, resolving and planning, with the listing of files.
    pub planning: Duration,
    /// Waiting in a queue, or for an identical query.
    pub queued: Duration,
    pub execution: Duration,
    pub total: Duration,
    /// CPU time of all threads together.
    pub cpu: Duration,
    pub bytes_scanned: u64,
    pub bytes_fetched: u64,
    pub rows: u64,
    pub cache_hit: bool,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub protocol: String,
    pub application_name: Option<String>,
}

impl QueryRecord {
    /// Bytes of the texts of the record.
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
    /// When the user was created. Older records without an id belong to an earlier user of that name.
    pub since: DateTime<Utc>,
}

impl Owner {
    pub(super) fn owns(&self, record: &QueryRecord) -> bool {
        record.user_id == Some(self.user_id)
    }
}
