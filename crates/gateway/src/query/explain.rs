//! EXPLAIN: the plan, and how much of each table is read.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, TryStreamExt};
use lakegate_dialect::postgres::ResultReuse;
use lakegate_engine::{PlanRun, StopOnDrop, metered};
use lakegate_error::{Error, Result};
use lakegate_policy::snapshots::{SnapshotPlan, SnapshotTable};
use lakegate_sql::ast::{self as sql, Statement};
use sqlparser::ast;

use crate::Execution;
use crate::moment::Moment;
use crate::query::life::{Phase, Unfinished};
use crate::query::parameters::check_parameters;
use crate::query::plan_text::PlanText;
use crate::query::run::{QueryContext, queue_of};
use crate::session::Session;
use crate::session::results::rows;

/// Returns the schema of EXPLAIN: one text column, with one row per line.
pub(crate) fn explain_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "QUERY PLAN",
        DataType::Utf8,
        false,
    )]))
}

impl Session {
    /// Runs EXPLAIN, or EXPLAIN ANALYZE, which also runs the query.
    ///
    /// # Errors
    /// The statement is not a query; planning or running it fails.
    pub(crate) async fn explain(
        &self,
        moment: &Moment,
        explained: &sql::Explain,
        text: &str,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let query = match explained.statement.as_ref() {
            Statement::Query(query) => query,
            Statement::DeclareCursor(declare) => &declare.query,
            Statement::Unsupported(unsupported) => {
                return Err(Error::not_supported(unsupported.message()));
            }
            other => {
                return Err(Error::not_supported(format!(
                    "EXPLAIN of {} is not supported; use it on a query",
                    other.tag()
                )));
            }
        };
        check_parameters(query.as_ref(), parameters.len())?;
        let statement = ast::Statement::Query(query.clone());
        let planning = Box::pin(self.resolve(moment, statement)).await?;
        let mut context = self.query_context(text, planning)?;
        context.reuse = ResultReuse::Off;
        let _unfinished = Unfinished::guard(&context.query);
        let result = explain(&context, &parameters, explained.analyze, explained.verbose)
            .boxed()
            .await;
        match result {
            Ok(batch) => {
                context.query.finish(batch.num_rows() as u64, Ok(()));
                Ok(rows("EXPLAIN", explain_schema(), vec![batch]))
            }
            Err(error) => {
                context.query.finish(0, Err(&error));
                Err(error)
            }
        }
    }
}

/// Returns the lines of EXPLAIN. With `analyze`, the query runs first.
async fn explain(
    context: &QueryContext,
    parameters: &[ScalarValue],
    analyze: bool,
    verbose: bool,
) -> Result<RecordBatch> {
    let planning = async {
        let snapshot = context.snapshot(parameters).await?;
        let physical = context.physical(&snapshot.plan).await?;
        Ok((snapshot, physical))
    };
    let (snapshot, physical) = context
        .query
        .step(Phase::Planning, planning.boxed())
        .await?;
    let mut lines = Vec::new();
    let rows = if analyze {
        Some(analyze_plan(context, &snapshot, &physical).boxed().await?)
    } else {
        None
    };
    let text = PlanText {
        verbose,
        metrics: analyze,
    };
    lines.extend(text.lines(&physical));
    if verbose {
        lines.push("Logical plan:".to_owned());
        lines.extend(
            snapshot
                .plan
                .display_indent()
                .to_string()
                .lines()
                .map(|line| format!("  {line}")),
        );
    }
    lines.extend(scans(&snapshot));
    if let Some(rows) = rows {
        lines.push(format!("Rows: {rows}"));
        lines.push(format!(
            "Bytes scanned: {}",
            context.query.resources.meter.scanned()
        ));
        let cpu = context.query.resources.cpu.total();
        lines.push(format!("CPU time: {:.1} ms", cpu.as_secs_f64() * 1000.0));
    }
    let column = StringArray::from_iter_values(lines);
    RecordBatch::try_new(explain_schema(), vec![Arc::new(column)])
        .map_err(|e| Error::internal(format!("the plan cannot be shown: {e}")))
}

/// Runs the plan to its end on the query threads and counts its rows.
async fn analyze_plan(
    context: &QueryContext,
    snapshot: &SnapshotPlan,
    physical: &Arc<dyn ExecutionPlan>,
) -> Result<u64> {
    let admitted = context.gateway.admit(&context.query, queue_of(snapshot));
    let permit = context.query.step(Phase::Queued, admitted).await?;
    context.query.runs();
    let unwanted = StopOnDrop(Arc::default());
    let held = (
        permit,
        context.query.holds_permit(),
        context.query.working(),
    );
    let run = PlanRun::new(Arc::clone(&unwanted.0), held);
    let (running, physical) = (context.clone(), Arc::clone(physical));
    let counting = async move {
        // Executed on the query threads too, because some operators begin to work here.
        running
            .execute(&physical, run)?
            .try_fold(0, |rows, batch| async move {
                Ok(rows + batch.num_rows() as u64)
            })
            .await
    };
    let counting = metered(Arc::clone(&context.query.resources.cpu), counting);
    let counting = context.gateway.threads(snapshot).spawn(counting);
    let counting = counting.ok_or_else(|| Error::internal("the query threads have ended"))?;
    // The handle is dropped with the step, which aborts the task when the statement is cancelled.
    let counting = tokio_util::task::AbortOnDropHandle::new(counting);
    context
        .query
        .step(Phase::Execution, async {
            counting.await.map_err(|e| Error::internal(e.to_string()))?
        })
        .await
}

/// Returns one line per scan:
/// `curated.orders: partitions: 31 of 366, files: 31 of 31, bytes: 1234567, list requests: 1`.
fn scans(snapshot: &SnapshotPlan) -> Vec<String> {
    if snapshot.tables.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["Scans:".to_owned()];
    lines.extend(snapshot.tables.iter().map(scan));
    lines
}

fn scan(scanned: &SnapshotTable) -> String {
    let snapshot = &scanned.snapshot;
    let opened = snapshot.opened();
    format!(
        "  {}: partitions: {} of {}, files: {} of {}, bytes: {}, list requests: {}",
        scanned.table.name(),
        snapshot.partitions.len(),
        snapshot.partitions_total,
        opened.files,
        snapshot.files().count(),
        opened.bytes,
        snapshot.list_requests,
    )
}
