//! Pool memory for what a window operator keeps and produces, which DataFusion does not count.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use parking_lot::Mutex;

use super::pinned::Pinned;

/// What one stream of a window operator keeps of its input, and what it has produced from it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Whether the operator keeps all of its input until the end.
    whole: bool,
    /// Number of functions that the operator evaluates.
    functions: usize,
    /// Bytes of the functions' constants, which are held once per row.
    constants: usize,
    input: MemoryReservation,
    made: MemoryReservation,
    state: Mutex<State>,
    /// Rows that frames reach over, summed over all functions.
    reach: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    /// Used only by an operator that keeps its whole input.
    pinned: Pinned,
    rows_in: usize,
    bytes_in: usize,
    rows_out: usize,
    /// Bytes of the largest value so far that every row may have.
    largest: usize,
}

thread_local! {
    /// The operator that works on this thread.
    static CURRENT: RefCell<Option<Arc<Kept>>> = const { RefCell::new(None) };
}

/// Restores the thread's previous operator when dropped.
#[derive(Debug)]
pub(crate) struct Entered(Option<Arc<Kept>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Kept {
    pub(crate) fn new(
        name: &str,
        whole: bool,
        functions: usize,
        constants: usize,
        pool: &Arc<dyn MemoryPool>,
    ) -> Arc<Self> {
        let input = MemoryConsumer::new(name).register(pool);
        Arc::new(Self {
            whole,
            functions: functions.max(1),
            constants,
            made: input.new_empty(),
            input,
            state: Mutex::default(),
            reach: AtomicI64::new(0),
        })
    }

    /// Charges what this thread produces to `kept`, or to no operator if it is `None`, until the
    /// returned guard is dropped.
    pub(crate) fn enter(kept: Option<&Arc<Self>>) -> Entered {
        let kept = kept.map(Arc::clone);
        Entered(CURRENT.with_borrow_mut(|current| std::mem::replace(current, kept)))
    }

    /// Releases all memory of the operator.
    pub(crate) fn free(&self) {
        self.input.free();
        self.made.free();
    }

    fn take(&self, batch: &RecordBatch) -> Result<()> {
        let mut state = self.state.lock();
        state.rows_in += batch.num_rows();
        if !self.whole {
            let mut pinned = Pinned::default();
            state.bytes_in += added(&mut pinned, batch);
            return match self.constants {
                0 => Ok(()),
                _ => self.settle(&state),
            };
        }
        let bytes = added(&mut state.pinned, batch);
        let constants = self.constants.saturating_mul(batch.num_rows());
        // At the end, all batches are concatenated into one.
        self.input
            .try_grow(bytes.saturating_mul(2).saturating_add(constants))
    }

    /// Records that the operator returned `rows` rows of its result. An operator that discards rows
    /// keeps those that have no result yet, and those that frames reach over.
    ///
    /// # Errors
    ///
    /// Returns an error if the pool has no memory for the rest.
    pub(crate) fn gave(&self, rows: usize) -> Result<()> {
        if self.whole {
            return Ok(());
        }
        self.made.free();
        let mut state = self.state.lock();
        state.rows_out += rows;
        self.settle(&state)
    }

    fn settle(&self, state: &State) -> Result<()> {
        let reach = usize::try_from(self.reach.load(Ordering::Relaxed)).unwrap_or(0);
        let kept = state.rows_in.saturating_sub(state.rows_out) + reach / self.functions;
        let kept = kept.min(state.rows_in);
        // Kept twice: as a whole, and by partition.
        let bytes = state.bytes_in as u128 * kept as u128 * 2 / (state.rows_in as u128).max(1);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let constants = self.constants.saturating_mul(kept);
        self.input.try_resize(bytes.saturating_add(constants))
    }
}

fn added(pinned: &mut Pinned, batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| pinned.add(column.as_ref())).sum()
}

/// Records that the operator working on this thread was given a batch.
///
/// # Errors
///
/// Returns an error if the operator keeps the batch and the pool has no memory for it.
pub(crate) fn given(batch: &RecordBatch) -> Result<()> {
    CURRENT.with_borrow(|current| match current {
        Some(kept) => kept.take(batch),
        None => Ok(()),
    })
}

/// Returns whether a window operator works on this thread.
pub(super) fn within_window() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Records that a window produced a value of `bytes` bytes for `rows` rows.
///
/// # Errors
///
/// Returns an error if the pool has no memory for it.
pub(super) fn made(bytes: usize, rows: usize) -> Result<()> {
    CURRENT.with_borrow(|current| match current {
        // The values, and then the array that collects them.
        Some(kept) => kept
            .made
            .try_grow(bytes.saturating_mul(rows.saturating_add(1))),
        None => Ok(()),
    })
}

/// Records that a window produced a value of `bytes` bytes, which every row may have.
///
/// # Errors
///
/// Returns an error if the pool has no memory for it.
pub(super) fn made_for_all(bytes: usize) -> Result<()> {
    CURRENT.with_borrow(|current| {
        let Some(kept) = current else {
            return Ok(());
        };
        let mut state = kept.state.lock();
        let more = bytes.saturating_sub(state.largest);
        state.largest = state.largest.max(bytes);
        kept.made.try_grow(more.saturating_mul(state.rows_in))
    })
}

/// Rows that one function's frame reaches over in one partition.
#[derive(Debug, Default)]
pub(super) struct Reach {
    kept: Option<Arc<Kept>>,
    rows: i64,
}

impl Reach {
    pub(super) fn set(&mut self, rows: usize) {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        if rows == self.rows {
            return;
        }
        if self.kept.is_none() {
            self.kept = CURRENT.with_borrow(Option::clone);
        }
        if let Some(kept) = &self.kept {
            kept.reach.fetch_add(rows - self.rows, Ordering::Relaxed);
            self.rows = rows;
        }
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    #[test]
    fn what_an_operator_keeps_is_of_the_pool_until_it_is_given() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let kept = Kept::new("window", false, 1, 0, &pool);
        {
            let _entered = Kept::enter(Some(&kept));
            given(&batch(1000)).unwrap();
            kept.gave(0).unwrap();
            assert!(pool.reserved() >= 16_000, "{}", pool.reserved());
            let mut reach = Reach::default();
            reach.set(500);
            kept.gave(1000).unwrap();
            assert!(
                (8_000..12_000).contains(&pool.reserved()),
                "{}",
                pool.reserved()
            );
            drop(reach);
            made(100, 10).unwrap();
            made_for_all(10).unwrap();
            made_for_all(10).unwrap();
            assert!(made(1 << 20, 1).is_err());
            kept.gave(0).unwrap();
            assert_eq!(pool.reserved(), 0);
        }
        given(&batch(1_000_000)).unwrap();
        let kept = Kept::new("window", true, 1, 0, &pool);
        let _entered = Kept::enter(Some(&kept));
        // Both are alive, as in an operator that keeps them.
        let (small, large) = (batch(10_000), batch(100_000));
        given(&small).unwrap();
        assert!(given(&large).is_err());
        kept.free();
        assert_eq!(pool.reserved(), 0);
    }
}
