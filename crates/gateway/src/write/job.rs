//! A write: takes a stream of batches and commits them.
//!
//! ```text
//!  batches ─▶ PartitionedWriter, on the query threads ─▶ commit ─▶ the files of a replaced
//!                 │                                                 table are deleted once
//!                 │                                                 no query reads them
//!                 └─ error, cancelled: the files are deleted ─▶ the write ends
//! ```
//!
//! The job runs in its caller's query and with its caller's permit: it neither admits nor finishes
//! a query.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt};
use lakegate_catalog::store::WriteId;
use lakegate_engine::metered;
use lakegate_error::{Code, Error, Result};
use lakegate_lake::write::{PartitionedWriter, Written, location};
use lakegate_statement::{QueryWrite, UnloadPlan, WritePlan};
use tokio_util::sync::CancellationToken;

use crate::Gateway;
use crate::query::life::{Phase, Query};
use crate::session::changes::Changes;
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
}

impl WriteJob {
    /// Writes all batches, commits, and returns the number of rows. If it fails, no row becomes
    /// visible and the files are deleted. The end of the stream triggers the commit, so a source
    /// that breaks off must end with an error.
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
        let (database, name, location) = match &self.write {
            QueryWrite::Table(plan) => {
                let table = &plan.target.table;
                let location = location(table)?;
                (table.database_name.as_str(), table.name.as_str(), location)
            }
            // No table has the name: it is for messages.
            QueryWrite::Folder(plan) => ("unload", plan.location()?, plan.location()?),
        };
        let folders = vec![location.to_owned()];
        let log = &self.gateway.write_log;
        let id = log.begin_write(database, name, folders).await?;
        let outcome = self.written(id, batches, permit).await;
        if outcome.is_err()
            && let Err(failure) = self.gateway.clear_write(id).await
        {
            tracing::warn!(write = %id, %failure, "files of a write that failed stay for now, unseen");
            tokio::spawn(clear_later(Arc::clone(&self.gateway), id));
        }
        outcome
    }

    async fn written(
        &self,
        id: WriteId,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        permit: impl Send,
    ) -> Result<u64> {
        let memory = self.gateway.engine.reservation("ingestion");
        let (destination, mapping) = match &self.write {
            QueryWrite::Table(plan) => (plan.target.destination(id)?, plan.mapping.clone()),
            QueryWrite::Folder(plan) => {
                plan.check_empty(id).await?;
                (plan.destination(id)?, plan.mapping.clone())
            }
        };
        let most = self.gateway.engine.space().memory_limit() / SHARE_OF_MEMORY;
        let writer = PartitionedWriter::new(destination, mapping, memory)?.within(most);
        let writer = match self.is_ordered {
            true => writer.ordered(),
            false => writer,
        };
        let stop = CancellationToken::new();
        let mut encoding = self
            .gateway
            .engine
            .cpu()
            .spawn(metered(
                Arc::clone(&self.query.resources.cpu),
                encode(writer, batches, Arc::clone(&self.query), stop.clone()),
            ))
            .ok_or_else(|| Error::new(Code::ShuttingDown, "the server is shutting down"))?;
        let before = Instant::now();
        let ended = tokio::select! {
            biased;
            reason = self.query.stopped() => {
                stop.cancel();
                // Files may only be deleted after the last one is closed. The outcome no longer
                // matters.
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
        drop(permit);
        let before = Instant::now();
        let rows = written.rows;
        match &self.write {
            QueryWrite::Table(plan) => self.commit(id, plan, written).await?,
            QueryWrite::Folder(plan) => self.release(id, plan).await?,
        }
        self.query.spent(Phase::Execution, before.elapsed());
        Ok(rows)
    }

    /// Makes the files those of the table.
    async fn commit(&self, id: WriteId, plan: &WritePlan, written: Written) -> Result<()> {
        // Checked against the current grants, because those of the statement's moment may have been
        // revoked.
        let changes = self.changes.as_deref();
        if let Some(changes) = changes {
            changes.refresh().await?;
        }
        let now = match self.gateway.moment_in(self.query.principal(), changes) {
            Ok(now) => plan.may(&now.view).await?.then_some(now),
            Err(_) => None,
        };
        let Some(now) = now else {
            return Err(revoked(&plan.target.table.full_name()));
        };
        let commit = plan.commit(written, now.access().by());
        self.query.commits()?;
        let committed = now.coordinator.commit_write(id, commit).await?;
        if let Some(changes) = changes {
            changes.keep(id);
            return Ok(());
        }
        // From here on the rows are visible, even if a later step fails.
        if let Some(discarded) = committed.discarded {
            // Queries that start from here on are planned with the new table.
            let mut readers = self.gateway.running.ids();
            readers.retain(|id| *id != self.query.id);
            tokio::spawn(discard(Arc::clone(&self.gateway), discarded, readers));
        }
        Ok(())
    }

    /// Ends the write and keeps its files, which belong to no table.
    async fn release(&self, id: WriteId, plan: &UnloadPlan) -> Result<()> {
        let now = self.gateway.moment(self.query.principal());
        if !now.is_ok_and(|now| plan.may(&now.view)) {
            return Err(revoked(&format!("location '{}'", plan.location()?)));
        }
        self.query.commits()?;
        Ok(self.gateway.write_log.end_write(id).await?)
    }
}

fn revoked(what: &str) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!("permission denied for {what}: it was revoked while rows were written"),
    )
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
        () = stop.cancelled() => Err(Error::new(Code::QueryCancelled, "the write was stopped")),
        outcome = all => outcome,
    };
    match outcome {
        Ok(()) => {
            let written = writer.finish().await?;
            query.writes(written.bytes)?;
            Ok(written)
        }
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}
