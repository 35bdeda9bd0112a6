//! The result columns of statements, and batches of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lakegate_error::{Error, Result};
use lakegate_sql::Statement;

use super::Output;

/// The result columns of a statement, known before it runs; `None` if it answers with a command
/// tag.
///
/// Names are Athena's where Athena has the statement.
pub fn columns(statement: &Statement) -> Option<SchemaRef> {
    Some(match statement {
        Statement::ShowDatabases(_) => text(&["database_name"]),
        Statement::ShowTables(_) => text(&["tab_name"]),
        Statement::ShowViews(_) => text(&["views"]),
        Statement::ShowColumns(_) => text(&["field"]),
        Statement::ShowPartitions(_) => text(&["partition"]),
        Statement::ShowCreateTable(_) => text(&["createtab_stmt"]),
        Statement::ShowCreateView(_) => text(&["Create View"]),
        Statement::ShowTblProperties(_) => text(&["prpt_name", "prpt_value"]),
        Statement::ShowStats(_) => statistics(),
        Statement::ShowFunctions(_) => functions(),
        Statement::Describe(_) => text(&["col_name", "data_type", "comment"]),
        Statement::MsckRepair(_) => text(&["message"]),
        Statement::ShowGrants(_) => grants(),
        Statement::ShowRoles(_) => text(&["role_name", "members"]),
        Statement::ShowUsers => users(),
        Statement::ShowWorkgroup(show) if show.create => text(&["createworkgroup_stmt"]),
        Statement::ShowWorkgroups | Statement::ShowWorkgroup(_) => workgroups(),
        _ => return None,
    })
}

/// Columns of text.
fn text(names: &[&str]) -> SchemaRef {
    schema(names.iter().map(|name| (*name, DataType::Utf8)))
}

fn grants() -> SchemaRef {
    schema([
        ("grantee", DataType::Utf8),
        ("grantee_type", DataType::Utf8),
        ("privilege", DataType::Utf8),
        ("resource_type", DataType::Utf8),
        ("resource", DataType::Utf8),
        ("columns", DataType::Utf8),
        ("with_grant_option", DataType::Boolean),
    ])
}

/// The columns that Trino returns.
fn statistics() -> SchemaRef {
    schema([
        ("column_name", DataType::Utf8),
        ("data_size", DataType::Float64),
        ("distinct_values_count", DataType::Float64),
        ("nulls_fraction", DataType::Float64),
        ("row_count", DataType::Float64),
        ("low_value", DataType::Utf8),
        ("high_value", DataType::Utf8),
    ])
}

/// The columns that Trino returns.
fn functions() -> SchemaRef {
    schema([
        ("Function", DataType::Utf8),
        ("Return Type", DataType::Utf8),
        ("Argument Types", DataType::Utf8),
        ("Function Type", DataType::Utf8),
        ("Deterministic", DataType::Boolean),
        ("Description", DataType::Utf8),
    ])
}

fn users() -> SchemaRef {
    schema([
        ("user_name", DataType::Utf8),
        ("roles", DataType::Utf8),
        ("workgroup", DataType::Utf8),
        ("is_administrator", DataType::Boolean),
        ("authentication", DataType::Utf8),
        ("state", DataType::Utf8),
    ])
}

fn workgroups() -> SchemaRef {
    schema([
        ("name", DataType::Utf8),
        ("state", DataType::Utf8),
        ("bytes_scanned_cutoff_per_query", DataType::Int64),
        ("description", DataType::Utf8),
        ("max_staleness", DataType::Utf8),
        ("cpu_time_limit_per_query", DataType::Utf8),
        ("run_time_limit_per_query", DataType::Utf8),
        ("rows_returned_limit_per_query", DataType::Int64),
        ("bytes_written_limit_per_query", DataType::Int64),
    ])
}

fn schema<'a>(columns: impl IntoIterator<Item = (&'a str, DataType)>) -> SchemaRef {
    let fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// The rows of a statement, from columns in the order of [`columns`].
pub(super) fn answer(statement: &Statement, arrays: Vec<ArrayRef>) -> Result<Output> {
    let schema = columns(statement)
        .ok_or_else(|| Error::internal(format!("{} has no columns", statement.tag())))?;
    let batch = RecordBatch::try_new(schema, arrays)
        .map_err(|error| Error::internal(format!("rows of {}: {error}", statement.tag())))?;
    Ok(Output::Rows { batch })
}

/// Rows of one column of text.
pub(super) fn answer_lines(statement: &Statement, lines: Vec<String>) -> Result<Output> {
    answer(statement, vec![strings(lines.into_iter().map(Some))?])
}

/// A column of text.
///
/// # Errors
///
/// More text than one array holds (2 GiB).
pub(super) fn strings<S: AsRef<str>>(values: impl Iterator<Item = Option<S>>) -> Result<ArrayRef> {
    let values: Vec<Option<S>> = values.collect();
    let bytes: usize = values
        .iter()
        .flatten()
        .map(|value| value.as_ref().len())
        .sum();
    if i32::try_from(bytes).is_err() {
        return Err(Error::not_supported(
            "the answer is larger than 2 GiB; ask for less of it, for example with a LIKE pattern or a PARTITION clause",
        ));
    }
    Ok(Arc::new(StringArray::from_iter(values)))
}
