//! Memory that a join has before it runs.

use std::fmt;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use crate::plans::operators::with_pool;

/// A pool for one join, of memory that was taken from the pool of the query. What it needs beyond
/// that comes from there. So no other operator takes what was given back for the join.
#[derive(Debug)]
pub(super) struct Handed {
    memory: MemoryReservation,
    /// Bytes that the join has taken.
    used: Mutex<usize>,
}

impl Handed {
    pub(super) fn new(memory: MemoryReservation) -> Arc<Self> {
        Arc::new(Self {
            memory,
            used: Mutex::new(0),
        })
    }

    /// Returns the context that the join runs in.
    pub(super) fn context(self: &Arc<Self>, context: &Arc<TaskContext>) -> Arc<TaskContext> {
        with_pool(context, Arc::<Self>::clone(self))
    }

    /// Gives back what the join has not taken when the probe side is first read: its build side is
    /// complete then.
    pub(super) fn trimmed_before(
        self: &Arc<Self>,
        probe: SendableRecordBatchStream,
    ) -> SendableRecordBatchStream {
        let (schema, handed) = (probe.schema(), Arc::clone(self));
        let rows = stream::once(async move {
            handed.give_back(*handed.used.lock());
            Ok::<_, DataFusionError>(probe)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()))
    }

    fn give_back(&self, used: usize) {
        let spare = self.memory.size().saturating_sub(used);
        // It has as much.
        let _ = self.memory.try_shrink(spare);
    }
}

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handed({})", self.memory.size())
    }
}

impl MemoryPool for Handed {
    fn name(&self) -> &str {
        "handed"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        let mut used = self.used.lock();
        *used = used.saturating_add(additional);
        let missing = used.saturating_sub(self.memory.size());
        if missing > 0 {
            self.memory.grow(missing);
        }
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        let mut used = self.used.lock();
        *used = used.saturating_sub(shrink);
        self.give_back(*used);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        let mut used = self.used.lock();
        let wanted = used.saturating_add(additional);
        let missing = wanted.saturating_sub(self.memory.size());
        if missing > 0 {
            self.memory.try_grow(missing)?;
        }
        *used = wanted;
        Ok(())
    }

    fn reserved(&self) -> usize {
        *self.used.lock()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer};
    use datafusion::physical_plan::EmptyRecordBatchStream;

    use super::*;

    #[tokio::test]
    async fn what_is_handed_is_there_and_what_is_not_taken_is_given_back() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1000));
        let memory = MemoryConsumer::new("build side").register(&shared);
        memory.try_grow(600).unwrap();
        let others = MemoryConsumer::new("others").register(&shared);
        others.try_grow(400).unwrap();
        let handed = Handed::new(memory);
        let pool: Arc<dyn MemoryPool> = Arc::<Handed>::clone(&handed);
        let join = MemoryConsumer::new("join").register(&pool);
        join.try_grow(500).unwrap();
        assert_eq!(shared.reserved(), 1000);
        assert!(join.try_grow(101).is_err());
        assert_eq!(join.size(), 500);

        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let probe = Box::pin(EmptyRecordBatchStream::new(schema));
        let mut probe = handed.trimmed_before(probe);
        assert!(probe.try_next().await.unwrap().is_none());
        assert_eq!(shared.reserved(), 900);
        join.try_grow(100).unwrap();
        assert_eq!(shared.reserved(), 1000);
        drop(join);
        assert_eq!(shared.reserved(), 400);
    }
}
