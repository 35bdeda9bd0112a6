//! The angle between two vectors: arrays of doubles, or maps with a number for some of the axes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;

use super::SECTION;
use super::numbers::{number, wrong};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static SIMILARITY: Page = Page {
    name: "cosine_similarity",
    section: SECTION,
    syntax: "cosine_similarity(x, y)",
    sentence: "Returns the cosine of the angle between two arrays of numbers, or two maps of texts to numbers.",
    example: "cosine_similarity(ARRAY[1, 2], ARRAY[3, 4])",
    result: "0.9838699100999074",
};

static DISTANCE: Page = Page {
    name: "cosine_distance",
    section: SECTION,
    syntax: "cosine_distance(x, y)",
    sentence: "Returns 1 minus the cosine of the angle between two arrays of numbers, or two maps of texts to numbers.",
    example: "cosine_distance(ARRAY[1, 0], ARRAY[0, 1])",
    result: "1.0",
};

pub(super) fn entries() -> Vec<Entry> {
    let any = || vec![TypeSignature::Any(2)];
    let returns = |types: &[DataType]| -> Result<DataType> {
        let kinds = types.iter().map(kind).collect::<Result<Vec<_>>>()?;
        match kinds.as_slice() {
            [Some(one), Some(other)] if one != other => Err(DataFusionError::Plan(
                "cosine_similarity takes two arrays or two maps".to_owned(),
            )),
            _ => Ok(DataType::Float64),
        }
    };
    let kernel = |page, body| Kernel::new(page, any(), Returns::From(returns), body);
    vec![
        Entry::scalar(kernel(&SIMILARITY, |call| angles(call, |cosine| cosine))),
        Entry::scalar(kernel(&DISTANCE, |call| {
            angles(call, |cosine| 1.0 - cosine)
        }))
        .in_trino(),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Map,
}

/// Returns what a vector of this type is; `None` for NULL.
fn kind(of: &DataType) -> Result<Option<Kind>> {
    let item = match of {
        DataType::Null => return Ok(None),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            number("cosine_similarity", item.data_type())?;
            return Ok(Some(Kind::Array));
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => match fields.as_ref() {
                [key, value] if key.data_type().is_string() => Some(value.data_type().clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    let item = item.ok_or_else(|| {
        DataFusionError::Plan(format!(
            "cosine_similarity takes arrays of numbers, or maps of texts to numbers, not {of}"
        ))
    })?;
    number("cosine_similarity", &item)?;
    Ok(Some(Kind::Map))
}

fn angles(call: &Call<'_>, of: fn(f64) -> f64) -> Result<ArrayRef> {
    let [left, right] = [&call.columns[0], &call.columns[1]];
    let mut angles = Float64Builder::with_capacity(call.rows);
    let kinds = (
        kind(left.array.data_type())?,
        kind(right.array.data_type())?,
    );
    for row in 0..call.rows {
        call.work.builds(8)?;
        if left.is_null(row) || right.is_null(row) {
            angles.append_null();
            continue;
        }
        let cosine = match kinds {
            (Some(Kind::Array), Some(Kind::Array)) => arrays(call, left, right, row)?,
            (Some(Kind::Map), Some(Kind::Map)) => maps(call, left, right, row)?,
            _ => None,
        };
        angles.append_option(cosine.map(of));
    }
    Ok(Arc::new(angles.finish()))
}

/// Returns the items of a row's array as doubles; `None` if one is NULL.
fn items(column: &Column, row: usize) -> Result<Option<ArrayRef>> {
    let of = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
    let list = cast(&column.array.slice(column.at(row), 1), &of)?;
    let items = list.as_list::<i32>().value(0);
    Ok((items.null_count() == 0).then_some(items))
}

fn arrays(call: &Call<'_>, left: &Column, right: &Column, row: usize) -> Result<Option<f64>> {
    let (Some(left), Some(right)) = (items(left, row)?, items(right, row)?) else {
        return Ok(None);
    };
    if left.len() != right.len() {
        return Err(wrong(format!(
            "the arrays of {} have {} and {} items; they need as many",
            call.name,
            left.len(),
            right.len()
        )));
    }
    let left = left.as_primitive::<Float64Type>().values();
    let right = right.as_primitive::<Float64Type>().values();
    let product = |one: &[f64], other: &[f64]| -> f64 {
        one.iter().zip(other).map(|(one, other)| one * other).sum()
    };
    let norms = product(left, left).sqrt() * product(right, right).sqrt();
    if norms == 0.0 {
        return Err(wrong(format!(
            "an array of {} has the length zero, which has no angle",
            call.name
        )));
    }
    Ok(Some(product(left, right) / norms))
}

/// Returns the keys and the values of a row's map; `None` if a value is NULL.
fn axes_of(column: &Column, row: usize) -> Result<Option<(StringArray, ArrayRef)>> {
    let Some(maps) = column.maps() else {
        return Ok(None);
    };
    let entries = maps.array.value(column.at(row));
    let keys = cast(entries.column(0), &DataType::Utf8)?;
    let values = cast(entries.column(1), &DataType::Float64)?;
    let keys = keys.as_string::<i32>().clone();
    Ok((values.null_count() == 0).then_some((keys, values)))
}

fn maps(call: &Call<'_>, left: &Column, right: &Column, row: usize) -> Result<Option<f64>> {
    let (Some(left), Some(right)) = (axes_of(left, row)?, axes_of(right, row)?) else {
        return Ok(None);
    };
    let norm = |values: &ArrayRef| -> f64 {
        let values = values.as_primitive::<Float64Type>().values();
        values.iter().map(|value| value * value).sum::<f64>().sqrt()
    };
    let values = right.1.as_primitive::<Float64Type>();
    let mut axes = HashMap::with_capacity(right.0.len());
    for (key, value) in right.0.iter().zip(values.values()) {
        call.work.step()?;
        axes.insert(key, *value);
    }
    let mut product = 0.0;
    let values = left.1.as_primitive::<Float64Type>();
    for (key, value) in left.0.iter().zip(values.values()) {
        call.work.step()?;
        product += axes.get(&key).map_or(0.0, |other| value * other);
    }
    Ok(Some(product / (norm(&left.1) * norm(&right.1))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn angles_of_arrays_and_maps() {
        for (call, expected) in [
            ("cosine_similarity(MAP {'a': 1}, MAP {'a': 2})", "1.0"),
            (
                "cosine_similarity(MAP {'a': 1, 'b': 2}, MAP {'c': 1, 'b': 3e0})",
                "0.8485281374238569",
            ),
            ("cosine_similarity(MAP {'a': 1}, MAP {'b': 1})", "0.0"),
            ("cosine_similarity(MAP {'a': NULL}, MAP {'b': 1})", "NULL"),
            ("cosine_similarity(ARRAY[1, 2], ARRAY[2, NULL])", "NULL"),
            ("cosine_similarity(NULL, ARRAY[1])", "NULL"),
            (
                "cosine_distance(ARRAY[1.0, 2.0], ARRAY[3.0, 4.0])",
                "0.01613008990009257",
            ),
            ("cosine_distance(MAP {'a': 1}, MAP {'a': 2})", "0.0"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        assert!(
            error("cosine_similarity(ARRAY[1], ARRAY[1, 2])")
                .await
                .contains("as many")
        );
        assert!(
            error("cosine_similarity(ARRAY['a'], ARRAY[1])")
                .await
                .contains("takes numbers")
        );
        assert!(error("cosine_similarity(1, 2)").await.contains("not Int64"));
        let query = "SELECT cosine_similarity(x, ARRAY[1, 0]) FROM (VALUES (ARRAY[2, 0]), (NULL), (ARRAY[0, 1])) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1.0", "NULL", "0.0"]);
    }
}
