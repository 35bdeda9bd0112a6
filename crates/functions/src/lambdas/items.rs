//! Lambdas over the items of arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, UInt32Builder};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ValueOrLambda;

use super::SECTION;
use super::call::{Call, Definition, Known, Parameter, Parameters, entry};
use crate::arrays::lists::{Ends, Lists, Picked, size};
use crate::arrays::types::{item_type, items, list_type, mismatch};
use crate::docs::Page;
use crate::entry::Entry;

static TRANSFORM: Definition = Definition {
    page: &Page {
        name: "transform",
        section: SECTION,
        syntax: "transform(array, x -> y)",
        sentence: "Returns an array of what a lambda makes of each item.",
        example: "transform(ARRAY[1, 2, 3], x -> x * 10)",
        result: "[10, 20, 30]",
    },
    takes: "vl",
    coerced: lists,
    parameters: of_items,
    returns: |_, _, lambdas| Ok(list_type(first(lambdas))),
    body: transform,
};

static FILTER: Definition = Definition {
    page: &Page {
        name: "filter",
        section: SECTION,
        syntax: "filter(array, x -> condition)",
        sentence: "Returns the items for which a condition is true.",
        example: "filter(ARRAY[5, NULL, 7, 2], x -> x > 4)",
        result: "[5, 7]",
    },
    takes: "vl",
    coerced: lists,
    parameters: of_items,
    returns: |name, values, lambdas| {
        condition(name, lambdas)?;
        item_type(name, &first(values)).map(list_type)
    },
    body: filter,
};

static ANY: Definition = Definition {
    page: &Page {
        name: "any_match",
        section: SECTION,
        syntax: "any_match(array, x -> condition)",
        sentence: "Tells whether a condition is true for an item.",
        example: "any_match(ARRAY[1, 2, 3], x -> x > 2)",
        result: "true",
    },
    takes: "vl",
    coerced: lists,
    parameters: of_items,
    returns: matching,
    body: |call| matches(call, true, true),
};

static ALL: Definition = Definition {
    page: &Page {
        name: "all_match",
        section: SECTION,
        syntax: "all_match(array, x -> condition)",
        sentence: "Tells whether a condition is true for all items.",
        example: "all_match(ARRAY[1, 2, 3], x -> x > 2)",
        result: "false",
    },
    takes: "vl",
    coerced: lists,
    parameters: of_items,
    returns: matching,
    body: |call| matches(call, false, false),
};

static NONE: Definition = Definition {
    page: &Page {
        name: "none_match",
        section: SECTION,
        syntax: "none_match(array, x -> condition)",
        sentence: "Tells whether a condition is false for all items.",
        example: "none_match(ARRAY[1, 2, 3], x -> x > 3)",
        result: "true",
    },
    takes: "vl",
    coerced: lists,
    parameters: of_items,
    returns: matching,
    body: |call| matches(call, true, false),
};

static ZIP: Definition = Definition {
    page: &Page {
        name: "zip_with",
        section: SECTION,
        syntax: "zip_with(array, other, (x, y) -> z)",
        sentence: "Returns what a lambda makes of the items of two arrays, NULL in place of missing ones.",
        example: "zip_with(ARRAY[1, 3], ARRAY[2, 4], (x, y) -> x * y)",
        result: "[2, 12]",
    },
    takes: "vvl",
    coerced: lists,
    parameters: of_items,
    returns: |_, _, lambdas| Ok(list_type(first(lambdas))),
    body: zip_with,
};

pub(super) fn entries() -> Vec<Entry> {
    let definitions = [&TRANSFORM, &FILTER, &ANY, &ALL, &NONE, &ZIP];
    definitions.into_iter().map(entry).collect()
}

/// Makes all values lists.
pub(super) fn lists(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let items = types.iter().map(|of| item_type(name, of).map(list_type));
    items.collect()
}

/// The parameters of the only lambda: an item of each array.
pub(super) fn of_items(_: usize, known: &Known) -> Result<Parameters> {
    let items = known.iter().filter_map(|argument| match argument {
        ValueOrLambda::Value(array) => Some(items(array).cloned().unwrap_or(DataType::Null)),
        ValueOrLambda::Lambda(_) => None,
    });
    Ok(Parameters::All(vec![items.collect()]))
}

/// The first type.
pub(super) fn first(types: &[DataType]) -> DataType {
    types.first().cloned().unwrap_or(DataType::Null)
}

/// Checks that a lambda is a condition.
///
/// # Errors
///
/// It returns another type.
pub(super) fn condition(name: &str, lambdas: &[DataType]) -> Result<()> {
    match first(lambdas) {
        DataType::Boolean | DataType::Null => Ok(()),
        other => Err(mismatch(name, "a lambda that returns a boolean", &other)),
    }
}

fn matching(name: &str, _: &[DataType], lambdas: &[DataType]) -> Result<DataType> {
    condition(name, lambdas)?;
    Ok(DataType::Boolean)
}

fn transform(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, call.type_of(0))?;
    let lists = Lists::of(&call.values[0], &item)?;
    let items = call.items(&lists.spans, lists.values.len())?;
    let lambda = call.lambda(0, &item_type(call.name, call.returns)?)?;
    let made = lambda.evaluate(&items.rows, &[items.of(&lists.values)])?;
    call.work.builds(size(&made, 0, made.len()))?;
    let mut ends = Ends::new(call.rows);
    let mut end = 0;
    for row in 0..call.rows {
        match lists.range(row) {
            Some(range) => {
                end += range.len();
                ends.end(end)?;
            }
            None => ends.end_null(),
        }
    }
    ends.lists(&made, call.returns)
}

fn filter(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, call.type_of(0))?;
    let lists = Lists::of(&call.values[0], &item)?;
    let items = call.items(&lists.spans, lists.values.len())?;
    let lambda = call.lambda(0, &DataType::Boolean)?;
    let kept = lambda.evaluate(&items.rows, &[items.of(&lists.values)])?;
    let kept = kept.as_boolean();
    let mut picked = Picked::new(call.rows);
    let mut place = 0;
    for row in 0..call.rows {
        let Some(range) = lists.range(row) else {
            call.work.step()?;
            picked.end_null();
            continue;
        };
        call.work
            .builds(size(&lists.values, range.start, range.len()))?;
        for item in range {
            if kept.is_valid(place) && kept.value(place) {
                picked.push(item);
            }
            place += 1;
        }
        picked.end()?;
    }
    picked.finish(&lists.values, call.returns)
}

/// Whether one item's condition is `decisive`, which makes the result `found`; NULL if none is and
/// one is NULL.
fn matches(call: &Call<'_>, decisive: bool, found: bool) -> Result<ArrayRef> {
    let item = item_type(call.name, call.type_of(0))?;
    let lists = Lists::of(&call.values[0], &item)?;
    let items = call.items(&lists.spans, lists.values.len())?;
    let lambda = call.lambda(0, &DataType::Boolean)?;
    let conditions = lambda.evaluate(&items.rows, &[items.of(&lists.values)])?;
    let conditions = conditions.as_boolean();
    let mut results = BooleanBuilder::with_capacity(call.rows);
    let mut place = 0;
    for row in 0..call.rows {
        let Some(range) = lists.range(row) else {
            call.work.step()?;
            results.append_null();
            continue;
        };
        let places = place..place + range.len();
        place = places.end;
        let decided = places
            .clone()
            .any(|place| conditions.is_valid(place) && conditions.value(place) == decisive);
        let unknown = !decided
            && conditions.null_count() > 0
            && places.clone().any(|place| conditions.is_null(place));
        results.append_option(match (decided, unknown) {
            (true, _) => Some(found),
            (false, true) => None,
            (false, false) => Some(!found),
        });
    }
    Ok(Arc::new(results.finish()))
}

fn zip_with(call: &Call<'_>) -> Result<ArrayRef> {
    let left = Lists::of(&call.values[0], &item_type(call.name, call.type_of(0))?)?;
    let right = Lists::of(&call.values[1], &item_type(call.name, call.type_of(1))?)?;
    let mut rows: Vec<u32> = Vec::new();
    let (mut firsts, mut seconds) = (UInt32Builder::new(), UInt32Builder::new());
    let mut ends = Ends::new(call.rows);
    for row in 0..call.rows {
        let (Some(first), Some(second)) = (left.range(row), right.range(row)) else {
            call.work.step()?;
            ends.end_null();
            continue;
        };
        let most = first.len().max(second.len());
        call.work.builds(12 * most)?;
        rows.extend(std::iter::repeat_n(row as u32, most));
        for (range, indexes) in [(first, &mut firsts), (second, &mut seconds)] {
            let missing = most - range.len();
            for item in range {
                indexes.append_value(item as u32);
            }
            indexes.append_nulls(missing);
        }
        ends.end(rows.len())?;
    }
    let (firsts, seconds) = (firsts.finish(), seconds.finish());
    let lambda = call.lambda(0, &item_type(call.name, call.returns)?)?;
    let parameters = [
        Parameter::AtOrNull(&left.values, &firsts),
        Parameter::AtOrNull(&right.values, &seconds),
    ];
    let made = lambda.evaluate(&rows, &parameters)?;
    call.work.builds(size(&made, 0, made.len()))?;
    ends.lists(&made, call.returns)
}
