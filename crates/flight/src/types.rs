//! The Arrow types that are sent, and the metadata of their fields.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use lakegate_error::{Error, Result};
use lakegate_gateway::values::{STRICT, type_name};

use super::delivery::ArrowTypes;

/// Returns the type that is sent in place of `data_type`.
///
/// Large lists become lists even if types are native: arrow-flight announces them so.
fn travelling(data_type: &DataType, types: ArrowTypes) -> DataType {
    use DataType as T;
    let item = |field: &FieldRef| -> FieldRef {
        let inner = travelling(field.data_type(), types);
        Arc::new(Field::new(field.name(), inner, field.is_nullable()))
    };
    let plain = types == ArrowTypes::Plain;
    match data_type {
        T::Utf8View if plain => T::Utf8,
        T::BinaryView if plain => T::Binary,
        T::Dictionary(_, values) if plain => travelling(values, types),
        T::RunEndEncoded(_, values) if plain => travelling(values.data_type(), types),
        T::ListView(field) | T::LargeListView(field) if plain => T::List(item(field)),
        T::List(field) | T::LargeList(field) => T::List(item(field)),
        T::FixedSizeList(field, length) => T::FixedSizeList(item(field), *length),
        T::Struct(fields) => T::Struct(fields.iter().map(item).collect()),
        T::Map(entries, sorted) => T::Map(item(entries), *sorted),
        other => other.clone(),
    }
}

/// Returns the schema of a result as announced to clients. All columns are nullable: the engine's
/// nullability is not relied on.
pub(super) fn result_schema(schema: &Schema, types: ArrowTypes) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let data_type = travelling(field.data_type(), types);
            let metadata = column_metadata(&data_type).collect();
            Field::new(field.name(), data_type, true).with_metadata(metadata)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Describes a table's column as GetTables reports it.
pub(super) fn table_field(
    catalog: &str,
    database: &str,
    table: &str,
    column: &lakegate_gateway::values::VisibleColumn,
) -> Field {
    let data_type = travelling(&column.data_type, ArrowTypes::Plain);
    let mut metadata: HashMap<String, String> = column_metadata(&data_type).collect();
    metadata.insert(key("TYPE_NAME"), column.hive_type.clone());
    metadata.insert(key("CATALOG_NAME"), catalog.to_owned());
    // The specification has the longer name, all implementations the shorter.
    metadata.insert(key("SCHEMA_NAME"), database.to_owned());
    metadata.insert(key("DB_SCHEMA_NAME"), database.to_owned());
    metadata.insert(key("TABLE_NAME"), table.to_owned());
    if let Some(comment) = &column.comment {
        metadata.insert(key("REMARKS"), comment.clone());
    }
    Field::new(&column.name, data_type, true).with_metadata(metadata)
}

fn key(name: &str) -> String {
    format!("ARROW:FLIGHT:SQL:{name}")
}

/// Returns the metadata of FlightSql.proto that follows from a column's type alone.
fn column_metadata(data_type: &DataType) -> impl Iterator<Item = (String, String)> {
    let (precision, scale) = precision_and_scale(data_type);
    let flag = |set: bool| if set { "1" } else { "0" }.to_owned();
    let text = data_type.is_string();
    [
        ("TYPE_NAME", Some(type_name(data_type))),
        ("PRECISION", precision.map(|digits| digits.to_string())),
        ("SCALE", scale.map(|digits| digits.to_string())),
        ("IS_AUTO_INCREMENT", Some(flag(false))),
        ("IS_CASE_SENSITIVE", Some(flag(text))),
        ("IS_READ_ONLY", Some(flag(true))),
        ("IS_SEARCHABLE", Some(flag(true))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((key(name), value?)))
}

/// Returns precision and scale: decimal digits of numbers, characters of dates and times as text.
fn precision_and_scale(data_type: &DataType) -> (Option<i32>, Option<i32>) {
    use DataType as T;
    match data_type {
        T::Boolean => (Some(1), None),
        T::Int8 | T::UInt8 => (Some(3), Some(0)),
        T::Int16 | T::UInt16 => (Some(5), Some(0)),
        T::Int32 | T::UInt32 => (Some(10), Some(0)),
        T::Int64 => (Some(19), Some(0)),
        T::UInt64 => (Some(20), Some(0)),
        T::Float32 => (Some(7), None),
        T::Float64 => (Some(15), None),
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => (Some(i32::from(*precision)), Some(i32::from(*scale))),
        T::Date32 | T::Date64 => (Some(10), None),
        T::Time32(_) | T::Time64(_) => (Some(15), Some(6)),
        T::Timestamp(_, None) => (Some(26), Some(6)),
        T::Timestamp(_, Some(_)) => (Some(32), Some(6)),
        _ => (None, None),
    }
}

/// Casts a batch to the types of a [`result_schema`].
///
/// # Errors
///
/// A value does not fit, which only happens with more than 2 GiB of text in one batch.
pub(super) fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.num_columns() != schema.fields().len() {
        return Err(Error::internal(
            "a batch does not have the columns of its schema",
        ));
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            cast_with_options(column, field.data_type(), &STRICT)
        })
        .collect::<Result<_, _>>()
        .map_err(|e| Error::internal(format!("a result cannot be sent: {e}")))?;
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)
        .map_err(|e| Error::internal(format!("a result cannot be sent: {e}")))
}

/// Returns whether two schemas have the same column names and types.
pub(super) fn same_columns(a: &Schema, b: &Schema) -> bool {
    let mut pairs = a.fields().iter().zip(b.fields());
    a.fields().len() == b.fields().len()
        && pairs.all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Array, AsArray, DictionaryArray, Int32Array, ListArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn batch() -> RecordBatch {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
        let dictionary: DictionaryArray<Int32Type> = [Some("a"), None].into_iter().collect();
        RecordBatch::try_from_iter([
            (
                "view",
                Arc::new(StringViewArray::from(vec![Some("x"), None])) as ArrayRef,
            ),
            ("dictionary", Arc::new(dictionary)),
            ("list", Arc::new(list)),
            ("number", Arc::new(Int32Array::from(vec![1, 2]))),
        ])
        .unwrap()
    }

    #[test]
    fn views_and_dictionaries_become_plain() {
        let batch = batch();
        let schema = result_schema(&batch.schema(), ArrowTypes::Plain);
        let types: Vec<DataType> = schema
            .fields()
            .iter()
            .map(|f| f.data_type().clone())
            .collect();
        assert_eq!(types[..2], [DataType::Utf8, DataType::Utf8]);
        let sent = conform(batch, &schema).unwrap();
        assert_eq!(sent.column(0).as_string::<i32>().value(0), "x");
        assert_eq!(sent.column(1).as_string::<i32>().value(0), "a");
        assert!(sent.column(1).is_null(1) && sent.column(2).is_null(1));
        assert!(schema.fields().iter().all(|field| field.is_nullable()));
    }

    #[test]
    fn native_types_stay() {
        let batch = batch();
        let schema = result_schema(&batch.schema(), ArrowTypes::Native);
        assert!(same_columns(&schema, &batch.schema()));
        assert!(Arc::ptr_eq(
            conform(batch.clone(), &schema).unwrap().column(0),
            batch.column(0)
        ));
    }

    #[test]
    fn columns_tell_type_precision_and_scale() {
        let schema = Schema::new(vec![Field::new("d", DataType::Decimal128(10, 2), false)]);
        let schema = result_schema(&schema, ArrowTypes::Plain);
        let metadata = schema.field(0).metadata();
        let of = |name: &str| metadata[&key(name)].as_str();
        assert_eq!(
            (of("TYPE_NAME"), of("PRECISION"), of("SCALE")),
            ("decimal(10,2)", "10", "2")
        );
    }

    #[test]
    fn batches_without_columns_keep_their_rows() {
        let rows = RecordBatchOptions::new().with_row_count(Some(3));
        let empty = Arc::new(Schema::empty());
        let batch =
            RecordBatch::try_new_with_options(Arc::clone(&empty), Vec::new(), &rows).unwrap();
        assert_eq!(conform(batch, &empty).unwrap().num_rows(), 3);
    }
}
