//! How many rows an operator gets at a time, so that it does not work on one batch for long without
//! yielding.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, RecordBatch, StringViewArray, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use datafusion::error::Result;

/// An operator that works longer than this without returning or requesting a batch gets fewer rows
/// the next time.
const LONG: Duration = Duration::from_millis(40);
/// An operator that works less than this gets more rows.
const SHORT: Duration = Duration::from_millis(8);
/// The factor by which the number of rows grows and shrinks.
const FACTOR: usize = 4;

/// The pace of one operator, by partition.
#[derive(Debug)]
pub(super) struct Pace {
    partitions: Vec<Partition>,
    /// Maximum rows of a batch, however quick the operator is.
    most: AtomicUsize,
    /// Whether rows are copied when a batch is cut. Operators above may keep them, and would count
    /// the whole batch for each part.
    copies: bool,
}

#[derive(Debug)]
struct Partition {
    /// Maximum rows of the next batch.
    rows: AtomicUsize,
    /// Rows of the last batch. If it was the rest of a larger one, it does not show how more rows
    /// would do.
    given: AtomicUsize,
    /// The longest uninterrupted work since the operator got a batch, in nanoseconds.
    longest: AtomicU64,
}

impl Pace {
    /// Creates a pace whose first batches have `first` rows.
    pub(super) fn new(partitions: usize, first: usize, copies: bool) -> Self {
        let partition = || Partition {
            rows: AtomicUsize::new(first),
            given: AtomicUsize::new(first),
            longest: AtomicU64::new(0),
        };
        Self {
            partitions: (0..partitions.max(1)).map(|_| partition()).collect(),
            most: AtomicUsize::new(usize::MAX),
            copies,
        }
    }

    fn partition(&self, partition: usize) -> Option<&Partition> {
        self.partitions.get(partition % self.partitions.len())
    }

    /// Records uninterrupted work. `much`: the operator's functions produced so much for the batch
    /// that fewer rows are better.
    pub(super) fn worked(&self, partition: usize, time: Duration, much: bool) {
        let time = if much { time.max(LONG * 2) } else { time };
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(partition) = self.partition(partition) {
            partition.longest.fetch_max(nanoseconds, Ordering::Relaxed);
        }
    }

    /// Sets the maximum rows of a batch.
    pub(super) fn bound(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    fn gives(&self, partition: usize, rows: usize) {
        if let Some(partition) = self.partition(partition) {
            partition.given.store(rows, Ordering::Relaxed);
        }
    }

    /// Returns how many rows the operator gets now.
    fn rows(&self, partition: usize) -> usize {
        let Some(partition) = self.partition(partition) else {
            return usize::MAX;
        };
        let rows = partition.rows.load(Ordering::Relaxed);
        let longest = Duration::from_nanos(partition.longest.swap(0, Ordering::Relaxed));
        let was_full = partition.given.load(Ordering::Relaxed) >= rows;
        let next = if longest > LONG {
            (rows / FACTOR).max(1)
        } else if longest < SHORT && longest > Duration::ZERO && was_full {
            rows.saturating_mul(FACTOR)
        } else {
            rows
        };
        partition.rows.store(next, Ordering::Relaxed);
        next.min(self.most.load(Ordering::Relaxed))
    }
}

/// The rest of a batch that an operator gets in parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    rest: Option<RecordBatch>,
}

impl Parts {
    /// Returns the next part of an earlier batch, if anything is left of it.
    ///
    /// # Errors
    ///
    /// Returns an error if rows cannot be copied.
    pub(super) fn next(&mut self, pace: &Pace, partition: usize) -> Option<Result<RecordBatch>> {
        let batch = self.rest.take()?;
        let part = self.cut(batch, pace, partition);
        // `cut` does not copy the last part.
        match self.rest.is_none() && pace.copies {
            true => Some(part.and_then(|part| copied(&part))),
            false => Some(part),
        }
    }

    /// Returns as many rows of a batch as the operator gets at once, and keeps the rest.
    ///
    /// # Errors
    ///
    /// Returns an error if rows cannot be copied.
    pub(super) fn cut(
        &mut self,
        batch: RecordBatch,
        pace: &Pace,
        partition: usize,
    ) -> Result<RecordBatch> {
        let rows = pace.rows(partition);
        pace.gives(partition, rows.min(batch.num_rows()));
        if batch.num_rows() <= rows {
            return Ok(batch);
        }
        let part = batch.slice(0, rows);
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        match pace.copies {
            true => copied(&part),
            false => Ok(part),
        }
    }
}

/// Returns the same rows in their own memory.
///
/// # Errors
///
/// Returns an error if the rows cannot be copied.
pub(crate) fn copied(batch: &RecordBatch) -> Result<RecordBatch> {
    if batch.num_columns() == 0 {
        return Ok(batch.clone());
    }
    let all = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
    let taken = take_record_batch(batch, &all)?;
    let columns = taken.columns().iter().map(unshared).collect();
    Ok(RecordBatch::try_new(taken.schema(), columns)?)
}

/// Returns a column whose views do not share text with other columns. Taking rows copies views, but
/// not the text behind them.
fn unshared(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => {
            let views: &StringViewArray = column.as_string_view();
            std::sync::Arc::new(views.gc())
        }
        DataType::BinaryView => {
            let views: &BinaryViewArray = column.as_binary_view();
            std::sync::Arc::new(views.gc())
        }
        _ => std::sync::Arc::clone(column),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let texts: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..rows).map(|row| {
                format!("a text that is not kept in its view, number {row}")
            })));
        RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap()
    }

    #[test]
    fn slow_operators_get_fewer_rows_and_quick_ones_more() {
        let pace = Pace::new(2, 64, false);
        let quick = Duration::from_micros(1);
        assert_eq!(pace.rows(0), 64);
        pace.gives(0, 3);
        pace.worked(0, quick, false);
        assert_eq!(pace.rows(0), 64, "three rows say nothing of more");
        pace.gives(0, 64);
        pace.worked(0, Duration::from_secs(1), false);
        assert_eq!(pace.rows(0), 16);
        assert_eq!(pace.rows(0), 16, "what did not work says nothing");
        for _ in 0..4 {
            pace.worked(0, Duration::from_secs(1), false);
            pace.rows(0);
        }
        pace.worked(0, Duration::from_secs(1), false);
        assert_eq!(pace.rows(0), 1);
        pace.worked(0, quick, false);
        assert_eq!(pace.rows(0), 4);
        pace.worked(0, quick, true);
        assert_eq!(pace.rows(0), 1, "it made much");
        pace.bound(16);
        assert_eq!((pace.rows(0), pace.rows(1)), (1, 16));
        pace.bound(usize::MAX);
        assert_eq!(pace.rows(1), 64);
    }

    #[test]
    fn parts_are_the_whole_batch_in_order_and_share_nothing_where_they_are_copies() {
        for copies in [true, false] {
            let (pace, mut parts, whole) = (Pace::new(1, 10, copies), Parts::default(), batch(25));
            let mut got = vec![parts.cut(whole.clone(), &pace, 0).unwrap()];
            while let Some(part) = parts.next(&pace, 0) {
                got.push(part.unwrap());
            }
            let rows: Vec<usize> = got.iter().map(RecordBatch::num_rows).collect();
            assert_eq!(rows, [10, 10, 5]);
            let joined = arrow::compute::concat_batches(&whole.schema(), &got).unwrap();
            assert_eq!(joined, whole);
            if copies {
                assert!(got[2].get_array_memory_size() < whole.get_array_memory_size() / 2);
            }
        }
    }
}
