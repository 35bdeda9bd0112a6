//! Which values of a row its columns are: by name, or where `ion.<column>.path_extractor` says.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::datatypes::DataType;
use lakegate_error::Result;

use super::cursor::{Cursor, Value};
use super::options::IonFormat;
use super::symbols::Symbols;
use super::text::Text;
use crate::format::properties::invalid;

/// Steps of a path at most.
const MAX_STEPS: usize = 32;

/// One step of a path, into a struct or a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A field of a struct.
    Field(String),
    /// An item of a list, or a field of a struct by its place, from 0.
    Index(u64),
    /// All of them.
    Any,
}

/// Reads a path such as `(a b 0 c)`. `key`: the property that has it.
///
/// # Errors
/// It is no such path.
pub(super) fn parse(key: &str, text: &str) -> Result<Vec<Step>> {
    let right = "a path such as '(a b 0 *)', of at most 32 steps";
    let steps = steps(text).filter(|steps| steps.len() <= MAX_STEPS);
    steps.ok_or_else(|| invalid(key, text, right))
}

/// `None`: it is not a path.
fn steps(text: &str) -> Option<Vec<Step>> {
    let symbols = Symbols::default();
    let mut cursor = Cursor::Text(Text::new(text.trim().as_bytes(), false, &symbols));
    let whole = cursor.next().ok()??;
    if whole.value != Value::List {
        return None;
    }
    cursor.enter().ok()?;
    let mut steps = Vec::new();
    while let Some(item) = cursor.next().ok()? {
        steps.push(match item.value {
            Value::Text(text) if text == "*" => Step::Any,
            Value::Text(text) => Step::Field(text.into_owned()),
            Value::Number(number) => {
                let whole = number.whole().ok()?;
                Step::Index(u64::try_from(whole).ok()?)
            }
            _ => return None,
        });
    }
    cursor.leave_to(0).ok()?;
    let is_last = cursor.next().ok()?.is_none();
    is_last.then_some(steps)
}

/// What is read at and below a value.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The columns that the value is.
    pub columns: Vec<usize>,
    fields: HashMap<String, Node>,
    indexes: HashMap<u64, Node>,
    any: Option<Box<Node>>,
}

impl Node {
    /// `names`: of the columns that are read.
    pub(super) fn new<'a>(format: &IonFormat, names: impl Iterator<Item = &'a str>) -> Self {
        let mut root = Self::default();
        for (column, name) in names.enumerate() {
            let mut node = &mut root;
            let extractor = format.paths.iter().find(|(column, _)| column == name);
            let named = [Step::Field(name.to_owned())];
            let steps = extractor.map_or(&named[..], |(_, steps)| steps.as_slice());
            for step in steps {
                node = match step {
                    Step::Field(field) => node.fields.entry(folded(format, field)).or_default(),
                    Step::Index(index) => node.indexes.entry(*index).or_default(),
                    Step::Any => &mut **node.any.get_or_insert_default(),
                };
            }
            node.columns.push(column);
        }
        root
    }

    /// Whether values within are read.
    pub(super) fn is_inner(&self) -> bool {
        !self.fields.is_empty() || !self.indexes.is_empty() || self.any.is_some()
    }

    /// Whether items of lists are read.
    pub(super) fn is_of_lists(&self) -> bool {
        !self.indexes.is_empty() || self.any.is_some()
    }

    /// What is read of the value within that has this name and this place.
    pub(super) fn within(
        &self,
        format: &IonFormat,
        field: Option<&str>,
        index: u64,
    ) -> impl Iterator<Item = &Node> {
        let named = match self.fields.is_empty() {
            true => None,
            false => field.and_then(|field| self.fields.get(&*folded_name(format, field))),
        };
        let placed = match self.indexes.is_empty() {
            true => None,
            false => self.indexes.get(&index),
        };
        let any = self.any.as_deref();
        [named, placed, any].into_iter().flatten()
    }
}

fn folded(format: &IonFormat, name: &str) -> String {
    folded_name(format, name).into_owned()
}

/// A name as names are compared.
fn folded_name<'a>(format: &IonFormat, name: &'a str) -> Cow<'a, str> {
    match !format.is_case_sensitive && name.chars().any(char::is_uppercase) {
        true => name.to_lowercase().into(),
        false => name.into(),
    }
}

/// What a column's values look like: where the fields of its structs are.
#[derive(Debug)]
pub(super) enum Shape {
    Scalar,
    List(Box<Shape>),
    /// Of the values.
    Map(Box<Shape>),
    Struct(HashMap<String, usize>, Vec<Shape>),
}

impl Shape {
    /// Recursion is bounded: Hive's types nest at most 32 levels deep.
    pub(super) fn new(data_type: &DataType, format: &IonFormat) -> Self {
        match data_type {
            DataType::List(item) => Self::List(Box::new(Self::new(item.data_type(), format))),
            DataType::Map(entries, _) => {
                let value = match entries.data_type() {
                    DataType::Struct(pair) => pair.get(1),
                    _ => None,
                };
                let value = value.map(|value| Self::new(value.data_type(), format));
                Self::Map(Box::new(value.unwrap_or(Self::Scalar)))
            }
            DataType::Struct(fields) => {
                let names = fields.iter().map(|field| folded(format, field.name()));
                let shapes = fields.iter();
                let shapes = shapes.map(|field| Self::new(field.data_type(), format));
                Self::Struct(names.zip(0..).collect(), shapes.collect())
            }
            _ => Self::Scalar,
        }
    }
}

/// The place of a struct's field.
pub(super) fn place(
    format: &IonFormat,
    fields: &HashMap<String, usize>,
    name: Option<&str>,
) -> Option<usize> {
    fields.get(&*folded_name(format, name?)).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_read() {
        let field = |name: &str| Step::Field(name.to_owned());
        for (text, expected) in [
            ("()", vec![]),
            (
                "(a 'b c' 0 *)",
                vec![field("a"), field("b c"), Step::Index(0), Step::Any],
            ),
            (" [a, \"b\"] ", vec![field("a"), field("b")]),
        ] {
            assert_eq!(parse("k", text).unwrap(), expected, "{text}");
        }
        for text in ["", "a", "(a", "(a) b", "(-1)", "(1.5)", "((a))", "({})"] {
            assert!(parse("k", text).is_err(), "{text}");
        }
        assert!(parse("k", &format!("({})", "a ".repeat(33))).is_err());
    }
}
