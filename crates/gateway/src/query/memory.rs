//! The guard on the memory of the process: what the pool of the engine does not count, the machine does.
//!
//! ```text
//!  resident ≥ 50 % of the limit    the allocator is asked to give back what it keeps
//!  resident ≥ 90 % of the limit    new queries of the lake wait a moment, and are refused then, while others run
//!  resident ≥ 95 % of the limit    the query that holds most of the pool is cancelled, and then the next
//! ```
//!
//! The allocator keeps what was freed for a second, and then until a thread has it do so much as to look. So where memory does not grow,
//! nobody is cancelled before it had the time to give back what is not in use; and where no query runs, one begins in any case.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lakegate_engine::machine;
use lakegate_error::{Code, Error, Result};
use uuid::Uuid;

use crate::Gateway;
use crate::query::life::RunningQueries;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(50);
/// How long a cancelled query has to give back what it holds before the next is cancelled.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the allocator may keep what was freed, and a little more (`purge_delay` of mimalloc 3: a second).
const KEEPS: Duration = Duration::from_millis(1500);
/// A part of the limit: memory that grows by less is not being taken, and a query that holds less of it is not to blame.
const STEPS: u64 = 256;
/// Bytes of a block for which the allocator looks for pages to give back: too large to come from one that is in use.
const LARGE_BLOCK: usize = 8 << 20;
/// Such blocks at one look. At each, it looks at a quarter of its memory.
const BLOCKS: usize = 5;

#[derive(Debug)]
pub(crate) struct MemoryGuard {
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

    /// Waits a moment where memory is short.
    ///
    /// Errors: so much memory is in use that no query may begin beside those that run.
    ///
    /// `running`: with the one that asks.
    pub async fn check(&self, running: &RunningQueries) -> Result<()> {
        let began = Instant::now();
        while self.is_short(running) {
            if began.elapsed() > KEEPS {
                return Err(self.refused());
            }
            tokio::time::sleep(EVERY).await;
        }
        Ok(())
    }

    fn is_short(&self, running: &RunningQueries) -> bool {
        self.resident.load(Ordering::Relaxed) >= self.limit / 10 * 9 && running.len() > 1
    }

    fn refused(&self) -> Error {
        let resident = self.resident.load(Ordering::Relaxed);
        Error::new(
            Code::OutOfMemory,
            format!(
                "the server is short of memory: it holds {resident} bytes of the {} that it may, and takes no new queries",
                self.limit
            ),
        )
        .with_hint("try again when fewer queries run, or raise engine.process_memory_limit")
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

/// Has the allocator give back what was freed longer ago than it keeps it: it looks for that where a thread takes or frees a large block.
/// The block itself is never touched, so it takes no memory.
fn give_back() {
    for _ in 0..BLOCKS {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BLOCK)));
    }
}

/// What the memory of the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trend {
    Grows,
    /// Not for long: what was freed may not have been given back yet.
    Rests,
    /// For as long as the allocator keeps what is free.
    Steady,
}

#[derive(Debug)]
struct Growth {
    /// Bytes that count as growth.
    step: u64,
    /// Resident when it grew last, or less.
    from: u64,
    since: Instant,
}

impl Growth {
    fn new(limit: u64, now: Instant) -> Self {
        Self {
            step: limit / STEPS,
            from: 0,
            since: now,
        }
    }

    fn look(&mut self, resident: u64, now: Instant) -> Trend {
        if resident > self.from.saturating_add(self.step) {
            self.from = resident;
            self.since = now;
            return Trend::Grows;
        }
        self.from = self.from.min(resident);
        match now.duration_since(self.since) > KEEPS {
            true => Trend::Steady,
            false => Trend::Rests,
        }
    }
}

fn watch(gateway: &Weak<Gateway>) {
    let mut cancelled: HashSet<Uuid> = HashSet::new();
    let mut last: Option<(Uuid, Instant)> = None;
    let mut growth: Option<Growth> = None;
    loop {
        std::thread::sleep(EVERY);
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        let Some(mut resident) = machine::resident() else {
            continue;
        };
        let (limit, now) = (gateway.memory.limit, Instant::now());
        if resident >= limit / 2 {
            give_back();
            resident = machine::resident().unwrap_or(resident);
        }
        gateway.memory.resident.store(resident, Ordering::Relaxed);
        let growth = growth.get_or_insert_with(|| Growth::new(limit, now));
        let trend = growth.look(resident, now);
        if resident < limit / 20 * 19 {
            cancelled.clear();
            continue;
        }
        let waits = last.is_some_and(|(query, at)| {
            at.elapsed() < PATIENCE && gateway.running.get(query).is_some()
        });
        if !waits && let Some(query) = gateway.cancel_largest(resident, trend, &cancelled) {
            cancelled.insert(query);
            last = Some((query, Instant::now()));
        }
    }
}

impl Gateway {
    /// Cancels the query that holds most, apart from those that have been told already. Where the pool knows of none that holds much and
    /// memory grows, it is the one that has worked most: what takes memory then is outside of the pool.
    fn cancel_largest(&self, resident: u64, trend: Trend, but: &HashSet<Uuid>) -> Option<Uuid> {
        let limit = self.memory.limit;
        let much = usize::try_from(limit / STEPS).unwrap_or(usize::MAX);
        let held = self.engine.largest_queries().into_iter();
        let held = held.filter(|(_, bytes)| *bytes >= much && trend != Trend::Rests);
        let mut others = match trend {
            Trend::Grows => self.running.ids(),
            Trend::Rests | Trend::Steady => Vec::new(),
        };
        others.sort_by_key(|id| {
            let query = self.running.get(*id);
            std::cmp::Reverse(query.map(|query| query.resources.cpu.total()))
        });
        let others = others.into_iter().map(|id| (id, 0));
        let (id, bytes) = held
            .chain(others)
            .find(|(id, _)| !but.contains(id) && self.running.get(*id).is_some())?;
        let query = self.running.get(id)?;
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

    #[tokio::test]
    async fn memory_that_nobody_uses_refuses_nobody() {
        let guard = MemoryGuard::new(1000);
        guard.resident.store(5000, Ordering::Relaxed);
        let running = RunningQueries::default();
        guard.check(&running).await.unwrap();
    }

    #[test]
    fn memory_that_is_merely_kept_is_told_from_memory_that_is_taken() {
        let began = Instant::now();
        let at = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut growth = Growth::new(256_000, began);
        assert_eq!(growth.look(200_000, at(0)), Trend::Grows);
        assert_eq!(growth.look(200_900, at(50)), Trend::Rests);
        assert_eq!(growth.look(201_800, at(100)), Trend::Grows, "slowly");
        assert_eq!(growth.look(150_000, at(150)), Trend::Rests);
        assert_eq!(growth.look(152_000, at(200)), Trend::Grows, "anew");
        assert_eq!(growth.look(152_000, at(1_600)), Trend::Rests);
        assert_eq!(growth.look(152_000, at(1_800)), Trend::Steady);
    }
}
