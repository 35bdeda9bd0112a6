//! Avro schemas: a tree without references, and the JSON of some of its fields.
//!
//! The tree is what data are walked by. The JSON is what `arrow-avro` gets: names without namespaces,
//! each type defined wherever it is used, since the crate does not resolve references; fields in
//! lower case; and no logical type but those that are read as one.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::parse::Parser;
use super::{Fault, Result, broken};

/// Types of a schema at most, with each reference counted as what it stands for.
const MAX_TYPES: u64 = 100_000;

/// Bytes of a schema's JSON at most.
const MAX_JSON: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(Named, usize),
    Enum(Named, Vec<String>, Option<Value>),
    Array(Arc<Node>),
    Map(Arc<Node>),
    Record(Named, Vec<Field>),
    Union(Vec<Arc<Node>>),
}

/// The names of a type that has one, without their namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub name: String,
    pub aliases: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    /// In lower case, unless an earlier field of the record has that name.
    pub name: String,
    pub doc: Option<String>,
    pub aliases: Vec<String>,
    pub default: Option<Value>,
    pub node: Arc<Node>,
}

/// A type.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub shape: Shape,
    /// `logicalType` and what belongs to it; empty: there is none that is read as such.
    pub logical: Map<String, Value>,
    /// Types that it consists of.
    types: u64,
    /// Bytes of a value at least.
    pub least: u64,
}

/// A schema whose values are records.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    named: Named,
    pub fields: Vec<Field>,
    pub root: Arc<Node>,
}

impl Schema {
    /// # Errors
    /// The text is no Avro schema of a record; the schema is recursive or too large.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        if text.len() > MAX_JSON {
            return Err(broken(format!(
                "its schema has {} bytes, of at most {MAX_JSON}",
                text.len()
            )));
        }
        let json: Value = serde_json::from_slice(text)
            .map_err(|error| broken(format!("its schema is no JSON: {error}")))?;
        let root = Parser::default().node(&json, "", 0)?;
        match &root.shape {
            Shape::Record(named, fields) => Ok(Self {
                named: named.clone(),
                fields: fields.clone(),
                root: Arc::clone(&root),
            }),
            _ => Err(Fault::NotSupported(
                "has values that are no records, which is not supported".to_owned(),
            )),
        }
    }

    /// The JSON of all fields.
    pub(super) fn json(&self) -> String {
        let all: Vec<usize> = (0..self.fields.len()).collect();
        self.json_of(&all, &self.named)
    }

    /// The JSON of some fields, by their places, as a schema to read values of `writer` with.
    pub(super) fn json_to_read(&self, fields: &[usize], writer: &Self) -> String {
        self.json_of(fields, &writer.named)
    }

    fn json_of(&self, fields: &[usize], named: &Named) -> String {
        let fields = fields.iter().filter_map(|place| self.fields.get(*place));
        let fields: Vec<Value> = fields.map(|field| field.json()).collect();
        json!({"type": "record", "name": named.name, "fields": fields}).to_string()
    }
}

impl Field {
    fn json(&self) -> Value {
        let mut json = json!({"name": self.name, "type": self.node.json()});
        if let Value::Object(json) = &mut json {
            if !self.aliases.is_empty() {
                json.insert("aliases".to_owned(), json!(self.aliases));
            }
            if let Some(default) = &self.default {
                json.insert("default".to_owned(), default.clone());
            }
        }
        json
    }
}

impl Node {
    /// # Errors
    /// The type consists of too many.
    pub(super) fn new(shape: Shape, logical: Map<String, Value>) -> Result<Arc<Self>> {
        let of = |node: &Arc<Node>| (node.types, node.least);
        let (types, least) = match &shape {
            Shape::Null => (0, 0),
            Shape::Float => (0, 4),
            Shape::Double => (0, 8),
            Shape::Fixed(_, size) => (0, *size as u64),
            Shape::Array(item) | Shape::Map(item) => (item.types, 1),
            Shape::Record(_, fields) => {
                let parts = fields.iter().map(|field| of(&field.node));
                parts.fold((0_u64, 0_u64), |sum, part| {
                    (sum.0 + part.0, sum.1.saturating_add(part.1))
                })
            }
            Shape::Union(branches) => {
                let types = branches.iter().map(|branch| branch.types).sum();
                let least = branches.iter().map(|branch| branch.least).min();
                (types, least.unwrap_or(0) + 1)
            }
            _ => (0, 1),
        };
        let types = types + 1;
        if types > MAX_TYPES {
            return Err(broken(format!(
                "its schema has more than {MAX_TYPES} types"
            )));
        }
        Ok(Arc::new(Self {
            shape,
            logical,
            types,
            least,
        }))
    }

    /// What is not read of a type, as the end of a sentence; `None`: all is read.
    pub(super) fn refused(&self) -> Option<String> {
        match &self.shape {
            Shape::Array(item) | Shape::Map(item) => item.refused(),
            Shape::Record(_, fields) if fields.is_empty() => {
                Some("has a record without fields, which is not supported".to_owned())
            }
            Shape::Record(_, fields) => fields.iter().find_map(|field| field.node.refused()),
            Shape::Union(branches) => match self.optional() {
                Some(value) => value.refused(),
                None => Some(format!(
                    "has a union of {} types, which is not supported; a type and null are",
                    branches.len()
                )),
            },
            _ => None,
        }
    }

    /// The other type of a union of a type and null.
    pub(super) fn optional(&self) -> Option<&Arc<Node>> {
        let Shape::Union(branches) = &self.shape else {
            return None;
        };
        let is_null = |node: &Arc<Node>| matches!(node.shape, Shape::Null);
        match branches.as_slice() {
            [null, value] | [value, null] if is_null(null) && !is_null(value) => Some(value),
            _ => None,
        }
    }

    fn json(&self) -> Value {
        let json = match &self.shape {
            Shape::Null => json!({"type": "null"}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Int => json!({"type": "int"}),
            Shape::Long => json!({"type": "long"}),
            Shape::Float => json!({"type": "float"}),
            Shape::Double => json!({"type": "double"}),
            Shape::Bytes => json!({"type": "bytes"}),
            Shape::String => json!({"type": "string"}),
            Shape::Array(item) => json!({"type": "array", "items": item.json()}),
            Shape::Map(value) => json!({"type": "map", "values": value.json()}),
            Shape::Union(branches) => {
                return branches.iter().map(|branch| branch.json()).collect();
            }
            Shape::Fixed(named, size) => named.json(json!({"type": "fixed", "size": size})),
            Shape::Enum(named, symbols, default) => {
                let mut json = json!({"type": "enum", "symbols": symbols});
                if let (Value::Object(json), Some(default)) = (&mut json, default) {
                    json.insert("default".to_owned(), default.clone());
                }
                named.json(json)
            }
            Shape::Record(named, fields) => {
                let mut json = named.json(json!({"type": "record"}));
                let fields: Vec<Value> = fields.iter().map(|field| field.json()).collect();
                if let Value::Object(json) = &mut json {
                    json.insert("fields".to_owned(), Value::Array(fields));
                }
                json
            }
        };
        let Value::Object(mut object) = json else {
            return Value::Null;
        };
        if self.logical.is_empty() && object.len() == 1 {
            return object.remove("type").unwrap_or(Value::Null);
        }
        object.extend(self.logical.clone());
        Value::Object(object)
    }
}

impl Named {
    fn json(&self, mut json: Value) -> Value {
        if let Value::Object(json) = &mut json {
            json.insert("name".to_owned(), json!(self.name));
            if !self.aliases.is_empty() {
                json.insert("aliases".to_owned(), json!(self.aliases));
            }
        }
        json
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(json: &Value) -> Result<Schema> {
        Schema::parse(json.to_string().as_bytes())
    }

    #[test]
    fn types_are_defined_wherever_they_are_used() {
        let kind = json!({"type": "enum", "name": "kind", "symbols": ["A", "B"]});
        let schema = parsed(&json!({
            "type": "record", "name": "row", "namespace": "a.b",
            "fields": [
                {"name": "x", "type": kind},
                {"name": "y", "type": ["null", "a.b.kind"], "default": null},
                {"name": "z", "type": {"type": "array", "items": "kind"}, "aliases": ["w"]},
            ],
        }))
        .unwrap();
        let read: Value = serde_json::from_str(&schema.json_to_read(&[1, 2], &schema)).unwrap();
        assert_eq!(
            read,
            json!({
                "type": "record", "name": "row",
                "fields": [
                    {"name": "y", "type": ["null", kind], "default": null},
                    {"name": "z", "type": {"type": "array", "items": kind}, "aliases": ["w"]},
                ],
            })
        );
        assert_eq!(schema.root.least, 3);
    }

    #[test]
    fn fields_are_in_lower_case_at_every_depth() {
        let inner =
            json!({"type": "record", "name": "p", "fields": [{"name": "X", "type": "int"}]});
        let schema = parsed(&json!({
            "type": "record", "name": "Row",
            "fields": [
                {"name": "Place", "type": inner, "default": {"X": 1}, "aliases": ["Old"]},
                {"name": "PLACE", "type": "int"},
            ],
        }))
        .unwrap();
        let read: Value = serde_json::from_str(&schema.json()).unwrap();
        let fields = read["fields"].as_array().unwrap();
        assert_eq!(fields[0]["type"]["fields"][0]["name"], "x");
        assert_eq!(fields[0]["default"], json!({"x": 1}));
        assert_eq!(fields[0]["aliases"], json!(["old"]));
        assert_eq!(
            (&fields[0]["name"], &fields[1]["name"]),
            (&json!("place"), &json!("PLACE"))
        );
    }

    #[test]
    fn only_logical_types_that_are_read_stay() {
        let schema = parsed(&json!({
            "type": "record", "name": "row",
            "fields": [
                {"name": "d", "type": {"type": "int", "logicalType": "date"}},
                {"name": "t", "type": {"type": "int", "logicalType": "time-millis"}},
                {"name": "u", "type": {"type": "string", "logicalType": "uuid"}},
                {"name": "n", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 5}},
            ],
        }))
        .unwrap();
        let read: Value = serde_json::from_str(&schema.json()).unwrap();
        let types: Vec<&Value> = read["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| &f["type"])
            .collect();
        let date = json!({"type": "int", "logicalType": "date"});
        assert_eq!(
            types,
            [&date, &json!("int"), &json!("string"), &json!("bytes")]
        );
    }

    #[test]
    fn schemas_without_end_are_refused() {
        let recursive = json!({
            "type": "record", "name": "node",
            "fields": [{"name": "next", "type": ["null", "node"]}],
        });
        assert!(matches!(parsed(&recursive), Err(Fault::NotSupported(_))));
        let mut deep = json!("int");
        for _ in 0..40 {
            deep = json!({"type": "array", "items": deep});
        }
        let row = |inner: Value| json!({"type": "record", "name": "r", "fields": [{"name": "a", "type": inner}]});
        assert!(parsed(&row(deep.clone())).is_ok());
        for _ in 0..30 {
            deep = json!({"type": "array", "items": deep});
        }
        assert!(parsed(&row(deep)).is_err());
        // Each record holds the one before twice.
        let mut fields =
            vec![json!({"name": "f", "type": {"type": "record", "name": "r0", "fields": []}})];
        for level in 1..40 {
            let before = format!("r{}", level - 1);
            let both = json!([{"name": "a", "type": before}, {"name": "b", "type": before}]);
            let record = json!({"type": "record", "name": format!("r{level}"), "fields": both});
            fields.push(json!({"name": format!("f{level}"), "type": record}));
        }
        assert!(parsed(&json!({"type": "record", "name": "row", "fields": fields})).is_err());
    }
}
