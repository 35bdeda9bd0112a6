//! Rows of one partition that are in no file yet.
//!
//! They are slices of columns that rows of other partitions are in as well, which stay in memory
//! until the last of these is in a file: a [`Charge`] counts them until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use lakegate_error::{Error, Result};

use super::gather::copied;
use crate::sizes::held_by;

/// Batches are merged up to this many rows and bytes. Larger ones are not worth another copy of
/// their rows: the arrays take less than the values.
const MERGED_ROWS: usize = 256;
const MERGED_BYTES: usize = 1024 * 1024;

/// Bytes of the rows of a write that wait, all together.
#[derive(Debug, Clone, Default)]
pub(super) struct Charged(Arc<AtomicUsize>);

impl Charged {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes until the last owner drops what is returned.
    pub(super) fn charge(&self, bytes: usize) -> Arc<Charge> {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Arc::new(Charge {
            bytes,
            charged: self.clone(),
        })
    }
}

/// Columns that are in memory.
#[derive(Debug)]
pub(super) struct Charge {
    bytes: usize,
    charged: Charged,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.charged.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Rows {
    rows: RecordBatch,
    /// As of [`held_by`].
    bytes: usize,
    charge: Arc<Charge>,
}

/// Rows in their order. Small batches are merged as they come, so that a thousand batches of a row
/// each do not take a thousand arrays a column.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    batches: Vec<Rows>,
    bytes: usize,
}

/// Rows that are counted until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub batches: Vec<RecordBatch>,
    _charges: Vec<Arc<Charge>>,
}

impl Waiting {
    /// Bytes of the rows.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// `bytes`: as of [`held_by`], which `charge` counts, with those of others perhaps.
    ///
    /// # Errors
    /// Batches of different columns.
    pub(super) fn push(
        &mut self,
        rows: RecordBatch,
        bytes: usize,
        charge: Arc<Charge>,
    ) -> Result<()> {
        let charged = charge.charged.clone();
        self.bytes += bytes;
        self.batches.push(Rows {
            rows,
            bytes,
            charge,
        });
        // Only batches of about one size are merged: a row is copied few times.
        while let [.., one, other] = self.batches.as_slice() {
            let rows = one.rows.num_rows() + other.rows.num_rows();
            let is_large = rows > MERGED_ROWS || one.bytes + other.bytes > MERGED_BYTES;
            if is_large || one.rows.num_rows() > 2 * other.rows.num_rows() {
                break;
            }
            self.merge_from(self.batches.len() - 2, &charged)?;
        }
        Ok(())
    }

    /// Copies the rows to columns of their own.
    ///
    /// # Errors
    /// Batches of different columns.
    pub(super) fn detach(&mut self, charged: &Charged) -> Result<()> {
        match self.batches.is_empty() {
            true => Ok(()),
            false => self.merge_from(0, charged),
        }
    }

    fn merge_from(&mut self, first: usize, charged: &Charged) -> Result<()> {
        let merged: Vec<Rows> = self.batches.drain(first..).collect();
        let rows: Vec<RecordBatch> = merged.iter().map(|rows| rows.rows.clone()).collect();
        let rows = copied(&rows)
            .map_err(|error| Error::internal(format!("rows do not form a batch: {error}")))?;
        let before: usize = merged.iter().map(|rows| rows.bytes).sum();
        let bytes = held_by(&rows);
        self.bytes = (self.bytes + bytes).saturating_sub(before);
        let charge = charged.charge(bytes);
        self.batches.push(Rows {
            rows,
            bytes,
            charge,
        });
        Ok(())
    }

    /// All rows; none are left.
    pub(super) fn take(&mut self) -> Taken {
        self.bytes = 0;
        let batches = std::mem::take(&mut self.batches).into_iter();
        let (batches, charges) = batches.map(|of| (of.rows, of.charge)).unzip();
        Taken {
            batches,
            _charges: charges,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn small_batches_are_merged_and_rows_keep_their_order() {
        let (mut waiting, charged) = (Waiting::default(), Charged::default());
        let rows = 3_000;
        for n in 0..rows {
            let column = Arc::new(Int64Array::from(vec![n])) as _;
            let row = RecordBatch::try_from_iter([("n", column)]).unwrap();
            let bytes = held_by(&row);
            waiting.push(row, bytes, charged.charge(bytes)).unwrap();
        }
        assert!(waiting.batches.len() < 40, "{}", waiting.batches.len());
        let values = usize::try_from(rows).unwrap() * 8;
        assert!((values..2 * values).contains(&waiting.bytes()));
        assert_eq!(charged.bytes(), waiting.bytes());
        let taken = waiting.take();
        let all: Vec<i64> = taken
            .batches
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
        drop(taken);
        assert_eq!(charged.bytes(), 0);
    }

    #[test]
    fn columns_are_counted_until_no_rows_of_them_wait() {
        let charged = Charged::default();
        let column = Arc::new(Int64Array::from_iter_values(0..1_000)) as _;
        let rows = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let (one, other) = (rows.slice(0, 400), rows.slice(400, 600));
        let (of_one, of_other) = (held_by(&one), held_by(&other));
        let charge = charged.charge(of_one + of_other);
        let (mut first, mut second) = (Waiting::default(), Waiting::default());
        first.push(one, of_one, Arc::clone(&charge)).unwrap();
        second.push(other, of_other, charge).unwrap();
        drop(second.take());
        assert_eq!(charged.bytes(), of_one + of_other);
        first.detach(&charged).unwrap();
        assert_eq!(charged.bytes(), of_one);
        let taken = first.take();
        assert_eq!(taken.batches, [rows.slice(0, 400)]);
    }
}
