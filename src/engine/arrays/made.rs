//! `array_fill` and `trim_array`, which the engine has not.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::SessionState;

use super::function::{Definition, Lists, item_type, list_of, mismatch, register as register_all};
use crate::engine::bounded::check_value;
use crate::engine::stop::check;
use crate::error::{Code, Error};

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    register_all(state, &FUNCTIONS)
}

/// Bytes that an item of an array takes at least, where its own size is not known.
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
        description: "An array of one value, as long as is said.",
        coerced: |_, types| {
            let value = types.first().cloned().unwrap_or(DataType::Null);
            Ok(vec![value, list_of(DataType::Int64)])
        },
        returns: |types, constants| {
            let value = types.first().cloned().unwrap_or(DataType::Null);
            let dimensions = match constants.get(1) {
                Some(Some(lengths)) => dimensions(lengths)?.len().max(1),
                // Of unknown ones, such as where functions are listed.
                _ => 1,
            };
            Ok((0..dimensions).fold(value, |item, _| list_of(item)))
        },
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
        returns: |types, _| Ok(types.first().cloned().unwrap_or(DataType::Null)),
        body: |columns, _| trimmed(columns),
    },
];

fn dimensions(lengths: &ScalarValue) -> Result<Vec<i64>> {
    let array = cast(&lengths.to_array()?, &list_of(DataType::Int64))?;
    dimensions_of(&array, 0)
}

fn dimensions_of(array: &ArrayRef, row: usize) -> Result<Vec<i64>> {
    let wrong = |what: &str| {
        Error::new(Code::InvalidParameter, format!("array_fill: {what}"))
            .with_hint("give it the length of each dimension, such as ARRAY[3]")
    };
    let lists = array.as_list::<i32>();
    if lists.is_null(row) {
        return Err(wrong("the lengths must not be null").into());
    }
    let lengths = lists.value(row);
    let lengths = lengths.as_primitive::<Int64Type>();
    if lengths.null_count() > 0 || lengths.values().iter().any(|length| *length < 0) {
        return Err(wrong("a length must be a number from 0 on").into());
    }
    if lengths.len() > 6 {
        return Err(wrong("an array has at most 6 dimensions").into());
    }
    Ok(lengths.values().to_vec())
}

fn filled(columns: &[ArrayRef], returns: &DataType) -> Result<ArrayRef> {
    let (Some(values), Some(lengths)) = (columns.first(), columns.get(1)) else {
        return Err(mismatch("array_fill without its arguments".to_owned()));
    };
    let size = values.get_array_memory_size() / values.len().max(1);
    let mut bytes = 0usize;
    let mut all = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        let dimensions = dimensions_of(lengths, row)?;
        // One of no length leaves none.
        let dimensions = match dimensions.contains(&0) {
            true => vec![0; dimensions.len()],
            false => dimensions,
        };
        let items = dimensions.iter().try_fold(1usize, |items, length| {
            usize::try_from(*length).ok()?.checked_mul(items)
        });
        let items = match dimensions.is_empty() {
            true => 0,
            false => items.unwrap_or(usize::MAX),
        };
        bytes = bytes.saturating_add(items.saturating_mul(size.max(ITEM_BYTES)));
        check_value("array_fill", bytes)?;
        all.push((items, dimensions));
    }
    let mut places = Vec::new();
    for (row, (items, _)) in all.iter().enumerate() {
        check()?;
        places.extend(std::iter::repeat_n(row as u64, *items));
    }
    let mut made = take(values, &UInt64Array::from(places), None)?;
    let mut levels = Vec::new();
    let mut level = returns;
    while let DataType::List(item) = level {
        levels.push(Arc::clone(item));
        level = item.data_type();
        if levels.len() == all.iter().map(|(_, of)| of.len()).max().unwrap_or(1).max(1) {
            break;
        }
    }
    // From the innermost dimension out.
    for (depth, field) in levels.iter().enumerate().rev() {
        let mut ends = Vec::new();
        for (_, dimensions) in &all {
            if !dimensions.is_empty() && dimensions.len() != levels.len() {
                return Err(mismatch(
                    "array_fill makes arrays of as many dimensions for every row".to_owned(),
                ));
            }
            let length = |depth: usize| {
                let length = dimensions.get(depth).copied().unwrap_or(0);
                usize::try_from(length).unwrap_or(0)
            };
            let outer: usize = (0..depth).map(length).product();
            let lists = if depth == 0 { 1 } else { outer };
            ends.extend(std::iter::repeat_n(length(depth), lists));
        }
        let field = Arc::clone(field);
        let offsets = OffsetBuffer::from_lengths(ends);
        made = Arc::new(ListArray::try_new(field, offsets, made, None)?);
    }
    Ok(made)
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
                Code::InvalidParameter,
                format!("number of items to trim must be between 0 and {length}"),
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
