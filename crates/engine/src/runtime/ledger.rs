//! How much of the memory pool each query holds.
//!
//! The pool knows consumers, such as a sort or the build side of a join, but not the query that
//! they belong to. Each query's tasks get a pool of their own, which counts and passes requests on
//! to the shared one.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;
use uuid::Uuid;

/// The running queries and the bytes that each holds.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    queries: Mutex<HashMap<Uuid, Weak<QueryPool>>>,
}

impl Ledger {
    /// Returns the pool of a query. It stays in the ledger as long as the query's tasks hold it.
    pub(crate) fn pool(
        self: &Arc<Self>,
        query: Uuid,
        shared: &Arc<dyn MemoryPool>,
    ) -> Arc<QueryPool> {
        let pool = Arc::new(QueryPool {
            query,
            shared: Arc::clone(shared),
            held: AtomicUsize::new(0),
            ledger: Arc::clone(self),
        });
        self.queries.lock().insert(query, Arc::downgrade(&pool));
        pool
    }

    /// Returns the queries that hold memory and their bytes, largest first.
    pub(crate) fn largest(&self) -> Vec<(Uuid, usize)> {
        // The pools outlive the lock's guard, because dropping the last reference to a pool locks.
        let pools: Vec<Arc<QueryPool>> = {
            let queries = self.queries.lock();
            queries.values().filter_map(Weak::upgrade).collect()
        };
        let mut held: Vec<(Uuid, usize)> = pools
            .iter()
            .map(|pool| (pool.query, pool.held.load(Ordering::Relaxed)))
            .collect();
        held.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        held
    }
}

/// The shared pool as one query sees it.
pub(crate) struct QueryPool {
    query: Uuid,
    shared: Arc<dyn MemoryPool>,
    /// Bytes held by the query.
    held: AtomicUsize,
    ledger: Arc<Ledger>,
}

impl fmt::Debug for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryPool")
            .field("query", &self.query)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.shared, f)
    }
}

impl Drop for QueryPool {
    fn drop(&mut self) {
        let mut queries = self.ledger.queries.lock();
        // A statement that ran twice under one id may have registered another pool by now.
        if queries
            .get(&self.query)
            .is_some_and(|pool| pool.strong_count() == 0)
        {
            queries.remove(&self.query);
        }
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        self.shared.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
        self.held.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
        self.held.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.shared.try_grow(reservation, additional)?;
        self.held.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.shared.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.shared.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn queries_are_told_apart_by_what_they_hold() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1000));
        let ledger = Arc::new(Ledger::default());
        let (small, large) = (Uuid::new_v4(), Uuid::new_v4());
        let pools = [(large, 700), (small, 100)].map(|(query, bytes)| {
            let pool: Arc<dyn MemoryPool> = ledger.pool(query, &shared);
            let reservation = MemoryConsumer::new("sort").register(&pool);
            reservation.try_grow(bytes).unwrap();
            assert!(reservation.try_grow(500).is_err());
            (pool, reservation)
        });
        assert_eq!(ledger.largest()[0].0, large);
        assert_eq!(ledger.largest()[0].1, 700);
        drop(pools);
        assert_eq!(shared.reserved(), 0);
        assert!(ledger.largest().is_empty());
        assert!(ledger.queries.lock().is_empty());
    }
}
