//! The memory of the first step of an aggregation.

use std::fmt;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

use super::progress::Progress;

/// The pool of a task as one aggregation sees it, which is the only consumer. It refuses memory if
/// the aggregation is to return its groups.
#[derive(Debug)]
pub(super) struct SmallPool {
    pool: Arc<dyn MemoryPool>,
    /// Bytes.
    most: usize,
    progress: Arc<Mutex<Progress>>,
}

impl SmallPool {
    pub(super) fn new(
        pool: Arc<dyn MemoryPool>,
        most: usize,
        progress: Arc<Mutex<Progress>>,
    ) -> Self {
        Self {
            pool,
            most,
            progress,
        }
    }
}

impl fmt::Display for SmallPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.pool, f)
    }
}

impl MemoryPool for SmallPool {
    fn name(&self) -> &str {
        self.pool.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let bytes = reservation.size().saturating_add(additional);
        if bytes > self.most {
            if self.progress.lock().is_full() {
                let message = "groups are returned early".to_owned();
                return Err(DataFusionError::ResourcesExhausted(message));
            }
        } else if bytes > self.most / 2 {
            self.progress.lock().half();
        }
        self.pool.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}
