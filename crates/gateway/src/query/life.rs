//! One query's life: submitted, planned, queued, run, recorded; and cancelled at any moment of it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::Utc;
use futures::Stream;
use lakegate_engine::{CpuMeter, metered};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::meter::QueryMeter;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::Principal;
use crate::query::stalled::Stalled;
use crate::query::stream::Delivery;
use crate::results::Payer;
use crate::telemetry::events::{QueryEvent, QueryEvents};
use crate::telemetry::record::{QueryRecord, QueryState};
use crate::workgroup::QueryResources;

/// A stream of a query's batches.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// What a query is known by from its first moment.
#[derive(Debug)]
pub struct Submission {
    pub principal: Principal,
    pub database: String,
    /// Without passwords.
    pub text: String,
    pub protocol: String,
    pub application_name: Option<String>,
    pub timeout: Option<Duration>,
    pub resources: QueryResources,
}

#[derive(Debug)]
pub struct Query {
    pub id: Uuid,
    pub resources: QueryResources,
    principal: Principal,
    started: Instant,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    /// It reads nothing but built-in tables, whose rows nobody counts: tools would not find their way without them.
    system_only: AtomicBool,
    /// A run that another query began has become its own.
    paid: AtomicBool,
    pub(crate) cancelled: CancellationToken,
    stopping: Mutex<Stopping>,
    ending: Mutex<Ending>,
    ended: CancellationToken,
    waits: Mutex<Waits>,
    delivery: Mutex<Weak<Delivery>>,
    record: Mutex<QueryRecord>,
    /// Bytes of the files that the plan reads, known once it is planned.
    pub(crate) planned_bytes: AtomicU64,
    events: Arc<QueryEvents>,
    running: Arc<RunningQueries>,
}

/// Whom or what a query waits for.
#[derive(Debug, Default)]
struct Waits {
    /// For a place, or for an identical query.
    queued_since: Option<Instant>,
    /// For its client, which has a part of the result and has not asked for the next, or has not sent what it announced.
    client_since: Option<(Stalled, Instant)>,
    /// It holds a permit, which others may wait for.
    has_permit: bool,
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
pub(crate) struct CancelOnDrop(pub Arc<Query>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel(Error::new(
            Code::QueryCancelled,
            "the client went away before the statement ended",
        ));
    }
}

/// Ends a query when it is dropped, unless it is disarmed first.
pub(crate) struct Unfinished(Option<Arc<Query>>);

impl Unfinished {
    pub(crate) fn guard(query: &Arc<Query>) -> Self {
        Self(Some(Arc::clone(query)))
    }

    /// Something else ends the query from now on, such as its stream.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(query) = self.0.take() {
            let gone = Error::new(
                Code::QueryCancelled,
                "the client went away before the query ran",
            );
            query.finish(0, Err(&gone));
        }
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

/// The queries that have not ended, for KILL, for their limits, and for the drain at shutdown.
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

    pub fn all(&self) -> Vec<Arc<Query>> {
        self.queries.lock().values().cloned().collect()
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
        events: Arc<QueryEvents>,
        running: Arc<RunningQueries>,
    ) -> Arc<Self> {
        let id = Uuid::new_v4();
        let started = Instant::now();
        let record = QueryRecord {
            query_id: id,
            user_name: submission.principal.user.clone(),
            user_id: Some(submission.principal.id()),
            workgroup: submission.resources.limits.workgroup.clone(),
            database: submission.database,
            state: QueryState::Queued,
            query: submission.text,
            submitted_at: Utc::now(),
            completed_at: None,
            planning: Duration::ZERO,
            queued: Duration::ZERO,
            execution: Duration::ZERO,
            total: Duration::ZERO,
            cpu: Duration::ZERO,
            bytes_scanned: 0,
            bytes_fetched: 0,
            rows: 0,
            cache_hit: false,
            error_code: None,
            error_message: None,
            protocol: submission.protocol,
            application_name: submission.application_name,
        };
        events.send(&QueryEvent::Submitted(&record));
        let query = Arc::new(Self {
            id,
            resources: submission.resources,
            principal: submission.principal,
            started,
            deadline: submission.timeout.map(|timeout| started + timeout),
            timeout: submission.timeout,
            system_only: AtomicBool::new(false),
            paid: AtomicBool::new(false),
            cancelled: CancellationToken::new(),
            waits: Mutex::default(),
            delivery: Mutex::default(),
            stopping: Mutex::default(),
            ending: Mutex::default(),
            ended: CancellationToken::new(),
            record: Mutex::new(record),
            planned_bytes: AtomicU64::new(0),
            events,
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

    /// Stops the query wherever it is; it fails with `reason`, or with that of an earlier call. Where nobody polls its stream, what it holds
    /// is freed at once, and its client reads the reason when it comes for more. `false`: it commits, which cannot be stopped any more.
    pub fn cancel(&self, reason: Error) -> bool {
        {
            let mut stopping = self.stopping.lock();
            if stopping.commits {
                return false;
            }
            stopping.reason.get_or_insert(reason);
        }
        self.cancelled.cancel();
        let delivery = self.delivery.lock().upgrade();
        if let Some(delivery) = delivery {
            delivery.stop(self, &self.cancellation());
        }
        true
    }

    /// Why it was stopped, if it was.
    pub(crate) fn reason(&self) -> Option<Error> {
        self.stopping.lock().reason.clone()
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

    pub(crate) fn cancellation(&self) -> Error {
        self.reason().unwrap_or_else(|| {
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
    pub(crate) async fn stopped(&self) -> Error {
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

    /// Runs one step of the query, unless it must stop first; `phase` is charged with the time, and the query with that of processors.
    pub async fn step<T>(&self, phase: Phase, work: impl Future<Output = Result<T>>) -> Result<T> {
        if let Phase::Queued = phase {
            return self.queued(self.unless_stopped(work)).await;
        }
        let before = Instant::now();
        let result = self
            .unless_stopped(metered(Arc::clone(&self.resources.cpu), work))
            .await;
        self.spent(phase, before.elapsed());
        result
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            error = self.stopped() => Err(error),
            result = work => result,
        }
    }

    /// Waits in a queue, which is no part of the query's run.
    pub(crate) async fn queued<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.waits.lock().queued_since = Some(Instant::now());
        let _queued = Queued(self);
        waiting.await
    }

    fn leaves_queue(&self) {
        let mut waits = self.waits.lock();
        // Under the lock, so that nobody takes the wait for a part of the run.
        if let Some(since) = waits.queued_since.take() {
            self.spent(Phase::Queued, since.elapsed());
        }
    }

    /// Time since it was asked, less what it waited in queues.
    fn run_time(&self) -> Duration {
        let waits = self.waits.lock();
        let waited = waits
            .queued_since
            .map_or(Duration::ZERO, |since| since.elapsed());
        let queued = self.record.lock().queued + waited;
        self.started.elapsed().saturating_sub(queued)
    }

    /// The query holds a permit until the returned guard is dropped.
    pub(crate) fn holds_permit(self: &Arc<Self>) -> HoldsPermit {
        self.waits.lock().has_permit = true;
        HoldsPermit(Arc::clone(self))
    }

    /// The client has something to do: read what it was given, or send.
    pub(crate) fn waits_for_client(&self, stalled: Stalled) {
        self.waits.lock().client_since = Some((stalled, Instant::now()));
    }

    /// The client waits for the query.
    pub(crate) fn client_waits(&self) {
        self.waits.lock().client_since = None;
    }

    /// The client has taken a part of what it was given.
    pub(crate) fn client_takes(&self) {
        if let Some((_, since)) = &mut self.waits.lock().client_since {
            *since = Instant::now();
        }
    }

    /// The limit that the query has passed by now.
    pub(crate) fn exceeded(&self, max_stall: Duration) -> Option<Error> {
        if self.cancelled.is_cancelled() {
            return None;
        }
        // Also where nobody polls the query.
        if self
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            return Some(self.timed_out());
        }
        let stalled = {
            let waits = self.waits.lock();
            let since = waits.client_since.filter(|_| waits.has_permit);
            since.filter(|(_, since)| since.elapsed() > max_stall)
        };
        if let Some((stalled, since)) = stalled {
            return Some(stalled.error(Duration::from_secs(since.elapsed().as_secs())));
        }
        self.resources.exceeded(|| self.run_time())
    }

    /// The most rows that its client is given.
    pub(crate) fn max_rows(&self) -> Option<u64> {
        let counted = !self.system_only.load(Ordering::Relaxed);
        let most = self.resources.limits.per_query.rows_returned;
        most.filter(|_| counted)
    }

    pub(crate) fn reads_only_built_ins(&self) {
        self.system_only.store(true, Ordering::Relaxed);
    }

    /// Where its rows go.
    pub(crate) fn delivers(&self, delivery: &Arc<Delivery>) {
        *self.delivery.lock() = Arc::downgrade(delivery);
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
        self.events.send(&QueryEvent::Started(&record));
    }

    /// How much there is to read, at most: of a column format, queries read less.
    pub fn will_read(&self, bytes: u64) {
        self.planned_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The query is answered by a result that is there, unless it has paid for it.
    pub fn served_from_cache(&self) {
        self.record.lock().cache_hit = !self.paid.load(Ordering::Relaxed);
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
                    Code::QueryCancelled
                    | Code::StatementTimeout
                    | Code::SessionEnded
                    | Code::ClientStalled
                    | Code::BytesScannedCutoff
                    | Code::CpuTimeLimit
                    | Code::RunTimeLimit
                    | Code::RowsReturnedLimit => QueryState::Cancelled,
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
            record.cpu = self.resources.cpu.total();
            record.rows = rows;
            if !record.cache_hit {
                record.bytes_scanned = self.resources.meter.scanned();
                record.bytes_fetched = self.resources.meter.fetched();
            }
            record.clone()
        };
        self.events.send(&QueryEvent::Finished(&record));
    }
}

impl Payer for Query {
    fn bytes(&self) -> &Arc<QueryMeter> {
        &self.resources.meter
    }

    fn cpu(&self) -> &Arc<CpuMeter> {
        &self.resources.cpu
    }

    fn takes_over(&self) {
        self.leaves_queue();
        self.paid.store(true, Ordering::Relaxed);
        self.runs();
    }
}

/// A query in a queue, also when it gives up.
struct Queued<'a>(&'a Query);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.leaves_queue();
    }
}

/// As long as it lives, the query holds a permit.
#[derive(Debug)]
pub(crate) struct HoldsPermit(Arc<Query>);

impl Drop for HoldsPermit {
    fn drop(&mut self) {
        self.0.waits.lock().has_permit = false;
    }
}

pub(crate) fn timed_out(timeout: Duration) -> Error {
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
        Code::QueryCancelled
            | Code::StatementTimeout
            | Code::ShuttingDown
            | Code::SessionEnded
            | Code::ClientStalled
            | Code::CpuTimeLimit
            | Code::RunTimeLimit
            | Code::RowsReturnedLimit
    )
}

#[cfg(test)]
mod tests;
