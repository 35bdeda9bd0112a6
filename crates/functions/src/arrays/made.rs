//! Arrays made of other values: `repeat`, `combinations`, `ngrams`, `shuffle`, `zip`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StructArray, UInt32Array, UInt32Builder};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use rand::seq::SliceRandom;

use super::lists::{Ends, Integers, Lists, Picked, size};
use super::types::{conformed, integer, item_type, items, list_type, row_type};
use super::{SECTION, field_type, invalid};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static REPEAT: Page = Page {
    name: "repeat",
    section: SECTION,
    syntax: "repeat(value, count)",
    sentence: "Returns an array that has a value several times.",
    example: "repeat('a', 3)",
    result: "[a, a, a]",
};

static COMBINATIONS: Page = Page {
    name: "combinations",
    section: SECTION,
    syntax: "combinations(array, n)",
    sentence: "Returns all combinations of n items, of which there are at most five.",
    example: "combinations(ARRAY['a', 'b', 'c'], 2)",
    result: "[[a, b], [a, c], [b, c]]",
};

static NGRAMS: Page = Page {
    name: "ngrams",
    section: SECTION,
    syntax: "ngrams(array, n)",
    sentence: "Returns all parts of n items that follow each other.",
    example: "ngrams(ARRAY['a', 'b', 'c'], 2)",
    result: "[[a, b], [b, c]]",
};

static SHUFFLE: Page = Page {
    name: "shuffle",
    section: SECTION,
    syntax: "shuffle(array)",
    sentence: "Returns the items of an array in a random order.",
    example: "shuffle(ARRAY[1, 1])",
    result: "[1, 1]",
};

static ZIP: Page = Page {
    name: "zip",
    section: SECTION,
    syntax: "zip(array, array[, …])",
    sentence: "Returns rows of the items that two to five arrays have at the same place, NULL where an array is shorter.",
    example: "zip(ARRAY[1, 2], ARRAY['a'])",
    result: "[{field0=1, field1=a}, {field0=2, field1=NULL}]",
};

/// The most values of `repeat`.
const MAX_REPEATS: usize = 10_000;
/// The most items of a combination.
const MAX_COMBINED: usize = 5;
/// The most items of all combinations.
const MAX_COMBINATIONS: usize = 100_000;
/// The most arrays of `zip`.
const MAX_ZIPPED: usize = 5;

pub(super) fn entries() -> Vec<Entry> {
    let one = || vec![TypeSignature::Any(1)];
    let two = || vec![TypeSignature::Any(2)];
    vec![
        Entry::scalar(Kernel::new(
            &REPEAT,
            two(),
            Returns::From(|types| {
                integer("repeat", types.get(1))?;
                Ok(list_type(types[0].clone()))
            }),
            repeat,
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &COMBINATIONS,
            two(),
            Returns::From(|types| {
                integer("combinations", types.get(1))?;
                item_type("combinations", &types[0]).map(|item| list_type(list_type(item)))
            }),
            combinations,
        )),
        Entry::scalar(Kernel::new(
            &NGRAMS,
            two(),
            Returns::From(|types| {
                integer("ngrams", types.get(1))?;
                item_type("ngrams", &types[0]).map(|item| list_type(list_type(item)))
            }),
            ngrams,
        )),
        Entry::scalar(
            Kernel::new(
                &SHUFFLE,
                one(),
                Returns::From(|types| item_type("shuffle", &types[0]).map(list_type)),
                shuffle,
            )
            .volatile(),
        ),
        Entry::scalar(Kernel::new(
            &ZIP,
            (2..=MAX_ZIPPED).map(TypeSignature::Any).collect(),
            Returns::From(|types| {
                let items = types.iter().map(|of| item_type("zip", of));
                Ok(list_type(row_type(items.collect::<Result<Vec<_>>>()?)))
            }),
            zip,
        )),
    ]
}

fn repeat(call: &Call<'_>) -> Result<ArrayRef> {
    let column = &call.columns[0];
    let counts = Integers::of(&call.columns[1])?;
    let mut picked = Picked::new(call.rows);
    for row in 0..call.rows {
        let Some(count) = counts.get(row) else {
            call.work.step()?;
            picked.end_null();
            continue;
        };
        let count = match usize::try_from(count) {
            Ok(count) if count <= MAX_REPEATS => count,
            Ok(_) => {
                return Err(invalid(format!(
                    "count argument of repeat function must be less than or equal to {MAX_REPEATS}, not {count}"
                )));
            }
            Err(_) => {
                return Err(invalid(format!(
                    "count argument of repeat function must be greater than or equal to 0, not {count}"
                )));
            }
        };
        let index = column.at(row);
        let bytes = size(&column.array, index, 1).saturating_add(4);
        call.work.builds(bytes.saturating_mul(count))?;
        let indexes = std::iter::repeat_n(index as u32, count);
        picked.indexes().extend(indexes);
        picked.end()?;
    }
    picked.finish(&column.array, call.returns)
}

/// Arrays of arrays, from the ends of the inner ones and the indexes of their items.
struct Nested {
    outer: Ends,
    inner: Vec<i32>,
    indexes: Vec<u32>,
}

impl Nested {
    fn new(rows: usize) -> Self {
        Self {
            outer: Ends::new(rows),
            inner: vec![0],
            indexes: Vec::new(),
        }
    }

    fn end_inner(&mut self) -> Result<()> {
        let end = i32::try_from(self.indexes.len());
        self.inner
            .push(end.map_err(|_| invalid("the arrays have too many items".to_owned()))?);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.outer.end(self.inner.len() - 1)
    }

    fn finish(self, values: &ArrayRef, returns: &DataType) -> Result<ArrayRef> {
        let values = take(values, &UInt32Array::from(self.indexes), None)?;
        let item = Field::new_list_field(values.data_type().clone(), true);
        let offsets = OffsetBuffer::new(self.inner.into());
        let lists = ListArray::try_new(Arc::new(item), offsets, values, None)?;
        self.outer.lists(&(Arc::new(lists) as ArrayRef), returns)
    }
}

fn combinations(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, field_type(call, 0))?;
    let lists = Lists::of(&call.columns[0], &item)?;
    let sizes = Integers::of(&call.columns[1])?;
    let mut nested = Nested::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(chosen)) = (lists.range(row), sizes.get(row)) else {
            call.work.step()?;
            nested.outer.end_null();
            continue;
        };
        if chosen < 0 {
            return Err(invalid(format!(
                "combination size must not be negative: {chosen}"
            )));
        }
        let chosen = usize::try_from(chosen).unwrap_or(usize::MAX);
        if chosen > MAX_COMBINED {
            return Err(invalid(format!(
                "combination size must not exceed {MAX_COMBINED}: {chosen}"
            )));
        }
        call.work.step()?;
        if chosen > range.len() {
            nested.end()?;
            continue;
        }
        let count = combination_count(range.len(), chosen);
        let count = count.filter(|count| count * chosen <= MAX_COMBINATIONS);
        let Some(count) = count else {
            return Err(invalid(format!(
                "combinations exceed max size: {chosen} of {} items have more than {MAX_COMBINATIONS} items",
                range.len()
            )));
        };
        // An item is in as many combinations as any other.
        let all = size(&lists.values, range.start, range.len()).saturating_mul(count * chosen);
        let bytes = all / range.len().max(1);
        call.work.builds(bytes.saturating_add(8 * count))?;
        let mut places: Vec<usize> = (0..chosen).collect();
        loop {
            let items = places.iter().map(|place| (range.start + place) as u32);
            nested.indexes.extend(items);
            nested.end_inner()?;
            if !advance(&mut places, range.len()) {
                break;
            }
        }
        nested.end()?;
    }
    nested.finish(&lists.values, call.returns)
}

/// The number of ways to choose some of so many items; `None` if it is far too large.
fn combination_count(items: usize, chosen: usize) -> Option<usize> {
    let mut count = 1usize;
    for place in 1..=chosen {
        count = count.checked_mul(items - chosen + place)? / place;
    }
    Some(count)
}

/// Goes on to the next combination; the first places move first, as in Trino.
fn advance(places: &mut [usize], items: usize) -> bool {
    for index in 0..places.len() {
        let limit = places.get(index + 1).copied().unwrap_or(items);
        let Some(place) = places.get_mut(index) else {
            return false;
        };
        if *place + 1 < limit {
            *place += 1;
            for (first, place) in places.iter_mut().take(index).enumerate() {
                *place = first;
            }
            return true;
        }
    }
    false
}

fn ngrams(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, field_type(call, 0))?;
    let lists = Lists::of(&call.columns[0], &item)?;
    let sizes = Integers::of(&call.columns[1])?;
    let mut nested = Nested::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(length)) = (lists.range(row), sizes.get(row)) else {
            call.work.step()?;
            nested.outer.end_null();
            continue;
        };
        if length <= 0 {
            return Err(invalid(format!("N must be positive, not {length}")));
        }
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(range.len());
        for start in range.start..=range.end - length {
            let bytes = size(&lists.values, start, length);
            call.work.builds(bytes.saturating_add(4))?;
            let items = (start..start + length).map(|item| item as u32);
            nested.indexes.extend(items);
            nested.end_inner()?;
        }
        nested.end()?;
    }
    nested.finish(&lists.values, call.returns)
}

fn shuffle(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, field_type(call, 0))?;
    let lists = Lists::of(&call.columns[0], &item)?;
    let mut random = rand::rng();
    let mut picked = Picked::new(call.rows);
    for row in 0..call.rows {
        let Some(range) = lists.range(row) else {
            call.work.step()?;
            picked.end_null();
            continue;
        };
        call.work
            .builds(size(&lists.values, range.start, range.len()))?;
        let start = picked.indexes().len();
        picked.extend(range);
        if let Some(items) = picked.indexes().get_mut(start..) {
            items.shuffle(&mut random);
        }
        picked.end()?;
    }
    picked.finish(&lists.values, call.returns)
}

fn zip(call: &Call<'_>) -> Result<ArrayRef> {
    let mut lists = Vec::new();
    for (index, column) in call.columns.iter().enumerate() {
        let item = item_type(call.name, field_type(call, index))?;
        lists.push((Lists::of(column, &item)?, UInt32Builder::new()));
    }
    let mut ends = Ends::new(call.rows);
    let mut total = 0;
    for row in 0..call.rows {
        let ranges: Option<Vec<_>> = lists.iter().map(|(list, _)| list.range(row)).collect();
        let Some(ranges) = ranges else {
            call.work.step()?;
            ends.end_null();
            continue;
        };
        let most = ranges.iter().map(|range| range.len()).max().unwrap_or(0);
        for ((list, indexes), range) in lists.iter_mut().zip(ranges) {
            let bytes = size(&list.values, range.start, range.len());
            call.work.builds(bytes.saturating_add(8 * most))?;
            let missing = most - range.len();
            for item in range {
                indexes.append_value(item as u32);
            }
            indexes.append_nulls(missing);
        }
        total += most;
        ends.end(total)?;
    }
    let row = items(call.returns).cloned().unwrap_or(DataType::Null);
    let fields = match &row {
        DataType::Struct(fields) => fields.clone(),
        _ => Fields::empty(),
    };
    let mut columns = Vec::new();
    for ((list, mut indexes), field) in lists.into_iter().zip(&fields) {
        let column = take(&list.values, &indexes.finish(), None)?;
        columns.push(conformed(&column, field.data_type())?);
    }
    let rows = StructArray::try_new_with_length(fields, columns, None, total)?;
    ends.lists(&(Arc::new(rows) as ArrayRef), call.returns)
}
