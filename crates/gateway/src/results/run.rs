//! One execution and its readers.
//!
//! While the result is small, batches accumulate in a spool: the leader reads it as it grows, and
//! followers wait until it is complete. Once a result exceeds the entry limit, the leader alone
//! receives the rest, batch by batch, so that a slow client slows the scan. The followers then run
//! the query themselves.
//!
//! One query at a time pays for a run: the leader, and if the leader leaves before the end, the
//! follower that has waited longest. The costs from then on are charged to that follower, and its
//! limits apply.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt};
use lakegate_engine::Stop;
use lakegate_error::{Error, Result};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::bill::{Bill, Payer};
use super::plain::plain;
use super::{CachedResult, ResultCache, ResultKey};

/// Batches in flight between an execution and its reader after the spool has overflowed.
const IN_FLIGHT: usize = 2;

/// The cache entry that a run fills when its result is complete.
#[derive(Debug)]
pub struct CacheSlot {
    pub cache: Arc<ResultCache>,
    pub key: Arc<ResultKey>,
    /// A time not later than the listing of the files that the run reads.
    pub as_of: Instant,
}

/// One run of a plan, whose rows one or more sessions read.
#[derive(Debug)]
pub struct Run {
    /// The maximum size of the spool, in bytes.
    max_spool: usize,
    spool: Mutex<Spool>,
    /// Incremented whenever the spool changes.
    progress: watch::Sender<u64>,
    readers: watch::Sender<usize>,
    /// Set when the run has no reader left.
    stop: Arc<Stop>,
    overflow: mpsc::Sender<RecordBatch>,
    overflow_reader: Mutex<Option<mpsc::Receiver<RecordBatch>>>,
    slot: Option<CacheSlot>,
    bill: Mutex<Bill>,
}

#[derive(Debug, Default)]
struct Spool {
    batches: Vec<RecordBatch>,
    bytes: usize,
    phase: Phase,
}

#[derive(Debug, Default, Clone)]
enum Phase {
    #[default]
    Spooling,
    /// Too large to store: further batches go to the leader only.
    Overflowed,
    Finished,
    Failed(Error),
}

impl Run {
    pub(super) fn new(max_spool: usize, slot: Option<CacheSlot>) -> Arc<Self> {
        let (overflow, overflow_reader) = mpsc::channel(IN_FLIGHT);
        Arc::new(Self {
            max_spool,
            spool: Mutex::default(),
            progress: watch::Sender::new(0),
            readers: watch::Sender::new(0),
            stop: Arc::default(),
            overflow,
            overflow_reader: Mutex::new(Some(overflow_reader)),
            slot,
            bill: Mutex::default(),
        })
    }

    /// The stop handle for the plan that the run executes. It is set when the run has no reader
    /// left.
    pub fn stop(&self) -> &Arc<Stop> {
        &self.stop
    }

    pub fn is_read(&self) -> bool {
        *self.readers.borrow() > 0
    }

    /// Returns the leader's reader.
    ///
    /// # Errors
    /// It was taken before: a run has only one leader.
    pub fn reader(self: &Arc<Self>, leader: Arc<dyn Payer>) -> Result<RunReader> {
        let overflow = self
            .overflow_reader
            .lock()
            .take()
            .ok_or_else(|| Error::internal("a run has one leader only"))?;
        let interest = Interest::register(self);
        self.bill.lock().leads(interest.reader, leader);
        Ok(RunReader {
            interest,
            next: 0,
            taken: VecDeque::new(),
            overflow,
            state: ReaderState::Spool,
        })
    }

    /// Starts the query and reads it to its end, or until no reader is left. The run also ends if
    /// this future is dropped or panics, so that no reader waits forever.
    ///
    /// `keep`: whether the complete result may be stored.
    pub async fn execute<F, S>(self: Arc<Self>, start: F, keep: bool)
    where
        F: Future<Output = Result<S>>,
        S: Stream<Item = Result<RecordBatch>>,
    {
        let mut ending = Ending {
            run: &self,
            outcome: Some(Phase::Failed(Error::internal(
                "the query's task ended before the query",
            ))),
        };
        let mut readers = self.readers.subscribe();
        let outcome = tokio::select! {
            biased;
            _ = readers.wait_for(|readers| *readers == 0) => Phase::Failed(abandoned()),
            outcome = self.drive(start) => outcome,
        };
        if keep && matches!(outcome, Phase::Finished) {
            self.keep();
        }
        ending.outcome = Some(outcome);
    }

    async fn drive<F, S>(&self, start: F) -> Phase
    where
        F: Future<Output = Result<S>>,
        S: Stream<Item = Result<RecordBatch>>,
    {
        let stream = match start.await {
            Ok(stream) => stream,
            Err(error) => return Phase::Failed(error),
        };
        let mut stream = std::pin::pin!(stream);
        while let Some(next) = stream.next().await {
            match next {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => {
                    if let Some(batch) = self.spool(batch)
                        && self.overflow.send(batch).await.is_err()
                    {
                        return Phase::Failed(abandoned());
                    }
                }
                Err(error) => return Phase::Failed(error),
            }
        }
        Phase::Finished
    }

    /// Appends a batch to the spool, or returns it if it does not fit. Only the run itself calls
    /// this.
    fn spool(&self, batch: RecordBatch) -> Option<RecordBatch> {
        if matches!(self.spool.lock().phase, Phase::Overflowed) {
            return Some(batch);
        }
        let batch = plain(batch, self.max_spool);
        let mut spool = self.spool.lock();
        let bytes = batch.get_array_memory_size();
        if spool.bytes.saturating_add(bytes) <= self.max_spool {
            spool.bytes += bytes;
            spool.batches.push(batch);
            drop(spool);
            self.progress.send_modify(|changes| *changes += 1);
            return None;
        }
        spool.phase = Phase::Overflowed;
        drop(spool);
        self.bill.lock().close();
        self.detach();
        self.progress.send_modify(|changes| *changes += 1);
        Some(batch)
    }

    fn keep(&self) {
        let spool = self.spool.lock();
        if let (Some(slot), Phase::Spooling) = (&self.slot, &spool.phase) {
            let result = CachedResult {
                batches: spool.batches.clone(),
                bytes: spool.bytes,
            };
            slot.cache.keep(&slot.key, result, slot.as_of);
        }
    }

    fn end(&self, phase: Phase) {
        self.bill.lock().close();
        self.detach();
        self.spool.lock().phase = phase;
        self.progress.send_modify(|changes| *changes += 1);
    }

    fn detach(&self) {
        if let Some(slot) = &self.slot {
            slot.cache.detach(&slot.key, self);
        }
    }
}

/// Reports the end of a run to all readers, also after a panic or drop.
struct Ending<'a> {
    run: &'a Run,
    outcome: Option<Phase>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.run.end(outcome);
        }
    }
}

fn abandoned() -> Error {
    Error::new(
        lakegate_error::Code::QueryCancelled,
        "canceling statement: no client waits for its result",
    )
}

impl Drop for Run {
    fn drop(&mut self) {
        self.detach();
    }
}

/// A registered reader. As long as there is one, the run continues.
#[derive(Debug)]
struct Interest {
    run: Arc<Run>,
    /// The number of this reader.
    reader: u64,
}

impl Interest {
    fn register(run: &Arc<Run>) -> Self {
        run.readers.send_modify(|readers| *readers += 1);
        Self {
            run: Arc::clone(run),
            reader: run.bill.lock().comes(),
        }
    }

    /// Registers the reader as a candidate for paying.
    fn waits(&self, payer: Arc<dyn Payer>) {
        self.run.bill.lock().waits(self.reader, payer);
    }

    fn pays(&self) -> bool {
        self.run.bill.lock().pays(self.reader)
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.run.bill.lock().leaves(self.reader);
        let mut last = false;
        self.run.readers.send_modify(|readers| {
            *readers -= 1;
            last = *readers == 0;
        });
        if last {
            self.run.stop.stop(abandoned());
        }
    }
}

/// The leader's reader of batches.
#[derive(Debug)]
pub struct RunReader {
    interest: Interest,
    /// Index of the next batch in the spool.
    next: usize,
    /// Batches that were left in the spool when it overflowed.
    taken: VecDeque<RecordBatch>,
    overflow: mpsc::Receiver<RecordBatch>,
    state: ReaderState,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ReaderState {
    Spool,
    Overflow,
    Done,
}

impl RunReader {
    /// Converts the reader into a stream of the run's batches, which ends with the run's error if it
    /// fails.
    pub fn into_stream(self) -> Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>> {
        let progress = self.interest.run.progress.subscribe();
        futures::stream::unfold((self, progress), |(mut reader, mut progress)| async move {
            loop {
                progress.borrow_and_update();
                match reader.step() {
                    Step::Batch(batch) => return Some((Ok(batch), (reader, progress))),
                    Step::Error(error) => return Some((Err(error), (reader, progress))),
                    Step::End => return None,
                    // The run notifies on each change of the spool; the channel carries the batches
                    // after an overflow.
                    Step::Wait if reader.state == ReaderState::Overflow => {
                        let received = tokio::select! {
                            biased;
                            received = reader.overflow.recv() => received,
                            _ = progress.changed() => continue,
                        };
                        if let Some(batch) = received {
                            return Some((Ok(batch), (reader, progress)));
                        }
                    }
                    Step::Wait => {
                        if progress.changed().await.is_err() {
                            return None;
                        }
                    }
                }
            }
        })
        .boxed()
    }

    fn step(&mut self) -> Step {
        if let Some(batch) = self.taken.pop_front() {
            return Step::Batch(batch);
        }
        if self.state == ReaderState::Done {
            return Step::End;
        }
        let mut spool = self.interest.run.spool.lock();
        if self.state == ReaderState::Spool
            && let Some(batch) = spool.batches.get(self.next)
        {
            let batch = batch.clone();
            self.next += 1;
            return Step::Batch(batch);
        }
        match (&spool.phase, self.state) {
            (Phase::Spooling, _) => Step::Wait,
            (Phase::Overflowed, ReaderState::Spool) => {
                spool.batches = Vec::new();
                self.state = ReaderState::Overflow;
                Step::Wait
            }
            (Phase::Overflowed, _) => Step::Wait,
            (ended, _) => {
                // Batches that were sent before the end are still in the channel.
                if let Ok(batch) = self.overflow.try_recv() {
                    return Step::Batch(batch);
                }
                self.state = ReaderState::Done;
                match ended {
                    Phase::Failed(error) => Step::Error(error.clone()),
                    _ => Step::End,
                }
            }
        }
    }
}

enum Step {
    Batch(RecordBatch),
    Error(Error),
    Wait,
    End,
}

/// A query that waits for the result of an identical one.
#[derive(Debug)]
pub struct Follower(Interest);

impl Follower {
    /// Joins a run. Returns `None` if it can no longer be joined.
    pub(super) fn of(run: &Arc<Run>) -> Option<Self> {
        // Registered before the check, because a run without readers ends.
        let interest = Interest::register(run);
        let joinable = matches!(run.spool.lock().phase, Phase::Spooling);
        joinable.then_some(Self(interest))
    }

    /// Waits for the complete result. Returns `None` if the caller must run the query itself: the
    /// run failed, possibly because of its payer's limits, or its result is too large to share.
    ///
    /// # Errors
    /// The run's failure, if it failed while this query paid for it.
    pub async fn wait(self, payer: Arc<dyn Payer>) -> Result<Option<CachedResult>> {
        self.0.waits(payer);
        let run = &self.0.run;
        let mut progress = run.progress.subscribe();
        loop {
            progress.borrow_and_update();
            {
                let spool = run.spool.lock();
                match &spool.phase {
                    Phase::Spooling => {}
                    Phase::Failed(error) => {
                        let error = error.clone();
                        drop(spool);
                        return if self.0.pays() { Err(error) } else { Ok(None) };
                    }
                    Phase::Overflowed => return Ok(None),
                    Phase::Finished => {
                        return Ok(Some(CachedResult {
                            batches: spool.batches.clone(),
                            bytes: spool.bytes,
                        }));
                    }
                }
            }
            if progress.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

/// Returns a stored result as a stream, which does not fail.
pub fn replay(
    result: Arc<CachedResult>,
) -> Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>> {
    struct Replay(Arc<CachedResult>, usize);
    impl Stream for Replay {
        type Item = Result<RecordBatch>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let batch = self.0.batches.get(self.1).cloned();
            self.1 += 1;
            Poll::Ready(batch.map(Ok))
        }
    }
    Box::pin(Replay(result, 0))
}

#[cfg(test)]
mod tests;
