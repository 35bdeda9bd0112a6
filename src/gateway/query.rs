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

use super::logins::Principal;
use crate::error::{Code, Error, Result};
use crate::lake::meter::QueryMeter;
use crate::telemetry::history::{History, QueryRecord, QueryState};

/// A stream of a query's batches.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// What a query is known by from its first moment.
#[derive(Debug)]
pub struct Submission {
    pub principal: Principal,
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
    principal: Principal,
    started: Instant,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    cancelled: CancellationToken,
    reason: Mutex<Option<Error>>,
    record: Mutex<QueryRecord>,
    /// Bytes of the files that the plan reads, known once it is planned.
    planned_bytes: AtomicU64,
    history: Arc<History>,
    running: Arc<RunningQueries>,
}

/// The queries that have not ended, for KILL and for the drain at shutdown.
#[derive(Debug, Default)]
pub struct RunningQueries {
    queries: Mutex<std::collections::HashMap<Uuid, Arc<Query>>>,
    changed: tokio::sync::Notify,
}

impl RunningQueries {
    pub fn get(&self, id: Uuid) -> Option<Arc<Query>> {
        self.queries.lock().get(&id).cloned()
    }

    pub fn ids(&self) -> Vec<Uuid> {
        self.queries.lock().keys().copied().collect()
    }

    pub fn all(&self) -> Vec<Arc<Query>> {
        self.queries.lock().values().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.queries.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.queries.lock().is_empty()
    }

    /// Waits until no query runs.
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
        for query in self.all() {
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
            user_name: submission.principal.user.clone(),
            user_id: Some(submission.principal.id()),
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
            principal: submission.principal,
            started,
            deadline: submission.timeout.map(|timeout| started + timeout),
            timeout: submission.timeout,
            cancelled: CancellationToken::new(),
            reason: Mutex::default(),
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

    /// Whose query it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Stops the query wherever it is; it fails with `reason`.
    pub fn cancel(&self, reason: Error) {
        self.reason.lock().get_or_insert(reason);
        self.cancelled.cancel();
    }

    fn cancellation(&self) -> Error {
        let reason = self.reason.lock().clone();
        reason.unwrap_or_else(|| {
            Error::new(
                Code::QueryCancelled,
                "canceling statement due to user request",
            )
        })
    }

    fn timed_out(&self) -> Error {
        let timeout = self.timeout.unwrap_or_default();
        Error::new(
            Code::StatementTimeout,
            format!(
                "canceling statement due to statement timeout of {} ms",
                timeout.as_millis()
            ),
        )
    }

    /// Resolves when the query must stop, with the reason.
    pub(super) async fn stopped(&self) -> Error {
        match self.deadline {
            Some(deadline) => tokio::select! {
                () = self.cancelled.cancelled() => self.cancellation(),
                () = tokio::time::sleep_until(deadline.into()) => self.timed_out(),
            },
            None => {
                self.cancelled.cancelled().await;
                self.cancellation()
            }
        }
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

    /// Ends the query; only the first end counts.
    pub fn finish(&self, rows: u64, outcome: std::result::Result<(), &Error>) {
        let record = {
            let mut record = self.record.lock();
            if record.state.is_final() {
                return;
            }
            record.state = match outcome {
                Ok(()) => QueryState::Succeeded,
                Err(error) => match error.code() {
                    // Athena cancels a query that passes its workgroup's limit.
                    Code::QueryCancelled
                    | Code::StatementTimeout
                    | Code::SessionEnded
                    | Code::BytesScannedCutoff => QueryState::Cancelled,
                    _ => QueryState::Failed,
                },
            };
            if let Err(error) = outcome {
                record.error_code = Some(error.code().name().to_owned());
                record.error_message = Some(error.message().to_owned());
                // What the principal is not told the operator finds here, by the query's id.
                if let Some(error) = error.full() {
                    tracing::warn!(query_id = %self.id, user = record.user_name, error, "a query failed");
                }
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
        self.running.queries.lock().remove(&self.id);
        self.running.changed.notify_waiters();
    }
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
        let reason = self.query.reason.lock().clone();
        let gone = reason.unwrap_or_else(|| {
            Error::new(
                Code::QueryCancelled,
                "the client closed the result before its end",
            )
        });
        self.end(Err(&gone));
    }
}
