//! WHERE of COPY .. FROM: which of the rows that a client sends are written.
//!
//! ```text
//!  batches ─▶ rows of the table ─▶ condition ─▶ true or not ─▶ the batches without the others
//! ```
//!
//! The condition is planned as a query over a table with the columns that the principal may select, as
//! that of a RETURNING clause, and evaluated for each batch.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use lakegate_catalog::model::TableInput;
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::pg_catalog::type_name;
use lakegate_engine::Stop;
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_policy::{AtCommit, Temporary};
use lakegate_sql::ast::CopyFrom;
use lakegate_statement::{QueryWrite, ReturnedRows, StatementContext};
use sqlparser::ast;

use crate::moment::Moment;
use crate::query::parameters::check_parameters;
use crate::query::planners::PlannedText;
use crate::session::Session;
use crate::write::returning::check_clause;

/// The condition of a COPY.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// The definition of the table that it reads.
    table: TableInput,
    predicate: Predicate,
}

/// Which rows of a write are written.
#[derive(Debug)]
pub(super) struct RowFilter {
    rows: ReturnedRows,
    predicate: Predicate,
}

/// A condition on rows of a table.
#[derive(Debug, Clone)]
struct Predicate {
    /// The names of the columns that it reads, in their places.
    columns: Vec<String>,
    holds: Arc<dyn PhysicalExpr>,
}

impl Session {
    /// Returns the condition of a COPY, if it has one.
    ///
    /// # Errors
    /// The dialect has no such clause; the table does not exist; INSERT is not granted, or SELECT on
    /// no column; the condition cannot be planned, or sees more than one row.
    pub(super) async fn condition(
        &self,
        moment: &Moment,
        catalog: &StatementContext,
        copy: &CopyFrom,
    ) -> Result<Option<Condition>> {
        let Some(query) = &copy.condition else {
            return Ok(None);
        };
        if self.dialect() != Dialect::Postgres {
            return Err(Error::not_supported(
                "COPY .. FROM .. WHERE is not supported; use COPY .. FROM",
            ));
        }
        check_parameters(query, 0)?;
        let table = catalog.copied_table(copy).await?;
        let query = self.with_typed_literals(query);
        let none = Temporary::default().with_table(table.clone(), None, AtCommit::Keep)?;
        let seen = moment.with_temporary(Arc::new(none));
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let planning = Box::pin(self.resolve(&seen, statement)).await?;
        let shown = PlannedText::Query(&query, planning.database.clone());
        let planned = async move {
            let planned = planning.described().await?;
            check_clause(&planned.plan, "COPY FROM WHERE conditions")?;
            let planning = planned.planning.begun_now();
            let plan = planning.analyzed(planned.plan)?;
            predicate(&planning.state, &plan)
        };
        let predicate = self.plan(&seen, shown, planned.boxed()).await?;
        Ok(Some(Condition { table, predicate }))
    }
}

/// Returns the only column of a query over one table, as a condition on rows of the table.
///
/// # Errors
/// The column is not a boolean, or cannot be evaluated by itself.
fn predicate(state: &SessionState, plan: &LogicalPlan) -> Result<Predicate> {
    let refused =
        || Error::not_supported("such a condition of COPY .. FROM .. WHERE is not supported");
    let LogicalPlan::Projection(projection) = plan else {
        return Err(refused());
    };
    let ([column], true) = (
        projection.expr.as_slice(),
        reads_table_only(&projection.input),
    ) else {
        return Err(refused());
    };
    let schema = projection.input.schema();
    let condition = column.clone().unalias_nested().data;
    let (_, field) = condition.to_field(schema).map_err(from_engine)?;
    let condition = match field.data_type() {
        DataType::Boolean => condition,
        DataType::Null => cast(condition, DataType::Boolean),
        _ => return Err(no_condition(&field)),
    };
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(schema))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplified = ExprSimplifier::new(context).simplify(condition);
    let holds = simplified.and_then(|condition| state.create_physical_expr(condition, schema));
    let columns = schema.fields().iter().map(|field| field.name().clone());
    Ok(Predicate {
        columns: columns.collect(),
        holds: holds.map_err(from_engine)?,
    })
}

fn no_condition(of: &Field) -> Error {
    let name = type_name(of);
    let message = format!("argument of WHERE must be type boolean, not type {name}");
    Error::new(Code::TypeMismatch, message)
}

/// Returns whether the rows of a plan are those of one table, with some of its columns.
fn reads_table_only(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => reads_table_only(&alias.input),
        LogicalPlan::TableScan(scan) => scan.filters.is_empty() && scan.fetch.is_none(),
        _ => false,
    }
}

fn not_filtered(error: ArrowError) -> Error {
    Error::internal(format!("rows cannot be filtered: {error}"))
}

impl Predicate {
    /// Returns for which rows of the table the condition is true.
    ///
    /// # Errors
    /// The rows lack a column; the condition cannot be evaluated.
    fn evaluate(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        let columns = self.columns.iter();
        let places = columns.map(|name| rows.schema_ref().index_of(name));
        let places = places.collect::<std::result::Result<Vec<usize>, ArrowError>>();
        let read = places.and_then(|places| rows.project(&places));
        let read = read.map_err(not_filtered)?;
        let holds = self.holds.evaluate(&read).map_err(from_engine)?;
        let holds = holds.into_array(rows.num_rows()).map_err(from_engine)?;
        let holds = holds.as_boolean_opt().cloned();
        holds.ok_or_else(|| Error::internal("a condition of COPY is no boolean"))
    }
}

impl Condition {
    /// Returns the filter of the batches of a write.
    ///
    /// # Errors
    /// The write is not one into a table that has the columns of the condition.
    pub(super) fn of(self, write: &QueryWrite) -> Result<RowFilter> {
        Ok(RowFilter {
            rows: ReturnedRows::sent(&self.table, write)?,
            predicate: self.predicate,
        })
    }
}

impl RowFilter {
    /// Returns the batches without the rows for which the condition is not true. The stream ends with
    /// an error if a value does not fit its column, or the condition cannot be evaluated.
    ///
    /// `stop`: stops the evaluation of a batch.
    pub(super) fn over(
        self,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        stop: Arc<Stop>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let filter = Arc::new(self);
        let kept = batches.map_ok(move |batch| {
            let (filter, stop) = (Arc::clone(&filter), Arc::clone(&stop));
            let pieces: Vec<RecordBatch> = filter.rows.pieces(batch).collect();
            futures::stream::iter(pieces.into_iter().map(move |piece| {
                let _entered = stop.enter();
                filter.kept(&piece)
            }))
        });
        kept.try_flatten().boxed()
    }

    fn kept(&self, piece: &RecordBatch) -> Result<RecordBatch> {
        let rows = self.rows.apply(piece)?;
        let holds = self.predicate.evaluate(&rows)?;
        filter_record_batch(piece, &holds).map_err(not_filtered)
    }
}
