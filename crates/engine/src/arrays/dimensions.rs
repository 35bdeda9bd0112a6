//! Dimensions of arrays: an empty array has none, and a dimension that an array does not have is
//! NULL.
//!
//! In an array of arrays, the first item that is not NULL determines the length of the next
//! dimension, even if other items have other lengths.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::execution::SessionState;

use super::function::{Definition, Lists, item_type, list_of, register as register_all};

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    register_all(state, &FUNCTIONS)
}

const ARRAY: (&str, &str) = ("array", "The array.");
const DIMENSION: (&str, &str) = ("dimension", "Which dimension; 1 is the outermost.");

static FUNCTIONS: [Definition; 5] = [
    Definition {
        names: &["array_length", "list_length"],
        arguments: &[ARRAY, DIMENSION],
        needs: 1,
        description: "The length of a dimension, NULL if the array has fewer; without a dimension, the number of items.",
        coerced: with_dimension,
        returns: |_| Ok(DataType::Int64),
        body: |columns, returns| match columns.get(1) {
            Some(_) => Ok(cast(
                &of_dimension("array_length", columns, |length| length)?,
                returns,
            )?),
            None => {
                let lists = Lists::of("array_length", columns.first())?;
                let lengths = (0..lists.rows())
                    .map(|row| lists.items(row).map(|items| as_number(items.len())));
                Ok(Arc::new(lengths.collect::<Int64Array>()))
            }
        },
    },
    Definition {
        names: &["array_upper"],
        arguments: &[ARRAY, DIMENSION],
        needs: 2,
        description: "The last subscript of a dimension, NULL if the array has fewer.",
        coerced: with_dimension,
        returns: |_| Ok(DataType::Int32),
        body: |columns, _| of_dimension("array_upper", columns, |length| length),
    },
    Definition {
        names: &["array_lower"],
        arguments: &[ARRAY, DIMENSION],
        needs: 2,
        description: "The first subscript of a dimension, which is 1; NULL if the array has fewer.",
        coerced: with_dimension,
        returns: |_| Ok(DataType::Int32),
        body: |columns, _| of_dimension("array_lower", columns, |_| 1),
    },
    Definition {
        names: &["array_ndims", "list_ndims"],
        arguments: &[ARRAY],
        needs: 1,
        description: "The number of dimensions; NULL of an empty array.",
        coerced: with_dimension,
        returns: |_| Ok(DataType::Int64),
        body: |columns, _| {
            let lists = Lists::of("array_ndims", columns.first())?;
            let numbers = (0..lists.rows()).map(|row| {
                let lengths = lengths(lists.list, row)?;
                (!lengths.is_empty()).then(|| as_number(lengths.len()))
            });
            Ok(Arc::new(numbers.collect::<Int64Array>()))
        },
    },
    Definition {
        names: &["array_dims", "list_dims"],
        arguments: &[ARRAY],
        needs: 1,
        description: "The subscripts of each dimension as a text, such as [1:2][1:3]; NULL of an empty array.",
        coerced: with_dimension,
        returns: |_| Ok(DataType::Utf8),
        body: |columns, _| {
            let lists = Lists::of("array_dims", columns.first())?;
            let texts = (0..lists.rows()).map(|row| {
                let lengths = lengths(lists.list, row)?;
                let text: String = lengths
                    .iter()
                    .map(|length| format!("[1:{length}]"))
                    .collect();
                (!text.is_empty()).then_some(text)
            });
            Ok(Arc::new(texts.collect::<StringArray>()))
        },
    },
];

fn with_dimension(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let array = types.first().unwrap_or(&DataType::Null);
    let mut coerced = vec![list_of(lists_within(item_type(function, array)?))];
    coerced.extend(types.iter().skip(1).map(|_| DataType::Int64));
    Ok(coerced)
}

/// Returns the type with lists of one kind at every depth.
fn lists_within(item: DataType) -> DataType {
    match item {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            list_of(lists_within(item.data_type().clone()))
        }
        item => item,
    }
}

fn as_number(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Returns the length of each dimension: no entries for an empty array, `None` for NULL.
fn lengths(list: &ListArray, row: usize) -> Option<Vec<usize>> {
    if list.is_null(row) {
        return None;
    }
    let mut lengths = Vec::new();
    let mut items = list.value(row);
    while !items.is_empty() {
        lengths.push(items.len());
        let Some(within) = items.as_list_opt::<i32>() else {
            break;
        };
        let Some(first) = (0..within.len()).find(|row| within.is_valid(*row)) else {
            break;
        };
        let next = within.value(first);
        items = next;
    }
    Some(lengths)
}

fn of_dimension(function: &str, columns: &[ArrayRef], of: fn(i32) -> i32) -> Result<ArrayRef> {
    let lists = Lists::of(function, columns.first())?;
    let dimensions = columns.get(1);
    let dimensions = dimensions.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let numbers = (0..lists.rows()).map(|row| {
        let dimensions = dimensions.filter(|dimensions| dimensions.is_valid(row))?;
        let place = usize::try_from(dimensions.value(row).checked_sub(1)?).ok()?;
        let length = match place {
            // The first dimension, the usual case, needs no list of lengths.
            0 => lists.items(row)?.len(),
            _ => *lengths(lists.list, row)?.get(place)?,
        };
        let length = i32::try_from(length).ok()?;
        (length > 0).then(|| of(length))
    });
    Ok(Arc::new(numbers.collect::<Int32Array>()))
}
