//! The queries that are running, by id.

use std::collections::HashMap;
use std::sync::Arc;

use lakegate_error::Error;
use parking_lot::Mutex;
use uuid::Uuid;

use super::life::Query;

/// The queries that have not ended, for KILL, for their limits, and for draining at shutdown.
#[derive(Debug, Default)]
pub struct RunningQueries {
    queries: Mutex<HashMap<Uuid, Arc<Query>>>,
    changed: tokio::sync::Notify,
}

impl RunningQueries {
    /// Returns a query that is not over.
    pub fn get(&self, id: Uuid) -> Option<Arc<Query>> {
        let query = self.queries.lock().get(&id).cloned();
        query.filter(|query| !query.is_over())
    }

    pub(super) fn add(&self, query: &Arc<Query>) {
        self.queries.lock().insert(query.id, Arc::clone(query));
    }

    pub(super) fn remove(&self, id: Uuid) {
        self.queries.lock().remove(&id);
        self.changed.notify_waiters();
    }

    /// Returns the ids of the queries, in no order.
    pub fn ids(&self) -> Vec<Uuid> {
        self.queries.lock().keys().copied().collect()
    }

    /// Returns the queries, in no order.
    pub fn all(&self) -> Vec<Arc<Query>> {
        self.queries.lock().values().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.queries.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.queries.lock().is_empty()
    }

    /// Waits until no query is running, and no thread works for one.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Cancels every query with this reason.
    pub fn cancel_all(&self, reason: &Error) {
        for query in self.all() {
            query.cancel(reason.clone());
        }
    }
}
