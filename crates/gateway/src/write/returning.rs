//! RETURNING of an INSERT: a query over the rows that are written, which runs before they are.
//!
//! ```text
//!  batches ─▶ kept in memory ─┬─▶ rows of the table ─▶ RETURNING's query ─▶ kept until the commit
//!                             └─▶ WriteJob, once that query has ended
//! ```
//!
//! The rows are the only table that the query sees: a temporary one, with the columns that the
//! principal may select. So an error of the query, or too many rows, is an error before anything is
//! written. The memory of all this is counted as that of the session's temporary tables.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use futures::{FutureExt, Stream, StreamExt};
use lakegate_catalog::model::TableInput;
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::ResultReuse;
use lakegate_engine::{HeldMemory, has_operator};
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_policy::{AtCommit, Temporary, TemporaryPart};
use lakegate_sql::ast::Statement;
use lakegate_statement::{ReturnedRows, StatementContext};
use sqlparser::ast;

use crate::Rows;
use crate::moment::Moment;
use crate::query::column_names::renamed;
use crate::query::life::{BatchStream, Query};
use crate::query::parameters::{check_parameters, declare_types};
use crate::query::planners::PlannedText;
use crate::query::run::QueryContext;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::write::job::WriteJob;
use crate::write::kept::compact;
use crate::write::query::batches;

/// The RETURNING clause of an INSERT.
#[derive(Debug, Clone)]
pub(crate) struct Returning {
    pub query: ast::Query,
    /// The definition of the table that it reads.
    table: TableInput,
    moment: Moment,
}

/// A RETURNING clause with the values of its parameters.
#[derive(Debug)]
pub(crate) struct BoundReturning {
    clause: Returning,
    /// Its query, with the types of its parameters.
    statement: ast::Statement,
    parameters: Vec<ScalarValue>,
}

/// The batches of a write, which come later.
pub(super) struct Gathered {
    pub batches: Vec<RecordBatch>,
    pub memory: HeldMemory,
}

/// The rows that RETURNING returns.
pub(crate) struct Returned {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    memory: HeldMemory,
}

impl Returning {
    /// Returns the moment of its query. `rows`: those that it reads.
    ///
    /// # Errors
    /// The definition of the table is too large.
    pub(crate) fn seen(&self, rows: Option<TemporaryPart>) -> Result<Moment> {
        let table = self.table.clone();
        let written = Temporary::default().with_table(table, rows, AtCommit::Keep)?;
        Ok(self.moment.with_temporary(Arc::new(written)))
    }
}

impl Session {
    /// Returns the RETURNING clause of a statement, if it has one.
    ///
    /// # Errors
    /// The dialect has no such clause; the table does not exist; INSERT is not granted, or SELECT on
    /// no column.
    pub(crate) async fn returning(
        &self,
        moment: &Moment,
        catalog: &StatementContext,
        statement: &Statement,
    ) -> Result<Option<Returning>> {
        let Statement::Insert(insert) = statement else {
            return Ok(None);
        };
        let Some(query) = &insert.returning else {
            return Ok(None);
        };
        if self.dialect() != Dialect::Postgres {
            return Err(Error::not_supported(
                "INSERT .. RETURNING is not supported; use SELECT after the INSERT",
            ));
        }
        Ok(Some(Returning {
            query: self.with_typed_literals(query),
            table: catalog.returned_table(insert).await?,
            moment: moment.clone(),
        }))
    }

    /// Returns the RETURNING clause of a prepared statement, ready to run. It is planned, unless it
    /// was when the statement was prepared: what is wrong with it is known before the rows are.
    ///
    /// # Errors
    /// As of [`Self::returning`]; the query cannot be planned.
    pub(super) async fn bound_returning(
        &self,
        moment: &Moment,
        catalog: &StatementContext,
        statement: &Statement,
        prepared: &Prepared,
        parameters: &[ScalarValue],
    ) -> Result<Option<BoundReturning>> {
        let Some(clause) = self.returning(moment, catalog, statement).await? else {
            return Ok(None);
        };
        check_parameters(&clause.query, parameters.len())?;
        let mut query = ast::Statement::Query(Box::new(clause.query.clone()));
        let types: Vec<Option<DataType>> = prepared.parameters.iter().cloned().map(Some).collect();
        declare_types(&mut query, &types, &prepared.marks);
        if prepared.columns.is_none() {
            let seen = clause.seen(None)?;
            let planning = Box::pin(self.resolve(&seen, query.clone())).await?;
            let shown = PlannedText::Query(&clause.query, planning.database.clone());
            let planned = self.plan(&seen, shown, planning.described().boxed());
            check_clause(&planned.await?.plan, "RETURNING")?;
        }
        Ok(Some(BoundReturning {
            clause,
            statement: query,
            parameters: parameters.to_vec(),
        }))
    }
}

/// Checks the plan of a clause that sees one row at a time. `clause`: its name, for messages.
///
/// # Errors
/// It computes something from several rows, or several rows from one.
pub(crate) fn check_clause(plan: &LogicalPlan, clause: &str) -> Result<()> {
    let has = |is: fn(&LogicalPlan) -> bool| has_operator(plan, |node| Ok(is(node)));
    let refused = [
        (
            has(|node| matches!(node, LogicalPlan::Aggregate(_))),
            Code::GroupingError,
            "aggregate",
        ),
        (
            has(|node| matches!(node, LogicalPlan::Window(_))),
            Code::WindowingError,
            "window",
        ),
        (
            has(|node| matches!(node, LogicalPlan::Unnest(_))),
            Code::NotSupported,
            "set-returning",
        ),
    ];
    for (found, code, kind) in refused {
        if found.map_err(from_engine)? {
            let message = format!("{kind} functions are not allowed in {clause}");
            return Err(Error::new(code, message));
        }
    }
    Ok(())
}

impl WriteJob {
    /// Reads all batches of the write, and runs RETURNING over their rows. Nothing is written yet.
    ///
    /// `held`: kept as long as a thread works for the clause.
    ///
    /// # Errors
    /// The stream or the clause fails; a row does not fit the table; the rows take more memory than
    /// the session may have, or are more than a query may return; the query was stopped.
    pub(super) async fn returning(
        &self,
        bound: BoundReturning,
        rows: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        held: impl Send + Sync + 'static,
    ) -> Result<(Gathered, Returned)> {
        let session = self.session()?;
        let of_table = ReturnedRows::new(&bound.clause.table, &self.write)?;
        let (raw, read) = (session.memory().hold(), session.memory().hold());
        let gathering = gathered(of_table, rows, raw, read);
        let (gathered, part) = self.worked(gathering).await?;

        let seen = bound.clause.seen(Some(part))?;
        let planning = Box::pin(session.resolve(&seen, bound.statement)).await?;
        let context = QueryContext {
            gateway: Arc::clone(&self.gateway),
            query: Arc::clone(&self.query),
            planning: Arc::new(planning),
            reuse: ResultReuse::Off,
            staleness: Duration::ZERO,
            optimized: None,
            keeper: None,
            has_open_digits: false,
        };
        let (snapshot, plan) = Box::pin(context.planned(&bound.parameters)).await?;
        let names = &context.planning.names;
        let schema = names.schema(snapshot.plan.schema().inner());
        let held = (held, self.query.working(), snapshot.held.clone());
        let rows = batches(context, plan, held);
        let memory = session.memory().hold();
        let query = Arc::clone(&self.query);
        let returned = self.worked(returned(schema, rows, memory, query)).await?;
        Ok((gathered, returned))
    }
}

/// Keeps the batches of a write, and the rows that they become.
///
/// # Errors
/// The stream fails; a row does not fit the table; they take more memory than the session may have.
async fn gathered(
    rows: ReturnedRows,
    batches: impl Stream<Item = Result<RecordBatch>> + Send,
    mut memory: HeldMemory,
    read: HeldMemory,
) -> Result<(Gathered, TemporaryPart)> {
    let mut part = TemporaryPart {
        batches: Vec::new(),
        rows: 0,
        memory: read,
    };
    let mut raw = Vec::new();
    let mut batches = std::pin::pin!(batches);
    while let Some(batch) = batches.next().await {
        let batch = compact(batch?)?;
        grow(&mut memory, &batch)?;
        for piece in rows.pieces(batch.clone()) {
            let rows = compact(rows.apply(&piece)?)?;
            grow(&mut part.memory, &rows)?;
            part.rows = part.rows.saturating_add(rows.num_rows());
            part.batches.push(rows);
        }
        raw.push(batch);
    }
    let gathered = Gathered {
        batches: raw,
        memory,
    };
    Ok((gathered, part))
}

/// Keeps the result of RETURNING.
///
/// # Errors
/// The stream fails; the rows take more memory than the session may have, or are more than a query
/// may return.
async fn returned(
    schema: SchemaRef,
    rows: impl Stream<Item = Result<RecordBatch>> + Send,
    mut memory: HeldMemory,
    query: Arc<Query>,
) -> Result<Returned> {
    let mut batches = Vec::new();
    let mut count = 0_u64;
    let mut rows = std::pin::pin!(rows);
    while let Some(batch) = rows.next().await {
        let batch = compact(renamed(batch?, &schema)?)?;
        grow(&mut memory, &batch)?;
        count = count.saturating_add(batch.num_rows() as u64);
        if let Some(most) = query.max_rows().filter(|most| count > *most) {
            return Err(query.resources.limits.rows_returned(most));
        }
        batches.push(batch);
    }
    Ok(Returned {
        schema,
        batches,
        memory,
    })
}

/// Counts the memory of a batch that is kept.
fn grow(memory: &mut HeldMemory, batch: &RecordBatch) -> Result<()> {
    let bytes = batch.get_array_memory_size();
    let bytes = bytes.saturating_add(TemporaryPart::FIXED_BYTES);
    memory.grow(bytes).map_err(|error| {
        let message = format!("the rows of RETURNING are too large: {}", error.message());
        Error::new(error.code(), message)
            .with_hint("leave out RETURNING, or insert fewer rows at once")
    })
}

impl Returned {
    /// Returns the rows as those of a statement, whose query has ended.
    pub(super) fn into_rows(self, query: &Query) -> Rows {
        let memory = self.memory;
        let batches = futures::stream::iter(self.batches.into_iter().map(Ok));
        let stream: BatchStream = Box::pin(batches.inspect(move |_| {
            // Given back when the stream is dropped.
            let _ = &memory;
        }));
        Rows {
            schema: self.schema,
            origins: Arc::default(),
            tag: "INSERT",
            stream,
            query_id: Some(query.id),
            query: None,
        }
    }
}
