//! The values of EXECUTE's parameters: literals, and expressions of them that read no table, such as
//! `date_add('day', -1, current_date)`.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};
use futures::FutureExt;
use lakegate_dialect::postgres::everything;
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_sql::walk::walk;
use sqlparser::ast::{self, Expr, Query, SelectItem, SetExpr, Visitor};

use crate::moment::Moment;
use crate::query::literals::literal;
use crate::query::parameters::check_parameters;
use crate::query::planners::PlannedText;
use crate::session::Session;

const HINT: &str = "EXECUTE takes literals, and functions of literals";

impl Session {
    /// Evaluates a constant expression.
    ///
    /// # Errors
    /// The expression names a column or reads a table; planning or evaluating it fails.
    pub(crate) async fn constant(&self, moment: &Moment, expr: &Expr) -> Result<ScalarValue> {
        if let Ok(value) = literal(expr) {
            return Ok(value);
        }
        let not_constant =
            || Error::invalid(format!("parameter {expr} is not constant")).with_hint(HINT);
        if has_query(expr) {
            let message = "cannot use subquery in EXECUTE parameter";
            return Err(Error::not_supported(message).with_hint(HINT));
        }
        let mut query = everything()?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.projection = vec![SelectItem::UnnamedExpr(expr.clone())];
        }
        check_parameters(&query, 0)?;
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let planning = Box::pin(self.resolve(moment, statement)).await?;
        let text = PlannedText::Query(&query, planning.database.clone());
        let work = async move {
            let plan = planning.plan().await?;
            let plan = planning.optimized(plan, None, &[]).await?;
            evaluated(&planning.state, &plan).map_err(from_engine)
        };
        match self.plan(moment, text, work.boxed()).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(not_constant()),
            Err(error) if error.code() == Code::ColumnNotFound => Err(error.with_hint(HINT)),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether an expression has a subquery.
pub(super) fn has_query(expr: &Expr) -> bool {
    struct Queries;

    impl Visitor for Queries {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }

    walk(expr, &mut Queries).is_break()
}

/// Returns the value of a query's only column if it reads no table.
///
/// # Errors
/// Evaluating the column fails.
fn evaluated(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<Option<ScalarValue>, DataFusionError> {
    let LogicalPlan::Projection(projection) = plan else {
        return Ok(None);
    };
    let LogicalPlan::EmptyRelation(input) = projection.input.as_ref() else {
        return Ok(None);
    };
    let ([expr], true) = (projection.expr.as_slice(), input.produce_one_row) else {
        return Ok(None);
    };
    let expr = expr.clone().unalias_nested().data;
    if let PlanExpr::Literal(value, _) = expr {
        return Ok(Some(value));
    }
    // Functions such as random are not evaluated while the plan is optimised.
    let expr = state.create_physical_expr(expr, &input.schema)?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Arc::clone(input.schema.inner());
    let row = RecordBatch::try_new_with_options(schema, Vec::new(), &options)?;
    let value = expr.evaluate(&row)?.into_array(1)?;
    ScalarValue::try_from_array(&value, 0).map(Some)
}
