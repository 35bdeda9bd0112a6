//! Which column a key belongs to.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::datatypes::DataType;

use crate::format::text::JsonOptions;

/// Keys whose column is remembered by their position in the object: most objects have their keys in
/// one order.
const MAX_HINTS: usize = 256;

/// The fields of the row or of a struct, by key.
#[derive(Debug)]
pub(super) struct Fields {
    by_key: HashMap<String, usize>,
    hints: Vec<(String, Option<usize>)>,
    case_insensitive: bool,
    dots_in_keys: bool,
}

/// What a column's values look like: where keys are looked up.
#[derive(Debug)]
pub(super) enum Shape {
    Scalar,
    List(Box<Shape>),
    /// Of the values.
    Map(Box<Shape>),
    Struct(Fields, Vec<Shape>),
}

impl Fields {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>, options: &JsonOptions) -> Self {
        let by_key = names
            .enumerate()
            .map(|(index, name)| {
                let mapped = options
                    .mapping
                    .iter()
                    .find(|(column, _)| column == name)
                    .map(|(_, key)| key.as_str());
                let key = mapped.unwrap_or(name);
                (
                    if options.case_insensitive {
                        key.to_lowercase()
                    } else {
                        key.to_owned()
                    },
                    index,
                )
            })
            .collect();
        Self {
            by_key,
            hints: Vec::new(),
            case_insensitive: options.case_insensitive,
            dots_in_keys: options.dots_in_keys,
        }
    }

    /// The field of the `position`-th key of an object.
    pub(super) fn find(&mut self, position: usize, key: &str) -> Option<usize> {
        if let Some((hinted, field)) = self.hints.get(position)
            && hinted == key
        {
            return *field;
        }
        let field = self.look_up(key);
        if key.len() <= MAX_HINTS {
            let known = self.hints.len();
            match self.hints.get_mut(position) {
                Some(hint) => *hint = (key.to_owned(), field),
                None if position == known && position < MAX_HINTS => {
                    self.hints.push((key.to_owned(), field))
                }
                None => {}
            }
        }
        field
    }

    fn look_up(&self, key: &str) -> Option<usize> {
        let key = if self.case_insensitive && key.chars().any(char::is_uppercase) {
            Cow::Owned(key.to_lowercase())
        } else {
            Cow::Borrowed(key)
        };
        if let Some(field) = self.by_key.get(key.as_ref()) {
            return Some(*field);
        }
        if self.dots_in_keys && key.contains('.') {
            return self.by_key.get(&key.replace('.', "_")).copied();
        }
        None
    }
}

impl Shape {
    /// Recursion is bounded: Hive's types nest at most 32 levels deep.
    pub(super) fn new(data_type: &DataType, options: &JsonOptions) -> Self {
        match data_type {
            DataType::List(item) => Shape::List(Box::new(Shape::new(item.data_type(), options))),
            DataType::Map(entries, _) => {
                let value = match entries.data_type() {
                    DataType::Struct(pair) => pair
                        .get(1)
                        .map(|value| Shape::new(value.data_type(), options)),
                    _ => None,
                };
                Shape::Map(Box::new(value.unwrap_or(Shape::Scalar)))
            }
            DataType::Struct(fields) => Shape::Struct(
                Fields::new(fields.iter().map(|field| field.name().as_str()), options),
                fields
                    .iter()
                    .map(|field| Shape::new(field.data_type(), options))
                    .collect(),
            ),
            _ => Shape::Scalar,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> JsonOptions {
        JsonOptions {
            ignore_malformed: false,
            case_insensitive: true,
            dots_in_keys: false,
            mapping: vec![("ts".to_owned(), "timeStamp".to_owned())],
            timestamp_formats: Vec::new(),
        }
    }

    #[test]
    fn keys_are_found_by_name_case_mapping_and_dots() {
        let names = || ["id", "ts", "a_b"].into_iter();
        let mut fields = Fields::new(names(), &options());
        for (key, found) in [
            ("ID", Some(0)),
            ("TimeStamp", Some(1)),
            ("ts", None),
            ("a.b", None),
            ("a_b", Some(2)),
        ] {
            assert_eq!(fields.find(0, key), found, "{key}");
        }
        let mut exact = Fields::new(
            names(),
            &JsonOptions {
                case_insensitive: false,
                dots_in_keys: true,
                ..options()
            },
        );
        for (key, found) in [
            ("ID", None),
            ("id", Some(0)),
            ("timestamp", None),
            ("timeStamp", Some(1)),
            ("a.b", Some(2)),
        ] {
            assert_eq!(exact.find(0, key), found, "{key}");
        }
    }

    #[test]
    fn remembered_positions_do_not_mislead() {
        let mut fields = Fields::new(["a", "b"].into_iter(), &options());
        for round in 0..3 {
            assert_eq!(fields.find(0, "a"), Some(0), "{round}");
            assert_eq!(fields.find(1, "x"), None);
            assert_eq!(fields.find(0, "b"), Some(1));
            assert_eq!(fields.find(7, "a"), Some(0));
        }
    }
}
