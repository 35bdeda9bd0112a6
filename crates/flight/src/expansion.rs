//! Measures a client's arrays as if every value were written out, before they are: a dictionary, a
//! view or a run repeats a value in a few bytes, and could expand to more memory than the server
//! has.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

/// The minimum number of bytes that an element counts as.
const LEAST: usize = 8;

/// Returns the bytes of a batch when written out, or `None` if measuring would take more memory
/// than `budget`, which is reduced by the memory used.
pub(super) fn bytes(batch: &RecordBatch, budget: &mut usize) -> Option<usize> {
    let mut total = 0usize;
    for column in batch.columns() {
        let sizes = sizes(column, budget)?;
        total = sum(&sizes).saturating_add(total);
    }
    Some(total)
}

/// Returns whether arrays of a type can repeat a value without storing it again.
pub(super) fn repeats(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Dictionary(..)
        | T::RunEndEncoded(..)
        | T::Utf8View
        | T::BinaryView
        | T::ListView(_)
        | T::LargeListView(_)
        | T::Union(..) => true,
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::Map(item, _) => {
            repeats(item.data_type())
        }
        T::Struct(fields) => fields.iter().any(|field| repeats(field.data_type())),
        _ => false,
    }
}

fn sum(sizes: &[usize]) -> usize {
    sizes
        .iter()
        .fold(0, |total, size| total.saturating_add(*size))
}

/// Returns the bytes of each element.
fn sizes(array: &ArrayRef, budget: &mut usize) -> Option<Vec<usize>> {
    use DataType as T;
    let length = array.len();
    *budget = budget.checked_sub(length.checked_mul(LEAST)?)?;
    Some(match array.data_type() {
        T::Utf8 => between(array.as_string::<i32>().value_offsets()),
        T::LargeUtf8 => between(array.as_string::<i64>().value_offsets()),
        T::Binary => between(array.as_binary::<i32>().value_offsets()),
        T::LargeBinary => between(array.as_binary::<i64>().value_offsets()),
        T::Utf8View => viewed(array.as_string_view().views()),
        T::BinaryView => viewed(array.as_binary_view().views()),
        T::FixedSizeBinary(width) => vec![size(*width).max(LEAST); length],
        T::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = sizes(dictionary.values(), budget)?;
            if values.is_empty() {
                return Some(vec![LEAST; length]);
            }
            let keys = dictionary.normalized_keys();
            keys.iter()
                .map(|key| values.get(*key).copied().unwrap_or(LEAST))
                .collect()
        }
        T::RunEndEncoded(ends, _) => {
            let data = array.to_data();
            let [ends_data, values] = data.child_data() else {
                return None;
            };
            let values = sizes(&arrow::array::make_array(values.clone()), budget)?;
            let ends_array = arrow::array::make_array(ends_data.clone());
            debug_assert_eq!(ends_array.data_type(), ends.data_type());
            let ends = cast(&ends_array, &T::Int64).ok()?;
            let ends = ends.as_primitive::<arrow::datatypes::Int64Type>();
            let mut physical = ends.values().iter().zip(values).peekable();
            (0..length)
                .map(|row| {
                    let row = i64::try_from(row + data.offset()).unwrap_or(i64::MAX);
                    while physical.next_if(|(end, _)| **end <= row).is_some() {}
                    physical.peek().map_or(LEAST, |(_, size)| *size)
                })
                .collect()
        }
        T::List(_) => {
            let list = array.as_list::<i32>();
            let items = sizes(list.values(), budget)?;
            let starts = list.value_offsets().iter().map(|start| size(*start));
            ranges(&items, &starts.collect::<Vec<_>>())
        }
        T::LargeList(_) => {
            let list = array.as_list::<i64>();
            let items = sizes(list.values(), budget)?;
            let starts = list.value_offsets().iter().map(|start| size(*start));
            ranges(&items, &starts.collect::<Vec<_>>())
        }
        T::Map(..) => {
            let map = array.as_map();
            let (keys, values) = (sizes(map.keys(), budget)?, sizes(map.values(), budget)?);
            let entries: Vec<usize> = added(keys, &values);
            let starts = map.value_offsets().iter().map(|start| size(*start));
            ranges(&entries, &starts.collect::<Vec<_>>())
        }
        T::FixedSizeList(_, width) => {
            let items = sizes(array.as_fixed_size_list().values(), budget)?;
            let starts = (0..=length).map(|row| row.saturating_mul(size(*width)));
            ranges(&items, &starts.collect::<Vec<_>>())
        }
        T::ListView(_) => {
            let list = array.as_list_view::<i32>();
            let items = totals(&sizes(list.values(), budget)?);
            let lists = list.offsets().iter().zip(list.sizes().iter());
            lists
                .map(|(start, count)| within(&items, size(*start), size(*count)))
                .collect()
        }
        T::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            let items = totals(&sizes(list.values(), budget)?);
            let lists = list.offsets().iter().zip(list.sizes().iter());
            lists
                .map(|(start, count)| within(&items, size(*start), size(*count)))
                .collect()
        }
        T::Union(fields, _) => {
            let union = array.as_union();
            let mut children = HashMap::with_capacity(fields.len());
            for (id, _) in fields.iter() {
                children.insert(id, sizes(union.child(id), budget)?);
            }
            let size_of = |row| {
                let child: Option<&Vec<usize>> = children.get(&union.type_id(row));
                child.and_then(|sizes| sizes.get(union.value_offset(row)).copied())
            };
            (0..length)
                .map(|row| size_of(row).unwrap_or(LEAST))
                .collect()
        }
        T::Struct(_) => {
            let mut members = vec![LEAST; length];
            for column in array.as_struct().columns() {
                members = added(members, &sizes(column, budget)?);
            }
            members
        }
        other => vec![other.primitive_width().unwrap_or(LEAST).max(LEAST); length],
    })
}

fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

/// Returns the lengths between offsets; there is one offset more than elements.
fn between<O: Copy + TryInto<usize>>(offsets: &[O]) -> Vec<usize> {
    let pairs = offsets.windows(2);
    pairs
        .map(|pair| size(pair[1]).saturating_sub(size(pair[0])).max(LEAST))
        .collect()
}

/// Returns the lengths of views, which are their low four bytes.
fn viewed(views: &[u128]) -> Vec<usize> {
    let lengths = views.iter().map(|view| size(view & u128::from(u32::MAX)));
    lengths.map(|length| length.max(LEAST)).collect()
}

fn added(mut a: Vec<usize>, b: &[usize]) -> Vec<usize> {
    for (a, b) in a.iter_mut().zip(b) {
        *a = a.saturating_add(*b);
    }
    a
}

/// Returns running totals: before each element, and of all elements.
fn totals(sizes: &[usize]) -> Vec<usize> {
    let mut total = 0usize;
    let mut totals = vec![0];
    totals.extend(sizes.iter().map(|size| {
        total = total.saturating_add(*size);
        total
    }));
    totals
}

fn within(totals: &[usize], start: usize, count: usize) -> usize {
    let until = start.saturating_add(count);
    let at = |index: usize| totals.get(index).or(totals.last()).copied().unwrap_or(0);
    at(until).saturating_sub(at(start)).max(LEAST)
}

/// Returns the total of the items of each list; a list begins where the previous one ends.
fn ranges(items: &[usize], starts: &[usize]) -> Vec<usize> {
    let totals = totals(items);
    let pairs = starts.windows(2);
    pairs
        .map(|pair| within(&totals, pair[0], pair[1].saturating_sub(pair[0])))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Int32Array, Int64Array, ListArray, NullArray, RunArray, StringArray,
        StringViewArray, StructArray, UnionArray,
    };
    use arrow::buffer::ScalarBuffer;
    use arrow::datatypes::{Field, Int32Type, Int64Type, UnionFields};

    use super::*;

    fn of(column: impl Array + 'static) -> Option<usize> {
        let batch = RecordBatch::try_from_iter([("c", Arc::new(column) as ArrayRef)]).unwrap();
        bytes(&batch, &mut (1024 * 1024))
    }

    fn long() -> String {
        "x".repeat(1_000)
    }

    #[test]
    fn values_said_many_times_count_each_time() {
        assert_eq!(of(Int64Array::from(vec![1, 2, 3])), Some(24));
        assert_eq!(of(StringArray::from(vec![long(), long()])), Some(2_000));
        let keys = Int32Array::from(vec![Some(0); 500]);
        let once: ArrayRef = Arc::new(StringArray::from(vec![long()]));
        let dictionary = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&once)).unwrap();
        assert_eq!(of(dictionary), Some(500_000));
        let runs = RunArray::try_new(&Int32Array::from(vec![500]), &once).unwrap();
        assert_eq!(of(runs), Some(500_000));
        let word = Arc::new(Field::new("word", DataType::Utf8, true));
        let union = UnionArray::try_new(
            UnionFields::from_iter([(0, word)]),
            ScalarBuffer::from(vec![0i8; 500]),
            Some(ScalarBuffer::from(vec![0i32; 500])),
            vec![Arc::clone(&once)],
        )
        .unwrap();
        assert_eq!(of(union), Some(500_000));
        let views = StringViewArray::from(vec![long().as_str(); 500]);
        assert_eq!(of(views), Some(500_000));
    }

    #[test]
    fn nested_values_are_the_sum_of_their_parts() {
        let lists = [Some(vec![Some(1), None]), None, Some(vec![])];
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        assert_eq!(of(lists), Some(16 + LEAST + LEAST));
        let words: ArrayRef = Arc::new(StringArray::from(vec![long(), long()]));
        let field = Arc::new(Field::new("w", DataType::Utf8, true));
        let pairs = StructArray::from(vec![(field, words)]);
        assert_eq!(of(pairs), Some(2_000 + 2 * LEAST));
    }

    #[test]
    fn elements_beyond_the_budget_are_not_even_counted() {
        assert_eq!(of(NullArray::new(1_000)), Some(8_000));
        assert_eq!(of(NullArray::new(1_000_000)), None);
    }
}
