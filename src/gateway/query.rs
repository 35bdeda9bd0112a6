//! One query's life: submitted, planned, queued, run, recorded; and cancelled at any moment of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::Utc;
use futures::Stream;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::lake::meter::QueryMeter;
use crate::telemetry::history::{History, QueryRecord, QueryState};

/// A stream of a query's batches.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// What a query is known by from its first moment.
#[derive(Debug)]
pub struct Submission {
    pub user_name: String,
    pub workgroup: String,
    pub database: String,
    /// Without passwords.
    pub text: String,
    pub protocol: String,
    pub application_name: Option<String>,
    pub timeout: Option<Duration>,
}

#[derive(Debug)]
pub struct Query {
    pub id: Uuid,
    pub meter: Arc<QueryMeter>,
    user: String,
    started: Instant,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    cancelled: CancellationToken,
    stopping: Mutex<Stopping>,
    ending: Mutex<Ending>,
    ended: CancellationToken,
    record: Mutex<QueryRecord>,
    /// Bytes of the files that the plan reads, known once it is planned.
    planned_bytes: AtomicU64,
    history: Arc<History>,
    running: Arc<RunningQueries>,
}

#[derive(Debug, Default)]
struct Stopping {
    reason: Option<Error>,
    /// What it does is being committed: it is too late to stop it.
    commits: bool,
}

#[derive(Debug, Default)]
struct Ending {
    /// Somebody has said how it ends.
    decided: bool,
    /// How it was stopped, and after how many rows; recorded when nothing works for it any more.
    stopped: Option<(u64, Error)>,
    /// How much there is that works for it.
    working: usize,
}

/// Stops a query whose client has gone, unless it has ended or commits.
pub(super) struct CancelOnDrop(pub Arc<Query>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel(Error::new(
            Code::QueryCancelled,
            "the client went away before the statement ended",
        ));
    }
}

/// As long as it lives, something works for a query: the query does not end before.
#[derive(Debug)]
pub struct Working(Arc<Query>);

impl Drop for Working {
    fn drop(&mut self) {
        let stopped = {
            let mut ending = self.0.ending.lock();
            ending.working -= 1;
            if ending.working > 0 || !ending.decided {
                return;
            }
            ending.stopped.take()
        };
        if let Some((rows, reason)) = stopped {
            self.0.record_end(rows, Err(&reason));
        }
        self.0.running.remove(self.0.id);
    }
}

/// The queries that have not ended, for KILL and for the drain at shutdown.
#[derive(Debug, Default)]
pub struct RunningQueries {
    queries: Mutex<std::collections::HashMap<Uuid, Arc<Query>>>,
    changed: tokio::sync::Notify,
}

impl RunningQueries {
    pub fn get(&self, id: Uuid) -> Option<Arc<Query>> {
        let query = self.queries.lock().get(&id).cloned();
        query.filter(|query| !query.record.lock().state.is_final())
    }

    fn remove(&self, id: Uuid) {
        self.queries.lock().remove(&id);
        self.changed.notify_waiters();
    }

    pub fn ids(&self) -> Vec<Uuid> {
        self.queries.lock().keys().copied().collect()
    }

    pub fn len(&self) -> usize {
        self.queries.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.queries.lock().is_empty()
    }

    /// Waits until no query runs, and no thread for one.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_empty() {
                return;
            }
            changed.await;
        }
    }

    pub fn cancel_all(&self, reason: &Error) {
        let queries: Vec<Arc<Query>> = self.queries.lock().values().cloned().collect();
        for query in queries {
            query.cancel(reason.clone());
        }
    }
}

/// Where a query's time went.
#[derive(Debug, Clone, Copy)]
pub enum Phase {
    Planning,
    Queued,
    Execution,
}

impl Query {
    pub fn submit(
        submission: Submission,
        meter: Arc<QueryMeter>,
        history: Arc<History>,
        running: Arc<RunningQueries>,
    ) -> Arc<Self> {
        let id = Uuid::new_v4();
        let started = Instant::now();
        let record = QueryRecord {
            query_id: id,
            user_name: submission.user_name.clone(),
            workgroup: submission.workgroup,
            database: submission.database,
            state: QueryState::Queued,
            query: submission.text,
            submitted_at: Utc::now(),
            completed_at: None,
            planning: Duration::ZERO,
            queued: Duration::ZERO,
            execution: Duration::ZERO,
            total: Duration::ZERO,
            bytes_scanned: 0,
            bytes_fetched: 0,
            rows: 0,
            cache_hit: false,
            error_code: None,
            error_message: None,
            protocol: submission.protocol,
            application_name: submission.application_name,
        };
        history.record(record.clone());
        let query = Arc::new(Self {
            id,
            meter,
            user: submission.user_name,
            started,
            deadline: submission.timeout.map(|timeout| started + timeout),
            timeout: submission.timeout,
            cancelled: CancellationToken::new(),
            stopping: Mutex::default(),
            ending: Mutex::default(),
            ended: CancellationToken::new(),
            record: Mutex::new(record),
            planned_bytes: AtomicU64::new(0),
            history,
            running,
        });
        query.running.queries.lock().insert(id, Arc::clone(&query));
        query
    }

    /// The query as of now.
    pub fn record(&self) -> QueryRecord {
        self.record.lock().clone()
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// Stops the query wherever it is; it fails with `reason`, or with that of an earlier call. `false`: it commits, which cannot be
    /// stopped any more.
    pub fn cancel(&self, reason: Error) -> bool {
        {
            let mut stopping = self.stopping.lock();
            if stopping.commits {
                return false;
            }
            stopping.reason.get_or_insert(reason);
        }
        self.cancelled.cancel();
        true
    }

    /// From here on the query cannot be stopped any more, and says so.
    ///
    /// # Errors
    /// It was stopped before.
    pub fn commits(&self) -> Result<()> {
        let mut stopping = self.stopping.lock();
        if let Some(reason) = &stopping.reason {
            return Err(reason.clone());
        }
        stopping.commits = true;
        Ok(())
    }

    /// Something works for the query as long as this lives.
    pub fn working(self: &Arc<Self>) -> Working {
        self.ending.lock().working += 1;
        Working(Arc::clone(self))
    }

    /// Resolves when somebody has said how the query ends.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    fn cancellation(&self) -> Error {
        let reason = self.stopping.lock().reason.clone();
        reason.unwrap_or_else(|| {
            Error::new(
                Code::QueryCancelled,
                "canceling statement due to user request",
            )
        })
    }

    fn timed_out(&self) -> Error {
        timed_out(self.timeout.unwrap_or_default())
    }

    /// Resolves when the query must stop, with the reason.
    pub(super) async fn stopped(&self) -> Error {
        if let Some(deadline) = self.deadline {
            tokio::select! {
                () = self.cancelled.cancelled() => {}
                () = tokio::time::sleep_until(deadline.into()) => {
                    self.cancel(self.timed_out());
                }
            }
        }
        self.cancelled.cancelled().await;
        self.cancellation()
    }

    /// Runs one step of the query, unless it must stop first; `phase` is charged with the time.
    pub async fn step<T>(&self, phase: Phase, work: impl Future<Output = Result<T>>) -> Result<T> {
        let before = Instant::now();
        let result = tokio::select! {
            biased;
            error = self.stopped() => Err(error),
            result = work => result,
        };
        self.spent(phase, before.elapsed());
        result
    }

    pub fn spent(&self, phase: Phase, time: Duration) {
        let mut record = self.record.lock();
        match phase {
            Phase::Planning => record.planning += time,
            Phase::Queued => record.queued += time,
            Phase::Execution => record.execution += time,
        }
    }

    /// The query has found its place and runs.
    pub fn runs(&self) {
        let record = {
            let mut record = self.record.lock();
            if record.state.is_final() {
                return;
            }
            record.state = QueryState::Running;
            record.clone()
        };
        self.history.record(record);
    }

    /// How much there is to read, at most: of a column format, queries read less.
    pub fn will_read(&self, bytes: u64) {
        self.planned_bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn served_from_cache(&self) {
        self.record.lock().cache_hit = true;
    }

    /// Ends the query; only the first end counts. The record of a query that was stopped ends when nothing works for it any more.
    pub fn finish(&self, rows: u64, outcome: std::result::Result<(), &Error>) {
        let working = {
            let mut ending = self.ending.lock();
            if ending.decided {
                return;
            }
            ending.decided = true;
            let working = ending.working > 0;
            if let Err(error) = outcome
                && working
                && stops(error.code())
            {
                ending.stopped = Some((rows, error.clone()));
            }
            working
        };
        self.ended.cancel();
        if !working {
            self.record_end(rows, outcome);
            self.running.remove(self.id);
        } else if outcome.err().is_none_or(|error| !stops(error.code())) {
            self.record_end(rows, outcome);
        }
    }

    fn record_end(&self, rows: u64, outcome: std::result::Result<(), &Error>) {
        let record = {
            let mut record = self.record.lock();
            if record.state.is_final() {
                return;
            }
            record.state = match outcome {
                Ok(()) => QueryState::Succeeded,
                Err(error) => match error.code() {
                    // Athena cancels a query that passes its workgroup's limit.
                    Code::QueryCancelled | Code::StatementTimeout | Code::BytesScannedCutoff => {
                        QueryState::Cancelled
                    }
                    _ => QueryState::Failed,
                },
            };
            if let Err(error) = outcome {
                record.error_code = Some(error.code().name().to_owned());
                record.error_message = Some(error.message().to_owned());
            }
            record.completed_at = Some(Utc::now());
            record.total = self.started.elapsed();
            record.rows = rows;
            if !record.cache_hit {
                record.bytes_scanned = self.meter.scanned();
                record.bytes_fetched = self.meter.fetched();
            }
            record.clone()
        };
        self.history.record(record);
    }
}

pub(super) fn timed_out(timeout: Duration) -> Error {
    Error::new(
        Code::StatementTimeout,
        format!(
            "canceling statement due to statement timeout of {} ms",
            timeout.as_millis()
        ),
    )
}

/// Whether an error with this code ends a query from outside, while it works.
fn stops(code: Code) -> bool {
    matches!(
        code,
        Code::QueryCancelled | Code::StatementTimeout | Code::ShuttingDown
    )
}

/// One who looks on while a query runs, and may stop it.
#[derive(Debug, Clone)]
pub struct QueryWatch(Arc<Query>);

impl QueryWatch {
    pub(super) fn of(query: &Arc<Query>) -> Self {
        Self(Arc::clone(query))
    }

    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// The query as of now, with the bytes that it has scanned so far.
    pub fn record(&self) -> QueryRecord {
        let mut record = self.0.record();
        if !record.state.is_final() && !record.cache_hit {
            record.bytes_scanned = self.0.meter.scanned();
            record.bytes_fetched = self.0.meter.fetched();
        }
        record
    }

    /// The part of its files that the query has read, 0 to 1, or `None` while it is not known. It need not come to 1: a query reads
    /// only the columns and row groups that it needs.
    pub fn progress(&self) -> Option<f64> {
        let record = self.record();
        if record.state.is_final() {
            return Some(1.0);
        }
        let planned = self.0.planned_bytes.load(Ordering::Relaxed);
        (planned > 0).then(|| (record.bytes_scanned as f64 / planned as f64).min(0.99))
    }

    /// Stops the query as its user's request.
    pub fn cancel(&self) {
        self.0.cancel(Error::new(
            Code::QueryCancelled,
            "canceling statement due to user request",
        ));
    }
}

/// A query's stream to its client: it can be cancelled, counts rows, and ends the query however it ends.
pub struct QueryStream {
    query: Arc<Query>,
    inner: BatchStream,
    stopped: Pin<Box<dyn Future<Output = Error> + Send>>,
    since: Instant,
    rows: u64,
    done: bool,
}

impl QueryStream {
    pub fn new(query: Arc<Query>, inner: BatchStream) -> Self {
        let stopping = Arc::clone(&query);
        Self {
            query,
            inner,
            stopped: Box::pin(async move { stopping.stopped().await }),
            since: Instant::now(),
            rows: 0,
            done: false,
        }
    }

    fn end(&mut self, outcome: std::result::Result<(), &Error>) {
        if !self.done {
            self.done = true;
            // Nobody reads what is still to come, also where the stream itself lives on.
            self.inner = Box::pin(futures::stream::empty());
            self.query.spent(Phase::Execution, self.since.elapsed());
            self.query.finish(self.rows, outcome);
        }
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        if let Poll::Ready(error) = self.stopped.as_mut().poll(context) {
            self.end(Err(&error));
            return Poll::Ready(Some(Err(error)));
        }
        match self.inner.as_mut().poll_next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(batch))) => {
                self.rows += batch.num_rows() as u64;
                Poll::Ready(Some(Ok(batch)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Err(&error));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.end(Ok(()));
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        // Whoever stopped it has said why; else nobody wants the rest.
        let reason = self.query.stopping.lock().reason.clone();
        let gone = reason.unwrap_or_else(|| {
            Error::new(
                Code::QueryCancelled,
                "the client closed the result before its end",
            )
        });
        self.end(Err(&gone));
    }
}

#[cfg(test)]
mod tests;
