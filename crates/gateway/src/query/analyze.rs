//! ANALYZE: a query of the principal measures a table or partitions of it, and the catalog keeps
//! what it found.
//!
//! The statement is one query in the history, with the limits of any query. The task that runs it
//! owns the query, so a dropped call leaves nothing behind.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{FutureExt, TryStreamExt};
use lakegate_catalog::store::Metastore;
use lakegate_dialect::Dialect;
use lakegate_engine::{PlanRun, StopOnDrop, metered};
use lakegate_error::{Error, Result};
use lakegate_policy::snapshots::SnapshotPlan;
use lakegate_sql::ast::{Analyze, Statement};
use lakegate_statement::{AnalyzePlan, StatementContext};
use sqlparser::ast;

use crate::Execution;
use crate::moment::Moment;
use crate::query::ending::owned;
use crate::query::life::Phase;
use crate::query::planning::Planning;
use crate::query::resolve::NameScope;
use crate::query::run::{QueryContext, queue_of};
use crate::session::Session;
use crate::session::results::command;

impl Session {
    /// Runs ANALYZE.
    ///
    /// # Errors
    /// The table cannot be analysed by the principal; planning or running the query fails; the
    /// table was dropped meanwhile.
    pub(crate) async fn analyze(
        &self,
        moment: &Moment,
        analyze: &Analyze,
        text: &str,
    ) -> Result<Execution> {
        let catalog = self.statement_context(moment).await?;
        let planned = self.plan_analyze(moment, &catalog, analyze);
        let (plan, planning) = match Box::pin(planned).await {
            Ok(planned) => planned,
            Err(error) => return Err(self.refused(moment, catalog.path.shown(), text, error)),
        };
        let context = self.query_context(text, planning)?;
        let query = Arc::clone(&context.query);
        let metastore = Arc::clone(&catalog.view.metastore);
        let work = async move { run(&context, &plan, metastore.as_ref()).await };
        owned(&query, "ANALYZE", work.boxed(), |()| 0).await?;
        Ok(command("ANALYZE"))
    }

    async fn plan_analyze(
        &self,
        moment: &Moment,
        catalog: &StatementContext,
        analyze: &Analyze,
    ) -> Result<(AnalyzePlan, Planning)> {
        let plan = catalog.plan_analyze(analyze).await?;
        let Statement::Query(query) = plan.query()? else {
            return Err(Error::internal("ANALYZE makes no query"));
        };
        // One language, so that the statistics do not depend on that of the session.
        let scope = NameScope {
            dialect: Dialect::Postgres,
            ..self.scope()
        };
        let query = ast::Statement::Query(query);
        let planning = Box::pin(self.resolve_in(moment, &scope, query)).await?;
        Ok((plan, planning))
    }
}

/// Runs the query, and records what it found.
async fn run(context: &QueryContext, plan: &AnalyzePlan, metastore: &dyn Metastore) -> Result<()> {
    let query = &context.query;
    let pruning = Box::pin(context.pruned(None, &[]));
    let pruned = query.step(Phase::Planning, pruning).await?;
    let snapshot = context.list(pruned).await?;
    let rows = rows(context, &snapshot).boxed().await?;
    if plan.is_of_partitions() {
        let found = plan.statistics_of_partitions(&rows, &file_bytes(&snapshot))?;
        query.commits()?;
        metastore
            .update_partition_statistics(&plan.table, found)
            .await?;
        return Ok(());
    }
    let row = rows.iter().find(|batch| batch.num_rows() > 0);
    let row = row.ok_or_else(|| Error::internal("the query of ANALYZE has no row"))?;
    let found = plan.statistics(row, snapshot.bytes())?;
    query.commits()?;
    metastore
        .update_table_statistics(&plan.table, found)
        .await?;
    Ok(())
}

/// The size of the files of each partition, by its name.
fn file_bytes(snapshot: &SnapshotPlan) -> HashMap<Arc<str>, u64> {
    let tables = snapshot.tables.iter();
    let partitions = tables.flat_map(|table| &table.snapshot.partitions);
    partitions
        .map(|partition| {
            let sizes = partition.files.iter().map(|file| file.size);
            (Arc::clone(&partition.name), sizes.sum::<u64>())
        })
        .collect()
}

/// Waits for a permit, as any query, and runs the plan on the query threads. It has one row, or one
/// for each partition.
async fn rows(context: &QueryContext, snapshot: &SnapshotPlan) -> Result<Vec<RecordBatch>> {
    let query = &context.query;
    let admitted = context.gateway.admit(query, queue_of(snapshot));
    let permit = query.step(Phase::Queued, admitted).await?;
    query.runs();
    let physical = Box::pin(context.physical(&snapshot.plan));
    let physical = query.step(Phase::Planning, physical).await?;
    let unwanted = StopOnDrop(Arc::default());
    let held = (permit, query.holds_permit(), query.working());
    let run = PlanRun::new(Arc::clone(&unwanted.0), held);
    let running = context.clone();
    let collecting = async move {
        // Executed on the query threads too, because some operators begin to work here.
        running
            .execute(&physical, run)?
            .try_collect::<Vec<_>>()
            .await
    };
    let collecting = metered(Arc::clone(&query.resources.cpu), collecting);
    let collecting = context.gateway.threads(snapshot).spawn(collecting);
    let collecting = collecting.ok_or_else(|| Error::internal("the query threads have ended"))?;
    // The handle is dropped with the step, which aborts the task when the statement is cancelled.
    let collecting = tokio_util::task::AbortOnDropHandle::new(collecting);
    query
        .step(Phase::Execution, async {
            collecting
                .await
                .map_err(|error| Error::internal(error.to_string()))?
        })
        .await
}
