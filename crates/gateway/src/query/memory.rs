//! A guard on the memory of the process, which also covers memory that the engine's pool does not
//! count.
//!
//! ```text
//!  no query for a while            the allocator is made to return freed memory, once
//!  columns unread for two hours    they leave the column cache
//!  resident ≥ 50 % of the limit    the same, at each check
//!  resident ≥ 90 % of the limit    the column cache is emptied; then new lake queries wait briefly
//!                                  and are refused if others run
//!  resident ≥ 95 % of the limit    the query that holds most of the pool is cancelled, then the next
//! ```
//!
//! The allocator keeps freed memory for a while, and longer until a thread makes it look for pages
//! to return. So while memory does not grow, no query is cancelled before unused memory can have
//! been returned; and if no query is running, a new one is admitted in any case.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lakegate_engine::machine;
use lakegate_error::{Code, Error, Result};
use uuid::Uuid;

use crate::Gateway;
use crate::query::running::RunningQueries;

/// The interval between checks.
const EVERY: Duration = Duration::from_millis(50);
/// How long a cancelled query may take to release its memory before the next one is cancelled.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the allocator may keep freed memory, with some margin (`purge_delay` of mimalloc 3: 300 ms
/// in the server, otherwise one second).
const KEEPS: Duration = Duration::from_millis(1500);
/// The interval between checks for cached columns that no query has read for long.
const UNREAD: Duration = Duration::from_secs(60);
/// Divisor of the limit: growth by less than this part does not count, and a query that holds less
/// is not cancelled for its share of the pool.
const STEPS: u64 = 256;
/// The size of a block, in bytes, whose allocation makes the allocator look for pages to return:
/// too large to fit into a page in use.
const LARGE_BLOCK: usize = 8 << 20;
/// The number of such allocations per check. At each, the allocator looks at a quarter of its
/// memory.
const BLOCKS: usize = 5;

#[derive(Debug)]
pub(crate) struct MemoryGuard {
    /// The maximum memory of the process, in bytes.
    limit: u64,
    /// The memory of the process at the last check, in bytes.
    resident: AtomicU64,
}

impl MemoryGuard {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            resident: AtomicU64::new(0),
        }
    }

    /// Waits briefly while memory is short.
    ///
    /// `running`: the running queries, including the caller's.
    ///
    /// # Errors
    /// Memory stays short, and other queries are running.
    pub(crate) async fn check(&self, running: &RunningQueries) -> Result<()> {
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
    /// Watches the memory of the process until the gateway is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn watch_memory(self: &Arc<Self>) -> Result<()> {
        let gateway = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("lakegate-memory".to_owned())
            .spawn(move || watch(&gateway))
            .map_err(|e| Error::internal(format!("the guard on memory cannot start: {e}")))?;
        Ok(())
    }
}

/// Makes the allocator return memory that was freed longer ago than it keeps it. It looks for such
/// memory when a thread allocates or frees a large block. The block is never touched, so it takes
/// no memory.
fn give_back() {
    for _ in 0..BLOCKS {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BLOCK)));
    }
}

/// The trend of the process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trend {
    Grows,
    /// Not growing, but for too short a time: freed memory may not have been returned yet.
    Rests,
    /// Not growing for as long as the allocator keeps freed memory.
    Steady,
}

#[derive(Debug)]
struct Growth {
    /// The minimum growth that counts, in bytes.
    step: u64,
    /// Resident bytes at the last growth, or the minimum since.
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

/// When the allocator is made to return memory because no query is running. It would return it when
/// the next query runs, at its expense.
#[derive(Debug, Default)]
struct Rest {
    /// Since when no query is running.
    since: Option<Instant>,
    /// Whether memory was returned since.
    is_done: bool,
}

impl Rest {
    /// Returns whether to return memory: once, when no query has been running for as long as the
    /// allocator keeps memory.
    fn is_due(&mut self, is_idle: bool, now: Instant) -> bool {
        if !is_idle {
            *self = Self::default();
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let is_due = !self.is_done && now.duration_since(since) > KEEPS;
        self.is_done |= is_due;
        is_due
    }
}

fn watch(gateway: &Weak<Gateway>) {
    let mut cancelled: HashSet<Uuid> = HashSet::new();
    let mut last: Option<(Uuid, Instant)> = None;
    let mut growth: Option<Growth> = None;
    let mut rest = Rest::default();
    let mut looked = Instant::now();
    loop {
        std::thread::sleep(EVERY);
        let Some(gateway) = gateway.upgrade() else {
            return;
        };
        let Some(mut resident) = machine::resident() else {
            continue;
        };
        let (limit, now) = (gateway.memory.limit, Instant::now());
        if now.duration_since(looked) > UNREAD {
            looked = now;
            // The allocator returns what is freed here once it has kept it for a while.
            if gateway.hot.let_go_of_unread() {
                rest = Rest::default();
            }
        }
        let is_resting = rest.is_due(gateway.running.is_empty(), now);
        if is_resting || resident >= limit / 2 {
            give_back();
            resident = machine::resident().unwrap_or(resident);
        }
        // Before queries are refused.
        if resident >= limit / 10 * 9 && gateway.hot.bytes() > 0 {
            gateway.hot.clear();
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
    /// Cancels the query that holds most of the pool, apart from those in `but`. If memory grows
    /// and no query holds much of the pool, cancels the query with the most CPU time, because the
    /// growth is outside of the pool. Cancels nothing while the trend is [`Trend::Rests`].
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
    fn memory_is_returned_once_after_the_last_query() {
        let began = Instant::now();
        let at = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut rest = Rest::default();
        assert!(!rest.is_due(true, at(0)));
        assert!(!rest.is_due(true, at(1_400)));
        assert!(!rest.is_due(false, at(1_450)));
        assert!(!rest.is_due(true, at(1_500)));
        assert!(!rest.is_due(true, at(3_000)));
        assert!(rest.is_due(true, at(3_050)));
        assert!(!rest.is_due(true, at(9_000)));
        assert!(!rest.is_due(false, at(9_050)));
        assert!(!rest.is_due(true, at(9_100)));
        assert!(rest.is_due(true, at(10_700)));
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
