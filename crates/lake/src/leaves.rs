//! Nested arrays: replaces their leaves.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, ListArray, MapArray,
    OffsetSizeTrait, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType};
use arrow::error::ArrowError;

/// An array of type `target`, each of whose leaves is `leaf`'s; lists, structs and maps stay as
/// they are around them. A part of an array is made of the values of its own lists and maps: those
/// before and behind them do not matter.
///
/// # Errors
/// Those of `leaf`; a `target` of another shape.
pub fn with_leaves<E: From<ArrowError>>(
    array: &ArrayRef,
    target: &DataType,
    leaf: &dyn Fn(&ArrayRef, &DataType) -> Result<ArrayRef, E>,
) -> Result<ArrayRef, E> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let nulls = array.nulls().cloned();
    Ok(match (array.data_type(), target) {
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let (offsets, values) = held(list.offsets(), list.values());
            let values = with_leaves(&values, item.data_type(), leaf)?;
            Arc::new(ListArray::try_new(
                Arc::clone(item),
                offsets,
                values,
                nulls,
            )?)
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            let list = array.as_list::<i64>();
            let (offsets, values) = held(list.offsets(), list.values());
            let values = with_leaves(&values, item.data_type(), leaf)?;
            let item = Arc::clone(item);
            Arc::new(LargeListArray::try_new(item, offsets, values, nulls)?)
        }
        (DataType::FixedSizeList(_, from), DataType::FixedSizeList(item, length))
            if from == length =>
        {
            let values = array.as_fixed_size_list().values();
            let values = with_leaves(values, item.data_type(), leaf)?;
            let item = Arc::clone(item);
            Arc::new(FixedSizeListArray::try_new(item, *length, values, nulls)?)
        }
        (DataType::Struct(from), DataType::Struct(fields)) if from.len() == fields.len() => {
            let columns = array.as_struct().columns().iter().zip(fields);
            let columns = columns
                .map(|(column, field)| with_leaves(column, field.data_type(), leaf))
                .collect::<Result<Vec<_>, E>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let map = array.as_map();
            let inner: ArrayRef = Arc::new(map.entries().clone());
            let (offsets, inner) = held(map.offsets(), &inner);
            let inner = with_leaves(&inner, entries.data_type(), leaf)?;
            let inner = inner.as_struct().clone();
            let entries = Arc::clone(entries);
            Arc::new(MapArray::try_new(entries, offsets, inner, nulls, *sorted)?)
        }
        _ => leaf(array, target)?,
    })
}

/// The values that lists have, and where in these each list is.
fn held<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: &ArrayRef,
) -> (OffsetBuffer<O>, ArrayRef) {
    let first = offsets.first().copied().unwrap_or_default();
    let last = offsets.last().copied().unwrap_or_default();
    let length = last.as_usize().saturating_sub(first.as_usize());
    if length == values.len() {
        return (offsets.clone(), Arc::clone(values));
    }
    let moved: Vec<O> = offsets.iter().map(|offset| *offset - first).collect();
    let values = values.slice(first.as_usize(), length);
    (OffsetBuffer::new(moved.into()), values)
}

/// A cast that rounds times which are finer than `target` half up, where Arrow's cuts them off.
///
/// # Errors
/// A value that `target` does not hold, unless `options` make it NULL.
pub fn cast_rounded(
    array: &ArrayRef,
    target: &DataType,
    options: &CastOptions<'_>,
) -> Result<ArrayRef, ArrowError> {
    with_leaves(array, target, &|array, target| {
        let micros = match (array.data_type(), target) {
            (
                DataType::Timestamp(TimeUnit::Nanosecond, zone),
                DataType::Timestamp(TimeUnit::Microsecond, _),
            ) => {
                let nanos = array.as_primitive::<TimestampNanosecondType>();
                let micros = nanos.unary::<_, TimestampMicrosecondType>(rounded);
                Arc::new(micros.with_timezone_opt(zone.clone())) as ArrayRef
            }
            _ => Arc::clone(array),
        };
        cast_with_options(&micros, target, options)
    })
}

/// Nanoseconds as microseconds.
fn rounded(nanos: i64) -> i64 {
    nanos.div_euclid(1000) + i64::from(nanos.rem_euclid(1000) >= 500)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{TimestampMicrosecondArray, TimestampNanosecondArray};
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    const NANOS: [i64; 5] = [1_499, 1_500, -1_500, -1_501, i64::MAX];
    const MICROS: [i64; 5] = [1, 2, -1, -2, 9_223_372_036_854_776];

    #[test]
    fn finer_times_are_rounded_half_up_at_every_depth() {
        let nanos = TimestampNanosecondArray::from(NANOS.to_vec());
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let options = CastOptions::default();
        let cast = cast_rounded(&(Arc::new(nanos) as ArrayRef), &micros, &options).unwrap();
        let expected = TimestampMicrosecondArray::from(MICROS.to_vec());
        assert_eq!(cast.as_primitive(), &expected);

        let item = Arc::new(Field::new_list_field(
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            true,
        ));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0, 3]);
        let values = Arc::new(TimestampNanosecondArray::from(NANOS.to_vec()));
        let list: ArrayRef = Arc::new(ListArray::try_new(item, offsets, values, None).unwrap());
        let target = DataType::List(Arc::new(Field::new_list_field(micros, true)));
        let cast = cast_rounded(&list, &target, &options).unwrap();
        assert_eq!(cast.as_list::<i32>().values().as_primitive(), &expected);
    }

    #[test]
    fn part_of_an_array_is_cast_without_the_values_of_other_lists() {
        let item = Arc::new(Field::new_list_field(DataType::Int64, true));
        let values = arrow::array::Int64Array::from(vec![i64::MAX, 1, 2, i64::MIN]);
        let offsets = OffsetBuffer::from_lengths([1, 2, 0, 1]);
        let list = ListArray::try_new(item, offsets, Arc::new(values), None).unwrap();
        let list: ArrayRef = Arc::new(list);
        let target = DataType::new_list(DataType::Int32, true);
        let strict = &crate::STRICT;
        assert!(cast_rounded(&list, &target, strict).is_err());
        let cast = cast_rounded(&list.slice(1, 2), &target, strict).unwrap();
        assert_eq!(cast.len(), 2);
        let lists = cast.as_list::<i32>();
        let first = lists.value(0);
        assert_eq!(first.as_primitive::<Int32Type>().values(), &[1, 2]);
        assert!(lists.value(1).is_empty());
    }

    #[test]
    fn all_else_is_cast() {
        let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, 2]));
        let options = CastOptions::default();
        let cast = cast_rounded(&numbers, &DataType::Int32, &options).unwrap();
        assert_eq!(cast.as_primitive::<Int32Type>().values(), &[1, 2]);
    }
}
