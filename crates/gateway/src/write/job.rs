//! A write: takes a stream of batches and commits them.
//!
//! ```text
//!  batches ─▶ PartitionedWriter, on the query threads ─▶ commit ─▶ the files of a replaced
//!                 │                                                 table are deleted once
//!                 │                                                 no query reads them
//!                 └─ error, cancelled: the files are deleted ─▶ the write ends
//! ```
//!
//! Rows of a temporary table go to its session instead, with the memory that they take.
//!
//! A removal has a write for each of its tables, without files: its batches are counted, and all its
//! writes are committed at once.
//!
//! The job runs in its caller's query and with its caller's permit: it neither admits nor finishes
//! a query.

use std::sync::{Arc, Weak};
use std::time::Instant;

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt};
use lakegate_catalog::store::WriteId;
use lakegate_engine::metered;
use lakegate_error::{Code, Error, Result};
use lakegate_lake::write::columns::Mapping;
use lakegate_lake::write::{Destination, PartitionedWriter, Written, location};
use lakegate_statement::{Found, QueryWrite, RemovalPlan, UnloadPlan, WritePlan};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Gateway;
use crate::query::life::{Phase, Query};
use crate::session::Session;
use crate::session::changes::Changes;
use crate::write::kept::kept;
use crate::write::recovery::{clear_later, discard};

/// One write holds at most the pool's memory through this.
const SHARE_OF_MEMORY: usize = 8;

/// A write whose rows become visible all at once or not at all.
pub(crate) struct WriteJob {
    pub gateway: Arc<Gateway>,
    pub query: Arc<Query>,
    pub write: QueryWrite,
    /// The batches are those of [`QueryWrite::order`].
    pub is_ordered: bool,
    /// The transaction block that the write is part of: its rows become visible with the block.
    pub changes: Option<Arc<Changes>>,
    /// The session of the statement, whose temporary tables may change.
    pub session: Weak<Session>,
}

impl WriteJob {
    /// Writes all batches, commits, and returns the number of rows that were written or removed. If
    /// it fails, no row becomes visible or is removed, and the files are deleted. The end of the
    /// stream triggers the commit, so a source that breaks off must end with an error.
    ///
    /// Run this in its own task: dropping the future leaves the files behind until the next start.
    ///
    /// # Errors
    /// The stream fails; a batch does not fit the table; the query was stopped; the table or the
    /// grants were changed meanwhile.
    pub(super) async fn run(
        self,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        permit: impl Send,
    ) -> Result<u64> {
        let mut begun = Vec::new();
        let outcome = self.completed(&mut begun, batches, permit).await;
        if outcome.is_ok() {
            return outcome;
        }
        for id in begun {
            if let Err(failure) = self.gateway.clear_write(id).await {
                tracing::warn!(write = %id, %failure, "files of a write that failed stay for now, unseen");
                tokio::spawn(clear_later(Arc::clone(&self.gateway), id));
            }
        }
        outcome
    }

    /// Does what [`Self::run`] does, but for what it does after a failure. `begun`: takes the writes
    /// that begin.
    async fn completed(
        &self,
        begun: &mut Vec<WriteId>,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        permit: impl Send,
    ) -> Result<u64> {
        match &self.write {
            QueryWrite::Table(plan) => {
                let id = self.begin(plan).await?;
                begun.push(id);
                let writer = self.writer(plan.target.destination(id)?, plan.mapping.clone())?;
                let written = self.encoded(writer, batches, permit).await?;
                let rows = written.rows;
                self.commit(vec![(id, plan, written)]).await?;
                Ok(rows)
            }
            QueryWrite::Folder(plan) => {
                let folder = plan.location()?;
                let log = &self.gateway.write_log;
                // No table has the name: it is for messages.
                let begins = log.begin_write("unload", folder, vec![folder.to_owned()]);
                let id = begins.await?;
                begun.push(id);
                plan.check_empty(id).await?;
                let writer = self.writer(plan.destination(id)?, plan.mapping.clone())?;
                let written = self.encoded(writer, batches, permit).await?;
                self.release(id, plan).await?;
                Ok(written.rows)
            }
            QueryWrite::Removal(plan) => {
                let found = self.worked(count(Arc::clone(plan), batches)).await?;
                drop(permit);
                let removals = plan.removals(&found)?;
                let mut writes = Vec::with_capacity(removals.len());
                for removal in &removals {
                    if let Some(reason) = self.query.reason() {
                        return Err(reason);
                    }
                    let id = self.begin(removal).await?;
                    begun.push(id);
                    writes.push((id, &**removal, NOTHING_WRITTEN));
                }
                if !writes.is_empty() {
                    self.commit(writes).await?;
                }
                Ok(found.rows)
            }
            QueryWrite::Temporary(write) => {
                let memory = self.session()?.memory().hold();
                let query = Arc::clone(&self.query);
                let keeping = kept(write.mapping.clone(), batches, memory, query);
                let part = self.worked(keeping).await?;
                drop(permit);
                self.query.commits()?;
                self.session()?.change_temporary(&write.change, part)
            }
        }
    }

    /// # Errors
    /// The session is over.
    pub(super) fn session(&self) -> Result<Arc<Session>> {
        let session = self.session.upgrade();
        session.ok_or_else(|| Error::internal("the session of a write is over"))
    }

    /// Begins a write to the table of a plan.
    async fn begin(&self, plan: &WritePlan) -> Result<WriteId> {
        let table = &plan.target.table;
        let folders = vec![location(table)?.to_owned()];
        let log = &self.gateway.write_log;
        let begins = log.begin_write(&table.database_name, &table.name, folders);
        Ok(begins.await?)
    }

    fn writer(&self, destination: Destination, mapping: Mapping) -> Result<PartitionedWriter> {
        let memory = self.gateway.engine.reservation("ingestion");
        let most = self.gateway.engine.space().memory_limit() / SHARE_OF_MEMORY;
        let writer = PartitionedWriter::new(destination, mapping, memory)?.within(most);
        Ok(match self.is_ordered {
            true => writer.ordered(),
            false => writer,
        })
    }

    /// Writes all batches to files.
    async fn encoded(
        &self,
        writer: PartitionedWriter,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        permit: impl Send,
    ) -> Result<Written> {
        let stop = CancellationToken::new();
        let encoding = encode(writer, batches, Arc::clone(&self.query), stop.clone());
        let encoding = self.spawn(encoding)?;
        let written = self.attended(encoding, &stop).await?;
        drop(permit);
        Ok(written)
    }

    /// Runs work on the query threads, until the query is stopped.
    pub(super) async fn worked<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let stop = CancellationToken::new();
        let working = self.spawn(unless_stopped(work, stop.clone()))?;
        self.attended(working, &stop).await
    }

    /// Runs work on the query threads.
    fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let work = metered(Arc::clone(&self.query.resources.cpu), work);
        let spawned = self.gateway.engine.cpu().spawn(work);
        spawned.ok_or_else(|| Error::new(Code::ShuttingDown, "the server is shutting down"))
    }

    /// Waits for the end of work. `stop`: cancelled when the query is stopped, which ends the work.
    async fn attended<T>(
        &self,
        mut working: JoinHandle<Result<T>>,
        stop: &CancellationToken,
    ) -> Result<T> {
        let before = Instant::now();
        let ended = tokio::select! {
            biased;
            reason = self.query.stopped() => {
                stop.cancel();
                // Files may only be deleted after the last one is closed. The outcome no longer
                // matters.
                let _ = working.await;
                Err(reason)
            }
            ended = &mut working => match ended {
                Ok(ended) => ended,
                Err(error) => Err(Error::internal(format!("the work of a write died: {error}"))),
            },
        };
        self.query.spent(Phase::Execution, before.elapsed());
        ended
    }

    /// Makes the files of writes those of their tables, all at once.
    async fn commit(&self, writes: Vec<(WriteId, &WritePlan, Written)>) -> Result<()> {
        let before = Instant::now();
        // Checked against the current grants, because those of the statement's moment may have been
        // revoked.
        let changes = self.changes.as_deref();
        if let Some(changes) = changes {
            changes.refresh().await?;
        }
        let now = self.gateway.moment_in(self.query.principal(), changes);
        let mut ids = Vec::with_capacity(writes.len());
        let mut commits = Vec::with_capacity(writes.len());
        let mut coordinator = None;
        for (id, plan, written) in writes {
            let now = match &now {
                Ok(now) => plan.may(&now.view).await?.then_some(now),
                Err(_) => None,
            };
            let Some(now) = now else {
                return Err(revoked(&plan.target.table.full_name()));
            };
            ids.push(id);
            commits.push((id, plan.commit(id, written, now.access().by())?));
            coordinator = Some(Arc::clone(&now.coordinator));
        }
        let Some(coordinator) = coordinator else {
            return Ok(());
        };
        self.query.commits()?;
        let committed = coordinator.commit_writes(commits).await?;
        self.query.spent(Phase::Execution, before.elapsed());
        if let Some(changes) = changes {
            ids.into_iter().for_each(|id| changes.keep(id));
            return Ok(());
        }
        // From here on the rows are visible, even if a later step fails.
        let mut readers = self.gateway.running.ids();
        readers.retain(|id| *id != self.query.id);
        for discarded in committed.into_iter().filter_map(|done| done.discarded) {
            // Queries that start from here on are planned with the new table.
            let gateway = Arc::clone(&self.gateway);
            tokio::spawn(discard(gateway, discarded, readers.clone()));
        }
        Ok(())
    }

    /// Ends the write and keeps its files, which belong to no table.
    async fn release(&self, id: WriteId, plan: &UnloadPlan) -> Result<()> {
        let before = Instant::now();
        let now = self.gateway.moment(self.query.principal());
        if !now.is_ok_and(|now| plan.may(&now.view)) {
            return Err(revoked(&format!("location '{}'", plan.location()?)));
        }
        self.query.commits()?;
        self.gateway.write_log.end_write(id).await?;
        self.query.spent(Phase::Execution, before.elapsed());
        Ok(())
    }
}

fn revoked(what: &str) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!("permission denied for {what}: it was revoked while rows were written"),
    )
}

/// What a removal writes.
const NOTHING_WRITTEN: Written = Written {
    rows: 0,
    files: 0,
    bytes: 0,
    partitions: Vec::new(),
};

/// Counts the rows that the batches of a stream stand for.
async fn count(
    plan: Arc<RemovalPlan>,
    batches: impl Stream<Item = Result<RecordBatch>> + Send,
) -> Result<Found> {
    let mut found = Found::default();
    let mut batches = std::pin::pin!(batches);
    while let Some(batch) = batches.next().await {
        plan.count(&mut found, &batch?)?;
    }
    Ok(found)
}

async fn unless_stopped<T>(
    work: impl Future<Output = Result<T>> + Send,
    stop: CancellationToken,
) -> Result<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(was_stopped()),
        done = work => done,
    }
}

fn was_stopped() -> Error {
    Error::new(Code::QueryCancelled, "the write was stopped")
}

/// Encodes the batches of a stream until its end, within the limit of the query's workgroup.
async fn encode(
    mut writer: PartitionedWriter,
    batches: impl Stream<Item = Result<RecordBatch>> + Send,
    query: Arc<Query>,
    stop: CancellationToken,
) -> Result<Written> {
    let all = async {
        let mut batches = std::pin::pin!(batches);
        while let Some(batch) = batches.next().await {
            writer.write(&batch?).await?;
            query.writes(writer.bytes_written())?;
        }
        Ok(())
    };
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Err(was_stopped()),
        outcome = all => outcome,
    };
    match outcome {
        Ok(()) => {
            let stopped = async {
                stop.cancelled().await;
                was_stopped()
            };
            let written = writer.finish_unless(stopped).await?;
            query.writes(written.bytes)?;
            Ok(written)
        }
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}
