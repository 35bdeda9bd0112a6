//! The names of types in messages.

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_engine::has_operator;

use crate::json;

/// Returns the name of a type in SQL.
pub(crate) fn of_type(data_type: &DataType) -> String {
    of_field(&Field::new("", data_type.clone(), true))
}

/// Returns the name of a field's type in SQL.
pub(crate) fn of_field(field: &Field) -> String {
    match field.data_type() {
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        _ => json::type_name(field),
    }
}

/// Returns the name of an expression's type, as Trino names it: a literal's type has its length, or
/// is the smallest of integer and bigint that holds it.
pub(crate) fn of_expr(expr: &Expr, field: &Field) -> String {
    match expr {
        Expr::Alias(alias) => of_expr(&alias.expr, field),
        Expr::Literal(ScalarValue::Int64(Some(value)), _) if i32::try_from(*value).is_ok() => {
            "integer".to_owned()
        }
        Expr::Literal(value, _) if !json::is_json(field) => match value.try_as_str() {
            Some(Some(text)) => format!("varchar({})", text.chars().count()),
            _ => of_field(field),
        },
        _ => of_field(field),
    }
}

/// Returns whether a plan reads tables of PostgreSQL's catalogs, whose queries drivers send in any
/// dialect.
pub(crate) fn reads_system_catalogs(plan: &LogicalPlan) -> datafusion::error::Result<bool> {
    has_operator(plan, |node| {
        Ok(match node {
            LogicalPlan::TableScan(scan) => scan.table_name.schema() == Some("pg_catalog"),
            _ => false,
        })
    })
}
