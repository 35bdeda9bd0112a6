//! The type json, which Arrow marks in a field's metadata, and the names of types in errors.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use lakegate_error::{Code, Error};

use crate::columns::Column;

const EXTENSION: &str = "ARROW:extension:name";
const JSON: &str = "arrow.json";

/// A field of the type json.
pub(super) fn json_field() -> FieldRef {
    let metadata = HashMap::from([(EXTENSION.to_owned(), JSON.to_owned())]);
    Arc::new(Field::new("json", DataType::Utf8, true).with_metadata(metadata))
}

pub(crate) fn is_json(field: &Field) -> bool {
    field
        .metadata()
        .get(EXTENSION)
        .is_some_and(|name| name == JSON)
}

/// Whether items or fields of a type are JSON values.
pub(crate) fn has_json(data_type: &DataType) -> bool {
    let marked = |field: &FieldRef| is_json(field) || has_json(field.data_type());
    match data_type {
        DataType::List(item) => marked(item),
        DataType::Map(entries, _) => marked(entries),
        DataType::Struct(fields) => fields.iter().any(marked),
        _ => false,
    }
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// A column of texts of any kind, or of NULLs, as `Utf8`.
pub(super) fn as_texts(column: &Column) -> Result<Column> {
    Ok(Column {
        array: match column.array.data_type() {
            DataType::Utf8 => Arc::clone(&column.array),
            DataType::Null => Arc::new(StringArray::new_null(column.array.len())),
            _ => cast(&column.array, &DataType::Utf8)?,
        },
        constant: column.constant,
    })
}

/// The name of a field's type in SQL.
pub(crate) fn name(field: &Field) -> String {
    if is_json(field) {
        return "json".to_owned();
    }
    match field.data_type() {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbinary".to_owned(),
        DataType::List(item) => format!("array({})", name(item)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let names: Vec<String> = fields.iter().map(|field| name(field)).collect();
                format!("map({})", names.join(", "))
            }
            other => other.to_string(),
        },
        DataType::Struct(fields) => {
            let field = |field: &FieldRef| format!("\"{}\" {}", field.name(), name(field));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("row({})", fields.join(", "))
        }
        other if is_text(other) => "varchar".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// The error of a plan that casts between types which cannot be cast.
pub(super) fn mismatch(from: &str, to: &str, hint: &'static str) -> DataFusionError {
    let message = format!("cannot cast {from} to {to}");
    Error::new(Code::TypeMismatch, message)
        .with_hint(hint)
        .into()
}

/// Whether values of a type may be names of members.
pub(super) fn is_key(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
    ) || is_text(data_type)
}

/// The key and the value of a map's entries.
pub(super) fn entry_fields(entries: &Field) -> Option<(&FieldRef, &FieldRef)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}
