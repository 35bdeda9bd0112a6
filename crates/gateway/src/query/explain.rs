//! EXPLAIN: the plan, and how much of each table is read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, TryStreamExt};
use lakegate_dialect::postgres::ResultReuse;
use lakegate_engine::{CATALOG, PlanRun, StopOnDrop, barrier, metered};
use lakegate_error::{Error, Result};
use lakegate_policy::snapshots::{SnapshotPlan, SnapshotTable};
use lakegate_sql::ast::{self as sql, Statement};
use serde_json::json;
use sqlparser::ast;

use crate::Execution;
use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::explain_options::{self, Format, PlanNode, PlanType};
use crate::query::life::{Phase, Query};
use crate::query::parameters::check_parameters;
use crate::query::plan_text::{PlanText, with_stars};
use crate::query::run::{QueryContext, queue_of};
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::results::rows;
use crate::write::query::Plan;

/// Returns the schema of EXPLAIN: one text column, with one row per line. That of TYPE VALIDATE is
/// Athena's.
pub(crate) fn explain_schema(explain: &sql::Explain) -> SchemaRef {
    let field = match explain.plan_type.as_deref() {
        Some("VALIDATE") => Field::new("Valid", DataType::Boolean, false),
        _ => Field::new("QUERY PLAN", DataType::Utf8, false),
    };
    Arc::new(Schema::new(vec![field]))
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
        let options = explain_options::of(explained)?;
        let query = match explained.statement.as_ref() {
            Statement::Query(query) => query.clone(),
            Statement::DeclareCursor(declare) => declare.query.clone(),
            delete @ Statement::Delete(_) => {
                let catalog = self.statement_context(moment).await?;
                let (query, _) = Box::pin(self.written_query(&catalog, delete)).await?;
                Box::new(query)
            }
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
        let statement = ast::Statement::Query(query);
        let planning = Box::pin(self.resolve(moment, statement)).await?;
        let mut context = self.query_context(text, planning)?;
        context.reuse = ResultReuse::Off;
        let _unfinished = Unfinished::guard(&context.query);
        let result = explain(&context, &parameters, explained, options)
            .boxed()
            .await;
        match result {
            Ok(batch) => {
                context.query.finish(batch.num_rows() as u64, Ok(()));
                Ok(rows("EXPLAIN", explain_schema(explained), vec![batch]))
            }
            Err(error) => {
                context.query.finish(0, Err(&error));
                Err(error)
            }
        }
    }

    /// Runs EXPLAIN ANALYZE of a statement that writes: its rows are written.
    ///
    /// # Errors
    /// The options do not go together; those of [`Self::write`].
    pub(crate) async fn explain_write(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        explained: &sql::Explain,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let options = explain_options::of(explained)?;
        let statement = explained.statement.as_ref();
        let writing = self.write(moment, prepared, statement, parameters, Plan::Kept);
        let batch = match Box::pin(writing).await? {
            None => {
                let nothing = StringArray::from_iter_values(["Nothing to write: the table exists"]);
                batch(explained, Arc::new(nothing))?
            }
            Some(wrote) => {
                let bytes = wrote.query.written.load(Ordering::Relaxed);
                let mut ran = match statement {
                    Statement::Delete(_) => vec![format!("Rows deleted: {}", wrote.rows)],
                    _ => vec![
                        format!("Rows written: {}", wrote.rows),
                        format!("Bytes written: {bytes}"),
                    ],
                };
                ran.extend(took(&wrote.query));
                match &wrote.plan {
                    Some((snapshot, physical)) => {
                        shown(explained, options, snapshot, physical, ran)?
                    }
                    None => batch(explained, Arc::new(StringArray::from_iter_values(ran)))?,
                }
            }
        };
        Ok(rows("EXPLAIN", explain_schema(explained), vec![batch]))
    }
}

/// Returns the lines of EXPLAIN. With `analyze`, the query runs first.
async fn explain(
    context: &QueryContext,
    parameters: &[ScalarValue],
    explained: &sql::Explain,
    (format, plan_type): (Format, PlanType),
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
    let mut ran = Vec::new();
    if explained.analyze {
        let rows = analyze_plan(context, &snapshot, &physical).boxed().await?;
        ran.push(format!("Rows: {rows}"));
        ran.extend(took(&context.query));
    }
    shown(explained, (format, plan_type), &snapshot, &physical, ran)
}

/// Returns what a query took, one line for each.
fn took(query: &Query) -> [String; 2] {
    let cpu = query.resources.cpu.total();
    [
        format!("Bytes scanned: {}", query.resources.meter.scanned()),
        format!("CPU time: {:.1} ms", cpu.as_secs_f64() * 1000.0),
    ]
}

/// Returns the lines of a plan. `ran`: those at the end, of a plan that ran.
fn shown(
    explained: &sql::Explain,
    (format, plan_type): (Format, PlanType),
    snapshot: &SnapshotPlan,
    physical: &Arc<dyn ExecutionPlan>,
    ran: Vec<String>,
) -> Result<RecordBatch> {
    let verbose = explained.verbose;
    let mut lines = Vec::new();
    let text = PlanText {
        verbose,
        metrics: explained.analyze,
    };
    let sealed = barrier::sealed(&snapshot.plan);
    let logical = || LogicalText(&sealed);
    match (plan_type, format) {
        (PlanType::Validate, _) => {
            let valid = Arc::new(BooleanArray::from(vec![true]));
            return batch(explained, valid);
        }
        (PlanType::Io, _) => lines.extend(pretty(&inputs(snapshot))),
        (PlanType::Distributed, Format::Text) => lines.extend(text.lines(physical)),
        (PlanType::Logical, Format::Text) => lines.extend(logical().lines()),
        (PlanType::Distributed, Format::Json) => lines.extend(pretty(&text.tree(physical).json())),
        (PlanType::Logical, Format::Json) => lines.extend(pretty(&logical().tree().json())),
        (PlanType::Distributed, Format::Graphviz) => lines.extend(text.tree(physical).graphviz()),
        (PlanType::Logical, Format::Graphviz) => lines.extend(logical().tree().graphviz()),
    }
    if format != Format::Text {
        return batch(explained, Arc::new(StringArray::from_iter_values(lines)));
    }
    if verbose && plan_type == PlanType::Distributed {
        lines.push("Logical plan:".to_owned());
        lines.extend(logical().lines().iter().map(|line| format!("  {line}")));
    }
    lines.extend(scans(snapshot));
    lines.extend(ran);
    batch(explained, Arc::new(StringArray::from_iter_values(lines)))
}

fn batch(explained: &sql::Explain, column: ArrayRef) -> Result<RecordBatch> {
    RecordBatch::try_new(explain_schema(explained), vec![column])
        .map_err(|e| Error::internal(format!("the plan cannot be shown: {e}")))
}

/// Returns the lines of a JSON document.
fn pretty(json: &serde_json::Value) -> Vec<String> {
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A logical plan as EXPLAIN prints it. It contains granted columns only, and no files.
struct LogicalText<'a>(&'a LogicalPlan);

impl LogicalText<'_> {
    fn lines(&self) -> Vec<String> {
        let text = with_stars(&self.0.display_indent().to_string());
        text.lines().map(str::to_owned).collect()
    }

    fn tree(&self) -> PlanNode {
        let inputs = self.0.inputs().into_iter();
        let inputs = inputs.map(|input| LogicalText(input).tree()).collect();
        PlanNode::new(&with_stars(&self.0.display().to_string()), inputs)
    }
}

/// Returns the tables that a query reads, in the shape of Trino's TYPE IO. Tables behind a view that
/// the principal may not look into are left out.
fn inputs(snapshot: &SnapshotPlan) -> serde_json::Value {
    let shown = snapshot.tables.iter();
    let shown = shown.filter(|scanned| scanned.table.sealed_view().is_none());
    let tables = shown.map(|scanned| {
        let opened = scanned.snapshot.opened();
        let name = scanned.table.name();
        let (schema, table) = name.split_once('.').unwrap_or(("", name.as_str()));
        json!({
            "table": {
                "catalog": CATALOG,
                "schemaTable": {"schema": schema, "table": table},
            },
            "partitions": scanned.snapshot.partitions.len(),
            "partitionsTotal": scanned.snapshot.partitions_total,
            "files": opened.files,
            "estimate": {"outputSizeInBytes": opened.bytes},
        })
    });
    json!({ "inputTableColumnInfos": tables.collect::<Vec<_>>() })
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
    if let Some(view) = scanned.table.sealed_view() {
        return format!("  view {view}: bytes: {}", opened.bytes);
    }
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
