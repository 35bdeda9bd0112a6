//! Texts of the type `char`, without the spaces that fill them up to their length in files: writers
//! in Java add these, and a `char(n)` of a table has none.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringArray, StructArray};
use arrow::datatypes::DataType;

use super::types::{Kind, Types};
use super::{Fault, Result, broken};

/// Where in a column texts are padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Padding {
    Nowhere,
    Here,
    /// In the parts of a list, map or struct.
    Inside(Vec<Padding>),
}

impl Padding {
    pub(super) fn of(types: &Types, id: u32) -> Self {
        let Some(node) = types.get(id) else {
            return Self::Nowhere;
        };
        if node.kind == Kind::Char {
            return Self::Here;
        }
        let parts: Vec<Self> = node
            .children
            .iter()
            .map(|child| Self::of(types, *child))
            .collect();
        match parts.iter().all(|part| *part == Self::Nowhere) {
            true => Self::Nowhere,
            false => Self::Inside(parts),
        }
    }

    /// The array of a column without its padding.
    ///
    /// # Errors
    /// The array is not of the column's type.
    pub(super) fn cut(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let parts = match self {
            Self::Nowhere => return Ok(Arc::clone(array)),
            Self::Here => return cut_texts(array),
            Self::Inside(parts) => parts,
        };
        let nulls = array.nulls().cloned();
        Ok(match (array.data_type(), parts.as_slice()) {
            (DataType::List(item), [part]) => {
                let list = array.as_list::<i32>();
                let values = part.cut(list.values())?;
                let offsets = list.offsets().clone();
                Arc::new(ListArray::try_new(
                    Arc::clone(item),
                    offsets,
                    values,
                    nulls,
                )?)
            }
            (DataType::Map(entries, sorted), [_, _]) => {
                let map = array.as_map();
                let inner = cut_each(parts, map.entries())?;
                let (entries, offsets) = (Arc::clone(entries), map.offsets().clone());
                Arc::new(MapArray::try_new(entries, offsets, inner, nulls, *sorted)?)
            }
            (DataType::Struct(fields), parts) if fields.len() == parts.len() => {
                Arc::new(cut_each(parts, array.as_struct())?)
            }
            (other, _) => return Err(unlike(other)),
        })
    }
}

fn cut_each(parts: &[Padding], array: &StructArray) -> Result<StructArray> {
    let columns = parts.iter().zip(array.columns());
    let columns = columns.map(|(part, column)| part.cut(column));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let nulls = array.nulls().cloned();
    Ok(StructArray::try_new(
        array.fields().clone(),
        columns,
        nulls,
    )?)
}

fn cut_texts(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = array
        .as_string_opt::<i32>()
        .ok_or_else(|| unlike(array.data_type()))?;
    if !texts.iter().flatten().any(|text| text.ends_with(' ')) {
        return Ok(Arc::clone(array));
    }
    let cut = texts.iter().map(|text| Some(text?.trim_end_matches(' ')));
    Ok(Arc::new(cut.collect::<StringArray>()))
}

fn unlike(found: &DataType) -> Fault {
    broken(format!("a column with texts of type char holds {found}"))
}
