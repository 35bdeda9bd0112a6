//! Memory for the groups of a few rows.

use std::fmt;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A pool that refuses nothing. What is taken is counted in the pool of the query.
///
/// DataFusion's operator for ordered rows fails where its pool has no memory, while the plain one returns its
/// groups early. Its table has no more groups than a batch has rows.
#[derive(Debug)]
pub(super) struct Granted {
    shared: Arc<dyn MemoryPool>,
}

impl Granted {
    pub(super) fn of(shared: &Arc<dyn MemoryPool>) -> Arc<dyn MemoryPool> {
        Arc::new(Self {
            shared: Arc::clone(shared),
        })
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.shared, f)
    }
}

impl MemoryPool for Granted {
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
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.shared.grow(reservation, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.shared.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.shared.memory_limit()
    }
}
