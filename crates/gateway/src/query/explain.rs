//! EXPLAIN: the plan, and for each table how much of it is read.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, TryStreamExt};
use lakegate_engine::{PlanRun, StopOnDrop, metered};
use lakegate_error::{Error, Result};
use lakegate_policy::snapshots::{SnapshotPlan, SnapshotTable};

use crate::query::life::Phase;
use crate::query::plan_text::PlanText;
use crate::query::run::QueryContext;

/// One column of text, a row a line.
pub fn explain_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "QUERY PLAN",
        DataType::Utf8,
        false,
    )]))
}

/// Plans a query, with `analyze` runs it, and tells how.
pub(crate) async fn explain(
    context: &QueryContext,
    parameters: &[ScalarValue],
    analyze: bool,
    verbose: bool,
) -> Result<RecordBatch> {
    let planning = async {
        let pinned = context.pinned(parameters).await?;
        let physical = context.physical(&pinned.plan).await?;
        Ok((pinned, physical))
    };
    let (pinned, physical) = context
        .query
        .step(Phase::Planning, planning.boxed())
        .await?;
    let mut lines = Vec::new();
    let rows = if analyze {
        Some(analyze_plan(context, &pinned, &physical).boxed().await?)
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
            pinned
                .plan
                .display_indent()
                .to_string()
                .lines()
                .map(|line| format!("  {line}")),
        );
    }
    lines.extend(scans(&pinned));
    if let Some(rows) = rows {
        lines.push(format!("Rows: {rows}"));
        lines.push(format!("Bytes scanned: {}", context.query.meter.scanned()));
        let cpu = context.query.cpu.total();
        lines.push(format!("CPU time: {:.1} ms", cpu.as_secs_f64() * 1000.0));
    }
    let column = StringArray::from_iter_values(lines);
    RecordBatch::try_new(explain_schema(), vec![Arc::new(column)])
        .map_err(|e| Error::internal(format!("the plan cannot be shown: {e}")))
}

/// Runs the plan to its end on the query threads and counts its rows.
async fn analyze_plan(
    context: &QueryContext,
    pinned: &SnapshotPlan,
    physical: &Arc<dyn ExecutionPlan>,
) -> Result<u64> {
    let user = &context.query.principal().user;
    let admitted = context.gateway.admit(pinned, user);
    let place = context.query.step(Phase::Queued, admitted).await?;
    context.query.runs();
    let unwanted = StopOnDrop(Arc::default());
    let held = (place, context.query.has_place(), context.query.working());
    let run = PlanRun::new(Arc::clone(&unwanted.0), held);
    let (running, physical) = (context.clone(), Arc::clone(physical));
    let counting = async move {
        // On the query threads too: some operators begin their work here.
        running
            .execute(&physical, run)?
            .try_fold(0, |rows, batch| async move {
                Ok(rows + batch.num_rows() as u64)
            })
            .await
    };
    let counting = metered(Arc::clone(&context.query.cpu), counting);
    let counting = context.gateway.threads(pinned).spawn(counting);
    let counting = counting.ok_or_else(|| Error::internal("the query threads have ended"))?;
    // Aborted when the statement is cancelled: the handle is dropped with the step.
    let counting = tokio_util::task::AbortOnDropHandle::new(counting);
    context
        .query
        .step(Phase::Execution, async {
            counting.await.map_err(|e| Error::internal(e.to_string()))?
        })
        .await
}

/// `curated.orders: partitions: 31 of 366, files: 31 of 31, bytes: 1234567`, a line a scan.
fn scans(pinned: &SnapshotPlan) -> Vec<String> {
    if pinned.tables.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["Scans:".to_owned()];
    lines.extend(pinned.tables.iter().map(scan));
    lines
}

fn scan(pinned: &SnapshotTable) -> String {
    let snapshot = &pinned.snapshot;
    let opened = snapshot.opened();
    format!(
        "  {}: partitions: {} of {}, files: {} of {}, bytes: {}, list requests: {}",
        pinned.table.name(),
        snapshot.partitions.len(),
        snapshot.partitions_total,
        opened.files,
        snapshot.files().count(),
        opened.bytes,
        snapshot.list_requests,
    )
}
