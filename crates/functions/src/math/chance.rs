//! `random`.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use rand::Rng as _;
use rand::distr::uniform::SampleUniform;

use super::SECTION;
use super::numbers::wrong;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static PAGE: Page = Page {
    name: "random",
    section: SECTION,
    syntax: "random([m, ]n)",
    sentence: "Returns a random double from 0 to below 1, or a random integer from m, or 0, to below n.",
    example: "random(7, 8)",
    result: "7",
};

pub(super) fn entries() -> Vec<Entry> {
    let integers = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
    ];
    let mut takes = vec![TypeSignature::Nullary];
    for count in [1, 2] {
        takes.extend(
            integers
                .iter()
                .map(|of| TypeSignature::Exact(vec![of.clone(); count])),
        );
    }
    let returns = Returns::From(|types| Ok(types.first().cloned().unwrap_or(DataType::Float64)));
    let kernel = Kernel::new(&PAGE, takes, returns, random)
        .also(&["rand"])
        .volatile();
    vec![Entry::scalar(kernel).in_trino()]
}

fn random(call: &Call<'_>) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(8))?;
    match call.returns {
        DataType::Int8 => integers::<Int8Type>(call),
        DataType::Int16 => integers::<Int16Type>(call),
        DataType::Int32 => integers::<Int32Type>(call),
        DataType::Int64 => integers::<Int64Type>(call),
        _ => {
            let mut source = rand::rng();
            let doubles = (0..call.rows).map(|_| source.random::<f64>());
            Ok(Arc::new(Float64Array::from_iter_values(doubles)))
        }
    }
}

fn integers<T: ArrowPrimitiveType>(call: &Call<'_>) -> Result<ArrayRef>
where
    T::Native: SampleUniform + PartialOrd,
{
    let mut source = rand::rng();
    let first = call.columns[0].primitives::<T>();
    let second = call.optional(1).map(|column| column.primitives::<T>());
    let range = |row: usize| -> Result<Option<Range<T::Native>>> {
        let (low, high) = match &second {
            Some(second) => (first.get(row), second.get(row)),
            None => (Some(T::Native::default()), first.get(row)),
        };
        let (Some(low), Some(high)) = (low, high) else {
            return Ok(None);
        };
        match low < high {
            true => Ok(Some(low..high)),
            false => Err(wrong(format!(
                "random needs a bound above {low:?}, not {high:?}"
            ))),
        }
    };
    let numbers = (0..call.rows)
        .map(|row| Ok(range(row)?.map(|range| source.random_range(range))))
        .collect::<Result<PrimitiveArray<T>, DataFusionError>>()?;
    Ok(Arc::new(numbers))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn numbers_are_within_their_bounds_and_differ() {
        let query = "SELECT count(DISTINCT r) > 90 AND min(r) >= 0 AND max(r) < 1 FROM (SELECT random() AS r FROM generate_series(1, 100) s(i)) t";
        assert_eq!(rows(query).await.unwrap(), ["true"]);
        let query = "SELECT min(r) = -2 AND max(r) = 1 FROM (SELECT rand(-2, 2) AS r FROM generate_series(1, 1000) s(i)) t";
        assert_eq!(rows(query).await.unwrap(), ["true"]);
        let query = "SELECT count(DISTINCT r) FROM (SELECT random(3) AS r FROM generate_series(1, 1000) s(i)) t";
        assert_eq!(rows(query).await.unwrap(), ["3"]);
        assert_eq!(
            value("arrow_typeof(random(CAST(5 AS TINYINT)))")
                .await
                .unwrap(),
            "Int8"
        );
        assert_eq!(value("random(1)").await.unwrap(), "0");
        assert!(error("random(0)").await.contains("bound above 0"));
        assert!(error("random(5, 5)").await.contains("bound above 5"));
    }
}
