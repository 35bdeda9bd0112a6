//! Equivalent forms of statements that the engine rejects as they are written.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::{
    name_casts, name_columns, name_expressions, name_outputs, restore_outputs,
};
use lakegate_engine::has_columns_of_one_name;
use lakegate_error::{Code, Error, Result};
use sqlparser::ast::Statement;

use crate::query::logical_plan::{is_of_any_columns, plan_statement, plan_with};
use crate::query::rewrites::named_columns::named_columns;
use crate::query::rewrites::{corresponding, row_fields, stars, whole_rows};

/// The maximum number of rewrites of a statement, each for another error.
const MAX_REWORDINGS: usize = 5;

/// Plans a statement, in an equivalent form if the engine rejects it as it is written.
///
/// # Errors
/// The engine's error for the original statement, if no equivalent form can be planned; a row in
/// `row.*`, or a query of CORRESPONDING, cannot be planned.
pub(crate) async fn planned(state: &SessionState, statement: &Statement) -> Result<LogicalPlan> {
    let with_fields = Box::pin(row_fields::expanded(state, statement)).await?;
    let statement = with_fields.as_ref().unwrap_or(statement);
    let by_place = Box::pin(corresponding::by_place(state, statement)).await?;
    let statement = by_place.as_ref().unwrap_or(statement);
    if let Some(names) = named_columns(statement) {
        let plan = Box::pin(plan_with(state, statement.clone(), Some(Arc::new(names)))).await;
        match plan {
            Ok(plan) if !has_columns_of_one_name(&plan) => return Ok(plan),
            Err(error) if is_of_any_columns(&error) => return Err(error),
            // With all columns it may have a plan, and it has the right error.
            _ => {}
        }
    }
    let first = plan_statement(state, statement.clone()).await;
    if first
        .as_ref()
        .is_ok_and(|plan| !has_columns_of_one_name(plan))
    {
        return first;
    }
    let (mut statement, mut planned) = (statement.clone(), first.clone());
    for _ in 0..MAX_REWORDINGS {
        let mut others = reworded(&statement, &planned);
        if is_named_twice(&planned) {
            let named = others.last().unwrap_or(&statement);
            let expanded = stars::expanded(state, named).await;
            others.extend(expanded);
        }
        let of_row = planned.as_ref().err();
        if let Some(named) = of_row.and_then(|error| row_fields::without_table(&statement, error))
            && let Ok(expanded) = Box::pin(row_fields::expanded(state, &named)).await
        {
            others.extend(expanded);
        }
        let of_table = planned.as_ref().err().and_then(Error::missing_column);
        if let Some(missing) = of_table {
            others.extend(Box::pin(whole_rows::expanded(state, &statement, missing)).await);
        }
        let mut next = None;
        for other in others {
            let plan = plan_statement(state, other.clone()).await;
            match (&plan, &planned) {
                (Ok(_), _) => return plan,
                // Another error means that one of several causes is gone.
                (Err(error), Err(known)) if error.message() != known.message() => {
                    next = next.or(Some((other, plan)));
                }
                _ => {}
            }
        }
        match next {
            Some(next) => (statement, planned) = next,
            None => break,
        }
    }
    first
}

fn is_named_twice(planned: &Result<LogicalPlan>) -> bool {
    matches!(planned, Err(error) if error.code() == Code::DuplicateColumn)
}

/// Returns equivalent forms of a rejected statement that may avoid its error.
fn reworded(statement: &Statement, planned: &Result<LogicalPlan>) -> Vec<Statement> {
    let changed = |change: &dyn Fn(&mut Statement) -> bool| {
        let mut reworded = statement.clone();
        change(&mut reworded).then_some(reworded)
    };
    let error = planned.as_ref().err();
    let found = if let Some(column) = error.and_then(Error::missing_column) {
        [
            changed(&|statement| restore_outputs(statement, column)),
            None,
            None,
        ]
    } else if let Some(column) = error.and_then(Error::ambiguous_column) {
        let named = changed(&|statement| name_outputs(statement, column));
        [named, None, None]
    } else if is_named_twice(planned) {
        [
            changed(&name_casts),
            changed(&|statement| {
                name_casts(statement);
                name_columns(statement)
            }),
            changed(&|statement| {
                name_casts(statement);
                name_columns(statement);
                name_expressions(statement)
            }),
        ]
    } else if planned.as_ref().is_ok_and(has_columns_of_one_name) {
        // The engine gives the same name to columns that differ only in a cast. It fails only when
        // it optimises the plan.
        [changed(&name_casts), None, None]
    } else {
        [None, None, None]
    };
    found.into_iter().flatten().collect()
}
