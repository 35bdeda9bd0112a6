//! `array_sort` with a comparison: all arrays are sorted at once, by merging runs of 1, 2, 4 … items.
//! In a round, each merge that is not at its end compares two items; all of these comparisons are
//! one evaluation of the lambda. A comparison that contradicts itself ends in some order.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ValueOrLambda;

use super::SECTION;
use super::call::{Call, Definition, Known, Lambda, Parameter, Parameters, entry};
use super::items::{first, lists};
use crate::arrays::invalid;
use crate::arrays::lists::{Lists, Picked, size};
use crate::arrays::types::{item_type, items, list_type, mismatch};
use crate::docs::Page;
use crate::entry::Entry;

static SORT: Definition = Definition {
    page: &Page {
        name: "$array_sort",
        section: SECTION,
        syntax: "$array_sort(array, (x, y) -> comparison)",
        sentence: "Sorts an array by a comparison of two items that returns -1, 0 or 1.",
        example: "\"$array_sort\"(ARRAY[3, 1, 2], (x, y) -> IF(x < y, 1, IF(x = y, 0, -1)))",
        result: "[3, 2, 1]",
    },
    takes: "vl",
    coerced: lists,
    parameters: |_, known: &Known| {
        let item = match known.first() {
            Some(ValueOrLambda::Value(array)) => items(array).cloned(),
            _ => None,
        };
        let item = item.unwrap_or(DataType::Null);
        Ok(Parameters::All(vec![vec![item.clone(), item]]))
    },
    returns: |_, values, lambdas| {
        let compared = first(lambdas);
        if !compared.is_integer() && !compared.is_null() {
            let expected = "a lambda that returns an integer";
            return Err(mismatch("array_sort", expected, &compared));
        }
        item_type("array_sort", &first(values)).map(list_type)
    },
    body: sort,
};

pub(super) fn entries() -> Vec<Entry> {
    // The name without the sign is the scalar function's, which sorts by the order of its items.
    vec![entry(&SORT).unlisted()]
}

/// Two runs that are being merged: what is left of both, and where the next item goes.
struct Merge {
    row: u32,
    left: usize,
    left_end: usize,
    right: usize,
    right_end: usize,
    to: usize,
}

fn sort(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, call.type_of(0))?;
    let lists = Lists::of(&call.values[0], &item)?;
    let compare = call.lambda(0, &DataType::Int64)?;
    let mut picked = Picked::new(call.rows);
    // The places of each row's items among all.
    let mut spans: Vec<(u32, usize, usize)> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(range) = lists.range(row) else {
            call.work.step()?;
            picked.end_null();
            continue;
        };
        let bytes = size(&lists.values, range.start, range.len());
        call.work.builds(bytes.saturating_add(8 * range.len()))?;
        let start = picked.indexes().len();
        picked.extend(range);
        spans.push((row as u32, start, picked.indexes().len()));
        picked.end()?;
    }
    let longest = spans.iter().map(|(_, start, end)| end - start).max();
    let longest = longest.unwrap_or(0);
    let mut merged = picked.indexes().clone();
    let mut width = 1;
    while width < longest {
        let mut merges = Vec::new();
        for (row, start, end) in &spans {
            let mut left = *start;
            while left < *end {
                let right = (left + width).min(*end);
                let right_end = (right + width).min(*end);
                merges.push(Merge {
                    row: *row,
                    left,
                    left_end: right,
                    right,
                    right_end,
                    to: left,
                });
                left = right_end;
            }
        }
        merge(
            &lists.values,
            picked.indexes(),
            &mut merged,
            merges,
            &compare,
        )?;
        std::mem::swap(picked.indexes(), &mut merged);
        width *= 2;
    }
    picked.finish(&lists.values, call.returns)
}

/// Merges runs of `from` into `to`, which have the same items.
fn merge(
    values: &ArrayRef,
    from: &[u32],
    to: &mut [u32],
    mut merges: Vec<Merge>,
    compare: &Lambda<'_>,
) -> Result<()> {
    let (mut rows, mut lefts, mut rights) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        merges.retain(|merge| {
            let open = merge.left < merge.left_end && merge.right < merge.right_end;
            if !open {
                let rest = match merge.left < merge.left_end {
                    true => from.get(merge.left..merge.left_end),
                    false => from.get(merge.right..merge.right_end),
                };
                let rest = rest.unwrap_or_default();
                if let Some(to) = to.get_mut(merge.to..merge.to + rest.len()) {
                    to.copy_from_slice(rest);
                }
            }
            open
        });
        if merges.is_empty() {
            return Ok(());
        }
        rows.clear();
        lefts.clear();
        rights.clear();
        let at = |place: usize| from.get(place).copied().unwrap_or_default();
        for merge in &merges {
            rows.push(merge.row);
            lefts.push(at(merge.left));
            rights.push(at(merge.right));
        }
        let parameters = [
            Parameter::At(values, &lefts),
            Parameter::At(values, &rights),
        ];
        let compared = compare.evaluate(&rows, &parameters)?;
        let compared = compared.as_primitive::<Int64Type>();
        for (place, merge) in merges.iter_mut().enumerate() {
            let known = compared.is_valid(place);
            let order = compared.value(place);
            if !known || !(-1..=1).contains(&order) {
                return Err(invalid(
                    "Lambda comparator must return either -1, 0, or 1".to_owned(),
                ));
            }
            let item = match order > 0 {
                true => {
                    merge.right += 1;
                    at(merge.right - 1)
                }
                false => {
                    merge.left += 1;
                    at(merge.left - 1)
                }
            };
            if let Some(to) = to.get_mut(merge.to) {
                *to = item;
            }
            merge.to += 1;
        }
    }
}
