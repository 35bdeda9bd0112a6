//! The row of a query of literals, such as `SELECT 1`. It needs no operators, no threads and no
//! place in a queue.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan};
use futures::StreamExt;
use lakegate_dialect::postgres::ResultReuse;
use lakegate_error::{Error, Result};
use lakegate_lake::meter::QueryMeter;
use lakegate_sql::ast::Statement;

use crate::Rows;
use crate::query::announced_columns::same_columns;
use crate::query::column_names::renamed;
use crate::query::kept_plan::PlanInputs;
use crate::query::origins::Origin;
use crate::query::planning::Planning;
use crate::query::submit::application_of;
use crate::query::watch::QueryWatch;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::workgroup::WorkgroupLimits;

/// The maximum size of the values of a row that is made outside of the memory pool, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// The maximum memory of a row that is kept with its plan, in bytes. It is part of the estimate of
/// the state of a kept plan.
const MAX_KEPT_BYTES: usize = 16 << 10;

/// The row of a plan of literals as the client sees it, for later executions of the plan.
#[derive(Debug)]
pub(crate) struct Answer {
    pub schema: SchemaRef,
    row: RecordBatch,
    origins: Arc<[Option<Origin>]>,
    /// How later executions use results, as the settings have it.
    reuse: ResultReuse,
    /// What the history says of later executions.
    submission: AnswerSubmission,
}

/// What is known of the submissions of later executions: they have the settings and the workgroup that
/// the plan was made with.
#[derive(Debug)]
pub(crate) struct AnswerSubmission {
    /// The current database.
    pub database: String,
    pub limits: WorkgroupLimits,
    pub application_name: Option<String>,
    pub timeout: Option<Duration>,
    /// Nothing is read.
    pub meter: Arc<QueryMeter>,
}

impl Answer {
    /// Returns whether the row may be the result of an execution. `expected`: the announced columns.
    /// `reuse`: overrides the session's setting.
    pub(crate) fn serves(&self, expected: Option<&SchemaRef>, reuse: Option<ResultReuse>) -> bool {
        let is_stored = matches!(
            reuse.unwrap_or(self.reuse),
            ResultReuse::Fresh | ResultReuse::Only
        );
        !is_stored && expected.is_none_or(|expected| same_columns(expected, &self.schema))
    }

    /// Returns the row of an optimised plan, if it is a small one of literals. `inputs`: what the plan
    /// was made from.
    pub(crate) fn of(plan: &LogicalPlan, planning: &Planning, inputs: &PlanInputs) -> Option<Self> {
        let row = constant_row(plan)?;
        let settings = &inputs.settings;
        let limits = inputs.moment.query_limits(&settings.workgroup()).ok()?;
        let schema = planning.names.schema(plan.schema().inner());
        let row = renamed(row, &schema).ok()?;
        (row.get_array_memory_size() <= MAX_KEPT_BYTES).then(|| Self {
            schema,
            row,
            origins: planning.origins(),
            reuse: settings.result_reuse(),
            submission: AnswerSubmission {
                database: planning.database.clone(),
                limits,
                application_name: application_of(settings),
                timeout: settings.statement_timeout(),
                meter: Arc::default(),
            },
        })
    }
}

impl Session {
    /// Returns the rows of a prepared query whose row is known. [`Session::execute`] returns them, too,
    /// but has to be waited for. `None`: the row is not known, or the statement fails, which `execute`
    /// says.
    pub fn known_answer(&self, prepared: &Prepared, parameters: &[ScalarValue]) -> Option<Rows> {
        prepared.plan.as_ref().filter(|slot| slot.has_answer())?;
        let statement = prepared.statement()?;
        let is_query = matches!(statement, Statement::Query(_));
        // What a transaction block has changed is refreshed first.
        if !is_query || parameters.len() < prepared.parameters.len() || self.changes().is_some() {
            return None;
        }
        let moment = self.moment().ok()?;
        self.check_transaction(Some(statement)).ok()?;
        let settings = self.settings();
        let slot = self.slot_of(prepared, &settings, parameters)?;
        let answer = slot.answer(&moment, &settings, parameters)?;
        if !answer.serves(prepared.columns.as_ref(), None) {
            return None;
        }
        let rows = self.answered(prepared, &answer).ok()?;
        let tag = statement.tag();
        Some(Rows { tag, ..rows })
    }

    /// Runs a query whose row is known.
    ///
    /// # Errors
    /// The session is over; the server is shutting down.
    pub(crate) fn answered(&self, prepared: &Prepared, answer: &Answer) -> Result<Rows> {
        let text = prepared.source.text();
        let query = self.submit_answered(&text, &answer.submission, 1)?;
        let rows = futures::stream::iter([Ok::<_, Error>(answer.row.clone())]);
        Ok(Rows {
            schema: Arc::clone(&answer.schema),
            origins: Arc::clone(&answer.origins),
            tag: "SELECT",
            stream: rows.boxed(),
            query_id: Some(query.id),
            query: Some(QueryWatch::of(&query)),
        })
    }
}

/// Returns the row of an optimised plan whose columns are small literals, and `None` for any other
/// plan.
pub(crate) fn constant_row(plan: &LogicalPlan) -> Option<RecordBatch> {
    let LogicalPlan::Projection(projection) = plan else {
        return None;
    };
    let LogicalPlan::EmptyRelation(input) = projection.input.as_ref() else {
        return None;
    };
    if !input.produce_one_row || projection.expr.is_empty() {
        return None;
    }
    let values: Vec<&ScalarValue> = projection.expr.iter().map(literal).collect::<Option<_>>()?;
    let bytes: usize = values.iter().map(|value| value.size()).sum();
    if bytes > MAX_BYTES {
        return None;
    }
    let columns = values.iter().map(|value| value.to_array().ok());
    let columns = columns.collect::<Option<Vec<ArrayRef>>>()?;
    RecordBatch::try_new(Arc::clone(projection.schema.inner()), columns).ok()
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    let mut expr = expr;
    while let Expr::Alias(alias) = expr {
        expr = alias.expr.as_ref();
    }
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;
    use datafusion::functions::expr_fn::random;
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    fn row(from: LogicalPlanBuilder, columns: Vec<Expr>) -> Option<RecordBatch> {
        constant_row(&from.project(columns).unwrap().build().unwrap())
    }

    #[test]
    fn literals_are_one_row() {
        let one = LogicalPlanBuilder::empty(true);
        let columns = vec![
            lit(7),
            lit("x").alias("a").alias("b"),
            lit(ScalarValue::Null),
        ];
        let made = row(one, columns).unwrap();
        assert_eq!(made.num_rows(), 1);
        assert_eq!(made.column(0).as_primitive::<Int32Type>().value(0), 7);
        assert_eq!(made.schema().field(1).name(), "b");
        assert!(made.column(2).is_nullable());
    }

    #[test]
    fn other_plans_and_large_values_are_left_to_the_engine() {
        let one = || LogicalPlanBuilder::empty(true);
        assert!(row(one(), vec![lit(1), random()]).is_none());
        assert!(row(one(), vec![lit(1) + lit(1)]).is_none());
        assert!(row(one(), vec![lit("x".repeat(MAX_BYTES))]).is_none());
        assert!(row(LogicalPlanBuilder::empty(false), vec![lit(1)]).is_none());
        assert!(constant_row(&one().build().unwrap()).is_none());
    }
}
