//! The thread that writes the history: queries do not wait for the file.
//!
//! ```text
//!  queries ─ push ─▶ Waiting ─ a group, some times a second ─▶ HistoryStore
//! ```
//!
//! The thread is woken by the first record of a group only: waking it for each would cost a short
//! query a quarter of its time.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lakegate_error::{Error, Result};
use parking_lot::{Condvar, Mutex};

use super::history_store::HistoryStore;
use super::record::QueryRecord;

/// How long the records of a group are gathered.
const GROUP: Duration = Duration::from_millis(100);
/// Records from which on a group is written at once.
const FULL: usize = 1000;
/// How often old records are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// The writer thread. Dropping it writes the remaining records.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the thread.
    wanted: Condvar,
    /// Wakes the threads in [`Writer::flush`].
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    records: Vec<QueryRecord>,
    /// The numbers of records that were pushed and written so far.
    pushed: u64,
    written: u64,
    /// The group is wanted before its time is over.
    is_urgent: bool,
    /// No records will come.
    is_closed: bool,
    /// The thread has ended.
    has_ended: bool,
}

impl Waiting {
    fn is_due(&self) -> bool {
        self.is_urgent || self.is_closed || self.records.len() >= FULL
    }
}

impl Writer {
    pub(super) fn start(store: Arc<HistoryStore>) -> Result<Self> {
        let queue = Arc::<Queue>::default();
        let ended = Ended(Arc::clone(&queue));
        let thread = std::thread::Builder::new()
            .name("lakegate-history".to_owned())
            .spawn(move || {
                let ended = ended;
                write_groups(&store, &ended.0);
            })
            .map_err(|e| Error::internal(format!("the history's writer cannot start: {e}")))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    pub(super) fn push(&self, record: QueryRecord) {
        let mut waiting = self.queue.waiting.lock();
        if waiting.has_ended {
            drop(waiting);
            tracing::error!("a query is missing from the history: its writer has ended");
            return;
        }
        waiting.records.push(record);
        waiting.pushed += 1;
        let wakes = matches!(waiting.records.len(), 1 | FULL);
        drop(waiting);
        if wakes {
            self.queue.wanted.notify_one();
        }
    }

    /// Returns once all records pushed before are written.
    pub(super) fn flush(&self) {
        let mut waiting = self.queue.waiting.lock();
        let last = waiting.pushed;
        while waiting.written < last && !waiting.has_ended {
            waiting.is_urgent = true;
            self.queue.wanted.notify_one();
            self.queue.written.wait(&mut waiting);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.waiting.lock().is_closed = true;
        self.queue.wanted.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ends the waiting of [`Writer::flush`] when the thread ends, also by a panic.
struct Ended(Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.waiting.lock().has_ended = true;
        self.0.written.notify_all();
    }
}

fn write_groups(store: &HistoryStore, queue: &Queue) {
    let mut pruned = Instant::now();
    while let Some(group) = next_group(queue) {
        if let Err(error) = store.write(&group) {
            tracing::error!(%error, queries = group.len(), "queries are missing from the history");
        }
        queue.waiting.lock().written += group.len() as u64;
        queue.written.notify_all();
        if pruned.elapsed() > PRUNE_EVERY {
            pruned = Instant::now();
            if let Err(error) = store.prune() {
                tracing::warn!(%error, "old queries stay in the history");
            }
        }
    }
}

/// Waits for records, and gathers those that come soon after. `None` at the end.
fn next_group(queue: &Queue) -> Option<Vec<QueryRecord>> {
    let mut waiting = queue.waiting.lock();
    while waiting.records.is_empty() && !waiting.is_closed {
        queue.wanted.wait(&mut waiting);
    }
    let until = Instant::now() + GROUP;
    while !waiting.is_due() && !queue.wanted.wait_until(&mut waiting, until).timed_out() {}
    waiting.is_urgent = false;
    let group = std::mem::take(&mut waiting.records);
    (!group.is_empty()).then_some(group)
}
