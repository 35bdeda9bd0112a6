//! Bulk ingestion: a client streams rows into a table.
//!
//! ```text
//!  client ─ batches ─▶ bounded channel ─▶ WriteJob, in its own task
//! ```
//!
//! Rows for a table with sort columns are sorted before they are written.
//!
//! The task owns the write, so a dropped call leaves nothing behind.

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use lakegate_engine::{PlanRun, Stop, StopOnDrop, metered};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_lake::sizes::bytes_in;
use lakegate_lake::write::RowOrder;
use lakegate_statement::{IfExists, QueryWrite, StatementContext, WriteRequest};
use tokio::sync::{mpsc, oneshot};

use crate::Gateway;
use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::life::{Phase, Query};
use crate::query::stalled::Stalled;
use crate::session::Session;
use crate::session::changes::Changes;
use crate::workgroup::Queue;
use crate::write::condition::RowFilter;
use crate::write::job::WriteJob;

/// The capacity of the channel between the client and the encoder, in batches.
const QUEUED_BATCHES: usize = 4;
/// Bytes of a batch from which on it waits until those before it are taken. Rows are as large as a
/// client makes them, and batches in the channel are not in the memory pool yet.
const LARGE_BATCH: usize = 16 * 1024 * 1024;

/// The columns of the rows that a client sends, the write of them, and which of them are written, if
/// not all.
pub(super) type Begun = (SchemaRef, QueryWrite, Option<RowFilter>);

/// A message from the client to the write.
enum Message {
    Batch(RecordBatch),
    /// What the client sent is not valid, or it gave up.
    Failed(Error),
    /// The client has sent all rows. If the channel closes without this message, the client broke
    /// off.
    End,
}

/// A write whose rows a client sends. Dropped before its end, it leaves nothing behind.
pub struct Ingestion {
    gateway: Arc<Gateway>,
    query: Arc<Query>,
    sender: mpsc::Sender<Message>,
    /// `None`: the outcome was taken.
    outcome: Option<oneshot::Receiver<Result<u64>>>,
    /// The work on rows whose client is gone.
    _unwanted: StopOnDrop,
}

impl fmt::Debug for Ingestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingestion")
            .field("query", &self.query.id)
            .finish_non_exhaustive()
    }
}

impl Ingestion {
    /// Begins the write of a job, in its own task. `schema`: of the batches. `filter`: which of their
    /// rows are written, if not all.
    pub(super) fn begin(job: WriteJob, schema: SchemaRef, filter: Option<RowFilter>) -> Self {
        let (gateway, query) = (Arc::clone(&job.gateway), Arc::clone(&job.query));
        let (sender, receiver) = mpsc::channel(QUEUED_BATCHES);
        let (done, outcome) = oneshot::channel();
        let stop: Arc<Stop> = Arc::default();
        let unwanted = StopOnDrop(Arc::clone(&stop));
        let stopped = Arc::clone(&job.query);
        tokio::spawn(async move {
            let batches = match filter {
                Some(filter) => filter.over(received(receiver), Arc::clone(&stop)),
                None => received(receiver).boxed(),
            };
            let stopping = async {
                stop.stop(stopped.stopped().await);
                std::future::pending::<Infallible>().await
            };
            let outcome = tokio::select! {
                outcome = run(job, schema, batches) => outcome,
                never = stopping => match never {},
            };
            // The receiver is gone if the client is.
            let _ = done.send(outcome);
        });
        Self {
            gateway,
            query,
            sender,
            outcome: Some(outcome),
            _unwanted: unwanted,
        }
    }

    /// Waits for what the client sends next. The client may take as long as `queries.max_stall`.
    ///
    /// # Errors
    /// The write has failed, or was stopped: it does not wait for the client to send more.
    pub async fn receive<T>(&mut self, next: impl Future<Output = T>) -> Result<T> {
        self.query.waits_for_client(Stalled::Sending);
        let Some(outcome) = &mut self.outcome else {
            return Err(self.ended());
        };
        let next = tokio::select! {
            biased;
            ended = outcome => Err(ended),
            next = next => Ok(next),
        };
        self.query.client_waits();
        match next {
            Ok(next) => Ok(next),
            Err(ended) => {
                self.outcome = None;
                Err(match self.outcome_of(ended) {
                    Ok(_) => self.ended(),
                    Err(error) => error,
                })
            }
        }
    }

    /// Charges the CPU time of `work` to the write, such as that of decoding what the client sent.
    pub fn metered<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        metered(Arc::clone(&self.query.resources.cpu), work)
    }

    /// Does work that may take long on the query threads, charged to the write. On the thread of the
    /// connection, other connections would wait for it.
    ///
    /// # Errors
    /// The server is shutting down; the work panics.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let work = self.metered(async move { work() });
        let working = self.gateway.engine.cpu().spawn(work);
        let working =
            working.ok_or_else(|| Error::new(Code::ShuttingDown, "the server is shutting down"))?;
        let done = working.await;
        done.map_err(|error| Error::internal(format!("work for a write died: {error}")))
    }

    /// Gives a batch to the write, and waits while the write has enough to do.
    ///
    /// # Errors
    /// The write has failed, or was stopped.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let places = match bytes_in(&batch) >= LARGE_BATCH {
            true => QUEUED_BATCHES,
            false => 1,
        };
        if let Ok(mut places) = self.sender.reserve_many(places).await
            && let Some(place) = places.next()
        {
            place.send(Message::Batch(batch));
            return Ok(());
        }
        // The channel is closed: the write has ended.
        match self.end().await {
            Ok(_) => Err(self.ended()),
            Err(error) => Err(error),
        }
    }

    /// Ends the write after the last batch: the rows become visible. Returns their number.
    ///
    /// # Errors
    /// The write fails. None of the rows is ever visible.
    pub async fn finish(mut self) -> Result<u64> {
        // If the channel is closed, the outcome says why.
        let _ = self.sender.send(Message::End).await;
        self.end().await
    }

    /// Ends the write because of an error in what the client sent. When this returns the error, the
    /// files of the write are deleted.
    pub async fn give_up(mut self, error: Error) -> Error {
        if self.outcome.is_some() {
            let _ = self.sender.send(Message::Failed(error.clone())).await;
            let _ = self.end().await;
        }
        error.with_query(self.query.id)
    }

    async fn end(&mut self) -> Result<u64> {
        let Some(outcome) = self.outcome.take() else {
            return Err(self.ended());
        };
        self.outcome_of(outcome.await)
    }

    fn outcome_of(
        &self,
        ended: std::result::Result<Result<u64>, oneshot::error::RecvError>,
    ) -> Result<u64> {
        let outcome = ended.map_err(|_| Error::internal("the task of a write died"))?;
        outcome.map_err(|error| error.with_query(self.query.id))
    }

    fn ended(&self) -> Error {
        Error::internal("a write got rows after its end").with_query(self.query.id)
    }
}

impl Session {
    /// Writes rows to a table and returns their number. After success, every query that begins sees
    /// the rows; after an error, none of them is ever visible.
    ///
    /// # Errors
    /// [`StatementContext::plan_write`](lakegate_statement::StatementContext::plan_write) fails; a
    /// batch does not fit the table; the queue of writes is full; the client's stream ends with an
    /// error; the table was changed meanwhile.
    pub fn ingest<'a>(
        &'a self,
        request: &'a WriteRequest,
        rows: &'a Schema,
        mut batches: BoxStream<'a, Result<RecordBatch>>,
    ) -> BoxFuture<'a, Result<u64>> {
        async move {
            let moment = self.moment()?;
            let workgroup = {
                let state = self.state.lock();
                state.transaction.check()?;
                state.transaction.check_outside("bulk ingestion")?;
                state.check_writable("bulk ingestion")?;
                state.settings.workgroup()
            };
            let text = described(request);
            let (request, rows) = (request.clone(), Arc::new(rows.clone()));
            let plan = |context: StatementContext| {
                async move {
                    let plan = context.plan_write(&request, &rows).await?;
                    Ok((rows, QueryWrite::Table(Box::new(plan)), None))
                }
                .boxed()
            };
            let begins = self.begin_ingestion(&moment, &workgroup, &text, None, plan);
            let (_, mut ingestion) = begins.await?;
            loop {
                match ingestion.receive(batches.next()).await? {
                    Some(Ok(batch)) => ingestion.write(batch).await?,
                    Some(Err(error)) => return Err(ingestion.give_up(error).await),
                    None => return ingestion.finish().await,
                }
            }
        }
        .boxed()
    }
}

impl Session {
    /// Begins a write of rows that a client sends. Returns the columns of its batches too.
    ///
    /// `plan`: plans the write, on a planner thread, because a schema with many columns takes long.
    ///
    /// # Errors
    /// Those of `plan`; the workgroup does not exist or has no room.
    pub(super) async fn begin_ingestion(
        &self,
        moment: &Moment,
        workgroup: &str,
        text: &str,
        changes: Option<Arc<Changes>>,
        plan: impl FnOnce(StatementContext) -> BoxFuture<'static, Result<Begun>>,
    ) -> Result<(SchemaRef, Ingestion)> {
        moment.check_workgroup(workgroup)?;
        let context = self.statement_context(moment).await?;
        let limits = moment.statement_limits(workgroup);
        let meter = Arc::new(QueryMeter::new(None));
        let query = self.submit(text, context.path.shown(), limits, meter)?;
        let unfinished = Unfinished::guard(&query);
        let planning = self.gateway.plan_for(&query, plan(context));
        let (columns, write, filter) = match query.step(Phase::Planning, planning).await {
            Ok(planned) => planned,
            Err(error) => {
                query.finish(0, Err(&error));
                return Err(error.with_query(query.id));
            }
        };
        unfinished.disarm();
        let job = WriteJob {
            gateway: Arc::clone(&self.gateway),
            query,
            write,
            is_ordered: false,
            changes,
            session: self.me.clone(),
        };
        let ingestion = Ingestion::begin(job, Arc::clone(&columns), filter);
        Ok((columns, ingestion))
    }
}

/// Returns the statement to show in the history.
fn described(request: &WriteRequest) -> String {
    let how = match request.if_exists {
        IfExists::Fail => "a new table",
        IfExists::Append => "appended",
        IfExists::Replace => "replaced",
    };
    format!("INSERT INTO {} /* bulk ingestion, {how} */", request.table)
}

/// Returns the client's batches as a stream, which ends with an error if the client breaks off.
fn received(
    receiver: mpsc::Receiver<Message>,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    futures::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Message::Batch(batch)) => Some((Ok(batch), Some(receiver))),
            Some(Message::Failed(error)) => Some((Err(error), None)),
            Some(Message::End) => None,
            None => {
                let gone = Error::new(
                    Code::QueryCancelled,
                    "the client went away before it had sent all rows",
                );
                Some((Err(gone), None))
            }
        }
    })
}

/// Returns the batches in an order, which they are put in when the stream is first polled.
fn in_order(
    job: &WriteJob,
    order: RowOrder,
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch>>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let (gateway, id) = (Arc::clone(&job.gateway), job.query.id);
    let unwanted = StopOnDrop(Arc::default());
    let run = PlanRun::new(Arc::clone(&unwanted.0), ());
    let above = move |rows| order.above(rows);
    let sorting = async move { gateway.engine.over_rows(id, schema, batches, above, run) };
    let sorted = futures::stream::once(sorting).try_flatten();
    let sorted = sorted.inspect(move |_| {
        let _ = &unwanted;
    });
    sorted.boxed()
}

/// Waits for a permit, runs the job, and ends its query. `schema`: of the batches.
async fn run(
    mut job: WriteJob,
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
) -> Result<u64> {
    let query = Arc::clone(&job.query);
    let batches = match job.write.order() {
        Some(order) => {
            job.is_ordered = true;
            in_order(&job, order, schema, batches.boxed())
        }
        None => batches.boxed(),
    };
    let written = async {
        let admitted = job.gateway.admit(&query, Queue::Write);
        let permit = query.step(Phase::Queued, admitted).await?;
        let permit = (permit, query.holds_permit());
        query.runs();
        job.run(batches, permit).await
    };
    let outcome = written.await;
    match &outcome {
        Ok(rows) => query.finish(*rows, Ok(())),
        Err(error) => query.finish(0, Err(error)),
    }
    outcome
}
