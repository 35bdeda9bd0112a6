//! Parts of arrays and maps: an item, a slice, all items of nested arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Builder, UInt32Builder};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::keys::{Keys, check_known, nan, with_both_keys};
use super::lists::{Integers, Lists, Maps, Picked, size, walked};
use super::types::{common, conformed, integer, item_type, list_type, map_types, mismatch};
use super::{SECTION, field_type, invalid, rows};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static ELEMENT: Page = Page {
    name: "element_at",
    section: SECTION,
    syntax: "element_at(array_or_map, index_or_key)",
    sentence: "Returns an item of an array, counted from 1 or from the end, or a key's value, NULL if there is none.",
    example: "element_at(ARRAY[1, 2, 3], -1)",
    result: "3",
};

static SUBSCRIPT: Page = Page {
    name: "$subscript",
    section: SECTION,
    syntax: "$subscript(array_or_map, index_or_key)",
    sentence: "Returns an item of an array or the value of a key.",
    example: "\"$subscript\"(ARRAY[1, 2, 3], 1)",
    result: "1",
};

static SLICE: Page = Page {
    name: "slice",
    section: SECTION,
    syntax: "slice(array, start, length)",
    sentence: "Returns some items of an array, from a start that is counted from 1 or from the end.",
    example: "slice(ARRAY[1, 2, 3, 4], 2, 2)",
    result: "[2, 3]",
};

static CARDINALITY: Page = Page {
    name: "cardinality",
    section: SECTION,
    syntax: "cardinality(array_or_map)",
    sentence: "Returns the number of items of an array or of entries of a map.",
    example: "cardinality(ARRAY[ARRAY[1, 2], ARRAY[3]])",
    result: "2",
};

static FLATTEN: Page = Page {
    name: "flatten",
    section: SECTION,
    syntax: "flatten(arrays)",
    sentence: "Joins the arrays of an array.",
    example: "flatten(ARRAY[ARRAY[1, 2], ARRAY[3]])",
    result: "[1, 2, 3]",
};

static FIRST: Page = Page {
    name: "array_first",
    section: SECTION,
    syntax: "array_first(array)",
    sentence: "Returns the first item, NULL if there is none.",
    example: "array_first(ARRAY[1, 2, 3])",
    result: "1",
};

static LAST: Page = Page {
    name: "array_last",
    section: SECTION,
    syntax: "array_last(array)",
    sentence: "Returns the last item, NULL if there is none.",
    example: "array_last(ARRAY[1, 2, 3])",
    result: "3",
};

pub(super) fn entries() -> Vec<Entry> {
    let one = || vec![TypeSignature::Any(1)];
    let two = || vec![TypeSignature::Any(2)];
    vec![
        Entry::scalar(Kernel::new(
            &ELEMENT,
            two(),
            Returns::From(|types| element_type("element_at", types)),
            |call| element(call, false),
        )),
        rows::subscript(Kernel::new(
            &SUBSCRIPT,
            two(),
            Returns::From(|types| element_type("a subscript", types)),
            |call| element(call, true),
        )),
        Entry::scalar(Kernel::new(
            &SLICE,
            vec![TypeSignature::Any(3)],
            Returns::From(|types| {
                integer("slice", types.get(1))?;
                integer("slice", types.get(2))?;
                item_type("slice", &types[0]).map(list_type)
            }),
            slice,
        )),
        Entry::scalar(Kernel::new(
            &CARDINALITY,
            one(),
            Returns::From(|types| match &types[0] {
                DataType::Map(..) => Ok(DataType::Int64),
                array => item_type("cardinality", array).map(|_| DataType::Int64),
            }),
            cardinality,
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &FLATTEN,
            one(),
            Returns::From(|types| {
                let inner = item_type("flatten", &types[0])?;
                item_type("flatten", &inner).map(list_type)
            }),
            flatten,
        )),
        Entry::scalar(Kernel::new(
            &FIRST,
            one(),
            Returns::From(|types| item_type("array_first", &types[0])),
            |call| end(call, |_| Some(0)),
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &LAST,
            one(),
            Returns::From(|types| item_type("array_last", &types[0])),
            |call| end(call, |length| length.checked_sub(1)),
        ))
        .in_trino(),
    ]
}

fn element_type(name: &str, types: &[DataType]) -> Result<DataType> {
    match types {
        [map @ DataType::Map(..), key] => {
            let (own, value) = map_types(name, map)?;
            common(name, &own, key)?;
            Ok(value)
        }
        [array, place] => {
            integer(name, Some(place))?;
            item_type(name, array)
        }
        _ => Err(mismatch(name, "an array or a map", &DataType::Null)),
    }
}

/// An item or a key's value; `strict` makes it an error that there is none.
fn element(call: &Call<'_>, strict: bool) -> Result<ArrayRef> {
    if matches!(field_type(call, 0), DataType::Map(..)) {
        return value_of(call, strict);
    }
    let item = call.returns;
    let lists = Lists::of(&call.columns[0], item)?;
    let places = Integers::of(&call.columns[1])?;
    let mut chosen = UInt32Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(place)) = (lists.range(row), places.get(row)) else {
            call.work.step()?;
            chosen.append_null();
            continue;
        };
        if place == 0 {
            return Err(invalid("SQL array indices start at 1".to_owned()));
        }
        let length = range.len();
        let from_end = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
        let at = match place > 0 {
            true => from_end.checked_sub(1).filter(|at| *at < length),
            false if strict => {
                return Err(invalid(format!("Array subscript is negative: {place}")));
            }
            false => length.checked_sub(from_end),
        };
        if strict && at.is_none() {
            return Err(invalid(format!(
                "Array subscript must be less than or equal to array length: {place} > {length}"
            )));
        }
        let index = at.map(|at| range.start + at);
        call.work
            .builds(index.map_or(0, |index| size(&lists.values, index, 1)))?;
        chosen.append_option(index.map(|index| index as u32));
    }
    Ok(take(&lists.values, &chosen.finish(), None)?)
}

fn value_of(call: &Call<'_>, strict: bool) -> Result<ArrayRef> {
    let (own, value) = map_types(call.name, field_type(call, 0))?;
    let key_type = common(call.name, &own, field_type(call, 1))?;
    let maps = Maps::of(&call.columns[0], &key_type, &value)?;
    let sought = conformed(&call.columns[1].array, &key_type)?;
    check_known(call.name, &sought)?;
    let nulls = sought.logical_nulls();
    let is_nan = nan(&sought);
    let (keys, wanted) = (Keys::of(&maps.keys)?, Keys::of(&sought)?);
    let mut chosen = UInt32Builder::with_capacity(call.rows);
    with_both_keys!(keys, wanted, |at, other| {
        for row in 0..call.rows {
            let index = call.columns[1].at(row);
            let known = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(index));
            let Some(mut range) = maps.range(row).filter(|_| known) else {
                call.work.step()?;
                chosen.append_null();
                continue;
            };
            walked(&call.work, range.len())?;
            let key = other(index);
            let found = range.find(|entry| at(*entry) == key && !is_nan(index));
            if strict && found.is_none() {
                let shown = shown(&sought, index)?;
                return Err(invalid(format!("Key not present in map: {shown}")));
            }
            call.work
                .builds(found.map_or(0, |entry| size(&maps.values, entry, 1)))?;
            chosen.append_option(found.map(|entry| entry as u32));
        }
        Ok(())
    })?;
    Ok(take(&maps.values, &chosen.finish(), None)?)
}

/// A value for a message, shortened.
///
/// # Errors
///
/// The type has no text.
pub(crate) fn shown(array: &ArrayRef, index: usize) -> Result<String> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let text = formatter.value(index).try_to_string()?;
    Ok(match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    })
}

fn slice(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, field_type(call, 0))?;
    let lists = Lists::of(&call.columns[0], &item)?;
    let starts = Integers::of(&call.columns[1])?;
    let lengths = Integers::of(&call.columns[2])?;
    let mut picked = Picked::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(start), Some(length)) =
            (lists.range(row), starts.get(row), lengths.get(row))
        else {
            call.work.step()?;
            picked.end_null();
            continue;
        };
        if start == 0 {
            return Err(invalid("SQL array indices start at 1".to_owned()));
        }
        let Ok(length) = usize::try_from(length) else {
            return Err(invalid(format!(
                "length must be greater than or equal to 0, not {length}"
            )));
        };
        let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
        let first = match start > 0 {
            true => Some(distance - 1),
            false => range.len().checked_sub(distance),
        };
        if let Some(first) = first.filter(|first| *first < range.len()) {
            let from = range.start + first;
            let to = from.saturating_add(length).min(range.end);
            call.work.builds(size(&lists.values, from, to - from))?;
            picked.extend(from..to);
        }
        call.work.step()?;
        picked.end()?;
    }
    picked.finish(&lists.values, call.returns)
}

fn flatten(call: &Call<'_>) -> Result<ArrayRef> {
    let inner = item_type(call.name, field_type(call, 0))?;
    let item = item_type(call.name, &inner)?;
    let outer = Lists::of(&call.columns[0], &list_type(item.clone()))?;
    let column = crate::columns::Column {
        array: Arc::clone(&outer.values),
        constant: false,
    };
    let lists = Lists::of(&column, &item)?;
    let mut picked = Picked::new(call.rows);
    for row in 0..call.rows {
        let Some(range) = outer.range(row) else {
            call.work.step()?;
            picked.end_null();
            continue;
        };
        for list in range {
            let Some(items) = lists.range(list) else {
                call.work.step()?;
                continue;
            };
            call.work
                .builds(size(&lists.values, items.start, items.len()))?;
            picked.extend(items);
        }
        picked.end()?;
    }
    picked.finish(&lists.values, call.returns)
}

/// The item at a place that is found from the number of items.
fn end(call: &Call<'_>, place: fn(usize) -> Option<usize>) -> Result<ArrayRef> {
    let lists = Lists::of(&call.columns[0], call.returns)?;
    let mut chosen = UInt32Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let index = lists.range(row).and_then(|range| {
            let place = place(range.len()).filter(|place| *place < range.len())?;
            Some(range.start + place)
        });
        call.work
            .builds(index.map_or(0, |index| size(&lists.values, index, 1)))?;
        chosen.append_option(index.map(|index| index as u32));
    }
    Ok(take(&lists.values, &chosen.finish(), None)?)
}

/// The number of items of an array or of entries of a map.
///
/// # Errors
///
/// The argument is neither.
fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let spans = match field_type(call, 0) {
        map @ DataType::Map(..) => {
            let (key, value) = map_types(call.name, map)?;
            Maps::of(&call.columns[0], &key, &value)?.spans
        }
        array => Lists::of(&call.columns[0], &item_type(call.name, array)?)?.spans,
    };
    let mut counts = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.step()?;
        counts.append_option(spans.range(row).map(|range| range.len() as i64));
    }
    Ok(Arc::new(counts.finish()))
}
