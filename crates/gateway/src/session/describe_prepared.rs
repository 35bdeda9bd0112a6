//! DESCRIBE INPUT and DESCRIBE OUTPUT: the parameters and the columns of a prepared statement, in
//! Trino's shape.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lakegate_dialect::postgres::items_of;
use lakegate_error::{Error, Result, from_engine};
use lakegate_functions::type_name;
use lakegate_sql::ast::{PreparedSide, Statement};
use sqlparser::ast::SelectItem;

use crate::Execution;
use crate::session::prepared::Prepared;
use crate::session::results::rows;

/// Returns the columns of the description.
pub(crate) fn columns(side: PreparedSide) -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(match side {
        PreparedSide::Input => vec![number("Position"), text("Type")],
        PreparedSide::Output => vec![
            text("Column Name"),
            text("Catalog"),
            text("Schema"),
            text("Table"),
            text("Type"),
            number("Type Size"),
            Field::new("Aliased", DataType::Boolean, false),
        ],
    }))
}

/// Describes one side of a prepared statement. The table of a column is left empty.
///
/// # Errors
/// A type is nested too deeply.
pub(crate) fn describe(prepared: &Prepared, side: PreparedSide) -> Result<Execution> {
    let columns_of: Vec<ArrayRef> = match side {
        PreparedSide::Input => {
            let untyped = |index: &usize| prepared.untyped.contains(index);
            let types = prepared.parameters.iter().enumerate();
            let types = types.map(|(index, data_type)| match untyped(&index) {
                true => Ok("unknown".to_owned()),
                false => type_name(&Field::new("", data_type.clone(), true)),
            });
            let types = types.collect::<datafusion::error::Result<Vec<_>>>();
            let count = i64::try_from(prepared.parameters.len()).unwrap_or(i64::MAX);
            vec![
                Arc::new(Int64Array::from_iter_values(0..count)),
                Arc::new(StringArray::from(types.map_err(from_engine)?)),
            ]
        }
        PreparedSide::Output => {
            let fields = prepared.columns.as_ref().map(|schema| schema.fields());
            let fields: Vec<_> = fields.into_iter().flatten().collect();
            let aliased = aliased(prepared, fields.len());
            let text = |of: &dyn Fn(&Field) -> String| {
                Arc::new(StringArray::from_iter_values(
                    fields.iter().map(|field| of(field)),
                )) as ArrayRef
            };
            let types = fields.iter().map(|field| type_name(field));
            let types = types.collect::<datafusion::error::Result<Vec<_>>>();
            let sizes = fields.iter().map(|field| size(field.data_type()));
            vec![
                text(&|field| field.name().clone()),
                text(&|_| String::new()),
                text(&|_| String::new()),
                text(&|_| String::new()),
                Arc::new(StringArray::from(types.map_err(from_engine)?)),
                Arc::new(Int64Array::from_iter_values(sizes)),
                Arc::new(BooleanArray::from(aliased)),
            ]
        }
    };
    let schema = columns(side);
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns_of)
        .map_err(|e| Error::internal(format!("a prepared statement cannot be described: {e}")))?;
    Ok(rows("DESCRIBE", schema, vec![batch]))
}

/// Returns the bytes of a value; 0 if they differ from value to value.
fn size(data_type: &DataType) -> i64 {
    data_type
        .primitive_width()
        .and_then(|width| i64::try_from(width).ok())
        .unwrap_or(match data_type {
            DataType::Boolean => 1,
            _ => 0,
        })
}

/// Returns which columns have an alias, as far as the select list says.
fn aliased(prepared: &Prepared, count: usize) -> Vec<bool> {
    let items = match prepared.statement() {
        Some(Statement::Query(query)) => items_of(&query.body),
        _ => None,
    };
    match items {
        Some(items) if items.len() == count => {
            let has_alias = |item: &SelectItem| matches!(item, SelectItem::ExprWithAlias { .. });
            items.iter().map(has_alias).collect()
        }
        _ => vec![false; count],
    }
}
