//! The life of a query: submitted, planned, queued, run and recorded. It can be cancelled at any
//! time.

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
use uuid::{Builder, Uuid};

use crate::auth::Principal;
use crate::query::ending::Ending;
use crate::query::latch::Latch;
use crate::query::running::RunningQueries;
use crate::query::stalled::Stalled;
use crate::query::stream::Delivery;
use crate::results::Payer;
use crate::telemetry::events::{QueryEvent, QueryEvents};
use crate::telemetry::record::{QueryRecord, QueryState};
use crate::workgroup::QueryResources;

/// A stream of a query's batches.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// The properties of a query that are known from the start.
#[derive(Debug)]
pub(crate) struct Submission {
    pub principal: Principal,
    pub database: String,
    /// Redacted: without passwords.
    pub text: String,
    pub protocol: String,
    pub application_name: Option<String>,
    pub timeout: Option<Duration>,
    pub resources: QueryResources,
}

/// A query, from its submission to its end: its limits, its costs and the way to stop it.
#[derive(Debug)]
pub struct Query {
    pub id: Uuid,
    pub resources: QueryResources,
    principal: Principal,
    pub(super) started: Instant,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    /// The query reads only built-in tables. Their rows are not limited, because clients need them
    /// to discover the catalog.
    system_only: AtomicBool,
    /// The query has taken over the costs of a run that another query began.
    paid: AtomicBool,
    pub(crate) cancelled: Latch,
    stopping: Mutex<Stopping>,
    pub(super) ending: Mutex<Ending>,
    pub(super) ended: Latch,
    waits: Mutex<Waits>,
    delivery: Mutex<Weak<Delivery>>,
    pub(super) record: Mutex<QueryRecord>,
    /// Bytes of the files that the plan reads, known once it is planned.
    pub(crate) planned_bytes: AtomicU64,
    /// Bytes of the files that the query has written so far.
    pub(crate) written: AtomicU64,
    pub(super) events: Arc<QueryEvents>,
    pub(super) running: Arc<RunningQueries>,
}

/// What a query is waiting for.
#[derive(Debug, Default)]
struct Waits {
    /// Waiting for a permit, or for an identical query.
    queued_since: Option<Instant>,
    /// Waiting for its client, which has part of the result and has not requested more, or has not
    /// sent the data that it announced.
    client_since: Option<(Stalled, Instant)>,
    /// The query holds a permit, which other queries may be waiting for.
    has_permit: bool,
}

#[derive(Debug, Default)]
struct Stopping {
    reason: Option<Error>,
    /// The query's work is being committed: it can no longer be stopped.
    commits: bool,
}

/// A part of a query's time.
#[derive(Debug, Clone, Copy)]
pub enum Phase {
    Planning,
    Queued,
    Execution,
}

impl Query {
    /// Submits a query. From now on it can be found, and cancelled.
    pub(crate) fn submit(
        submission: Submission,
        events: Arc<QueryEvents>,
        running: Arc<RunningQueries>,
    ) -> Arc<Self> {
        let query = Self::unsubmitted(submission, events, running);
        {
            let record = query.record.lock();
            query.events.send(&QueryEvent::Submitted(&record));
        }
        query.running.add(&query);
        query
    }

    /// Makes a query that nothing has heard of until it ends, for one whose answer is known.
    pub(crate) fn unsubmitted(
        submission: Submission,
        events: Arc<QueryEvents>,
        running: Arc<RunningQueries>,
    ) -> Arc<Self> {
        let (submitted_at, started) = (Utc::now(), Instant::now());
        let millis = u64::try_from(submitted_at.timestamp_millis()).unwrap_or_default();
        // In the history's index, the ids of queries of one time are neighbours.
        let id = Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
        let record = QueryRecord {
            query_id: id,
            user_name: submission.principal.user.clone(),
            user_id: Some(submission.principal.id()),
            workgroup: submission.resources.limits.workgroup.clone(),
            database: submission.database,
            state: QueryState::Queued,
            query: submission.text,
            submitted_at,
            completed_at: None,
            planning: Duration::ZERO,
            queued: Duration::ZERO,
            execution: Duration::ZERO,
            total: Duration::ZERO,
            cpu: Duration::ZERO,
            bytes_scanned: 0,
            bytes_fetched: 0,
            bytes_written: 0,
            rows: 0,
            cache_hit: false,
            error_code: None,
            error_message: None,
            protocol: submission.protocol,
            application_name: submission.application_name,
        };
        Arc::new(Self {
            id,
            resources: submission.resources,
            principal: submission.principal,
            started,
            deadline: submission.timeout.map(|timeout| started + timeout),
            timeout: submission.timeout,
            system_only: AtomicBool::new(false),
            paid: AtomicBool::new(false),
            cancelled: Latch::default(),
            waits: Mutex::default(),
            delivery: Mutex::default(),
            stopping: Mutex::default(),
            ending: Mutex::default(),
            ended: Latch::default(),
            record: Mutex::new(record),
            planned_bytes: AtomicU64::new(0),
            written: AtomicU64::new(0),
            events,
            running,
        })
    }

    /// Returns the current record of the query.
    pub fn record(&self) -> QueryRecord {
        self.record.lock().clone()
    }

    /// Returns the principal that the query runs for.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Stops the query in any phase. It fails with `reason`, or with the reason of an earlier call.
    /// If its stream is not being polled, its resources are freed immediately, and the client reads
    /// the reason with its next request. Returns `false` if the query is committing and can no
    /// longer be stopped.
    pub fn cancel(&self, reason: Error) -> bool {
        {
            let mut stopping = self.stopping.lock();
            if stopping.commits {
                return false;
            }
            stopping.reason.get_or_insert(reason);
        }
        self.cancelled.set();
        let delivery = self.delivery.lock().upgrade();
        if let Some(delivery) = delivery {
            delivery.stop(self, &self.cancellation());
        }
        true
    }

    /// Returns the reason why the query was stopped, if it was.
    pub(crate) fn reason(&self) -> Option<Error> {
        self.stopping.lock().reason.clone()
    }

    /// Marks the query as committing: from now on it cannot be stopped.
    ///
    /// # Errors
    /// The query has been stopped.
    pub fn commits(&self) -> Result<()> {
        let mut stopping = self.stopping.lock();
        if let Some(reason) = &stopping.reason {
            return Err(reason.clone());
        }
        stopping.commits = true;
        Ok(())
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

    /// Resolves with the reason when the query must stop.
    pub(crate) async fn stopped(&self) -> Error {
        if let Some(deadline) = self.deadline {
            tokio::select! {
                () = self.cancelled.wait() => {}
                () = tokio::time::sleep_until(deadline.into()) => {
                    self.cancel(self.timed_out());
                }
            }
        }
        self.cancelled.wait().await;
        self.cancellation()
    }

    /// Runs one step of the query, unless the query is stopped first. The elapsed time is charged
    /// to `phase`, and the CPU time to the query.
    ///
    /// # Errors
    /// The step fails, or the query is stopped.
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

    /// Waits in a queue. This time does not count as run time.
    pub(crate) async fn queued<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.waits.lock().queued_since = Some(Instant::now());
        let _queued = Queued(self);
        waiting.await
    }

    fn leaves_queue(&self) {
        let mut waits = self.waits.lock();
        // Recorded under the lock, so that the wait is never counted as run time.
        if let Some(since) = waits.queued_since.take() {
            self.spent(Phase::Queued, since.elapsed());
        }
    }

    /// Returns whether the query waits for a permit, or for an identical query.
    pub(crate) fn is_queued(&self) -> bool {
        self.waits.lock().queued_since.is_some()
    }

    /// Returns the time since submission without the time spent in queues.
    fn run_time(&self) -> Duration {
        let waits = self.waits.lock();
        let waited = waits
            .queued_since
            .map_or(Duration::ZERO, |since| since.elapsed());
        let queued = self.record.lock().queued + waited;
        self.started.elapsed().saturating_sub(queued)
    }

    /// Marks the query as holding a permit until the returned guard is dropped.
    pub(crate) fn holds_permit(self: &Arc<Self>) -> HoldsPermit {
        self.waits.lock().has_permit = true;
        HoldsPermit(Arc::clone(self))
    }

    /// Marks the query as waiting for its client to read or send.
    pub(crate) fn waits_for_client(&self, stalled: Stalled) {
        self.waits.lock().client_since = Some((stalled, Instant::now()));
    }

    /// Marks the client as waiting for the query.
    pub(crate) fn client_waits(&self) {
        self.waits.lock().client_since = None;
    }

    /// Records that the client has taken part of the rows delivered to it.
    pub(crate) fn client_takes(&self) {
        if let Some((_, since)) = &mut self.waits.lock().client_since {
            *since = Instant::now();
        }
    }

    /// Returns an error if the query has exceeded one of its limits.
    pub(crate) fn exceeded(&self, max_stall: Duration) -> Option<Error> {
        if self.cancelled.is_set() {
            return None;
        }
        // Checked here too, for queries that are not polled.
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

    /// Returns the maximum number of rows to return to the client.
    pub(crate) fn max_rows(&self) -> Option<u64> {
        let counted = !self.system_only.load(Ordering::Relaxed);
        let most = self.resources.limits.per_query.rows_returned;
        most.filter(|_| counted)
    }

    pub(crate) fn reads_only_built_ins(&self) {
        self.system_only.store(true, Ordering::Relaxed);
    }

    /// Sets the stream that the query's rows are read from.
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

    /// Marks the query as running.
    pub fn runs(&self) {
        let mut record = self.record.lock();
        if record.state.is_final() {
            return;
        }
        record.state = QueryState::Running;
        self.events.send(&QueryEvent::Started(&record));
    }

    /// Sets the maximum number of bytes to read. Queries read less of columnar formats.
    pub(crate) fn will_read(&self, bytes: u64) {
        self.planned_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Sets the number of bytes that the query has written so far.
    ///
    /// # Errors
    /// They exceed the limit of the query's workgroup.
    pub(crate) fn writes(&self, bytes: u64) -> Result<()> {
        self.written.store(bytes, Ordering::Relaxed);
        match self.resources.limits.bytes_written(bytes) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Records a cache hit, unless the query has paid for the result.
    pub(crate) fn served_from_cache(&self) {
        self.record.lock().cache_hit = !self.paid.load(Ordering::Relaxed);
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

/// A query in a queue. Dropping it ends the wait, also if the query gives up.
struct Queued<'a>(&'a Query);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.leaves_queue();
    }
}

/// A guard for the permit that a query holds.
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

#[cfg(test)]
mod tests;
