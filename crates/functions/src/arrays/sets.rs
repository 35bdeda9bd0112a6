//! Arrays as sets, in which a NULL equals NULL: the items keep the order in which they first occur.

use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use datafusion::common::HashMap;
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::keys::{Keys, Seen, check_known, with_keys};
use super::lists::{Ends, Lists, Picked, size};
use super::search::two_arrays;
use super::types::{item_type, items, list_type, map_type};
use super::{SECTION, field_type};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static DISTINCT: Page = Page {
    name: "array_distinct",
    section: SECTION,
    syntax: "array_distinct(array)",
    sentence: "Removes items that occur a second time.",
    example: "array_distinct(ARRAY[3, 1, 3, 2, 1])",
    result: "[3, 1, 2]",
};

static UNION: Page = Page {
    name: "array_union",
    section: SECTION,
    syntax: "array_union(array, other)",
    sentence: "Returns the items of both arrays, each one once.",
    example: "array_union(ARRAY[1, 2, 2], ARRAY[2, 3])",
    result: "[1, 2, 3]",
};

static INTERSECT: Page = Page {
    name: "array_intersect",
    section: SECTION,
    syntax: "array_intersect(array, other)",
    sentence: "Returns the items that are in both arrays, each one once.",
    example: "array_intersect(ARRAY[1, 2, 2, 3], ARRAY[3, 2])",
    result: "[2, 3]",
};

static EXCEPT: Page = Page {
    name: "array_except",
    section: SECTION,
    syntax: "array_except(array, other)",
    sentence: "Returns the items of the first array that are not in the second one, each one once.",
    example: "array_except(ARRAY[1, 2, 2, 3, 1], ARRAY[3])",
    result: "[1, 2]",
};

static HISTOGRAM: Page = Page {
    name: "array_histogram",
    section: SECTION,
    syntax: "array_histogram(array)",
    sentence: "Returns a map of the items to how often each one occurs, without NULLs.",
    example: "array_histogram(ARRAY['a', 'b', 'a'])",
    result: "{a=2, b=1}",
};

static SORT: Page = Page {
    name: "array_sort",
    section: SECTION,
    syntax: "array_sort(array[, comparison])",
    sentence: "Sorts an array, NULLs last, or by a comparison of two items that returns -1, 0 or 1.",
    example: "array_sort(ARRAY[3, NULL, 1, 2])",
    result: "[1, 2, 3, NULL]",
};

pub(super) fn entries() -> Vec<Entry> {
    let one = || vec![TypeSignature::Any(1)];
    let two = || vec![TypeSignature::Any(2)];
    vec![
        Entry::scalar(Kernel::new(
            &DISTINCT,
            one(),
            Returns::From(|types| item_type("array_distinct", &types[0]).map(list_type)),
            distinct,
        )),
        Entry::scalar(Kernel::new(
            &UNION,
            two(),
            Returns::From(|types| two_arrays("array_union", types).map(list_type)),
            |call| combined(call, &Union),
        )),
        Entry::scalar(Kernel::new(
            &INTERSECT,
            two(),
            Returns::From(|types| two_arrays("array_intersect", types).map(list_type)),
            |call| combined(call, &Intersect),
        )),
        Entry::scalar(Kernel::new(
            &EXCEPT,
            two(),
            Returns::From(|types| two_arrays("array_except", types).map(list_type)),
            |call| combined(call, &Except),
        )),
        Entry::scalar(Kernel::new(
            &HISTOGRAM,
            one(),
            Returns::From(|types| {
                let item = item_type("array_histogram", &types[0])?;
                Ok(map_type(item, DataType::Int64))
            }),
            histogram,
        )),
        Entry::scalar(Kernel::new(
            &SORT,
            one(),
            Returns::From(|types| item_type("array_sort", &types[0]).map(list_type)),
            sort,
        ))
        .in_trino(),
    ]
}

/// The type of the items of the function's result.
fn returned_item(call: &Call<'_>) -> DataType {
    items(call.returns).cloned().unwrap_or(DataType::Null)
}

/// A key, or NULL.
type Key<K> = Option<K>;

fn key_of<K>(at: &impl Fn(usize) -> K, nulls: Option<&NullBuffer>, index: usize) -> Key<K> {
    match nulls {
        Some(nulls) if nulls.is_null(index) => None,
        _ => Some(at(index)),
    }
}

fn distinct(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = Lists::of(&call.columns[0], &returned_item(call))?;
    let nulls = lists.values.logical_nulls();
    let keys = Keys::of(&lists.values)?;
    let mut picked = Picked::new(call.rows);
    with_keys!(keys, |at| {
        let mut seen = Seen::new();
        for row in 0..call.rows {
            let Some(range) = lists.range(row) else {
                call.work.step()?;
                picked.end_null();
                continue;
            };
            call.work
                .builds(size(&lists.values, range.start, range.len()))?;
            seen.clear();
            for item in range {
                if seen.insert(key_of(&at, nulls.as_ref(), item)) {
                    picked.push(item);
                }
            }
            picked.end()?;
        }
    });
    picked.finish(&lists.values, call.returns)
}

/// How two sets become one.
trait Combination {
    fn pick<K: Eq + Hash + Copy>(
        &self,
        sets: &mut Sets<Key<K>>,
        left: Range<usize>,
        right: Range<usize>,
        key: impl Fn(usize) -> Key<K>,
        picked: &mut Picked,
    );
}

struct Sets<K> {
    first: Seen<K>,
    second: Seen<K>,
}

struct Union;
struct Intersect;
struct Except;

impl Combination for Union {
    fn pick<K: Eq + Hash + Copy>(
        &self,
        sets: &mut Sets<Key<K>>,
        left: Range<usize>,
        right: Range<usize>,
        key: impl Fn(usize) -> Key<K>,
        picked: &mut Picked,
    ) {
        for item in left.chain(right) {
            if sets.first.insert(key(item)) {
                picked.push(item);
            }
        }
    }
}

impl Combination for Intersect {
    fn pick<K: Eq + Hash + Copy>(
        &self,
        sets: &mut Sets<Key<K>>,
        left: Range<usize>,
        right: Range<usize>,
        key: impl Fn(usize) -> Key<K>,
        picked: &mut Picked,
    ) {
        // The items of the longer array, in their order, as in Trino.
        let (longer, shorter) = match left.len() < right.len() {
            true => (right, left),
            false => (left, right),
        };
        for item in shorter {
            sets.second.insert(key(item));
        }
        for item in longer {
            let key = key(item);
            if sets.second.contains(key) && sets.first.insert(key) {
                picked.push(item);
            }
        }
    }
}

impl Combination for Except {
    fn pick<K: Eq + Hash + Copy>(
        &self,
        sets: &mut Sets<Key<K>>,
        left: Range<usize>,
        right: Range<usize>,
        key: impl Fn(usize) -> Key<K>,
        picked: &mut Picked,
    ) {
        for item in right {
            sets.first.insert(key(item));
        }
        for item in left {
            if sets.first.insert(key(item)) {
                picked.push(item);
            }
        }
    }
}

fn combined<C: Combination>(call: &Call<'_>, combination: &C) -> Result<ArrayRef> {
    let item = returned_item(call);
    let left = Lists::of(&call.columns[0], &item)?;
    let right = Lists::of(&call.columns[1], &item)?;
    let values = concat(&[left.values.as_ref(), right.values.as_ref()])?;
    let shift = left.values.len();
    let nulls = values.logical_nulls();
    let keys = Keys::of(&values)?;
    let mut picked = Picked::new(call.rows);
    with_keys!(keys, |at| {
        let mut sets = Sets {
            first: Seen::new(),
            second: Seen::new(),
        };
        for row in 0..call.rows {
            let (Some(first), Some(second)) = (left.range(row), right.range(row)) else {
                call.work.step()?;
                picked.end_null();
                continue;
            };
            let bytes = size(&left.values, first.start, first.len());
            let more = size(&right.values, second.start, second.len());
            call.work.builds(bytes.saturating_add(more))?;
            sets.first.clear();
            sets.second.clear();
            let second = second.start + shift..second.end + shift;
            let key = |item: usize| key_of(&at, nulls.as_ref(), item);
            combination.pick(&mut sets, first, second, key, &mut picked);
            picked.end()?;
        }
    });
    picked.finish(&values, call.returns)
}

fn histogram(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, field_type(call, 0))?;
    let lists = Lists::of(&call.columns[0], &item)?;
    let nulls = lists.values.logical_nulls();
    let keys = Keys::of(&lists.values)?;
    let mut firsts: Vec<u32> = Vec::new();
    let mut counts: Vec<i64> = Vec::new();
    let mut ends = Ends::new(call.rows);
    with_keys!(keys, |at| {
        for row in 0..call.rows {
            let Some(range) = lists.range(row) else {
                call.work.step()?;
                ends.end_null();
                continue;
            };
            let bytes = size(&lists.values, range.start, range.len());
            call.work.builds(bytes.saturating_add(8 * range.len()))?;
            let mut places: HashMap<_, usize> = HashMap::default();
            for item in range {
                let Some(key) = key_of(&at, nulls.as_ref(), item) else {
                    continue;
                };
                let place = *places.entry(key).or_insert_with(|| {
                    firsts.push(item as u32);
                    counts.push(0);
                    counts.len() - 1
                });
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
            }
            ends.end(counts.len())?;
        }
    });
    let keys = take(&lists.values, &UInt32Array::from(firsts), None)?;
    ends.maps(keys, Arc::new(Int64Array::from(counts)), call.returns)
}

fn sort(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = Lists::of(&call.columns[0], &returned_item(call))?;
    check_known(call.name, &lists.values)?;
    let nulls = lists.values.logical_nulls();
    let keys = Keys::of(&lists.values)?;
    let mut picked = Picked::new(call.rows);
    with_keys!(keys, |at| {
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for row in 0..call.rows {
            let Some(range) = lists.range(row) else {
                call.work.step()?;
                picked.end_null();
                continue;
            };
            call.work
                .builds(size(&lists.values, range.start, range.len()))?;
            known.clear();
            unknown.clear();
            for item in range {
                match key_of(&at, nulls.as_ref(), item) {
                    Some(key) => known.push((key, item as u32)),
                    None => unknown.push(item as u32),
                }
            }
            // Equal items keep their order, by their indexes.
            known.sort_unstable();
            let indexes = picked.indexes();
            indexes.extend(known.iter().map(|(_, item)| *item));
            indexes.extend(&unknown);
            picked.end()?;
        }
    });
    picked.finish(&lists.values, call.returns)
}
