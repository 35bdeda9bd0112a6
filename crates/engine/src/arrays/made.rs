//! `array_fill` and `trim_array`, which the engine does not have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use lakegate_error::{Code, Error};

use super::function::{Definition, Lists, item_type, list_of, mismatch, register as register_all};
use crate::limits::bounded::{check_value, value_bytes};
use crate::limits::stop::check;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    register_all(state, &FUNCTIONS)
}

/// Minimum bytes that are counted for an array item.
const ITEM_BYTES: usize = 16;

static FUNCTIONS: [Definition; 2] = [
    Definition {
        names: &["array_fill"],
        arguments: &[
            ("value", "Each item."),
            (
                "lengths",
                "A constant array of the length of each dimension.",
            ),
        ],
        needs: 2,
        description: "An array of the given length, filled with one value.",
        coerced: |_, types| {
            let value = types.first().cloned().unwrap_or(DataType::Null);
            Ok(vec![value, list_of(DataType::Int64)])
        },
        returns: |types| Ok(list_of(types.first().cloned().unwrap_or(DataType::Null))),
        body: filled,
    },
    Definition {
        names: &["trim_array"],
        arguments: &[
            ("array", "The array."),
            ("number", "How many items to leave out at the end."),
        ],
        needs: 2,
        description: "The array without its last items.",
        coerced: |name, types| {
            let array = types.first().unwrap_or(&DataType::Null);
            Ok(vec![list_of(item_type(name, array)?), DataType::Int64])
        },
        returns: |types| Ok(types.first().cloned().unwrap_or(DataType::Null)),
        body: |columns, _| trimmed(columns),
    },
];

/// Returns the length of the array of a row.
///
/// # Errors
///
/// Returns an error if the length is NULL or negative, or if there are several dimensions.
fn length_of(lengths: &ListArray, row: usize) -> Result<usize> {
    let wrong = |code: Code, what: &str| {
        Error::new(code, format!("array_fill: {what}"))
            .with_hint("give it a length as ARRAY[3], and array_fill(array_fill(x, ARRAY[3]), ARRAY[2]) for an array of arrays")
    };
    if lengths.is_null(row) {
        return Err(wrong(Code::InvalidParameter, "the length must not be null").into());
    }
    let given = lengths.value(row);
    let given: Vec<Option<i64>> = given.as_primitive::<Int64Type>().iter().collect();
    let length = match given.as_slice() {
        [] => Some(0),
        [length] => length.and_then(|length| usize::try_from(length).ok()),
        _ => {
            return Err(wrong(
                Code::NotSupported,
                "several dimensions are written in the call, as ARRAY[3, 2]",
            )
            .into());
        }
    };
    let length = length.ok_or_else(|| {
        wrong(
            Code::InvalidParameter,
            "the length must be a number from 0 on",
        )
    })?;
    Ok(length)
}

fn filled(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let values = columns.first();
    let lengths = columns
        .get(1)
        .and_then(|lengths| lengths.as_list_opt::<i32>());
    let (Some(values), Some(lengths), DataType::List(field)) = (values, lengths, returns) else {
        return Err(mismatch("array_fill without its arguments".to_owned()));
    };
    let mut bytes = 0usize;
    let mut places = Vec::new();
    let mut ends = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        check()?;
        let length = length_of(lengths, row)?;
        if length > 0 {
            // The value of another row may be much smaller.
            let size = usize::try_from(value_bytes(values, row)).unwrap_or(usize::MAX);
            bytes = bytes.saturating_add(length.saturating_mul(size.max(ITEM_BYTES)));
            check_value("array_fill", bytes)?;
        }
        places.extend(std::iter::repeat_n(row as u64, length));
        ends.push(length);
    }
    let items = take(values, &UInt64Array::from(places), None)?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(field),
        OffsetBuffer::from_lengths(ends),
        items,
        None,
    )?))
}

fn trimmed(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::of("trim_array", columns.first())?;
    let numbers = columns
        .get(1)
        .and_then(|numbers| numbers.as_primitive_opt::<Int64Type>());
    let mut kept: Vec<u64> = Vec::new();
    let mut lengths = Vec::with_capacity(lists.rows());
    let mut valid = Vec::with_capacity(lists.rows());
    for row in 0..lists.rows() {
        check()?;
        let number = numbers.filter(|numbers| numbers.is_valid(row));
        let number = number.map(|numbers| numbers.value(row));
        let Some((items, number)) = lists.items(row).zip(number) else {
            valid.push(false);
            lengths.push(0);
            continue;
        };
        let length = items.len();
        let left = usize::try_from(number).ok();
        let left = left.and_then(|number| length.checked_sub(number));
        let Some(left) = left else {
            return Err(Error::new(
                Code::ArraySubscript,
                format!("number of elements to trim must be between 0 and {length}"),
            )
            .into());
        };
        valid.push(true);
        lengths.push(left);
        kept.extend(items.take(left).map(|item| item as u64));
    }
    let items = take(lists.list.values(), &UInt64Array::from(kept), None)?;
    let DataType::List(field) = lists.list.data_type() else {
        return Err(mismatch("trim_array takes an array".to_owned()));
    };
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(field),
        OffsetBuffer::from_lengths(lengths),
        items,
        Some(valid.into()),
    )?))
}
