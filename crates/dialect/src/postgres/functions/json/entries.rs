//! Lists of rows of a key and a value: the members of an object.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;

use super::Cell;
use crate::postgres::hinted_field;

/// Returns the type of the lists. `shown`: PostgreSQL's type of the values, if it is not `text`.
pub(super) fn list_of(shown: Option<&str>) -> DataType {
    let value = match shown {
        Some(shown) => hinted_field("value", DataType::Utf8, shown),
        None => Field::new("value", DataType::Utf8, true),
    };
    let fields = vec![Field::new("key", DataType::Utf8, true), value];
    DataType::new_list(DataType::Struct(fields.into()), true)
}

/// Returns lists of pairs as a column of this type, or as a constant if there is one.
///
/// # Errors
///
/// The type is none of [`list_of`].
pub(super) fn column_of(
    data_type: &DataType,
    results: Vec<Cell<'static>>,
    constant: bool,
) -> Result<ColumnarValue> {
    let (DataType::List(item), Some(fields)) = (data_type, fields_of(data_type)) else {
        return Err(DataFusionError::Internal(
            "members of objects in a column of another type".to_owned(),
        ));
    };
    let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
    let mut lengths = Vec::with_capacity(results.len());
    let mut valid = Vec::with_capacity(results.len());
    for result in results {
        let pairs = match result {
            Cell::List(pairs) => Some(pairs),
            _ => None,
        };
        valid.push(pairs.is_some());
        let pairs = pairs.unwrap_or_default();
        lengths.push(pairs.len());
        for pair in pairs {
            let parts = match &pair {
                Cell::List(parts) => parts.as_slice(),
                _ => &[],
            };
            keys.append_option(parts.first().and_then(Cell::as_str));
            values.append_option(parts.get(1).and_then(Cell::as_str));
        }
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
    let rows = StructArray::try_new(fields.clone(), columns, None)?;
    let lists: ArrayRef = Arc::new(ListArray::try_new(
        Arc::clone(item),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(rows),
        Some(NullBuffer::from(valid)),
    )?);
    Ok(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?),
        false => ColumnarValue::Array(lists),
    })
}

fn fields_of(data_type: &DataType) -> Option<&arrow::datatypes::Fields> {
    match data_type {
        DataType::List(item) => match item.data_type() {
            DataType::Struct(fields) => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::array::{Array, AsArray};

    use super::*;

    #[test]
    fn pairs_are_rows_of_lists() {
        let pair =
            |key: &'static str, value: Cell<'static>| Cell::List(vec![Cell::text(key), value]);
        let results = vec![
            Cell::List(vec![pair("a", Cell::text("1")), pair("b", Cell::Null)]),
            Cell::Null,
            Cell::List(vec![]),
        ];
        let ColumnarValue::Array(lists) = column_of(&list_of(None), results, false).unwrap() else {
            panic!("a constant");
        };
        let lists = lists.as_list::<i32>();
        assert_eq!(lists.value_offsets(), [0, 2, 2, 2]);
        assert!(lists.is_null(1) && lists.is_valid(2));
        let rows = lists.values().as_struct();
        assert_eq!(rows.column(0).as_string::<i32>().value(1), "b");
        assert!(rows.column(1).is_null(1));
    }
}
