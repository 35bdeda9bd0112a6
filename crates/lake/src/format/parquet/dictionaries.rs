//! Which columns of a row group get a dictionary.
//!
//! A dictionary of a column with few repeated values costs a hash table and saves nothing: the
//! encoder gives it up once it is a page large, or writes each value once beside its index. A sample
//! of the first rows says about how many values are distinct.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use parquet::errors::{ParquetError, Result};

use crate::sizes::bytes_of;

/// Rows of a sample; a smaller share of few rows, so that small files stay cheap.
const SAMPLE: std::ops::RangeInclusive<usize> = 128..=1024;
const SAMPLED_SHARE: usize = 16;
/// Bytes of a dictionary from which on the encoder gives it up.
const LARGEST: f64 = (1024 * 1024) as f64;
/// Distinct values through all values, above which a dictionary saves nothing.
const MOST_DISTINCT: f64 = 0.5;

/// Returns the names of the columns that are better off without a dictionary. `all_rows` is how
/// many rows the row group will have, about; `first` are its first ones.
///
/// # Errors
/// Batches of other columns than the schema has.
pub(super) fn useless(
    schema: &Schema,
    first: &[RecordBatch],
    all_rows: usize,
) -> Result<Vec<String>> {
    let rows: usize = first.iter().map(RecordBatch::num_rows).sum();
    let sample = (rows / SAMPLED_SHARE).clamp(*SAMPLE.start(), *SAMPLE.end());
    if rows < sample {
        return Ok(Vec::new());
    }
    let places = places(first, rows / sample, sample);
    let mut useless = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        if !can_be_sampled(field) {
            continue;
        }
        let columns: Option<Vec<&dyn Array>> = first
            .iter()
            .map(|batch| batch.columns().get(index).map(AsRef::as_ref))
            .collect();
        let Some(columns) = columns else {
            continue;
        };
        let values = interleave(&columns, &places)?;
        if !pays(&values, all_rows)? {
            useless.push(field.name().clone());
        }
    }
    Ok(useless)
}

/// Nested columns have several leaves; booleans have no dictionaries.
fn can_be_sampled(field: &Field) -> bool {
    let kind = field.data_type();
    !kind.is_nested() && !matches!(kind, DataType::Boolean | DataType::Dictionary(..))
}

/// The batch and the row of every `step`th row.
fn places(batches: &[RecordBatch], step: usize, most: usize) -> Vec<(usize, usize)> {
    let rows = batches
        .iter()
        .enumerate()
        .flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)));
    rows.step_by(step.max(1)).take(most).collect()
}

/// Returns `true` if a dictionary of a column with such values saves something.
fn pays(sample: &ArrayRef, all_rows: usize) -> Result<bool> {
    let sampled = sample.len() - sample.null_count();
    if sampled == 0 {
        return Ok(true);
    }
    let mut hashes = vec![0; sample.len()];
    create_hashes([sample], &RandomState::default(), &mut hashes)
        .map_err(|error| ParquetError::External(Box::new(error)))?;
    let hashes = hashes.iter().enumerate();
    let valued = hashes.filter(|(row, _)| sample.is_valid(*row));
    let distinct = valued
        .map(|(_, hash)| *hash)
        .collect::<HashSet<u64>>()
        .len();
    let values = all_rows as f64 * sampled as f64 / sample.len() as f64;
    let expected = expected_distinct(sampled as f64, distinct as f64, values);
    let width = bytes_of(sample) as f64 / sampled as f64;
    Ok(expected <= MOST_DISTINCT * values && expected * width <= LARGEST)
}

/// Returns how many distinct values `values` have, of which a sample has `distinct`. By pairs of
/// equal values: a sample of `n` among `d` equally likely ones has about `n² / 2d` of them.
fn expected_distinct(sampled: f64, distinct: f64, values: f64) -> f64 {
    let repeated = sampled - distinct;
    if repeated * 2.0 > sampled {
        return distinct;
    }
    let kinds = sampled * sampled / (2.0 * repeated.max(0.5));
    kinds * (1.0 - (-values / kinds).exp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Int64Array, ListArray, StringViewArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    /// A number that looks random.
    fn mixed(n: i64) -> u64 {
        let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
    }

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let numbers = |of: fn(i64) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.clone().map(of).collect::<Int64Array>())
        };
        let texts = rows.clone().map(|n| Some(format!("comment {}", mixed(n))));
        let columns: [(&str, ArrayRef); 7] = [
            ("unique", numbers(Some)),
            ("few", numbers(|n| Some((mixed(n) % 50) as i64))),
            ("some", numbers(|n| Some((mixed(n) % 4_000) as i64))),
            ("nulls", numbers(|_| None)),
            (
                "rare",
                numbers(|n| (n % 50 == 0).then_some((mixed(n) % 5) as i64)),
            ),
            ("text", Arc::new(texts.collect::<StringViewArray>())),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                    rows.map(|n| Some([Some(n)])),
                )),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
            .unwrap()
    }

    fn useless_of(batches: &[RecordBatch], all_rows: usize) -> Vec<String> {
        useless(&batches[0].schema(), batches, all_rows).unwrap()
    }

    #[test]
    fn unique_values_get_no_dictionary_and_repeated_ones_do() {
        let batches: Vec<_> = (0..8).map(|n| batch(n * 8192..(n + 1) * 8192)).collect();
        assert_eq!(useless_of(&batches, 1 << 20), ["unique", "text"]);
        // In 3,000 rows, 4,000 kinds repeat rarely.
        let batches = [batch(0..1000), batch(1000..1001), batch(1001..3000)];
        assert_eq!(useless_of(&batches, 3000), ["unique", "some", "text"]);
    }

    #[test]
    fn nothing_is_known_of_few_rows() {
        assert!(useless_of(&[batch(0..100)], 1 << 20).is_empty());
        let schema = batch(0..1).schema();
        assert!(useless(&schema, &[], 1 << 20).unwrap().is_empty());
    }
}
