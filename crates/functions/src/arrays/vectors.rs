//! Arrays of numbers as vectors.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Float64Builder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::lists::{Lists, walked};
use super::types::{item_type, mismatch};
use super::{SECTION, invalid};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static DOT_PRODUCT: Page = Page {
    name: "dot_product",
    section: SECTION,
    syntax: "dot_product(array, array)",
    sentence: "Returns the sum of the products of the items at the same place.",
    example: "dot_product(ARRAY[1.0, 2.0], ARRAY[3.0, 4.0])",
    result: "11.0",
};

static DISTANCE: Page = Page {
    name: "euclidean_distance",
    section: SECTION,
    syntax: "euclidean_distance(array, array)",
    sentence: "Returns the distance of two points.",
    example: "euclidean_distance(ARRAY[1.0, 2.0], ARRAY[4.0, 6.0])",
    result: "5.0",
};

pub(super) fn entries() -> Vec<Entry> {
    let kernel = |page, returns, body| {
        Entry::scalar(Kernel::new(
            page,
            vec![TypeSignature::Any(2)],
            returns,
            body,
        ))
    };
    vec![
        kernel(
            &DOT_PRODUCT,
            Returns::From(|types| vectors("dot_product", types)),
            |call| sums(call, |left, right| left * right, |sum| sum),
        ),
        kernel(
            &DISTANCE,
            Returns::From(|types| vectors("euclidean_distance", types)),
            |call| sums(call, |left, right| (left - right).powi(2), f64::sqrt),
        ),
    ]
}

fn vectors(name: &str, types: &[DataType]) -> Result<DataType> {
    for data_type in types {
        let item = item_type(name, data_type)?;
        if !item.is_numeric() && !item.is_null() {
            return Err(mismatch(name, "arrays of numbers", data_type));
        }
    }
    Ok(DataType::Float64)
}

/// Returns an item. NULL counts as zero, as in Trino.
fn number(values: &Float64Array, item: usize) -> f64 {
    match values.is_valid(item) {
        true => values.value(item),
        false => 0.0,
    }
}

fn sums(
    call: &Call<'_>,
    term: impl Fn(f64, f64) -> f64,
    of_sum: impl Fn(f64) -> f64,
) -> Result<ArrayRef> {
    let left = Lists::of(&call.columns[0], &DataType::Float64)?;
    let right = Lists::of(&call.columns[1], &DataType::Float64)?;
    let lefts = left.values.as_primitive::<Float64Type>();
    let rights = right.values.as_primitive::<Float64Type>();
    let mut results = Float64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(first), Some(second)) = (left.range(row), right.range(row)) else {
            call.work.step()?;
            results.append_null();
            continue;
        };
        if first.len() != second.len() {
            return Err(invalid(format!(
                "{}: the arguments must have the same length, not {} and {}",
                call.name,
                first.len(),
                second.len()
            )));
        }
        walked(&call.work, first.len())?;
        let terms = first
            .zip(second)
            .map(|(left, right)| term(number(lefts, left), number(rights, right)));
        let sum = terms.fold(0.0, |sum, term| sum + term);
        results.append_value(of_sum(sum));
    }
    Ok(Arc::new(results.finish()))
}
