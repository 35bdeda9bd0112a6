//! `@>`, `<@` and `&&` of lists by PostgreSQL's rules for NULLs: of a list that is NULL the answer is, and an item that is NULL is
//! equal to none. The engine's functions say true of an empty list in NULL, and find NULL among NULLs (`array_has.rs` of
//! `datafusion-functions-nested`, 55.2). Delete this when they do neither.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// What `array_has_all` or `array_has_any` answers. `call`: the engine's own function.
///
/// # Errors
/// Those of the function.
pub fn of_lists(
    name: &str,
    args: ScalarFunctionArgs,
    call: impl FnOnce(ScalarFunctionArgs) -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    let [list, wanted] = args.args.as_slice() else {
        return call(args);
    };
    let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
    let rows = match is_constant(list) && is_constant(wanted) {
        true => 1,
        false => args.number_rows,
    };
    let (Some(list), Some(wanted)) = (as_list(list, rows)?, as_list(wanted, rows)?) else {
        return call(args);
    };
    let (nulls, items) = (list.null_count() + wanted.null_count(), wanted.values());
    if nulls == 0 && items.null_count() == 0 {
        return call(args);
    }
    let has_null: Vec<bool> = (0..rows)
        .map(|row| wanted.is_valid(row) && wanted.value(row).null_count() > 0)
        .collect();
    let without = without_nulls(&wanted)?;
    let answers = call(ScalarFunctionArgs {
        args: vec![
            ColumnarValue::Array(Arc::new(list.clone())),
            ColumnarValue::Array(Arc::new(without)),
        ],
        number_rows: rows,
        ..args
    })?
    .into_array(rows)?;
    let answers = answers.as_boolean();
    let all = name == "array_has_all";
    let values = BooleanBuffer::collect_bool(rows, |row| {
        let answer = answers.is_valid(row) && answers.value(row);
        answer && !(all && has_null.get(row).copied().unwrap_or_default())
    });
    let nulls = NullBuffer::union(list.nulls(), wanted.nulls());
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(
        values, nulls,
    ))))
}

/// `None` of what is no list.
fn as_list(value: &ColumnarValue, rows: usize) -> Result<Option<ListArray>> {
    let array = value.clone().into_array(rows)?;
    let item = match array.data_type() {
        DataType::List(_) => return Ok(Some(array.as_list::<i32>().clone())),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Arc::clone(item),
        _ => return Ok(None),
    };
    let item = Field::new(item.name(), item.data_type().clone(), true);
    let list = cast(&array, &DataType::List(Arc::new(item)))?;
    Ok(Some(list.as_list::<i32>().clone()))
}

/// The lists without the items that are NULL.
fn without_nulls(lists: &ListArray) -> Result<ListArray> {
    let items: ArrayRef = filter(lists.values(), &is_not_null(lists.values())?)?;
    let left = |row: usize| -> usize {
        let (first, end) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
        let items = usize::try_from(end - first).unwrap_or_default();
        let first = usize::try_from(first).unwrap_or_default();
        items - lists.values().slice(first, items).null_count()
    };
    // Items before the first list are left in, so that what was between lists keeps its place.
    let before = usize::try_from(lists.value_offsets()[0]).unwrap_or_default();
    let before = before - lists.values().slice(0, before).null_count();
    let mut offsets = Vec::with_capacity(lists.len() + 1);
    let mut end = before;
    offsets.push(i32::try_from(end).unwrap_or(i32::MAX));
    for row in 0..lists.len() {
        end += left(row);
        offsets.push(i32::try_from(end).unwrap_or(i32::MAX));
    }
    let DataType::List(item) = lists.data_type() else {
        return Ok(lists.clone());
    };
    Ok(ListArray::try_new(
        Arc::clone(item),
        OffsetBuffer::new(offsets.into()),
        items,
        lists.nulls().cloned(),
    )?)
}
