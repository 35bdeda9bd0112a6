//! Logical plans: planning of read-only statements, comparison of columns, and casts to the
//! announced types.

use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use lakegate_dialect::postgres::PG_TYPE;
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

/// Gives the columns of an optimised plan the types announced to the client. The optimizer may
/// change a type: next to a distinct aggregate, a sum of decimals becomes a wider sum of sums; and
/// where one side of a union is empty, the other one's NULL is of no type of its own.
///
/// # Errors
/// The casts cannot be planned.
pub(crate) fn with_types_of(
    planned: &DFSchema,
    optimized: LogicalPlan,
) -> EngineResult<LogicalPlan> {
    if same_types(planned, optimized.schema()) {
        return Ok(optimized);
    }
    let fields = planned.iter().zip(optimized.schema().iter());
    let columns: Vec<Expr> = fields
        .map(|((qualifier, announced), made)| {
            let column = Expr::Column(Column::from(made));
            let value = match made.1.data_type() == announced.data_type() {
                true => column,
                false => cast(column, announced.data_type().clone()),
            };
            let metadata = FieldMetadata::new_from_field(announced);
            value.alias_qualified_with_metadata(
                qualifier.cloned(),
                announced.name(),
                (!metadata.is_empty()).then_some(metadata),
            )
        })
        .collect();
    LogicalPlanBuilder::from(optimized)
        .project(columns)?
        .build()
}

/// Whether what was made has the announced types, also those that metadata tells apart, such as
/// `jsonb` and text.
fn same_types(announced: &DFSchema, made: &DFSchema) -> bool {
    let mut types = announced.fields().iter().zip(made.fields());
    types.all(|(announced, made)| {
        let mut marks = announced.metadata().iter();
        announced.data_type() == made.data_type()
            && marks.all(|(key, value)| made.metadata().get(key) == Some(value))
    })
}

/// Whether two results have the same columns, for a client that has prepared for one of them.
pub(crate) fn same_columns(a: &SchemaRef, b: &SchemaRef) -> bool {
    have_columns_of(a, b, is_same_type)
}

/// The same for a client that takes decimals of any digits.
pub(crate) fn same_columns_of_any_digits(a: &SchemaRef, b: &SchemaRef) -> bool {
    have_columns_of(a, b, is_same_but_for_digits)
}

fn have_columns_of(a: &SchemaRef, b: &SchemaRef, alike: fn(&DataType, &DataType) -> bool) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields().iter().zip(b.fields()).all(|(a, b)| {
            let are_alike = alike(a.data_type(), b.data_type()) || are_numeric(a, b);
            a.name() == b.name() && are_alike
        })
}

/// Whether two columns are shown as `numeric`, of which one has the digits of each value.
fn are_numeric(a: &Field, b: &Field) -> bool {
    let is_text = |field: &Field| {
        let mark = field.metadata().get(PG_TYPE);
        mark.is_some_and(|mark| mark == "numeric") && field.data_type().is_string()
    };
    let is_numeric = |field: &Field| field.data_type().is_decimal() || is_text(field);
    is_numeric(a) && is_numeric(b) && (is_text(a) || is_text(b))
}

fn is_same_but_for_digits(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => {
            is_same_but_for_digits(a.data_type(), b.data_type())
        }
        (a, b) if a.is_decimal() && b.is_decimal() => true,
        (a, b) => is_same_type(a, b),
    }
}

/// Whether two types are equal except for the time zone, which is a setting of the session that may
/// have changed.
fn is_same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::Timestamp(a, Some(_)), DataType::Timestamp(b, Some(_))) => a == b,
        (a, b) => a == b,
    }
}

/// Whether running the plan again on the same files gives the same rows.
pub(crate) fn is_repeatable(plan: &LogicalPlan) -> bool {
    matches!(has_expression(plan, Expr::is_volatile_node), Ok(false))
}
