//! The guard on the memory of the process: what the pool of the engine does not count, the machine does.
//!
//! ```text
//!  resident ≥ 90 % of the limit    new queries of the lake are refused while others run
//!  resident ≥ 95 % of the limit    the query that holds most of the pool is cancelled, and then the next
//! ```
//!
//! The allocator may keep what was freed, and gives it to whatever asks next. So where no query runs, one begins in any case.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Gateway;
use super::query::RunningQueries;
use crate::engine::machine;
use crate::error::{Code, Error, Result};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(50);
/// How long a cancelled query has to give back what it holds before the next is cancelled.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct MemoryGuard {
    /// Bytes that the process may hold.
    limit: u64,
    /// Bytes that it held at the last look.
    resident: AtomicU64,
}

impl MemoryGuard {
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            resident: AtomicU64::new(0),
        }
    }

    /// Errors: so much memory is in use that no query may begin beside those that run.
    ///
    /// `running`: with the one that asks.
    pub fn check(&self, running: &RunningQueries) -> Result<()> {
        let resident = self.resident.load(Ordering::Relaxed);
        if resident < self.limit / 10 * 9 || running.len() <= 1 {
            return Ok(());
        }
        Err(Error::new(
            Code::OutOfMemory,
            format!(
                "the server is short of memory: it holds {resident} bytes of the {} that it may, and takes no new queries",
                self.limit
            ),
        )
        .with_hint("try again when fewer queries run, or raise engine.process_memory_limit"))
    }
}

impl Gateway {
    /// Watches the memory of the process until the gateway is gone.
    ///
    /// Errors: there is no thread to do it on.
    pub fn watch_memory(self: &Arc<Self>) -> Result<()> {
        let gateway = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("lakegate-memory".to_owned())
            .spawn(move || watch(&gateway))
            .map_err(|e| Error::internal(format!("the guard on memory cannot start: {e}")))?;
        Ok(())
    }
}

fn watch(gateway: &Weak<Gateway>) {
    let mut cancelled: HashSet<Uuid> = HashSet::new();
    let mut last: Option<(Uuid, Instant)> = None;
    loop {
        std::thread::sleep(EVERY);
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        let Some(resident) = machine::resident() else {
            continue;
        };
        gateway.memory.resident.store(resident, Ordering::Relaxed);
        if resident < gateway.memory.limit / 20 * 19 {
            cancelled.clear();
            continue;
        }
        let waits = last.is_some_and(|(query, at)| {
            at.elapsed() < PATIENCE && gateway.running.get(query).is_some()
        });
        if !waits && let Some(query) = gateway.cancel_largest(resident, &cancelled) {
            cancelled.insert(query);
            last = Some((query, Instant::now()));
        }
    }
}

impl Gateway {
    /// Cancels the query that holds most, apart from those that have been told already. Where the pool knows of none, it is one of those
    /// that run without it: what takes memory then is outside of the pool.
    fn cancel_largest(&self, resident: u64, but: &HashSet<Uuid>) -> Option<Uuid> {
        let held = self.engine.largest_queries();
        let others = self.running.ids().into_iter().map(|id| (id, 0));
        let (id, bytes) = held
            .into_iter()
            .chain(others)
            .find(|(id, _)| !but.contains(id) && self.running.get(*id).is_some())?;
        let query = self.running.get(id)?;
        let limit = self.memory.limit;
        tracing::warn!(query = %id, resident, limit, bytes, "the process holds more memory than it may: the largest query is cancelled");
        query.cancel(
            Error::new(
                Code::OutOfMemory,
                format!(
                    "the query was cancelled because the server was out of memory: it held {resident} bytes, {limit} are the most, and no other query held more than this one, {bytes} bytes of the pool"
                ),
            )
            .with_hint(
                "filter earlier, select fewer columns, make smaller values, or raise engine.process_memory_limit",
            ),
        );
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_that_nobody_uses_refuses_nobody() {
        let guard = MemoryGuard::new(1000);
        guard.resident.store(5000, Ordering::Relaxed);
        let running = RunningQueries::default();
        guard.check(&running).unwrap();
    }
}
