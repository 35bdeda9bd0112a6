//! `@>`, `<@` and `&&` of lists by PostgreSQL's rules: a NULL list makes the result NULL, a NULL item
//! equals no item, and the items of lists of lists are those of the innermost lists.
//!
//! The engine's functions return true for an empty list in NULL, find NULL among NULLs, compare the
//! inner lists of lists, and distinguish -0 from 0 (`array_has.rs` of `datafusion-functions-nested`,
//! 55.2). Delete this when they do none of these.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, ListArray, UInt64Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use crate::arrays::keys_of;
use crate::limits::stop::check;

/// Evaluates `array_has_all` or `array_has_any`. `call` is the engine's own function, for arguments
/// that are not two lists of one type.
///
/// # Errors
///
/// Returns the error of `call`, or an error if the items cannot be compared.
pub(crate) fn of_lists(
    name: &str,
    args: ScalarFunctionArgs,
    call: impl FnOnce(ScalarFunctionArgs) -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    let [list, wanted] = args.args.as_slice() else {
        return call(args);
    };
    let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
    let constant = is_constant(list) && is_constant(wanted);
    let rows = if constant { 1 } else { args.number_rows };
    let (Some(list), Some(wanted)) = (as_list(list, rows)?, as_list(wanted, rows)?) else {
        return call(args);
    };
    let (list, wanted) = (flattened(list)?, flattened(wanted)?);
    if list.value_type() != wanted.value_type() {
        return call(args);
    }
    let (items, looked_for) = (keys_of(list.values())?, keys_of(wanted.values())?);
    let all = name == "array_has_all";
    let mut answers = Vec::with_capacity(rows);
    for row in 0..rows {
        check()?;
        let (Some(held), Some(asked)) = (places(&list, row), places(&wanted, row)) else {
            answers.push(None);
            continue;
        };
        let held = held.filter(|item| list.values().is_valid(*item));
        let held: HashSet<&[u8]> = held.map(|item| items.row(item).data()).collect();
        let mut asked = asked.map(|item| {
            wanted.values().is_valid(item) && held.contains(looked_for.row(item).data())
        });
        answers.push(Some(match all {
            true => asked.all(|is_held| is_held),
            false => asked.any(|is_held| is_held),
        }));
    }
    let answers = BooleanArray::from(answers);
    Ok(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&answers, 0)?),
        false => ColumnarValue::Array(Arc::new(answers)),
    })
}

/// Returns the range of a list's items in the values of the column; `None` for NULL.
fn places(lists: &ListArray, row: usize) -> Option<std::ops::Range<usize>> {
    let place = |row: usize| {
        let offset = lists.value_offsets().get(row).copied();
        offset
            .and_then(|offset| usize::try_from(offset).ok())
            .unwrap_or_default()
    };
    lists.is_valid(row).then(|| place(row)..place(row + 1))
}

/// Returns lists of lists as lists of the innermost items. An inner list that is NULL, which PostgreSQL
/// does not have, has none.
fn flattened(mut lists: ListArray) -> Result<ListArray> {
    loop {
        let Some(inner) = lists.values().as_list_opt::<i32>() else {
            return Ok(lists);
        };
        let inner = &without_items_of_nulls(inner)?;
        let DataType::List(item) = inner.data_type() else {
            return Ok(lists);
        };
        let starts = inner.value_offsets();
        let offsets = lists.value_offsets().iter().map(|offset| {
            let offset = usize::try_from(*offset).ok()?;
            starts.get(offset).copied()
        });
        let Some(offsets) = offsets.collect::<Option<Vec<i32>>>() else {
            return Ok(lists);
        };
        lists = ListArray::try_new(
            Arc::clone(item),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Arc::clone(inner.values()),
            lists.nulls().cloned(),
        )?;
    }
}

/// Returns lists of which NULLs have no items: the place of one in the values may have some.
fn without_items_of_nulls(lists: &ListArray) -> Result<ListArray> {
    if lists.null_count() == 0 {
        return Ok(lists.clone());
    }
    let rows = UInt64Array::from_iter_values((0..lists.len()).map(|row| row as u64));
    let taken = take(lists, &rows, None)?;
    Ok(taken.as_list::<i32>().clone())
}

/// Returns a value as lists; `None` if it is not a list.
fn as_list(value: &ColumnarValue, rows: usize) -> Result<Option<ListArray>> {
    let array = value.to_array(rows)?;
    let item = match array.data_type() {
        DataType::List(_) => return Ok(Some(array.as_list::<i32>().clone())),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Arc::clone(item),
        _ => return Ok(None),
    };
    let item = Field::new(item.name(), item.data_type().clone(), true);
    let list = cast(&array, &DataType::List(Arc::new(item)))?;
    Ok(Some(list.as_list::<i32>().clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Int32Array;
    use arrow::buffer::NullBuffer;

    use super::*;

    #[test]
    fn items_of_lists_that_are_null_are_none() {
        let list = |offsets: Vec<i32>, values: Arc<dyn Array>, nulls| {
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            ListArray::try_new(item, offsets, values, nulls).unwrap()
        };
        let numbers: Arc<dyn Array> = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
        let valid = NullBuffer::from(vec![true, false, true]);
        // [1], NULL, [4], where NULL has the place of 2 and 3.
        let inner = list(vec![0, 1, 3, 4], Arc::clone(&numbers), Some(valid));
        let outer = list(vec![0, 2, 3, 3], Arc::new(inner), None);
        let expected = list(
            vec![0, 1, 2, 2],
            Arc::new(Int32Array::from(vec![1, 4])),
            None,
        );
        assert_eq!(flattened(outer).unwrap(), expected);
        let plain = list(vec![0, 3, 4], numbers, None);
        assert_eq!(flattened(plain.clone()).unwrap(), plain);
    }
}
