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
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use lakegate_engine::{PlanRun, StopOnDrop};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_lake::write::RowOrder;
use lakegate_statement::{IfExists, QueryWrite, WriteRequest};
use tokio::sync::{mpsc, oneshot};

use crate::query::ending::Unfinished;
use crate::query::life::Phase;
use crate::query::stalled::Stalled;
use crate::session::Session;
use crate::workgroup::Queue;
use crate::write::job::WriteJob;

/// The capacity of the channel between the client and the encoder, in batches.
const QUEUED_BATCHES: usize = 4;

/// A message from the client to the write.
enum Message {
    Batch(RecordBatch),
    /// The client has sent all rows. If the channel closes without this message, the client broke
    /// off.
    End,
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
        batches: BoxStream<'a, Result<RecordBatch>>,
    ) -> BoxFuture<'a, Result<u64>> {
        async move {
            let moment = self.moment()?;
            let workgroup = {
                let state = self.state.lock();
                state.transaction.check()?;
                state.transaction.check_outside("bulk ingestion")?;
                state.settings.workgroup()
            };
            moment.check_workgroup(&workgroup)?;
            let context = self.statement_context(&moment).await?;
            let limits = moment.statement_limits(&workgroup);
            let meter = Arc::new(QueryMeter::new(None));
            let query = self.submit(&described(request), context.path.shown(), limits, meter)?;
            let unfinished = Unfinished::guard(&query);
            let planned = async {
                // Planned on a planner thread, because a schema with many columns takes long.
                let (request, rows) = (request.clone(), rows.clone());
                let planning = async move { context.plan_write(&request, &rows).await };
                let planning = self.gateway.plan_for(&query, planning.boxed());
                query.step(Phase::Planning, planning).await
            };
            let plan = match planned.await {
                Ok(plan) => plan,
                Err(error) => {
                    query.finish(0, Err(&error));
                    return Err(error.with_query(query.id));
                }
            };
            let job = WriteJob {
                gateway: Arc::clone(&self.gateway),
                query: Arc::clone(&query),
                write: QueryWrite::Table(Box::new(plan)),
                is_ordered: false,
                changes: None,
            };
            unfinished.disarm();
            let (sender, receiver) = mpsc::channel(QUEUED_BATCHES);
            let (done, mut outcome) = oneshot::channel();
            let schema = Arc::new(rows.clone());
            tokio::spawn(async move {
                // The receiver is gone if the client is.
                let _ = done.send(run(job, schema, received(receiver)).await);
            });
            let mut batches = std::pin::pin!(batches);
            let mut broken = None;
            // A write that has failed or was stopped does not wait for the client to send more.
            let ended = loop {
                query.waits_for_client(Stalled::Sending);
                let next = tokio::select! {
                    biased;
                    ended = &mut outcome => break Some(ended),
                    next = batches.next() => next,
                };
                query.client_waits();
                match next {
                    Some(Ok(batch)) => {
                        // The channel is closed: the write has ended, and its error is returned below.
                        if sender.send(Message::Batch(batch)).await.is_err() {
                            break None;
                        }
                    }
                    Some(Err(error)) => {
                        broken = Some(error);
                        break None;
                    }
                    None => {
                        // As above.
                        let _ = sender.send(Message::End).await;
                        break None;
                    }
                }
            };
            drop(sender);
            let outcome = match ended {
                Some(ended) => ended,
                None => outcome.await,
            };
            let outcome = outcome.map_err(|_| Error::internal("the task of a write died"))?;
            // If the client's stream failed, the write only knows that rows are missing.
            outcome.map_err(|error| broken.unwrap_or(error).with_query(query.id))
        }
        .boxed()
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
