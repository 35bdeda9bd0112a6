//! WHERE of COPY .. FROM: which of the rows that a client sends are written.
//!
//! ```text
//!  batches ─▶ rows of the table ─▶ condition ─▶ true or not ─▶ the batches without the others
//! ```
//!
//! The condition is planned as a query over a table with the columns that the principal may select, as
//! that of a RETURNING clause, and evaluated for some rows at a time: between them it is checked
//! whether the write was stopped.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanBuilder, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use lakegate_catalog::model::TableInput;
use lakegate_dialect::Dialect;
use lakegate_engine::Stop;
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_lake::type_name;
use lakegate_policy::{AtCommit, Temporary};
use lakegate_sql::ast::CopyFrom;
use lakegate_statement::{QueryWrite, ReturnedRows};
use sqlparser::ast;

use crate::moment::Moment;
use crate::query::parameters::check_parameters;
use crate::query::planners::PlannedText;
use crate::session::Session;
use crate::write::returning::check_clause;

/// Rows that the condition is evaluated for at a time.
const ROWS: usize = 1024;

/// The condition of a COPY.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// The definition of the table that it reads.
    table: TableInput,
    holds: Arc<dyn PhysicalExpr>,
}

/// Which rows of a write are written.
#[derive(Debug)]
pub(super) struct RowFilter {
    rows: ReturnedRows,
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
        let catalog = self.statement_context(moment).await?;
        let table = catalog.copied_table(copy).await?;
        let query = self.with_typed_literals(query);
        let none = Temporary::default().with_table(table.clone(), None, AtCommit::Keep)?;
        let seen = moment.with_temporary(Arc::new(none));
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let planning = Box::pin(self.resolve(&seen, statement)).await?;
        let shown = PlannedText::Query(&query, planning.database.clone());
        let planned = self
            .plan(&seen, shown, planning.described().boxed())
            .await?;
        check_clause(&planned.plan, "COPY FROM WHERE conditions")?;
        let planning = planned.planning.begun_now();
        let plan = planning.analyzed(planned.plan)?;
        let holds = predicate(&planning.state, &plan)?;
        Ok(Some(Condition { table, holds }))
    }
}

/// Returns the only column of a query over one table, as a condition on rows of the table.
///
/// # Errors
/// The column is no boolean, or cannot be evaluated by itself.
fn predicate(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn PhysicalExpr>> {
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
    let condition = match condition.get_type(schema).map_err(from_engine)? {
        DataType::Boolean => condition,
        DataType::Null => cast(condition, DataType::Boolean),
        other => return Err(no_condition(&other)),
    };
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(schema))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplified = ExprSimplifier::new(context).simplify(condition);
    let holds = simplified.and_then(|condition| state.create_physical_expr(condition, schema));
    holds.map_err(from_engine)
}

fn no_condition(of: &DataType) -> Error {
    let name = match of {
        DataType::Int32 => "integer".to_owned(),
        text if text.is_string() => "text".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        number if number.is_decimal() => "numeric".to_owned(),
        other => type_name(other),
    };
    let message = format!("argument of WHERE must be type boolean, not type {name}");
    Error::new(Code::TypeMismatch, message)
}

/// Returns whether the rows of a plan are those of one table, unchanged.
fn reads_table_only(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => reads_table_only(&alias.input),
        LogicalPlan::TableScan(scan) => {
            scan.projection.is_none() && scan.filters.is_empty() && scan.fetch.is_none()
        }
        _ => false,
    }
}

impl Condition {
    /// Returns the filter of the batches of a write.
    ///
    /// # Errors
    /// The write is not one into a table that has the columns of the condition.
    pub(super) fn of(self, write: &QueryWrite) -> Result<RowFilter> {
        Ok(RowFilter {
            rows: ReturnedRows::new(&self.table, write)?,
            holds: self.holds,
        })
    }
}

impl RowFilter {
    /// Returns the batches without the rows for which the condition is not true. The stream ends with
    /// an error if a value does not fit its column, the condition cannot be evaluated, or `stop` says
    /// so.
    pub(super) fn over(
        self,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        stop: Arc<Stop>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let filter = Arc::new(self);
        let kept = batches.map_ok(move |batch| {
            let (filter, stop) = (Arc::clone(&filter), Arc::clone(&stop));
            let pieces: Vec<RecordBatch> = filter.rows.pieces(batch).collect();
            let pieces = pieces.into_iter();
            futures::stream::iter(pieces.map(move |piece| filter.kept(&piece, &stop)))
        });
        kept.try_flatten().boxed()
    }

    fn kept(&self, piece: &RecordBatch, stop: &Arc<Stop>) -> Result<RecordBatch> {
        let rows = self.rows.apply(piece)?;
        // Functions that take long check it too.
        let _entered = stop.enter();
        let mut holds = BooleanBuilder::with_capacity(rows.num_rows());
        for from in (0..rows.num_rows()).step_by(ROWS) {
            stop.check().map_err(from_engine)?;
            let part = rows.slice(from, ROWS.min(rows.num_rows() - from));
            let held = self.holds.evaluate(&part).map_err(from_engine)?;
            let held = held.into_array(part.num_rows()).map_err(from_engine)?;
            let held = held
                .as_boolean_opt()
                .ok_or_else(|| Error::internal("a condition of COPY is no boolean"))?;
            holds.append_array(held);
        }
        filter_record_batch(piece, &holds.finish())
            .map_err(|error| Error::internal(format!("rows cannot be filtered: {error}")))
    }
}
