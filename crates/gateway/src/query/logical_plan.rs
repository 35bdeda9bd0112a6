//! Planning of read-only statements.

use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_engine::{NamedColumns, complexity, has_expression, long_lists, with_named_columns};
use lakegate_error::{Code, Error, Result, from_engine};
use sqlparser::ast;

use crate::query::hidden_names::{self, hiding_names};
use crate::query::inner_names::{self, inner_selects};
use crate::query::subquery_names::named_selects;

/// Plans a read-only statement.
///
/// # Errors
/// Planning fails; the plan is too complex, or does more than read; a name in a subquery is ambiguous, or
/// that of a hidden column.
pub(crate) async fn plan_statement(
    state: &SessionState,
    statement: ast::Statement,
) -> Result<LogicalPlan> {
    Box::pin(plan_with(state, statement, None)).await
}

/// Plans a read-only statement over tables of the named columns only, so that it may not find a
/// column that it refers to in another way.
///
/// # Errors
/// As of [`plan_statement`].
pub(crate) async fn plan_with(
    state: &SessionState,
    statement: ast::Statement,
    columns: Option<NamedColumns>,
) -> Result<LogicalPlan> {
    let selects = named_selects(&statement);
    let hiding = hiding_names(&selects);
    let inner = inner_selects(selects);
    let folds = state.config_options().sql_parser.enable_ident_normalization;
    let listed = match long_lists::taken(&statement, folds) {
        Some((rows, list)) => match planned(state, rows, columns.clone()).await {
            Ok(rows) => list.put_back(rows),
            Err(error) if is_of_any_columns(&error) => return Err(error),
            // The whole statement may have another one.
            Err(_) => None,
        },
        None => None,
    };
    let plan = match listed {
        Some(plan) => plan,
        None => planned(state, statement, columns).await?,
    };
    // Checked before the plan is walked.
    complexity::check(&plan).map_err(from_engine)?;
    let only_reads = datafusion::execution::context::SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    only_reads.verify_plan(&plan).map_err(from_engine)?;
    inner_names::check(&plan, &inner)?;
    hidden_names::check(&plan, &hiding)?;
    Ok(plan)
}

/// Returns whether an error is the same with other columns of the tables or of the list: of the planning
/// itself, or of a view in the statement, which is not planned again for the same error.
pub(crate) fn is_of_any_columns(error: &Error) -> bool {
    let code = error.code();
    code.is_about_the_run() || code == Code::InvalidView
}

async fn planned(
    state: &SessionState,
    statement: ast::Statement,
    columns: Option<NamedColumns>,
) -> Result<LogicalPlan> {
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(statement));
    let planning = Box::pin(state.statement_to_plan(statement));
    let plan = with_named_columns(columns, planning).await;
    plan.map_err(from_engine)
}

/// Whether running the plan again on the same files gives the same rows.
pub(crate) fn is_repeatable(plan: &LogicalPlan) -> bool {
    matches!(has_expression(plan, Expr::is_volatile_node), Ok(false))
}
