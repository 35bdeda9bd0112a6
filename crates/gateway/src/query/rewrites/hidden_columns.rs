//! Statements that name hidden columns (`lake/table/hidden_columns.rs`) or system columns: which
//! tables have them is looked up before the statement is planned, so that `*` can leave them out.

use std::collections::HashMap;

use datafusion::execution::SessionState;
use datafusion::sql::planner::object_name_to_table_reference;
use lakegate_dialect::postgres::pg_catalog::system_columns;
use lakegate_dialect::postgres::{TableColumns, hide_columns, starred_tables};
use lakegate_error::{Result, from_engine};
use lakegate_policy::PolicyTable;
use sqlparser::ast;

/// Returns the statement with every `*` leaving out hidden columns.
///
/// # Errors
/// A table cannot be looked up; [`hide_columns`] rejects the statement.
pub(crate) async fn hidden(
    state: &SessionState,
    statement: &ast::Statement,
) -> Result<ast::Statement> {
    let mut statement = statement.clone();
    let mut tables = HashMap::new();
    for name in starred_tables(&statement)? {
        if let Some(columns) = columns_of(state, &name).await? {
            tables.insert(name, columns);
        }
    }
    hide_columns(&mut statement, &tables)?;
    Ok(statement)
}

/// Returns the columns of a table that has hidden ones. The planner reports a name that does not
/// resolve.
async fn columns_of(state: &SessionState, name: &ast::ObjectName) -> Result<Option<TableColumns>> {
    let folds = state.config_options().sql_parser.enable_ident_normalization;
    let Ok(reference) = object_name_to_table_reference(name.clone(), folds) else {
        return Ok(None);
    };
    let Ok(schema) = state.schema_for_ref(reference.clone()) else {
        return Ok(None);
    };
    let table = schema.table(reference.table()).await.map_err(from_engine)?;
    let Some(table) = &table else {
        return Ok(None);
    };
    let Some(policy_table) = table.downcast_ref::<PolicyTable>() else {
        return Ok(system_columns(table.as_ref()));
    };
    let hidden: Vec<&'static str> = policy_table.hidden_columns().collect();
    let shown = table.schema().fields().len() - hidden.len();
    Ok((!hidden.is_empty()).then_some(TableColumns { shown, hidden }))
}
