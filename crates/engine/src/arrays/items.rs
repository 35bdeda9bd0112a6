//! Functions that search for an item: `array_remove`, `array_replace`, `array_position` and
//! `array_positions`.
//!
//! NULL is found like any other item. The engine's functions change only the first of several equal
//! items, do not find NULL, and treat -0 and 0 as different.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use lakegate_error::{Code, Error};

use super::function::{Definition, Lists, list_of, register as register_all, with_items};
use super::keys::keys_of;
use crate::limits::stop::check;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    register_all(state, &FUNCTIONS)
}

const ARRAY: (&str, &str) = ("array", "The array.");
const ELEMENT: (&str, &str) = ("element", "The item that is looked for; it may be NULL.");
const TO: (&str, &str) = ("to", "What takes its place.");
const MAX: (&str, &str) = ("max", "How many items at most, from the first on.");

static FUNCTIONS: [Definition; 6] = [
    Definition {
        names: &[
            "array_remove",
            "list_remove",
            "array_remove_all",
            "list_remove_all",
        ],
        arguments: &[ARRAY, ELEMENT],
        needs: 2,
        description: "Removes all items that are equal to an element.",
        coerced: with_item,
        returns: same,
        body: |columns, _| removed("array_remove", columns, None),
    },
    Definition {
        names: &["array_remove_n", "list_remove_n"],
        arguments: &[ARRAY, ELEMENT, MAX],
        needs: 3,
        description: "Removes the first items that are equal to an element.",
        coerced: with_item,
        returns: same,
        body: |columns, _| removed("array_remove_n", columns, columns.get(2)),
    },
    Definition {
        names: &[
            "array_replace",
            "list_replace",
            "array_replace_all",
            "list_replace_all",
        ],
        arguments: &[ARRAY, ELEMENT, TO],
        needs: 3,
        description: "Replaces all items that are equal to an element.",
        coerced: with_item,
        returns: same,
        body: |columns, _| replaced("array_replace", columns, None),
    },
    Definition {
        names: &["array_replace_n", "list_replace_n"],
        arguments: &[ARRAY, ELEMENT, TO, MAX],
        needs: 4,
        description: "Replaces the first items that are equal to an element.",
        coerced: with_item,
        returns: same,
        body: |columns, _| replaced("array_replace_n", columns, columns.get(3)),
    },
    Definition {
        names: &[
            "array_position",
            "list_position",
            "array_indexof",
            "list_indexof",
        ],
        arguments: &[
            ARRAY,
            ELEMENT,
            ("start", "Where to begin; 1 is the first item."),
        ],
        needs: 2,
        description: "The place of the first item that is equal to an element, NULL if there is none.",
        coerced: with_item,
        returns: |_| Ok(DataType::Int64),
        body: |columns, _| position(columns),
    },
    Definition {
        names: &["array_positions", "list_positions"],
        arguments: &[ARRAY, ELEMENT],
        needs: 2,
        description: "The places of all items that are equal to an element.",
        coerced: with_item,
        returns: |_| Ok(list_of(DataType::Int32)),
        body: |columns, _| positions(columns),
    },
];

/// Returns the types to coerce the arguments to: the array, the values that are compared with its
/// items or replace them, and a number at the end.
fn with_item(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let (values, numbers) = match function {
        "array_remove_n" | "array_position" => (1, true),
        "array_replace" => (2, false),
        "array_replace_n" => (2, true),
        _ => (1, false),
    };
    let array = types.first().unwrap_or(&DataType::Null);
    let compared = types.get(1..=values).unwrap_or_default();
    let mut coerced = with_items(function, array, compared)?;
    if numbers && types.len() > values + 1 {
        coerced.push(DataType::Int64);
    }
    Ok(coerced)
}

fn same(types: &[DataType]) -> Result<DataType> {
    Ok(types.first().cloned().unwrap_or(DataType::Null))
}

/// The keys of all items and of the element of each row, to find the items that are equal to it.
struct Found<'a> {
    lists: Lists<'a>,
    items: arrow::row::Rows,
    elements: arrow::row::Rows,
}

impl<'a> Found<'a> {
    fn of(function: &str, columns: &'a [ArrayRef]) -> Result<Self> {
        let lists = Lists::of(function, columns.first())?;
        let items = keys_of(lists.list.values())?;
        let elements = match columns.get(1) {
            Some(elements) => keys_of(elements)?,
            None => keys_of(lists.list.values())?,
        };
        Ok(Self {
            lists,
            items,
            elements,
        })
    }

    fn is_found(&self, row: usize, item: usize) -> bool {
        self.items.row(item) == self.elements.row(row)
    }

    /// Builds lists from the results of `put`, which gets the row, the item and whether the item is
    /// found. At most `max` items of a row are found.
    fn walked<T>(
        &self,
        max: Option<&ArrayRef>,
        put: impl Fn(usize, usize, bool) -> Option<T>,
    ) -> Result<(Built, Vec<T>)> {
        let mut built = Built::new(self.lists.rows());
        let mut made = Vec::new();
        for row in 0..self.lists.rows() {
            check()?;
            let items = self.lists.items(row).zip(most(max, row));
            let valid = items.is_some();
            if let Some((items, mut left)) = items {
                for item in items {
                    let is_found = left > 0 && self.is_found(row, item);
                    left -= i64::from(is_found);
                    made.extend(put(row, item, is_found));
                }
            }
            built.end(made.len(), valid)?;
        }
        Ok((built, made))
    }
}

/// Returns how many items of a row may be changed; `None` if `max` is NULL.
fn most(max: Option<&ArrayRef>, row: usize) -> Option<i64> {
    match max.map(|max| max.as_primitive::<Int64Type>()) {
        None => Some(i64::MAX),
        Some(max) if max.is_null(row) => None,
        Some(max) => Some(max.value(row)),
    }
}

/// A builder for a column of lists.
struct Built {
    ends: Vec<i32>,
    valid: Vec<bool>,
}

impl Built {
    fn new(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            ends,
            valid: Vec::with_capacity(rows),
        }
    }

    /// Ends the list of a row. `items` is the number of items of all lists so far.
    ///
    /// # Errors
    ///
    /// Returns an error if the lists have more items than an offset can count.
    fn end(&mut self, items: usize, valid: bool) -> Result<()> {
        let end = i32::try_from(items).map_err(|_| {
            Error::new(
                Code::ResultTooLarge,
                "arrays of too many items in a batch of rows",
            )
        })?;
        self.ends.push(end);
        self.valid.push(valid);
        Ok(())
    }

    fn lists(self, data_type: &DataType, items: ArrayRef) -> Result<ArrayRef> {
        let item = match data_type {
            DataType::List(item) => Arc::clone(item),
            other => Arc::new(arrow::datatypes::Field::new_list_field(other.clone(), true)),
        };
        Ok(Arc::new(ListArray::try_new(
            item,
            OffsetBuffer::new(self.ends.into()),
            items,
            Some(NullBuffer::from(self.valid)),
        )?))
    }
}

fn removed(function: &str, columns: &[ArrayRef], max: Option<&ArrayRef>) -> Result<ArrayRef> {
    let found = Found::of(function, columns)?;
    let (built, kept) = found.walked(max, |_, item, is_found| match is_found {
        true => None,
        false => Some(item as u64),
    })?;
    let items = take(found.lists.list.values(), &UInt64Array::from(kept), None)?;
    built.lists(found.lists.list.data_type(), items)
}

fn replaced(function: &str, columns: &[ArrayRef], max: Option<&ArrayRef>) -> Result<ArrayRef> {
    let found = Found::of(function, columns)?;
    let values = found.lists.list.values();
    let to = columns.get(2).unwrap_or(values);
    let (built, places) = found.walked(max, |row, item, is_found| match is_found {
        true => Some((1, row)),
        false => Some((0, item)),
    })?;
    let items = interleave(&[values.as_ref(), to.as_ref()], &places)?;
    built.lists(found.lists.list.data_type(), items)
}

fn position(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let found = Found::of("array_position", columns)?;
    let starts = columns
        .get(2)
        .map(|start| start.as_primitive::<Int64Type>());
    let mut places: Vec<Option<i64>> = Vec::with_capacity(found.lists.rows());
    for row in 0..found.lists.rows() {
        check()?;
        let skipped = match starts {
            None => 0,
            Some(starts) if starts.is_null(row) => {
                return Err(Error::new(
                    Code::InvalidParameter,
                    "the place where array_position begins must not be null",
                )
                .into());
            }
            Some(starts) => usize::try_from(starts.value(row).saturating_sub(1)).unwrap_or(0),
        };
        places.push(found.lists.items(row).and_then(|items| {
            let mut numbered = items.enumerate().skip(skipped);
            let place = numbered.find(|(_, item)| found.is_found(row, *item));
            place.and_then(|(place, _)| i64::try_from(place + 1).ok())
        }));
    }
    Ok(Arc::new(Int64Array::from(places)))
}

fn positions(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let found = Found::of("array_positions", columns)?;
    let mut built = Built::new(found.lists.rows());
    let mut places: Vec<i32> = Vec::new();
    for row in 0..found.lists.rows() {
        check()?;
        let items = found.lists.items(row);
        let valid = items.is_some();
        for (place, item) in items.into_iter().flatten().enumerate() {
            if found.is_found(row, item) {
                places.push(i32::try_from(place + 1).unwrap_or(i32::MAX));
            }
        }
        built.end(places.len(), valid)?;
    }
    built.lists(
        &list_of(DataType::Int32),
        Arc::new(Int32Array::from(places)),
    )
}
