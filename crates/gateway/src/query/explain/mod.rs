//! EXPLAIN: the plan, and how much of each table is read.

mod options;
mod plan_text;
mod postgres_plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, TryStreamExt};
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::{ResultReuse, hinted_field};
use lakegate_engine::{CATALOG, PlanRun, StopOnDrop, barrier, metered};
use lakegate_error::{Error, Result};
use lakegate_policy::snapshots::{SnapshotPlan, SnapshotTable};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{self as sql, Statement};
use serde_json::json;

use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::explain::options::{Format, Options, PlanNode, PlanType};
use crate::query::explain::plan_text::{PlanText, with_stars};
use crate::query::explain::postgres_plan::{Relation, Shown};
use crate::query::life::{Phase, Query};
use crate::query::run::{QueryContext, queue_of};
use crate::query::source::QuerySource;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::results::rows;
use crate::write::query::Plan;
use crate::{Execution, Protocol};

/// The name of the column of a plan.
const COLUMN: &str = "QUERY PLAN";

/// Returns the schema of EXPLAIN: one text column, with one row per line. That of TYPE VALIDATE is
/// Athena's, and a document of PostgreSQL's form is one row, of the type json or xml unless it is YAML.
fn schema_of(options: Options) -> SchemaRef {
    let field = match (options.plan_type, options.format) {
        (PlanType::Validate, _) => Field::new("Valid", DataType::Boolean, false),
        (_, Format::Json) if options.postgres => hinted_field(COLUMN, DataType::Utf8, "json"),
        (_, Format::Xml) => hinted_field(COLUMN, DataType::Utf8, "xml"),
        _ => Field::new(COLUMN, DataType::Utf8, false),
    };
    Arc::new(Schema::new(vec![field]))
}

/// How long a query took to plan and to run, if it did.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    planning: Option<Duration>,
    execution: Option<Duration>,
}

impl Session {
    /// Returns the options of an EXPLAIN. PostgreSQL's form of a plan is that of its protocol and
    /// dialect; others see the engine's.
    fn explain_options(&self, explain: &sql::Explain) -> Result<Options> {
        let postgres = self.protocol == Protocol::Postgres
            && self.dialect() == Dialect::Postgres
            && options::suits_postgres(explain);
        options::of(explain, postgres)
    }

    /// Returns the schema of an EXPLAIN.
    ///
    /// # Errors
    /// Its options are unknown, or do not go together.
    pub(crate) fn explain_schema(&self, explain: &sql::Explain) -> Result<SchemaRef> {
        self.explain_options(explain).map(schema_of)
    }

    /// Returns the EXPLAIN of the statement that an EXECUTE names, ready to run with the values of
    /// its parameters.
    ///
    /// # Errors
    /// The statement does not exist, or is not a query; a value does not fit its parameter.
    pub(crate) async fn explained_named(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        explained: &sql::Explain,
        execute: &sql::Execute,
    ) -> Result<(Prepared, Vec<ScalarValue>)> {
        let (named, values) = Box::pin(self.named_statement(moment, execute)).await?;
        let (Some(parsed), Some(statement)) = (prepared.source.sql(), named.statement()) else {
            return Err(Error::internal("EXPLAIN EXECUTE is not a statement"));
        };
        let statement = match statement.written_query() {
            // Without ANALYZE, it shows the query and writes nothing.
            Some(query) if !explained.analyze => Statement::Query(Box::new(query.clone())),
            Some(_) => statement.clone(),
            None => match statement {
                Statement::Query(query) => Statement::Query(query.clone()),
                other => return Err(not_explained(other)),
            },
        };
        let explain = sql::Explain {
            statement: Box::new(statement),
            ..explained.clone()
        };
        let source = QuerySource::Sql(Arc::new(Parsed {
            statement: Statement::Explain(explain),
            text: parsed.text.clone(),
            position: parsed.position,
        }));
        let ready = Prepared {
            parameters: named.parameters.clone(),
            untyped: named.untyped.clone(),
            marks: named.marks.clone(),
            columns: prepared.columns.clone(),
            ..Prepared::of(source)
        };
        Ok((ready, values))
    }

    /// Runs EXPLAIN, or EXPLAIN ANALYZE, which also runs the query.
    ///
    /// # Errors
    /// The statement is not a query; planning or running it fails.
    pub(crate) async fn explain(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        explained: &sql::Explain,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let options = self.explain_options(explained)?;
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
            other => return Err(not_explained(other)),
        };
        let resolving = self.resolve_query(moment, *query, prepared, parameters.len());
        let planning = Box::pin(resolving).await?;
        let mut context = self.query_context(&prepared.source.text(), planning)?;
        context.reuse = ResultReuse::Off;
        let _unfinished = Unfinished::guard(&context.query);
        let result = explain(&context, &parameters, options).boxed().await;
        match result {
            Ok(batch) => {
                context.query.finish(batch.num_rows() as u64, Ok(()));
                Ok(rows("EXPLAIN", schema_of(options), vec![batch]))
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
        let options = self.explain_options(explained)?;
        let statement = explained.statement.as_ref();
        let writing = self.write(moment, prepared, statement, parameters, Plan::Kept);
        let batch = match Box::pin(writing).await? {
            None => {
                let nothing = vec!["Nothing to write: the table exists".to_owned()];
                told(options, nothing)?
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
                        shown(options, snapshot, physical, Times::default(), ran)?
                    }
                    None => told(options, ran)?,
                }
            }
        };
        Ok(rows("EXPLAIN", schema_of(options), vec![batch]))
    }
}

fn not_explained(statement: &Statement) -> Error {
    Error::not_supported(format!(
        "EXPLAIN of {} is not supported; use it on a query",
        statement.tag()
    ))
}

/// Returns the lines of EXPLAIN. With ANALYZE, the query runs first.
async fn explain(
    context: &QueryContext,
    parameters: &[ScalarValue],
    options: Options,
) -> Result<RecordBatch> {
    let started = Instant::now();
    let (snapshot, physical) = context.planned(parameters).await?;
    let mut times = Times {
        planning: Some(started.elapsed()),
        execution: None,
    };
    let mut ran = Vec::new();
    if options.analyze {
        let started = Instant::now();
        let rows = analyze_plan(context, &snapshot, &physical).boxed().await?;
        times.execution = Some(started.elapsed());
        ran.push(format!("Rows: {rows}"));
        ran.extend(took(&context.query));
    }
    // On a planner thread, because estimates are made of the whole plan.
    let showing = async move { shown(options, &snapshot, &physical, times, ran) };
    let gateway = Arc::clone(&context.gateway);
    let showing = gateway.plan_for(&context.query, showing.boxed());
    showing.boxed().await
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
    options: Options,
    snapshot: &SnapshotPlan,
    physical: &Arc<dyn ExecutionPlan>,
    times: Times,
    ran: Vec<String>,
) -> Result<RecordBatch> {
    if options.postgres {
        let text = as_postgres(options, snapshot, physical, times, ran);
        return batch(options, Arc::new(StringArray::from_iter_values(text)));
    }
    let (format, plan_type) = (options.format, options.plan_type);
    let verbose = options.verbose;
    let mut lines = Vec::new();
    let text = PlanText {
        verbose,
        metrics: options.analyze,
    };
    let sealed = barrier::sealed(&snapshot.plan);
    let logical = || LogicalText(&sealed);
    match (plan_type, format) {
        (PlanType::Validate, _) => {
            let valid = Arc::new(BooleanArray::from(vec![true]));
            return batch(options, valid);
        }
        (PlanType::Io, _) => lines.extend(pretty(&inputs(snapshot))),
        (_, Format::Yaml | Format::Xml) => {
            return Err(Error::internal(
                "the engine's form of a plan has no YAML and XML",
            ));
        }
        (PlanType::Distributed, Format::Text) => lines.extend(text.lines(physical)),
        (PlanType::Logical, Format::Text) => lines.extend(logical().lines()),
        (PlanType::Distributed, Format::Json) => lines.extend(pretty(&text.tree(physical).json())),
        (PlanType::Logical, Format::Json) => lines.extend(pretty(&logical().tree().json())),
        (PlanType::Distributed, Format::Graphviz) => lines.extend(text.tree(physical).graphviz()),
        (PlanType::Logical, Format::Graphviz) => lines.extend(logical().tree().graphviz()),
    }
    if format != Format::Text {
        return batch(options, Arc::new(StringArray::from_iter_values(lines)));
    }
    if verbose && plan_type == PlanType::Distributed {
        lines.push("Logical plan:".to_owned());
        lines.extend(logical().lines().iter().map(|line| format!("  {line}")));
    }
    lines.extend(scans(snapshot));
    lines.extend(ran);
    batch(options, Arc::new(StringArray::from_iter_values(lines)))
}

/// Returns a plan in PostgreSQL's form: lines, or one document.
fn as_postgres(
    options: Options,
    snapshot: &SnapshotPlan,
    physical: &Arc<dyn ExecutionPlan>,
    times: Times,
    ran: Vec<String>,
) -> Vec<String> {
    let relations = Relation::all(&barrier::sealed(&snapshot.plan));
    let plan = postgres_plan::of(physical, &relations, options.analyze);
    let shown = Shown {
        costs: options.costs,
        analyze: options.analyze,
        timing: options.timing,
        verbose: options.verbose,
    };
    let milliseconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
    let times = [
        ("Planning Time", milliseconds(times.planning)),
        ("Execution Time", milliseconds(times.execution)),
    ];
    let times = times.into_iter().filter(|_| options.summary);
    let times: Vec<(&str, f64)> = times
        .filter_map(|(name, time)| Some((name, time?)))
        .collect();
    if options.format != Format::Text {
        let scans = scans_of(snapshot);
        let document = postgres_plan::document(&plan, shown, &times, &scans);
        return vec![document.written(options.format)];
    }
    let mut lines = postgres_plan::text(&plan, shown);
    lines.extend(
        times
            .iter()
            .map(|(name, time)| format!("{name}: {time:.3} ms")),
    );
    lines.extend(scans(snapshot));
    lines.extend(ran);
    lines
}

/// Returns lines about a write without a plan.
fn told(options: Options, lines: Vec<String>) -> Result<RecordBatch> {
    let lines = match options.postgres && options.format != Format::Text {
        true => vec![postgres_plan::Document::of_lines(&lines).written(options.format)],
        false => lines,
    };
    batch(options, Arc::new(StringArray::from_iter_values(lines)))
}

fn batch(options: Options, column: ArrayRef) -> Result<RecordBatch> {
    RecordBatch::try_new(schema_of(options), vec![column])
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

/// Returns what is read for a plan, below a heading.
fn scans(snapshot: &SnapshotPlan) -> Vec<String> {
    let scans = scans_of(snapshot);
    if scans.is_empty() {
        return scans;
    }
    let lines = scans.into_iter().map(|scan| format!("  {scan}"));
    std::iter::once("Scans:".to_owned()).chain(lines).collect()
}

/// Returns what is read of each table. What a view reads is one entry: its user may not know how
/// many tables that are.
fn scans_of(snapshot: &SnapshotPlan) -> Vec<String> {
    let mut views: BTreeMap<&str, u64> = BTreeMap::new();
    for table in &snapshot.tables {
        if let Some(view) = table.table.sealed_view() {
            *views.entry(view).or_default() += table.snapshot.opened().bytes;
        }
    }
    let tables = snapshot.tables.iter();
    tables
        .filter_map(|table| match table.table.sealed_view() {
            Some(view) => {
                let bytes = views.remove(view)?;
                Some(format!("view {view}: bytes: {bytes}"))
            }
            None => Some(scan(table)),
        })
        .collect()
}

/// Returns a line such as
/// `curated.orders: partitions: 31 of 366, files: 31 of 31, bytes: 1234567, list requests: 1`.
fn scan(scanned: &SnapshotTable) -> String {
    let snapshot = &scanned.snapshot;
    let opened = snapshot.opened();
    format!(
        "{}: partitions: {} of {}, files: {} of {}, bytes: {}, list requests: {}",
        scanned.table.name(),
        snapshot.partitions.len(),
        snapshot.partitions_total,
        opened.files,
        snapshot.files().count(),
        opened.bytes,
        snapshot.list_requests,
    )
}
