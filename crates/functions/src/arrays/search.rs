//! Functions that look for items: `contains`, `array_position`, `array_max` and others.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Int64Builder, UInt32Builder,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{contains as text_contains, take};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::keys::{Keys, Seen, check_known, nan, with_both_keys, with_keys};
use super::lists::{Lists, Picked, walked};
use super::types::{common, conformed, item_type, items, list_type, mismatch};
use super::{SECTION, field_type};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static CONTAINS: Page = Page {
    name: "contains",
    section: SECTION,
    syntax: "contains(array, value)",
    sentence: "Tells whether an array has an item, or a text a part; in the dialects `athena` and `trino`, whether a network has an address.",
    example: "contains(ARRAY[1, 2, 3], 2)",
    result: "true",
};

static POSITION: Page = Page {
    name: "array_position",
    section: SECTION,
    syntax: "array_position(array, value)",
    sentence: "Returns the place of the first item that equals a value, 0 if there is none.",
    example: "array_position(ARRAY['a', 'b', 'a'], 'a')",
    result: "1",
};

static REMOVE: Page = Page {
    name: "array_remove",
    section: SECTION,
    syntax: "array_remove(array, value)",
    sentence: "Removes all items that equal a value.",
    example: "array_remove(ARRAY[1, 2, 1], 1)",
    result: "[2]",
};

static SEQUENCE: Page = Page {
    name: "contains_sequence",
    section: SECTION,
    syntax: "contains_sequence(array, part)",
    sentence: "Tells whether an array has the items of another, one after the other.",
    example: "contains_sequence(ARRAY[1, 2, 3, 4], ARRAY[2, 3])",
    result: "true",
};

static OVERLAP: Page = Page {
    name: "arrays_overlap",
    section: SECTION,
    syntax: "arrays_overlap(array, other)",
    sentence: "Tells whether two arrays have an item in common.",
    example: "arrays_overlap(ARRAY[1, 2], ARRAY[2, 3])",
    result: "true",
};

static MAX: Page = Page {
    name: "array_max",
    section: SECTION,
    syntax: "array_max(array)",
    sentence: "Returns the greatest item, NULL if any item is NULL.",
    example: "array_max(ARRAY[2, 5, 3])",
    result: "5",
};

static MIN: Page = Page {
    name: "array_min",
    section: SECTION,
    syntax: "array_min(array)",
    sentence: "Returns the least item, NULL if any item is NULL.",
    example: "array_min(ARRAY[2, 5, 3])",
    result: "2",
};

pub(super) fn entries() -> Vec<Entry> {
    let two = || vec![TypeSignature::Any(2)];
    let one = || vec![TypeSignature::Any(1)];
    vec![
        Entry::scalar(Kernel::new(
            &CONTAINS,
            two(),
            Returns::From(|types| {
                if let [array, value] = types
                    && is_of_arrays(array)
                {
                    common("contains", &item_type("contains", array)?, value)?;
                }
                Ok(DataType::Boolean)
            }),
            |call| match (field_type(call, 0), field_type(call, 1)) {
                (array, _) if is_of_arrays(array) => contains(call),
                (text, part) if text.is_string() && part.is_string() => within(call),
                (other, _) => Err(mismatch("contains", "an array or two texts", other)),
            },
        )),
        Entry::scalar(Kernel::new(
            &POSITION,
            two(),
            Returns::From(|types| item_and_value("array_position", types).map(|_| DataType::Int64)),
            |call| {
                let mut places = Int64Builder::with_capacity(call.rows);
                search(call, |found| match found {
                    None => places.append_null(),
                    Some(Found::At(place)) => places.append_value(place as i64 + 1),
                    Some(Found::No | Found::Unknown) => places.append_value(0),
                })?;
                Ok(Arc::new(places.finish()))
            },
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &REMOVE,
            two(),
            Returns::From(|types| item_and_value("array_remove", types).map(list_type)),
            remove,
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &SEQUENCE,
            two(),
            Returns::From(|types| {
                two_arrays("contains_sequence", types).map(|_| DataType::Boolean)
            }),
            contains_sequence,
        )),
        Entry::scalar(Kernel::new(
            &OVERLAP,
            two(),
            Returns::From(|types| two_arrays("arrays_overlap", types).map(|_| DataType::Boolean)),
            overlap,
        )),
        Entry::scalar(Kernel::new(
            &MAX,
            one(),
            Returns::From(|types| item_type("array_max", &types[0])),
            |call| extreme(call, true),
        )),
        Entry::scalar(Kernel::new(
            &MIN,
            one(),
            Returns::From(|types| item_type("array_min", &types[0])),
            |call| extreme(call, false),
        )),
    ]
}

fn is_of_arrays(data_type: &DataType) -> bool {
    data_type.is_null() || items(data_type).is_some()
}

/// The type in which the items of an array and a value are compared.
fn item_and_value(name: &str, types: &[DataType]) -> Result<DataType> {
    match types {
        [array, value] => common(name, &item_type(name, array)?, value),
        _ => Err(mismatch(name, "an array and a value", &DataType::Null)),
    }
}

/// The type in which the items of two arrays are compared.
pub(super) fn two_arrays(name: &str, types: &[DataType]) -> Result<DataType> {
    match types {
        [left, right] => common(name, &item_type(name, left)?, &item_type(name, right)?),
        _ => Err(mismatch(name, "two arrays", &DataType::Null)),
    }
}

fn types_of(call: &Call<'_>) -> Vec<DataType> {
    let fields = call.fields.iter();
    fields.map(|field| field.data_type().clone()).collect()
}

/// Whether a text has another within.
fn within(call: &Call<'_>) -> Result<ArrayRef> {
    let data_type = common("contains", field_type(call, 0), field_type(call, 1))?;
    let all = |index: usize| -> Result<ArrayRef> {
        let column = &call.columns[index];
        let array = conformed(&column.array, &data_type)?;
        match column.constant && call.rows != 1 {
            true => {
                // As many rows as the other argument has.
                let first = arrow::array::UInt32Array::from(vec![0; call.rows]);
                let bytes = super::lists::size(&array, 0, 1);
                call.work.builds(bytes.saturating_mul(call.rows))?;
                Ok(take(&array, &first, None)?)
            }
            false => Ok(array),
        }
    };
    Ok(Arc::new(text_contains(&all(0)?, &all(1)?)?))
}

/// What a search within one row's array came to.
enum Found {
    /// The place of the first item, from 0.
    At(usize),
    No,
    /// There is no such item, but a NULL.
    Unknown,
}

/// Searches each row's array for the row's value; `None` if one of them is NULL.
fn search(call: &Call<'_>, mut each: impl FnMut(Option<Found>)) -> Result<()> {
    let data_type = item_and_value(call.name, &types_of(call))?;
    let lists = Lists::of(&call.columns[0], &data_type)?;
    let sought = conformed(&call.columns[1].array, &data_type)?;
    check_known(call.name, &lists.values)?;
    check_known(call.name, &sought)?;
    let (nulls, sought_nulls) = (lists.values.logical_nulls(), sought.logical_nulls());
    let is_nan = nan(&sought);
    let (keys, values) = (Keys::of(&lists.values)?, Keys::of(&sought)?);
    with_both_keys!(keys, values, |at, value| {
        for row in 0..call.rows {
            let wanted = call.columns[1].at(row);
            let known = !is_null(sought_nulls.as_ref(), wanted);
            let Some(range) = lists.range(row).filter(|_| known) else {
                call.work.step()?;
                each(None);
                continue;
            };
            walked(&call.work, range.len())?;
            // NaN equals nothing.
            let key = value(wanted);
            let place = match (is_nan(wanted), &nulls) {
                (true, _) => None,
                (false, None) => range.clone().position(|item| at(item) == key),
                (false, Some(nulls)) => range
                    .clone()
                    .position(|item| at(item) == key && nulls.is_valid(item)),
            };
            each(Some(match place {
                Some(place) => Found::At(place),
                None if has_null(nulls.as_ref(), range) => Found::Unknown,
                None => Found::No,
            }));
        }
        Ok(())
    })
}

fn is_null(nulls: Option<&NullBuffer>, index: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(index))
}

fn has_null(nulls: Option<&NullBuffer>, mut range: Range<usize>) -> bool {
    nulls.is_some_and(|nulls| range.any(|item| nulls.is_null(item)))
}

fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    if let Some(found) = contains_constant(call)? {
        return Ok(found);
    }
    let mut found = BooleanBuilder::with_capacity(call.rows);
    search(call, |place| {
        found.append_option(match place {
            Some(Found::At(_)) => Some(true),
            Some(Found::No) => Some(false),
            Some(Found::Unknown) | None => None,
        });
    })?;
    Ok(Arc::new(found.finish()))
}

/// Searches the arrays of all rows, none of which has a NULL, for the same number, date or time;
/// `None` for others.
fn contains_constant(call: &Call<'_>) -> Result<Option<ArrayRef>> {
    let (column, value) = (&call.columns[0], &call.columns[1]);
    if column.constant || !value.constant {
        return Ok(None);
    }
    let data_type = item_and_value(call.name, &types_of(call))?;
    if !data_type.is_primitive() {
        return Ok(None);
    }
    let sought = conformed(&value.array, &data_type)?;
    // NaN equals nothing.
    if sought.is_null(0) || nan(&sought)(0) {
        return Ok(None);
    }
    let lists = Lists::of(column, &data_type)?;
    if lists.values.null_count() > 0 {
        return Ok(None);
    }
    walked(&call.work, lists.values.len().saturating_add(call.rows))?;
    let spans = &lists.spans;
    let found = if let Some(items) = lists.values.as_primitive_opt::<Int64Type>() {
        spans.having(items.values(), &sought.as_primitive::<Int64Type>().value(0))
    } else {
        match (Keys::of(&lists.values)?, Keys::of(&sought)?) {
            (Keys::Words(items), Keys::Words(one)) => spans.having(&items, &one[0]),
            (Keys::Wide(items), Keys::Wide(one)) => spans.having(&items, &one[0]),
            _ => return Ok(None),
        }
    };
    let nulls = spans.nulls().cloned();
    Ok(Some(Arc::new(BooleanArray::new(found, nulls))))
}

fn remove(call: &Call<'_>) -> Result<ArrayRef> {
    let data_type = item_and_value(call.name, &types_of(call))?;
    let lists = Lists::of(&call.columns[0], &data_type)?;
    let sought = conformed(&call.columns[1].array, &data_type)?;
    check_known(call.name, &lists.values)?;
    check_known(call.name, &sought)?;
    let (nulls, sought_nulls) = (lists.values.logical_nulls(), sought.logical_nulls());
    let is_nan = nan(&sought);
    let (keys, values) = (Keys::of(&lists.values)?, Keys::of(&sought)?);
    let mut kept = Picked::new(call.rows);
    with_both_keys!(keys, values, |at, value| {
        for row in 0..call.rows {
            let wanted = call.columns[1].at(row);
            let known = !is_null(sought_nulls.as_ref(), wanted);
            let Some(range) = lists.range(row).filter(|_| known) else {
                call.work.step()?;
                kept.end_null();
                continue;
            };
            call.work.builds(range.len().saturating_mul(8))?;
            let (key, none) = (value(wanted), is_nan(wanted));
            for item in range {
                if none || at(item) != key || is_null(nulls.as_ref(), item) {
                    kept.push(item);
                }
            }
            kept.end()?;
        }
        Ok(())
    })?;
    kept.finish(&lists.values, call.returns)
}

fn contains_sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let data_type = two_arrays(call.name, &types_of(call))?;
    let lists = Lists::of(&call.columns[0], &data_type)?;
    let parts = Lists::of(&call.columns[1], &data_type)?;
    let (nulls, part_nulls) = (lists.values.logical_nulls(), parts.values.logical_nulls());
    let (keys, values) = (Keys::of(&lists.values)?, Keys::of(&parts.values)?);
    let mut found = BooleanBuilder::with_capacity(call.rows);
    with_both_keys!(keys, values, |at, value| {
        // NULL is not distinct from NULL.
        let same = |item: usize, part: usize| match (
            is_null(nulls.as_ref(), item),
            is_null(part_nulls.as_ref(), part),
        ) {
            (false, false) => at(item) == value(part),
            (left, right) => left == right,
        };
        for row in 0..call.rows {
            let (Some(list), Some(part)) = (lists.range(row), parts.range(row)) else {
                call.work.step()?;
                found.append_null();
                continue;
            };
            let mut any = part.is_empty();
            for start in list.clone() {
                if any || list.end - start < part.len() {
                    break;
                }
                call.work.step()?;
                any = part
                    .clone()
                    .enumerate()
                    .all(|(place, part)| same(start + place, part));
            }
            call.work.step()?;
            found.append_value(any);
        }
        Ok(())
    })?;
    Ok(Arc::new(found.finish()))
}

fn overlap(call: &Call<'_>) -> Result<ArrayRef> {
    let data_type = two_arrays(call.name, &types_of(call))?;
    let left = Lists::of(&call.columns[0], &data_type)?;
    let right = Lists::of(&call.columns[1], &data_type)?;
    let (left_nulls, right_nulls) = (left.values.logical_nulls(), right.values.logical_nulls());
    let (keys, others) = (Keys::of(&left.values)?, Keys::of(&right.values)?);
    let mut found = BooleanBuilder::with_capacity(call.rows);
    with_both_keys!(keys, others, |at, other| {
        let mut seen = Seen::new();
        for row in 0..call.rows {
            let (Some(first), Some(second)) = (left.range(row), right.range(row)) else {
                call.work.step()?;
                found.append_null();
                continue;
            };
            walked(&call.work, first.len() + second.len())?;
            if first.is_empty() || second.is_empty() {
                found.append_value(false);
                continue;
            }
            seen.clear();
            let mut null = false;
            for item in first {
                match is_null(left_nulls.as_ref(), item) {
                    true => null = true,
                    false => {
                        seen.insert(at(item));
                    }
                }
            }
            let mut any = false;
            for item in second {
                match is_null(right_nulls.as_ref(), item) {
                    true => null = true,
                    false if seen.contains(other(item)) => {
                        any = true;
                        break;
                    }
                    false => {}
                }
            }
            found.append_option(if any || !null { Some(any) } else { None });
        }
        Ok(())
    })?;
    Ok(Arc::new(found.finish()))
}

/// The greatest or the least item. A NaN is one only if there is no number.
fn extreme(call: &Call<'_>, greatest: bool) -> Result<ArrayRef> {
    let lists = Lists::of(&call.columns[0], call.returns)?;
    check_known(call.name, &lists.values)?;
    let nulls = lists.values.logical_nulls();
    let is_nan = nan(&lists.values);
    let keys = Keys::of(&lists.values)?;
    let mut best = UInt32Builder::with_capacity(call.rows);
    with_keys!(keys, |at| {
        for row in 0..call.rows {
            let range = lists.range(row);
            let range = range.filter(|range| !has_null(nulls.as_ref(), range.clone()));
            walked(&call.work, range.as_ref().map_or(0, Range::len))?;
            let chosen = range.and_then(|range| {
                range.reduce(|best, item| {
                    let better = match greatest {
                        true => (at(item) > at(best) && !is_nan(item)) || is_nan(best),
                        false => at(item) < at(best),
                    };
                    if better { item } else { best }
                })
            });
            if let Some(item) = chosen {
                call.work
                    .builds(super::lists::size(&lists.values, item, 1))?;
            }
            best.append_option(chosen.map(|item| item as u32));
        }
    });
    Ok(take(&lists.values, &best.finish(), None)?)
}
