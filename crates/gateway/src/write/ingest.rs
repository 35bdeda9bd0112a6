//! Ingestion: rows that a client streams become files of a table, which are all visible at once or not at all.
//!
//! ```text
//!  client ─ batches ─▶ channel ─▶ TableWriter, on the query threads ─▶ commit_write ─▶ the files a replaced table had are deleted,
//!                       bounded                │                                         once no query reads them
//!                                              └─ broken, cancelled, refused: the files are deleted ─▶ end_write
//! ```
//!
//! A task of its own owns the write: whoever drops the call leaves nothing behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use futures::{FutureExt, Stream, StreamExt};
use lakegate_catalog::store::{Discarded, WriteId};
use lakegate_engine::metered;
use lakegate_error::{Code, Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_lake::write::{TableWriter, Written, location, sweep};
use lakegate_policy::View;
use lakegate_statement::{IfExists, StatementContext, WritePlan, WriteRequest, clear_discarded};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Gateway;
use crate::query::life::{Phase, Query};
use crate::query::limits::Stalled;
use crate::query::run::Unfinished;
use crate::session::Session;

/// Batches between the client and the encoder.
const QUEUED_BATCHES: usize = 4;
/// Between two attempts to delete what a write left.
const RETRY: Duration = Duration::from_secs(60);
/// How long the files of a replaced table wait for the queries that read them.
const MAX_WAIT_FOR_READERS: Duration = Duration::from_secs(3600);

/// From the client to the encoder.
enum Message {
    Batch(RecordBatch),
    /// All has come. Without it, the client broke off.
    End,
}

/// What a write needs, apart from the client.
struct WriteJob {
    gateway: Arc<Gateway>,
    query: Arc<Query>,
    context: StatementContext,
    plan: WritePlan,
    id: WriteId,
}

impl Session {
    /// Writes rows to a table, and gives their number. When it returns, they are visible to every query that begins; where it fails, nothing
    /// of them is.
    ///
    /// Errors: what [`StatementContext::plan_write`] refuses; a batch that does not fit the table; too many writes; what the client's
    /// stream ends with; the table was changed meanwhile.
    pub async fn ingest(
        &self,
        request: &WriteRequest,
        rows: &Schema,
        batches: impl Stream<Item = Result<RecordBatch>> + Send,
    ) -> Result<u64> {
        {
            let state = self.state.lock();
            state.transaction.check()?;
            state.transaction.check_outside("bulk ingestion")?;
            self.check_workgroup(&state.settings.workgroup())?;
        }
        let context = self.statement_context().await?;
        let meter = Arc::new(QueryMeter::new(None));
        let query = self.submit(&described(request), context.path.shown(), meter)?;
        let unfinished = Unfinished::guard(&query);
        let begun = async {
            // A schema of many columns takes its time.
            let (writing, request, rows) = (context.clone(), request.clone(), rows.clone());
            let planning = async move { writing.plan_write(&request, &rows).await };
            let planning = self.gateway.plan_for(&query, planning.boxed());
            let plan = query.step(Phase::Planning, planning).await?;
            let table = &plan.target.table;
            let begin = self.gateway.write_log.begin_write(
                &table.database_name,
                &table.name,
                vec![location(table)?.to_owned()],
            );
            let id = begin.await?;
            Ok((plan, id))
        };
        let (plan, id) = match begun.await {
            Ok(begun) => begun,
            Err(error) => {
                query.finish(0, Err(&error));
                return Err(error.with_query(query.id));
            }
        };
        let job = WriteJob {
            gateway: Arc::clone(&self.gateway),
            query: Arc::clone(&query),
            context,
            plan,
            id,
        };
        unfinished.streams();
        let (sender, receiver) = mpsc::channel(QUEUED_BATCHES);
        let (done, mut outcome) = oneshot::channel();
        tokio::spawn(async move {
            // Nobody may be there any more to hear of it.
            let _ = done.send(job.run(receiver).await);
        });
        let mut batches = std::pin::pin!(batches);
        let mut broken = None;
        // A write that has failed, or was stopped, does not wait for the client to send more.
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
                    // Closed: the write has ended, and says why below.
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
        // Of a stream that broke, the write knows only that not all came.
        outcome.map_err(|error| broken.unwrap_or(error).with_query(query.id))
    }
}

/// The write as the history has it.
fn described(request: &WriteRequest) -> String {
    let how = match request.if_exists {
        IfExists::Fail => "a new table",
        IfExists::Append => "appended",
        IfExists::Replace => "replaced",
    };
    format!("INSERT INTO {} /* bulk ingestion, {how} */", request.table)
}

impl WriteJob {
    /// Gives the number of rows.
    async fn run(self, receiver: mpsc::Receiver<Message>) -> Result<u64> {
        let outcome = self.write(receiver).await;
        match &outcome {
            Ok(rows) => self.query.finish(*rows, Ok(())),
            Err(error) => {
                if let Err(failure) = self.gateway.clear_write(self.id).await {
                    tracing::warn!(write = %self.id, %failure, "files of a write that failed stay for now, unseen");
                    tokio::spawn(clear_later(Arc::clone(&self.gateway), self.id));
                }
                self.query.finish(0, Err(error));
            }
        }
        outcome
    }

    async fn write(&self, receiver: mpsc::Receiver<Message>) -> Result<u64> {
        let admitted = self
            .gateway
            .write_admission
            .admit(&self.query.principal().user);
        self.gateway.memory.check(&self.gateway.running).await?;
        let place = self.query.step(Phase::Queued, admitted).await?;
        let place = (place, self.query.has_place());
        self.query.runs();
        let memory = self.gateway.engine.reservation("ingestion");
        let writer = TableWriter::new(
            self.plan.target.clone(),
            self.id,
            self.plan.mapping.clone(),
            memory,
        )?;
        let stop = CancellationToken::new();
        let mut encoding = self
            .gateway
            .engine
            .cpu()
            .spawn(metered(
                Arc::clone(&self.query.cpu),
                encode(writer, receiver, stop.clone()),
            ))
            .ok_or_else(|| Error::new(Code::ShuttingDown, "the server is shutting down"))?;
        let before = Instant::now();
        let ended = tokio::select! {
            biased;
            reason = self.query.stopped() => {
                stop.cancel();
                // Nothing is deleted before the last file is closed; how it ends does not matter any more.
                let _ = encoding.await;
                Err(reason)
            }
            ended = &mut encoding => match ended {
                Ok(written) => written,
                Err(error) => Err(Error::internal(format!("the encoder of a write died: {error}"))),
            },
        };
        self.query.spent(Phase::Execution, before.elapsed());
        let written = ended?;
        drop(place);
        self.commit(written).await
    }

    async fn commit(&self, written: Written) -> Result<u64> {
        let before = Instant::now();
        let by = match self.gateway.access_of(self.query.principal()) {
            Some(access) => {
                let by = access.by();
                let view = View {
                    access,
                    ..self.context.view.clone()
                };
                self.plan.may(&view).await?.then_some(by)
            }
            None => None,
        };
        let Some(by) = by else {
            return Err(Error::new(
                Code::PermissionDenied,
                format!(
                    "permission denied for {}: it was revoked while rows were written",
                    self.plan.target.table.full_name()
                ),
            ));
        };
        let rows = written.rows;
        let commit = self.plan.commit(written, by);
        self.query.commits()?;
        let committed = self
            .gateway
            .coordinator
            .commit_write(self.id, commit)
            .await?;
        // From here on the rows are visible: what is left is done, whatever fails.
        if let Some(discarded) = committed.discarded {
            // Whoever comes from here on is planned with the new table.
            let mut readers = self.gateway.running.ids();
            readers.retain(|id| *id != self.query.id);
            tokio::spawn(discard(Arc::clone(&self.gateway), discarded, readers));
        }
        self.query.spent(Phase::Execution, before.elapsed());
        Ok(rows)
    }
}

/// Encodes what comes, until the client says that it was all.
async fn encode(
    mut writer: TableWriter,
    mut receiver: mpsc::Receiver<Message>,
    stop: CancellationToken,
) -> Result<Written> {
    let all = async {
        loop {
            match receiver.recv().await {
                Some(Message::Batch(batch)) => writer.write(&batch).await?,
                Some(Message::End) => return Ok(()),
                None => {
                    return Err(Error::new(
                        Code::QueryCancelled,
                        "the client went away before it had sent all rows",
                    ));
                }
            }
        }
    };
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Error::new(Code::QueryCancelled, "the write was stopped")),
        outcome = all => outcome,
    };
    match outcome {
        Ok(()) => writer.finish().await,
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}

impl Gateway {
    /// Deletes what earlier processes left: files of writes that they did not commit, and files of tables that were replaced. It goes on
    /// after this returns; until then nobody sees the files.
    ///
    /// Errors: the catalog.
    pub async fn recover_writes(self: &Arc<Self>) -> Result<()> {
        for write in self.write_log.unfinished_writes().await? {
            tracing::info!(write = %write.id, table = write.table, "a write was not finished; its files are deleted");
            tokio::spawn(clear_later(Arc::clone(self), write.id));
        }
        for discarded in self.write_log.discarded().await? {
            tokio::spawn(discard(Arc::clone(self), discarded, Vec::new()));
        }
        Ok(())
    }

    /// Deletes the files of a write that is not committed, and ends it.
    async fn clear_write(&self, id: WriteId) -> Result<()> {
        let open = self.write_log.unfinished_writes().await?;
        if let Some(write) = open.iter().find(|write| write.id == id) {
            sweep::remove_write(&self.roots, id, &write.locations).await?;
            self.write_log.end_write(id).await?;
        }
        Ok(())
    }
}

/// Tries until it is done: a store that cannot be reached now can be later.
async fn clear_later(gateway: Arc<Gateway>, id: WriteId) {
    while let Err(error) = gateway.clear_write(id).await {
        tracing::warn!(write = %id, %error, "files of a write that was not committed cannot be deleted yet");
        tokio::time::sleep(RETRY).await;
    }
}

/// Deletes the files of a replaced table when these queries have ended, which may read them.
async fn discard(gateway: Arc<Gateway>, discarded: Discarded, readers: Vec<Uuid>) {
    let ended = async {
        for reader in readers {
            while gateway.running.get(reader).is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    if tokio::time::timeout(MAX_WAIT_FOR_READERS, ended)
        .await
        .is_err()
    {
        tracing::warn!(
            "the files of a replaced table are deleted although a query may still read them"
        );
    }
    while let Err(error) = clear_discarded(
        gateway.metastore.as_ref(),
        gateway.write_log.as_ref(),
        &gateway.folders,
        &gateway.roots,
        &discarded,
    )
    .await
    {
        tracing::warn!(%error, "the files of a replaced table cannot be deleted yet");
        tokio::time::sleep(RETRY).await;
    }
}
