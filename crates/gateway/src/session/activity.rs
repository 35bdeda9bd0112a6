//! What a session is doing, for `pg_stat_activity`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::session::Session;
use crate::session::transaction::TransactionStatus;

/// What a session is doing.
pub(crate) struct Activity {
    pub state: TransactionStatus,
    /// When the open transaction block began.
    pub block_began: Option<DateTime<Utc>>,
    /// The running query, or the last one.
    pub query: Option<ActiveQuery>,
}

/// The running or last query of a session.
pub(crate) struct ActiveQuery {
    pub id: Uuid,
    /// Redacted: without passwords.
    pub text: String,
    pub queued: bool,
    pub submitted_at: DateTime<Utc>,
    /// `None` while it runs.
    pub completed_at: Option<DateTime<Utc>>,
}

impl Session {
    pub(crate) fn activity(&self) -> Activity {
        let (state, block_began, active) = {
            let state = self.state.lock();
            let transaction = &state.transaction;
            let (status, began) = (transaction.status(), transaction.began());
            (status, began, state.active.clone())
        };
        let query = active.map(|query| {
            let record = query.record();
            ActiveQuery {
                id: record.query_id,
                text: record.query,
                queued: query.is_queued(),
                submitted_at: record.submitted_at,
                completed_at: match record.state.is_final() {
                    true => record.completed_at.or(Some(record.submitted_at)),
                    false => None,
                },
            }
        });
        Activity {
            state,
            block_began,
            query,
        }
    }
}
