//! Writes of a query's rows: CREATE TABLE AS, INSERT and UNLOAD; and removals: TRUNCATE and DELETE,
//! whose query counts the rows that go.
//!
//! ```text
//!  query ─ resolve, plan, snapshot, admit, as of any query ─▶ batches ─▶ WriteJob
//!                            │                                              │
//!                            └─ its columns ─▶ StatementContext: WritePlan ─┘
//! ```
//!
//! The statement is one query in the history. Its table is read as it was before the write: the
//! snapshot is taken first. The task of the write owns the query, so a dropped call leaves nothing
//! behind.

use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::physical_plan::ExecutionPlan;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use lakegate_dialect::Dialect;
use lakegate_engine::{PlanRun, StopOnDrop};
use lakegate_error::{Error, Result};
use lakegate_policy::snapshots::SnapshotPlan;
use lakegate_sql::ast::{CreateTableAs, Statement};
use lakegate_statement::{QueryWrite, StatementContext};
use sqlparser::ast;

use crate::moment::Moment;
use crate::query::ending::{Unfinished, owned};
use crate::query::life::{Phase, Query};
use crate::query::logical_plan::is_repeatable;
use crate::query::planning::Planning;
use crate::query::run::QueryContext;
use crate::session::Session;
use crate::session::changes::Changes;
use crate::session::prepared::Prepared;
use crate::session::transaction::aborted;
use crate::workgroup::Queue;
use crate::write::assigned::{Target, localized_warning};
use crate::write::job::WriteJob;
use crate::write::literals::{cast_literals, parameter_types};
use crate::write::returning::{BoundReturning, Returned};
use crate::{Execution, Protocol};

/// What a write leaves of the plan of its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Dropped,
    /// For EXPLAIN ANALYZE: what operators hold in memory stays until the plan was shown.
    Kept,
}

/// A write that is visible.
pub(crate) struct Wrote {
    pub rows: u64,
    pub query: Arc<Query>,
    /// The plan that ran, if it was to be kept; `None` if there was nothing to read.
    pub plan: Option<(SnapshotPlan, Arc<dyn ExecutionPlan>)>,
    /// The rows of RETURNING.
    pub returned: Option<Returned>,
}

impl Session {
    /// Runs a statement that writes the rows of its query.
    ///
    /// # Errors
    /// As of [`Self::write`].
    pub(crate) async fn run_write(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        statement: &Statement,
        parameters: Vec<ScalarValue>,
    ) -> Result<Execution> {
        let writing = self.write(moment, prepared, statement, parameters, Plan::Dropped);
        let mut wrote = Box::pin(writing).await?;
        if let Some(wrote) = &mut wrote
            && let Some(returned) = wrote.returned.take()
        {
            return Ok(Execution::Rows(returned.into_rows(&wrote.query)));
        }
        Ok(done(statement, wrote.map(|wrote| wrote.rows)))
    }

    /// Writes the rows of a statement's query. Returns `None` if there was nothing to do.
    ///
    /// # Errors
    /// Planning the query or the write fails; running either fails. Nothing is written then.
    pub(crate) async fn write(
        &self,
        moment: &Moment,
        prepared: &Prepared,
        statement: &Statement,
        parameters: Vec<ScalarValue>,
        plan: Plan,
    ) -> Result<Option<Wrote>> {
        if let Statement::CreateTableAs(create) = statement
            && create.select_into
            && self.dialect() != Dialect::Postgres
        {
            return Err(Error::not_supported(
                "SELECT INTO is not supported; use CREATE TABLE .. AS",
            ));
        }
        let text = prepared.source.text();
        let changes = self.changes();
        if moment.draft.is_some() && changes.is_none() {
            // The block failed meanwhile: it commits nothing.
            return Err(aborted());
        }
        let catalog = self.statement_context(moment).await?;
        let resolving = self.resolve_write(moment, &catalog, statement, prepared, &parameters);
        let (planning, returning) = match Box::pin(resolving).await {
            Ok(resolved) => resolved,
            Err(error) => return Err(self.refused(moment, catalog.path.shown(), &text, error)),
        };
        let context = self.query_context(&text, planning)?;
        let query = Arc::clone(&context.query);
        let unfinished = Unfinished::guard(&query);
        let begun = begin(self, &context, catalog, statement, &parameters).boxed();
        let (write, snapshot) = match begun.await {
            Ok(Some(begun)) => begun,
            Ok(None) => {
                query.finish(0, Ok(()));
                if let Statement::CreateTableAs(create) = statement {
                    let name = &create.name.table;
                    self.notice(format!("relation \"{name}\" already exists, skipping"));
                }
                return Ok(None);
            }
            Err(error) => {
                query.finish(0, Err(&error));
                return Err(error.with_query(query.id));
            }
        };
        unfinished.disarm();
        let session = self.me.clone();
        let work = run(context, session, write, snapshot, plan, changes, returning).boxed();
        let wrote = owned(&query, "a write", work, |wrote| wrote.rows).await?;
        Ok(Some(wrote))
    }

    /// Resolves the query of a statement, and binds its RETURNING clause.
    ///
    /// # Errors
    /// As of [`Self::written_query`]; names do not resolve; the clause cannot be planned.
    async fn resolve_write(
        &self,
        moment: &Moment,
        catalog: &StatementContext,
        statement: &Statement,
        prepared: &Prepared,
        parameters: &[ScalarValue],
    ) -> Result<(Planning, Option<BoundReturning>)> {
        let (query, columns) = self.written_query(catalog, statement).await?;
        let resolving = self.resolve_query(moment, query, prepared, parameters.len());
        let mut planning = Box::pin(resolving).await?;
        let target = match statement {
            // Only clients of PostgreSQL's protocol get the warning that times lose their zone.
            Statement::CreateTableAs(_) if self.protocol == Protocol::Postgres => Some(Target::New),
            _ => columns.map(Target::Columns),
        };
        planning.assigned = target.filter(|_| self.dialect() == Dialect::Postgres);
        let binding = self.bound_returning(moment, catalog, statement, prepared, parameters);
        Ok((planning, Box::pin(binding).await?))
    }

    /// Returns the query of a statement, with the literals of an INSERT as values of the columns that
    /// they are written to, and these columns.
    ///
    /// # Errors
    /// The table of an INSERT or DELETE does not exist, or the privilege is not granted; a DELETE is
    /// not one of whole partitions.
    pub(crate) async fn written_query(
        &self,
        catalog: &StatementContext,
        statement: &Statement,
    ) -> Result<(ast::Query, Option<SchemaRef>)> {
        if let Statement::Delete(delete) = statement {
            return Ok((catalog.delete_query(delete).await?, None));
        }
        let query = statement.written_query().cloned();
        let mut query = query.ok_or_else(|| writes_nothing(statement))?;
        let Statement::Insert(insert) = statement else {
            return Ok((query, None));
        };
        let columns = catalog.insert_columns(insert).await?;
        if insert.only_defaults {
            fill_with_nulls(&mut query, columns.fields().len());
        }
        cast_literals(&mut query, &columns, self.dialect());
        Ok((query, Some(columns)))
    }

    /// Returns the query of a statement to describe, and the types of its parameters: those that
    /// are declared, and for an INSERT those of the columns that they are written to.
    ///
    /// # Errors
    /// As of [`Self::run_write`].
    pub(crate) async fn written_query_to_describe(
        &self,
        moment: &Moment,
        statement: &Statement,
        declared: &[Option<DataType>],
    ) -> Result<(ast::Query, Vec<Option<DataType>>)> {
        let catalog = self.statement_context(moment).await?;
        let (mut query, columns) = self.written_query(&catalog, statement).await?;
        let mut types = declared.to_vec();
        if let Some(columns) = columns {
            for (number, data_type) in parameter_types(&mut query, &columns) {
                let Some(place) = number.checked_sub(1) else {
                    continue;
                };
                if types.len() <= place {
                    types.resize(place + 1, None);
                }
                let Some(known) = types.get_mut(place) else {
                    continue;
                };
                // Clients declare numbers by the size of a value.
                let fits = |known: &DataType| known.is_numeric() && data_type.is_numeric();
                if known.as_ref().is_none_or(fits) {
                    *known = Some(data_type);
                }
            }
        }
        Ok((query, types))
    }
}

/// Makes the query one row with a NULL for each column.
fn fill_with_nulls(query: &mut ast::Query, columns: usize) {
    if let ast::SetExpr::Values(values) = query.body.as_mut() {
        for row in &mut values.rows {
            let null = ast::Expr::Value(ast::Value::Null.into());
            row.content.resize(columns, null);
        }
    }
}

fn writes_nothing(statement: &Statement) -> Error {
    Error::internal(format!("{} writes no rows", statement.tag()))
}

/// Returns the outcome with PostgreSQL's command tag. `rows`: `None` if there was nothing to do.
fn done(statement: &Statement, rows: Option<u64>) -> Execution {
    let counted = match statement {
        Statement::CreateTableAs(_) if rows.is_some() => "SELECT",
        other => other.tag(),
    };
    Execution::Command {
        tag: counted.to_owned(),
        rows: rows.filter(|_| !matches!(statement, Statement::Truncate(_))),
    }
}

/// Plans the query and the write of its rows, and takes the snapshot of the tables that it reads,
/// or none if there is nothing to read. Returns `None` if there is nothing to do.
async fn begin(
    session: &Session,
    context: &QueryContext,
    catalog: StatementContext,
    statement: &Statement,
    parameters: &[ScalarValue],
) -> Result<Option<(QueryWrite, Option<SnapshotPlan>)>> {
    let query = &context.query;
    let is_done = catalog.is_done(statement);
    if query.step(Phase::Planning, is_done).await? {
        return Ok(None);
    }
    let planning = Box::pin(context.pruned(None, parameters));
    let pruned_plan = query.step(Phase::Planning, planning).await?;
    if matches!(statement, Statement::Delete(_)) && !is_repeatable(&pruned_plan.plan) {
        return Err(Error::not_supported(
            "the condition of a DELETE calls a function that has another result in each row, such as random(); name values",
        ));
    }
    let schema = pruned_plan.plan.schema().inner();
    let rows = context.planning.names.schema(schema);
    let written = with_first_columns(statement, context.planning.assigned.as_ref(), &rows);
    let write = plan_write(context, catalog, written, &rows);
    let write = query.step(Phase::Planning, Box::pin(write)).await?;
    if let Statement::CreateTableAs(create) = statement {
        warn_of_local_times(session, &context.planning, create, &rows);
    }
    let is_empty = match statement {
        Statement::CreateTableAs(create) => !create.with_data,
        other => matches!(other, Statement::Truncate(_)),
    };
    let snapshot = match is_empty {
        true => None,
        false => Some(context.list(pruned_plan).await?),
    };
    Ok(Some((write, snapshot)))
}

/// Names the columns of an INSERT that names none: in PostgreSQL's dialect the first ones, if its
/// query has fewer than the table. The others are NULL.
///
/// `target`: the columns that are written, in PostgreSQL's dialect. `rows`: those of the query.
fn with_first_columns(statement: &Statement, target: Option<&Target>, rows: &Schema) -> Statement {
    let mut statement = statement.clone();
    let given = rows.fields().len();
    if let (Statement::Insert(insert), Some(Target::Columns(columns))) = (&mut statement, target)
        && !insert.overwrite
        && insert.columns.is_empty()
        && insert.fixed.is_empty()
        && insert.dynamic.is_empty()
        && (1..columns.fields().len()).contains(&given)
    {
        let first = columns.fields().iter().take(given);
        insert.columns = first.map(|column| column.name().clone()).collect();
    }
    statement
}

/// Warns that columns of a new table are stored without their time zone. `rows`: the columns of its
/// query.
fn warn_of_local_times(
    session: &Session,
    planning: &Planning,
    create: &CreateTableAs,
    rows: &Schema,
) {
    let places = planning.localized.get().into_iter().flatten();
    let name = |place: &usize| match create.columns.get(*place) {
        Some(name) => Some(name.clone()),
        None => {
            let field = rows.fields().get(*place)?;
            Some(field.name().to_lowercase())
        }
    };
    let names: Vec<String> = places.filter_map(name).collect();
    if let Some(message) = localized_warning(&names, &planning.settings.time_zone) {
        session.warn("01000", message);
    }
}

/// Plans the write on a planner thread, because a schema with many columns takes long.
async fn plan_write(
    context: &QueryContext,
    catalog: StatementContext,
    statement: Statement,
    rows: &Schema,
) -> Result<QueryWrite> {
    let rows = rows.clone();
    let planning = async move { catalog.plan_query_write(&statement, &rows).await };
    let gateway = &context.gateway;
    gateway.plan_for(&context.query, planning.boxed()).await
}

/// Waits for a permit, as any query over the lake, and writes the rows of the query.
async fn run(
    context: QueryContext,
    session: Weak<Session>,
    write: QueryWrite,
    snapshot: Option<SnapshotPlan>,
    kept: Plan,
    changes: Option<Arc<Changes>>,
    returning: Option<BoundReturning>,
) -> Result<Wrote> {
    let query = Arc::clone(&context.query);
    let order = write.order();
    let job = WriteJob {
        gateway: Arc::clone(&context.gateway),
        query: Arc::clone(&query),
        write,
        is_ordered: order.is_some(),
        changes,
        session,
    };
    let Some(snapshot) = snapshot else {
        query.runs();
        let rows = job.run(futures::stream::empty(), ()).await?;
        return Ok(Wrote {
            rows,
            query,
            plan: None,
            returned: None,
        });
    };
    let admitted = context.gateway.admit(&query, Queue::Lake);
    let permit = query.step(Phase::Queued, admitted).await?;
    let permit = Arc::new((permit, query.holds_permit()));
    query.runs();
    let planning = Box::pin(context.physical_in_order(&snapshot.plan, order));
    let plan = query.step(Phase::Planning, planning).await?;
    let held = (Arc::clone(&permit), query.working(), snapshot.held.clone());
    let shown = (kept == Plan::Kept).then(|| Arc::clone(&plan));
    let rows = batches(context, plan, held);
    let (rows, returned) = match returning {
        None => (job.run(rows, permit).await?, None),
        Some(returning) => {
            let working = job.returning(returning, rows, Arc::clone(&permit));
            let (gathered, returned) = Box::pin(working).await?;
            let rows = futures::stream::iter(gathered.batches.into_iter().map(Ok));
            let rows = job.run(rows, (permit, gathered.memory)).await?;
            (rows, Some(returned))
        }
    };
    Ok(Wrote {
        rows,
        query,
        plan: shown.map(|plan| (snapshot, plan)),
        returned,
    })
}

/// Returns the rows of a plan, which begins to run when the stream is first polled, and stops when
/// it is dropped.
///
/// `held`: kept as long as a thread works for the plan.
pub(super) fn batches(
    context: QueryContext,
    plan: Arc<dyn ExecutionPlan>,
    held: impl Send + Sync + 'static,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    let unwanted = StopOnDrop(Arc::default());
    let run = PlanRun::new(Arc::clone(&unwanted.0), held);
    let running = async move { context.execute(&plan, run) };
    let batches = futures::stream::once(running).try_flatten();
    batches.inspect(move |_| {
        let _ = &unwanted;
    })
}
