//! Names of a file's columns and fields, folded to lower case as the catalog's are.
//!
//! ```text
//!  file      table     read from
//!  id        id        id
//!  Id, id    id        Id      the first, as in Hive
//! ```
//!
//! The Parquet schema and the Arrow schema that follows from it are folded by the same rule, so
//! that statistics, pruning and reading all find a column under the table's name. Where a table has
//! its columns by their places, those of the file get the names of the table's:
//!
//! ```text
//!  file      table     read from
//!  x, y      id, x     id: x       x: y
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use parquet::basic::ConvertedType;
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};

/// What the columns of files are called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum ColumnNames {
    /// As the file calls them, in lower case.
    #[default]
    Own,
    /// As the table calls its data columns at the same places: all of them, in its order. Further
    /// columns of a file have names that no table's column has.
    ByPlace(Arc<[String]>),
}

impl ColumnNames {
    /// The names of a file's columns. `own`: what the file calls them, in its order.
    fn of<'a>(&self, own: impl Iterator<Item = &'a str>) -> Vec<String> {
        let Self::ByPlace(table) = self else {
            return fold(own);
        };
        let places = own.enumerate().map(|(place, _)| place);
        let named = places.map(|place| match table.get(place) {
            Some(name) => name.clone(),
            None => format!("(Field {place})"),
        });
        named.collect()
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Own => 0,
            Self::ByPlace(table) => table.iter().map(|name| name.len() + 32).sum(),
        }
    }
}

/// What siblings are called once folded, in their order. Of those of one name the first has it, and
/// the others get one that no table's column has, since those are in lower case.
fn fold<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    names
        .enumerate()
        .map(|(index, name)| {
            let lower = name.to_lowercase();
            if taken.insert(lower.clone()) {
                lower
            } else {
                format!("{lower} (Field {index})")
            }
        })
        .collect()
}

/// A Parquet schema with its columns named and the names within them folded; the same one where
/// nothing changes.
pub(super) fn folded_schema(root: &TypePtr, names: &ColumnNames) -> Result<TypePtr> {
    let Type::GroupType { fields, .. } = root.as_ref() else {
        return renamed(root, root.name());
    };
    let columns = names.of(fields.iter().map(|field| field.name()));
    with_children(root, fields, root.name(), &columns)
}

fn renamed(node: &TypePtr, name: &str) -> Result<TypePtr> {
    let info = node.get_basic_info();
    let id = info.has_id().then(|| info.id());
    match node.as_ref() {
        Type::PrimitiveType { .. } if name == info.name() => Ok(Arc::clone(node)),
        Type::PrimitiveType {
            physical_type,
            type_length,
            scale,
            precision,
            ..
        } => Type::primitive_type_builder(name, *physical_type)
            .with_repetition(info.repetition())
            .with_converted_type(info.converted_type())
            .with_logical_type(info.logical_type_ref().cloned())
            .with_length(*type_length)
            .with_precision(*precision)
            .with_scale(*scale)
            .with_id(id)
            .build()
            .map(Arc::new),
        Type::GroupType { fields, .. } => {
            let names = match info.converted_type() {
                // What lies between a list and its items has names that say how the list is
                // written.
                ConvertedType::LIST | ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => fields
                    .iter()
                    .map(|field| wrapper_name(field.name(), info.name(), name))
                    .collect(),
                _ => fold(fields.iter().map(|field| field.name())),
            };
            with_children(node, fields, name, &names)
        }
    }
}

/// A group with another name, and with the names of its `fields`.
fn with_children(
    node: &TypePtr,
    fields: &[TypePtr],
    name: &str,
    names: &[String],
) -> Result<TypePtr> {
    let info = node.get_basic_info();
    let children: Vec<TypePtr> = fields
        .iter()
        .zip(names)
        .map(|(field, name)| renamed(field, name))
        .collect::<Result<_>>()?;
    let mut unchanged = fields.iter().zip(&children);
    if name == info.name() && unchanged.all(|(old, new)| Arc::ptr_eq(old, new)) {
        return Ok(Arc::clone(node));
    }
    let mut group = Type::group_type_builder(name)
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(children)
        .with_id(info.has_id().then(|| info.id()));
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    group.build().map(Arc::new)
}

/// Old writers call the items of a list `x` by `x_tuple`, and readers go by that.
fn wrapper_name(own: &str, list: &str, renamed_list: &str) -> String {
    match own.strip_suffix("_tuple") {
        Some(of) if of == list => format!("{renamed_list}_tuple"),
        _ => own.to_owned(),
    }
}

/// An Arrow schema with its columns named and the names within them folded. A list of fixed length
/// becomes one of any length, which is what a table has: a file could claim any length, and every
/// NULL would take as much.
pub(super) fn folded_arrow(schema: &Schema, names: &ColumnNames) -> Schema {
    Schema::new(folded_fields(schema.fields(), names))
}

fn folded_fields(fields: &Fields, names: &ColumnNames) -> Fields {
    let names = names.of(fields.iter().map(|field| field.name().as_str()));
    fields
        .iter()
        .zip(names)
        .map(|(field, name)| Arc::new(folded_type_of(field).with_name(name)))
        .collect()
}

fn folded_type_of(field: &FieldRef) -> Field {
    let item = |field: &FieldRef| Arc::new(folded_type_of(field));
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(folded_fields(fields, &ColumnNames::Own)),
        DataType::List(of) | DataType::FixedSizeList(of, _) => DataType::List(item(of)),
        DataType::LargeList(of) => DataType::LargeList(item(of)),
        DataType::ListView(of) => DataType::ListView(item(of)),
        DataType::LargeListView(of) => DataType::LargeListView(item(of)),
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(pair) => {
                let pair = DataType::Struct(pair.iter().map(item).collect());
                let entries = entries.as_ref().clone().with_data_type(pair);
                DataType::Map(Arc::new(entries), *sorted)
            }
            _ => field.data_type().clone(),
        },
        other => other.clone(),
    };
    field.as_ref().clone().with_data_type(data_type)
}
