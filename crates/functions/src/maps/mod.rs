//! Functions of maps. `element_at` and `cardinality` are with those of arrays.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::HashMap;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;

use crate::arrays::keys::{Keys, Seen, check_known, with_keys};
use crate::arrays::lists::{Ends, Lists, Maps, Spans, size, walked};
use crate::arrays::types::{
    common, conformed, item_type, list_type, map_type, map_types, mismatch, row_type,
};
use crate::arrays::{field_type, invalid, shown};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::work::Work;

#[cfg(test)]
mod tests;

const SECTION: &str = "Map";

static MAP: Page = Page {
    name: "map",
    section: SECTION,
    syntax: "map(keys, values)",
    sentence: "Returns a map of an array of keys and an array of values.",
    example: "map(ARRAY['a', 'b'], ARRAY[1, 2])",
    result: "{a=1, b=2}",
};

static CONCAT: Page = Page {
    name: "map_concat",
    section: SECTION,
    syntax: "map_concat(map, map[, …])",
    sentence: "Returns the entries of all maps; of those with the same key, the last one.",
    example: "map_concat(map(ARRAY['a'], ARRAY[1]), map(ARRAY['a'], ARRAY[2]))",
    result: "{a=2}",
};

static ENTRIES: Page = Page {
    name: "map_entries",
    section: SECTION,
    syntax: "map_entries(map)",
    sentence: "Returns an array of rows, one for each entry.",
    example: "map_entries(map(ARRAY[1, 2], ARRAY['x', 'y']))",
    result: "[{field0=1, field1=x}, {field0=2, field1=y}]",
};

static FROM_ENTRIES: Page = Page {
    name: "map_from_entries",
    section: SECTION,
    syntax: "map_from_entries(rows)",
    sentence: "Returns a map of an array of rows of a key and a value.",
    example: "map_from_entries(ARRAY[ROW(1, 'x'), ROW(2, 'y')])",
    result: "{1=x, 2=y}",
};

static MULTIMAP: Page = Page {
    name: "multimap_from_entries",
    section: SECTION,
    syntax: "multimap_from_entries(rows)",
    sentence: "Returns a map of each key to an array of all its values.",
    example: "multimap_from_entries(ARRAY[ROW(1, 'x'), ROW(2, 'y'), ROW(1, 'z')])",
    result: "{1=[x, z], 2=[y]}",
};

pub(crate) fn entries() -> Vec<Entry> {
    let one = || vec![TypeSignature::Any(1)];
    vec![
        Entry::scalar(
            Kernel::new(
                &MAP,
                vec![TypeSignature::Nullary, TypeSignature::Any(2)],
                Returns::From(|types| match types {
                    [] => Ok(map_type(DataType::Null, DataType::Null)),
                    [keys, values] => {
                        let key = item_type("map", keys)?;
                        Ok(map_type(key, item_type("map", values)?))
                    }
                    _ => Err(mismatch("map", "two arrays", &DataType::Null)),
                }),
                map,
            )
            .also(&["$map"]),
        ),
        Entry::scalar(Kernel::new(
            &CONCAT,
            vec![TypeSignature::VariadicAny],
            Returns::From(|types| {
                let (mut key, mut value) = (DataType::Null, DataType::Null);
                for data_type in types {
                    let (own_key, own_value) = map_types("map_concat", data_type)?;
                    key = common("map_concat", &key, &own_key)?;
                    value = common("map_concat", &value, &own_value)?;
                }
                Ok(map_type(key, value))
            }),
            map_concat,
        )),
        Entry::scalar(Kernel::new(
            &ENTRIES,
            one(),
            Returns::From(|types| {
                let (key, value) = map_types("map_entries", &types[0])?;
                Ok(list_type(row_type([key, value])))
            }),
            map_entries,
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &FROM_ENTRIES,
            one(),
            Returns::From(|types| {
                let (key, value) = entry_types("map_from_entries", &types[0])?;
                Ok(map_type(key, value))
            }),
            from_entries,
        )),
        Entry::scalar(Kernel::new(
            &MULTIMAP,
            one(),
            Returns::From(|types| {
                let (key, value) = entry_types("multimap_from_entries", &types[0])?;
                Ok(map_type(key, list_type(value)))
            }),
            multimap,
        )),
    ]
}

/// The keys and the values of maps under construction must be these.
///
/// # Errors
///
/// A key is NULL, holds NULL, or is there twice in one map.
pub(crate) fn check_keys(name: &str, keys: &ArrayRef, ends: &[usize], work: &Work) -> Result<()> {
    check_valid(name, keys)?;
    let of = Keys::of(keys)?;
    with_keys!(of, |at| {
        let mut seen = Seen::new();
        let mut start = 0;
        for end in ends {
            walked(work, end - start)?;
            seen.clear();
            for entry in start..*end {
                if !seen.insert(at(entry)) {
                    return Err(duplicate(keys, entry)?);
                }
            }
            start = *end;
        }
    });
    Ok(())
}

fn check_valid(name: &str, keys: &ArrayRef) -> Result<()> {
    if keys.logical_null_count() > 0 {
        return Err(invalid(format!("{name}: map key cannot be null")));
    }
    check_known(name, keys)
}

fn duplicate(keys: &ArrayRef, entry: usize) -> Result<DataFusionError> {
    let key = shown(keys, entry)?;
    Ok(invalid(format!(
        "Duplicate map keys ({key}) are not allowed"
    )))
}

fn map(call: &Call<'_>) -> Result<ArrayRef> {
    let (key, value) = map_types(call.name, call.returns)?;
    let mut ends = Ends::new(call.rows);
    let (Some(keys), Some(values)) = (call.optional(0), call.optional(1)) else {
        for _ in 0..call.rows {
            call.work.builds(4)?;
            ends.end(0)?;
        }
        let none = |of: &DataType| arrow::array::new_empty_array(of);
        return ends.maps(none(&key), none(&value), call.returns);
    };
    let (keys, values) = (Lists::of(keys, &key)?, Lists::of(values, &value)?);
    let (mut key_indexes, mut value_indexes) = (Vec::new(), Vec::new());
    let mut own = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(names), Some(of)) = (keys.range(row), values.range(row)) else {
            call.work.step()?;
            ends.end_null();
            continue;
        };
        if names.len() != of.len() {
            return Err(invalid(format!(
                "Key and value arrays must be the same length, not {} and {}",
                names.len(),
                of.len()
            )));
        }
        let bytes = size(&keys.values, names.start, names.len());
        let more = size(&values.values, of.start, of.len());
        call.work.builds(bytes.saturating_add(more))?;
        key_indexes.extend(names.map(|index| index as u32));
        value_indexes.extend(of.map(|index| index as u32));
        ends.end(key_indexes.len())?;
        own.push(key_indexes.len());
    }
    let keys = take(&keys.values, &UInt32Array::from(key_indexes), None)?;
    let values = take(&values.values, &UInt32Array::from(value_indexes), None)?;
    check_keys(call.name, &keys, &own, &call.work)?;
    ends.maps(keys, values, call.returns)
}

fn map_concat(call: &Call<'_>) -> Result<ArrayRef> {
    if call.columns.len() < 2 {
        return Err(invalid(
            "There must be two or more concatenation arguments to map_concat".to_owned(),
        ));
    }
    let (key, value) = map_types(call.name, call.returns)?;
    let maps = call
        .columns
        .iter()
        .map(|column| Maps::of(column, &key, &value));
    let maps = maps.collect::<Result<Vec<_>>>()?;
    let keys: Vec<&dyn Array> = maps.iter().map(|map| map.keys.as_ref()).collect();
    let values: Vec<&dyn Array> = maps.iter().map(|map| map.values.as_ref()).collect();
    let (keys, values) = (concat(&keys)?, concat(&values)?);
    let of = Keys::of(&keys)?;
    let mut indexes: Vec<u32> = Vec::new();
    let mut ends = Ends::new(call.rows);
    with_keys!(of, |at| {
        let mut seen = Seen::new();
        for row in 0..call.rows {
            let ranges: Option<Vec<_>> = maps.iter().map(|map| map.range(row)).collect();
            let Some(ranges) = ranges else {
                call.work.step()?;
                ends.end_null();
                continue;
            };
            seen.clear();
            let mut end = keys.len();
            // From the last map to the first one, as in Trino.
            for (map, range) in maps.iter().zip(ranges).rev() {
                let shift = end - map.keys.len();
                end = shift;
                let bytes = size(&map.keys, range.start, range.len());
                let more = size(&map.values, range.start, range.len());
                call.work.builds(bytes.saturating_add(more))?;
                for entry in range.start + shift..range.end + shift {
                    if seen.insert(at(entry)) {
                        indexes.push(entry as u32);
                    }
                }
            }
            ends.end(indexes.len())?;
        }
    });
    let indexes = UInt32Array::from(indexes);
    let (keys, values) = (take(&keys, &indexes, None)?, take(&values, &indexes, None)?);
    ends.maps(keys, values, call.returns)
}

fn map_entries(call: &Call<'_>) -> Result<ArrayRef> {
    let (key, value) = map_types(call.name, field_type(call, 0))?;
    let maps = Maps::of(&call.columns[0], &key, &value)?;
    let mut indexes: Vec<u32> = Vec::new();
    let mut ends = Ends::new(call.rows);
    for row in 0..call.rows {
        let Some(range) = maps.range(row) else {
            call.work.step()?;
            ends.end_null();
            continue;
        };
        let bytes = size(&maps.keys, range.start, range.len());
        let more = size(&maps.values, range.start, range.len());
        call.work.builds(bytes.saturating_add(more))?;
        indexes.extend(range.map(|entry| entry as u32));
        ends.end(indexes.len())?;
    }
    let indexes = UInt32Array::from(indexes);
    let columns = vec![
        take(&maps.keys, &indexes, None)?,
        take(&maps.values, &indexes, None)?,
    ];
    let DataType::Struct(fields) = row_type([key, value]) else {
        return Err(DataFusionError::Internal("no row".to_owned()));
    };
    let rows = StructArray::try_new_with_length(fields, columns, None, indexes.len())?;
    ends.lists(&(Arc::new(rows) as ArrayRef), call.returns)
}

/// The types of the two fields of an array's rows.
fn entry_types(name: &str, data_type: &DataType) -> Result<(DataType, DataType)> {
    match item_type(name, data_type)? {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Ok((key.data_type().clone(), value.data_type().clone())),
            _ => Err(mismatch(name, "rows of a key and a value", data_type)),
        },
        DataType::Null => Ok((DataType::Null, DataType::Null)),
        _ => Err(mismatch(name, "an array of rows", data_type)),
    }
}

/// The rows of an argument: what each array has, keys and values.
struct Pairs {
    spans: Spans,
    keys: ArrayRef,
    values: ArrayRef,
}

/// # Errors
///
/// A row that an array has is NULL, or its key is.
fn pairs(call: &Call<'_>) -> Result<Pairs> {
    let (key, value) = entry_types(call.name, field_type(call, 0))?;
    let fields: [FieldRef; 2] = [
        Arc::new(Field::new("key", key, true)),
        Arc::new(Field::new("value", value, true)),
    ];
    let row = DataType::Struct(Fields::from(fields.to_vec()));
    let lists = Lists::of(&call.columns[0], &row)?;
    let rows = lists.values.as_struct();
    let (keys, values) = (Arc::clone(rows.column(0)), Arc::clone(rows.column(1)));
    let (row_nulls, key_nulls) = (rows.nulls(), keys.logical_nulls());
    for row in 0..call.rows {
        let Some(mut range) = lists.range(row) else {
            call.work.step()?;
            continue;
        };
        walked(&call.work, range.len())?;
        let has_null = |nulls: Option<&arrow::buffer::NullBuffer>,
                        range: &mut std::ops::Range<usize>| {
            nulls.is_some_and(|nulls| range.any(|entry| nulls.is_null(entry)))
        };
        if has_null(row_nulls, &mut range.clone()) {
            return Err(invalid("map entry cannot be null".to_owned()));
        }
        if has_null(key_nulls.as_ref(), &mut range) {
            return Err(invalid("map key cannot be null".to_owned()));
        }
    }
    Ok(Pairs {
        keys,
        values,
        spans: lists.spans,
    })
}

fn from_entries(call: &Call<'_>) -> Result<ArrayRef> {
    let pairs = pairs(call)?;
    let mut indexes: Vec<u32> = Vec::new();
    let mut own = Vec::with_capacity(call.rows);
    let mut ends = Ends::new(call.rows);
    for row in 0..call.rows {
        let Some(range) = pairs.spans.range(row) else {
            call.work.step()?;
            ends.end_null();
            continue;
        };
        let bytes = size(&pairs.keys, range.start, range.len());
        let more = size(&pairs.values, range.start, range.len());
        call.work.builds(bytes.saturating_add(more))?;
        indexes.extend(range.map(|entry| entry as u32));
        ends.end(indexes.len())?;
        own.push(indexes.len());
    }
    let indexes = UInt32Array::from(indexes);
    let keys = take(&pairs.keys, &indexes, None)?;
    let values = take(&pairs.values, &indexes, None)?;
    check_keys(call.name, &keys, &own, &call.work)?;
    ends.maps(keys, values, call.returns)
}

fn multimap(call: &Call<'_>) -> Result<ArrayRef> {
    let pairs = pairs(call)?;
    check_known(call.name, &pairs.keys)?;
    let of = Keys::of(&pairs.keys)?;
    let grouped = with_keys!(of, |at| grouped(call, &pairs, at))?;
    let keys = take(&pairs.keys, &UInt32Array::from(grouped.firsts), None)?;
    let values = take(&pairs.values, &UInt32Array::from(grouped.entries), None)?;
    let (_, list) = map_types(call.name, call.returns)?;
    let item = Field::new_list_field(values.data_type().clone(), true);
    let offsets = OffsetBuffer::new(grouped.offsets.into());
    let lists: ArrayRef = Arc::new(ListArray::try_new(Arc::new(item), offsets, values, None)?);
    grouped
        .ends
        .maps(keys, conformed(&lists, &list)?, call.returns)
}

/// Entries of all rows by their keys.
struct Grouped {
    /// The first entry of each key.
    firsts: Vec<u32>,
    /// The entries, those of one key together.
    entries: Vec<u32>,
    /// Where each key's entries end.
    offsets: Vec<i32>,
    ends: Ends,
}

fn grouped<K: Eq + Hash>(
    call: &Call<'_>,
    pairs: &Pairs,
    at: impl Fn(usize) -> K,
) -> Result<Grouped> {
    let mut grouped = Grouped {
        firsts: Vec::new(),
        entries: Vec::new(),
        offsets: vec![0],
        ends: Ends::new(call.rows),
    };
    for row in 0..call.rows {
        let Some(range) = pairs.spans.range(row) else {
            call.work.step()?;
            grouped.ends.end_null();
            continue;
        };
        let bytes = size(&pairs.keys, range.start, range.len());
        let more = size(&pairs.values, range.start, range.len());
        let bytes = bytes.saturating_add(more);
        call.work.builds(bytes.saturating_add(8 * range.len()))?;
        let mut places: HashMap<K, usize> = HashMap::default();
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for entry in range {
            let place = *places.entry(at(entry)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.push(entry as u32);
            }
        }
        for group in groups {
            grouped.firsts.extend(group.first());
            grouped.entries.extend(group);
            let end = i32::try_from(grouped.entries.len());
            grouped
                .offsets
                .push(end.map_err(|_| invalid("the maps have too many values".to_owned()))?);
        }
        grouped.ends.end(grouped.firsts.len())?;
    }
    Ok(grouped)
}
