//! Reads types from the JSON of a schema.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::schema::{Field, Named, Node, Shape};
use super::{Fault, Result, broken};

/// How deep types may nest.
const MAX_DEPTH: usize = 64;

/// Bytes of a fixed type at most.
const MAX_FIXED: u64 = 64 * 1024;

/// Digits of a decimal at most.
const MAX_PRECISION: u64 = 76;

/// Reads types from their JSON.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// By full names; `None`: the definition is being read.
    defined: HashMap<String, Option<Arc<Node>>>,
    /// Full names by those without namespaces.
    short: HashMap<String, String>,
}

impl Parser {
    /// # Errors
    /// The JSON is not a type; it is recursive, or nests too deep.
    pub(super) fn node(
        &mut self,
        json: &Value,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>> {
        if depth > MAX_DEPTH {
            return Err(broken(format!(
                "its schema nests deeper than {MAX_DEPTH} levels"
            )));
        }
        match json {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| {
                    let node = self.node(branch, namespace, depth + 1)?;
                    match node.shape {
                        Shape::Union(_) => Err(broken("its schema has a union in a union")),
                        _ => Ok(node),
                    }
                });
                let branches = branches.collect::<Result<Vec<_>>>()?;
                match branches.is_empty() {
                    true => Err(broken("its schema has a union of nothing")),
                    false => Node::new(Shape::Union(branches), Map::new()),
                }
            }
            Value::Object(json) => self.object(json, namespace, depth),
            _ => Err(broken("its schema has a type that is none")),
        }
    }

    /// A primitive type, or one that was defined before.
    fn named(&self, name: &str, namespace: &str) -> Result<Arc<Node>> {
        if let Some(shape) = primitive(name) {
            return Node::new(shape, Map::new());
        }
        let full = full_name(name, namespace);
        match self.defined.get(&full) {
            Some(Some(node)) => Ok(Arc::clone(node)),
            Some(None) => Err(Fault::NotSupported(
                "has a recursive schema, which is not supported".to_owned(),
            )),
            None => Err(broken(format!(
                "its schema refers to type '{}', which it does not define",
                name.escape_default()
            ))),
        }
    }

    fn object(
        &mut self,
        json: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>> {
        let kind = match json.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner) => return self.node(inner, namespace, depth + 1),
            None => return Err(broken("its schema has a type that is none")),
        };
        let child = |key: &str| {
            let child = json.get(key);
            child.ok_or_else(|| broken(format!("its schema has a type without '{key}'")))
        };
        match kind {
            "array" => {
                let item = self.node(child("items")?, namespace, depth + 1)?;
                Node::new(Shape::Array(item), Map::new())
            }
            "map" => {
                let value = self.node(child("values")?, namespace, depth + 1)?;
                Node::new(Shape::Map(value), Map::new())
            }
            "record" | "error" | "fixed" | "enum" => self.definition(kind, json, namespace, depth),
            name => match primitive(name) {
                Some(shape) => {
                    let logical = logical(json, &shape);
                    Node::new(shape, logical)
                }
                None => self.named(name, namespace),
            },
        }
    }

    fn definition(
        &mut self,
        kind: &str,
        json: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>> {
        let name = json.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| broken("its schema has a type without a name"))?;
        let own = json.get("namespace").and_then(Value::as_str);
        let full = full_name(name, own.unwrap_or(namespace));
        let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        if self.defined.insert(full.clone(), None).is_some() {
            return Err(broken(format!(
                "its schema defines type '{}' twice",
                name.escape_default()
            )));
        }
        let named = Named {
            name: self.short_name(&full),
            aliases: strings(json.get("aliases"))
                .map(|alias| alias.rsplit('.').next().unwrap_or(alias).to_owned())
                .collect(),
        };
        let shape = match kind {
            "fixed" => {
                let size = json.get("size").and_then(Value::as_u64);
                let size = size.filter(|size| *size <= MAX_FIXED);
                let size = size.ok_or_else(|| {
                    broken(format!(
                        "its schema has a fixed type of another size than 0 to {MAX_FIXED}"
                    ))
                })?;
                Shape::Fixed(named, usize::try_from(size).unwrap_or(0))
            }
            "enum" => {
                let symbols = strings(json.get("symbols")).map(ToOwned::to_owned);
                Shape::Enum(named, symbols.collect(), json.get("default").cloned())
            }
            _ => Shape::Record(named, self.fields(json, inner, depth)?),
        };
        let logical = logical(json, &shape);
        let node = Node::new(shape, logical)?;
        self.defined.insert(full, Some(Arc::clone(&node)));
        Ok(node)
    }

    fn fields(
        &mut self,
        json: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Vec<Field>> {
        let Some(Value::Array(fields)) = json.get("fields") else {
            return Err(broken("its schema has a record without 'fields'"));
        };
        let mut read: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| broken("its schema has a field without a name"))?;
            let node = field.get("type");
            let node = node.ok_or_else(|| broken("its schema has a field without a type"))?;
            let node = self.node(node, namespace, depth + 1)?;
            let lower = name.to_lowercase();
            let is_taken = read.iter().any(|known| known.name == lower);
            read.push(Field {
                name: if is_taken { name.to_owned() } else { lower },
                doc: (field.get("doc").and_then(Value::as_str)).map(ToOwned::to_owned),
                aliases: strings(field.get("aliases"))
                    .map(str::to_lowercase)
                    .collect(),
                default: field.get("default").map(|value| lowered(value, &node)),
                node,
            });
        }
        Ok(read)
    }

    /// A name without its namespace, unless another type has it.
    fn short_name(&mut self, full: &str) -> String {
        let short = full.rsplit('.').next().unwrap_or(full).to_owned();
        let name = match self.short.get(&short) {
            None => short,
            Some(_) => full.replace('.', "_"),
        };
        self.short.insert(name.clone(), full.to_owned());
        name
    }
}

/// A default with the names of fields as they are read.
fn lowered(default: &Value, node: &Node) -> Value {
    match (default, &node.shape) {
        (Value::Object(given), Shape::Record(_, fields)) => {
            let parts = given.iter().map(|(name, value)| {
                let name = name.to_lowercase();
                let field = fields.iter().find(|field| field.name == name);
                let value = field.map_or_else(|| value.clone(), |f| lowered(value, &f.node));
                (name, value)
            });
            Value::Object(parts.collect())
        }
        (Value::Object(given), Shape::Map(node)) => {
            let parts = given.iter();
            let parts = parts.map(|(key, value)| (key.clone(), lowered(value, node)));
            Value::Object(parts.collect())
        }
        (Value::Array(given), Shape::Array(node)) => {
            given.iter().map(|value| lowered(value, node)).collect()
        }
        // A default is one of the first type.
        (default, Shape::Union(branches)) => match branches.first() {
            Some(first) => lowered(default, first),
            None => default.clone(),
        },
        _ => default.clone(),
    }
}

fn primitive(name: &str) -> Option<Shape> {
    Some(match name {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" => Shape::Int,
        "long" => Shape::Long,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" => Shape::Bytes,
        "string" => Shape::String,
        _ => return None,
    })
}

fn full_name(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.to_owned(),
        false => format!("{namespace}.{name}"),
    }
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str)
}

/// The logical type, where values are read as one. Others are ignored, as Avro has it.
fn logical(json: &Map<String, Value>, shape: &Shape) -> Map<String, Value> {
    let mut logical = Map::new();
    let Some(name) = json.get("logicalType").and_then(Value::as_str) else {
        return logical;
    };
    match (shape, name) {
        (Shape::Int, "date")
        | (
            Shape::Long,
            "timestamp-millis"
            | "timestamp-micros"
            | "timestamp-nanos"
            | "local-timestamp-millis"
            | "local-timestamp-micros"
            | "local-timestamp-nanos",
        )
        | (Shape::Fixed(_, 16), "uuid") => {}
        (Shape::Bytes | Shape::Fixed(..), "decimal") => {
            let number = |key: &str| json.get(key).and_then(Value::as_u64);
            let precision = number("precision").filter(|p| (1..=MAX_PRECISION).contains(p));
            let scale = number("scale").unwrap_or(0);
            let Some(precision) = precision.filter(|precision| scale <= *precision) else {
                return logical;
            };
            logical.insert("precision".to_owned(), json!(precision));
            logical.insert("scale".to_owned(), json!(scale));
        }
        _ => return logical,
    }
    logical.insert("logicalType".to_owned(), json!(name));
    logical
}
