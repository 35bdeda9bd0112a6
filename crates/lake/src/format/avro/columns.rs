//! The columns of a table whose definition has an Avro schema and no columns.

use lakegate_error::{Code, Error, Result};

use super::Fault;
use super::schema::{Node, Schema, Shape};

/// A column as Hive makes it of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvroColumn {
    /// In lower case.
    pub name: String,
    /// In Hive's notation.
    pub data_type: String,
    pub comment: Option<String>,
}

/// The columns of `avro.schema.literal`.
///
/// # Errors
/// The literal is no Avro schema of a record, or has a field whose type no column has.
pub fn columns_of(literal: &str) -> Result<Vec<AvroColumn>> {
    let schema = schema_of(literal)?;
    let columns = schema.fields.iter().map(|field| {
        if let Some(why) = field.node.refused() {
            return Err(invalid(&format!("field '{}' {why}", field.name)));
        }
        let data_type = data_type(&field.node).ok_or_else(|| {
            invalid(&format!(
                "field '{}' has type null, which no column has",
                field.name
            ))
        })?;
        Ok(AvroColumn {
            name: field.name.clone(),
            data_type,
            comment: field.doc.clone(),
        })
    });
    columns.collect()
}

/// # Errors
/// The literal is no Avro schema of a record.
pub(super) fn schema_of(literal: &str) -> Result<Schema> {
    Schema::parse(literal.as_bytes()).map_err(|fault| match fault {
        Fault::Damaged(what) => invalid(&what),
        Fault::NotSupported(what) => invalid(&format!("it {what}")),
    })
}

fn invalid(what: &str) -> Error {
    Error::new(
        Code::InvalidTable,
        format!("property 'avro.schema.literal' is no schema of a table: {what}"),
    )
}

fn data_type(node: &Node) -> Option<String> {
    let logical = |key: &str| node.logical.get(key);
    let name = logical("logicalType").and_then(serde_json::Value::as_str);
    if let Some(name) = name {
        let digits = |key: &str| {
            logical(key)
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0)
        };
        return match name {
            "date" => Some("date".to_owned()),
            "decimal" => Some(format!(
                "decimal({},{})",
                digits("precision"),
                digits("scale")
            )),
            "uuid" => Some("binary".to_owned()),
            _ => Some("timestamp".to_owned()),
        };
    }
    Some(match &node.shape {
        Shape::Null => return None,
        Shape::Boolean => "boolean".to_owned(),
        Shape::Int => "int".to_owned(),
        Shape::Long => "bigint".to_owned(),
        Shape::Float => "float".to_owned(),
        Shape::Double => "double".to_owned(),
        Shape::Bytes | Shape::Fixed(..) => "binary".to_owned(),
        Shape::String | Shape::Enum(..) => "string".to_owned(),
        Shape::Array(item) => format!("array<{}>", data_type(item)?),
        Shape::Map(value) => format!("map<string,{}>", data_type(value)?),
        Shape::Record(_, fields) => {
            let parts = fields.iter().map(|field| {
                let data_type = data_type(&field.node)?;
                Some(format!("{}:{data_type}", field.name))
            });
            let parts = parts.collect::<Option<Vec<_>>>()?;
            format!("struct<{}>", parts.join(","))
        }
        Shape::Union(_) => data_type(node.optional()?)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_become_columns() {
        let literal = r#"{"type":"record","name":"r","namespace":"n","fields":[
            {"name":"Id","type":"long","doc":"the key"},
            {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
            {"name":"day","type":{"type":"int","logicalType":"date"}},
            {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
            {"name":"kind","type":{"type":"enum","name":"k","symbols":["A"]}},
            {"name":"tags","type":{"type":"map","values":{"type":"array","items":"string"}}},
            {"name":"place","type":{"type":"record","name":"p","fields":[{"name":"X","type":"double"}]}},
            {"name":"mark","type":{"type":"fixed","name":"f","size":3}}]}"#;
        let columns = columns_of(literal).unwrap();
        let shown = columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.data_type));
        let expected = [
            "id bigint",
            "at timestamp",
            "day date",
            "price decimal(9,2)",
            "kind string",
            "tags map<string,array<string>>",
            "place struct<x:double>",
            "mark binary",
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert_eq!(columns[0].comment.as_deref(), Some("the key"));
    }

    #[test]
    fn literals_that_are_no_table_are_refused() {
        for (literal, part) in [
            ("{", "no JSON"),
            ("\"int\"", "no records"),
            (
                r#"{"type":"record","name":"r","fields":[{"name":"a","type":["int","string"]}]}"#,
                "field 'a' has a union of 2 types",
            ),
            (
                r#"{"type":"record","name":"r","fields":[{"name":"a","type":["null","r"]}]}"#,
                "recursive",
            ),
        ] {
            let error = columns_of(literal).unwrap_err();
            assert_eq!(error.code(), Code::InvalidTable);
            assert!(error.message().contains(part), "{error}");
        }
    }
}
