//! Rows of one partition that are in no file yet.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use lakegate_error::{Error, Result};

use crate::sizes::bytes_in;

/// What an array takes beside its values.
const ARRAY_BYTES: usize = 256;
/// Batches are merged up to this many rows and bytes. Larger ones are not worth another copy of
/// their rows: the arrays take less than the values.
const MERGED_ROWS: usize = 256;
const MERGED_BYTES: usize = 1024 * 1024;

/// Rows in their order. Small batches are merged as they come, so that a thousand batches of a row
/// each do not take a thousand arrays a column.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Each with its bytes in memory.
    batches: Vec<(RecordBatch, usize)>,
    bytes: usize,
}

impl Waiting {
    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// # Errors
    /// Batches of different columns.
    pub(super) fn push(&mut self, rows: RecordBatch) -> Result<()> {
        let arrays = rows.num_columns() * ARRAY_BYTES;
        let bytes = bytes_in(&rows) + arrays;
        self.bytes += bytes;
        self.batches.push((rows, bytes));
        // Only batches of about one size are merged: a row is copied few times.
        while let [.., (one, of_one), (other, of_other)] = self.batches.as_slice() {
            let rows = one.num_rows() + other.num_rows();
            let is_large = rows > MERGED_ROWS || of_one + of_other > MERGED_BYTES;
            if is_large || one.num_rows() > 2 * other.num_rows() {
                break;
            }
            let merged = concat_batches(&one.schema(), [one, other])
                .map_err(|error| Error::internal(format!("rows do not form a batch: {error}")))?;
            let bytes = (of_one + of_other).saturating_sub(arrays);
            self.bytes = self.bytes.saturating_sub(arrays);
            self.batches.truncate(self.batches.len() - 2);
            self.batches.push((merged, bytes));
        }
        Ok(())
    }

    /// All rows; none are left.
    pub(super) fn take(&mut self) -> Vec<RecordBatch> {
        self.bytes = 0;
        let batches = std::mem::take(&mut self.batches).into_iter();
        batches.map(|(rows, _)| rows).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn small_batches_are_merged_and_rows_keep_their_order() {
        let mut waiting = Waiting::default();
        let rows = 3_000;
        for n in 0..rows {
            let column = Arc::new(Int64Array::from(vec![n])) as _;
            let row = RecordBatch::try_from_iter([("n", column)]).unwrap();
            waiting.push(row).unwrap();
        }
        assert!(waiting.batches.len() < 40, "{}", waiting.batches.len());
        let values = usize::try_from(rows).unwrap() * 8;
        assert!((values..2 * values).contains(&waiting.bytes()));
        let all: Vec<i64> = waiting
            .take()
            .iter()
            .flat_map(|batch| {
                batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            })
            .collect();
        assert!(all.into_iter().eq(0..rows));
        assert_eq!(waiting.bytes(), 0);
    }
}
