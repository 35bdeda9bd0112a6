//! The rows of a cursor that is declared with SCROLL: those that were read are kept, so that it can
//! move backward.
//!
//! ```text
//! place    0            1 … n       n + 1
//!          before all   a row       behind all, once the last one is known
//! ```
//!
//! Their memory is counted as that of the session's temporary tables. Where it does not suffice, the
//! rows are forgotten, and the cursor moves back to none of them.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::StreamExt;
use lakegate_engine::{HeldMemory, SessionMemory};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::FetchDirection;

use crate::query::life::BatchStream;

/// What a batch that is kept takes beside its values, in bytes.
const FIXED_BYTES: usize = 1024;

/// Where a FETCH or MOVE of a cursor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The current row, and no others.
    Current,
    /// The next rows, in order.
    Forward(usize),
    /// The rows before the current one, the nearest first.
    Backward(usize),
    /// One row, by its distance from the current one.
    Relative(i64),
    /// One row, by its number from 1; from the last one on if it is negative.
    Absolute(i64),
}

impl Way {
    pub(super) fn of(direction: FetchDirection) -> Self {
        let forward = |count: i64| match (count, usize::try_from(count.unsigned_abs())) {
            (0, _) => Self::Current,
            (1.., rows) => Self::Forward(rows.unwrap_or(usize::MAX)),
            (_, rows) => Self::Backward(rows.unwrap_or(usize::MAX)),
        };
        match direction {
            FetchDirection::Next => Self::Forward(1),
            FetchDirection::ForwardAll => Self::Forward(usize::MAX),
            FetchDirection::Forward(count) => forward(count),
            FetchDirection::Prior => Self::Backward(1),
            FetchDirection::BackwardAll => Self::Backward(usize::MAX),
            FetchDirection::Backward(count) => forward(count.saturating_neg()),
            FetchDirection::First => Self::Absolute(1),
            FetchDirection::Last => Self::Absolute(-1),
            FetchDirection::Absolute(place) => Self::Absolute(place),
            FetchDirection::Relative(0) => Self::Current,
            FetchDirection::Relative(places) => Self::Relative(places),
        }
    }
}

/// The rows that a cursor has read, and its place among them.
#[derive(Debug)]
pub(super) struct Kept {
    /// Batches with rows, in order.
    batches: Vec<RecordBatch>,
    /// The number of the last row of each.
    ends: Vec<usize>,
    /// The number of rows before the first batch, which are forgotten.
    forgotten: usize,
    place: usize,
    /// Whether the last row was read.
    is_whole: bool,
    session: Arc<SessionMemory>,
    memory: HeldMemory,
}

impl Kept {
    pub(super) fn new(session: &Arc<SessionMemory>) -> Self {
        Self {
            batches: Vec::new(),
            ends: Vec::new(),
            forgotten: 0,
            place: 0,
            is_whole: false,
            session: Arc::clone(session),
            memory: session.hold(),
        }
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Returns whether a place is before all rows or one of those that were read.
    pub(super) fn reaches(&self, place: usize) -> bool {
        place <= self.read()
    }

    /// Moves behind the rows that are forgotten, on the way to a later one.
    pub(super) fn pass_forgotten(&mut self) {
        self.place = self.place.max(self.forgotten);
    }

    /// Returns the number of rows that were read.
    fn read(&self) -> usize {
        self.ends.last().copied().unwrap_or(self.forgotten)
    }

    /// Returns up to `most` of the next rows, and moves to the last of them; `None` at the end, behind
    /// which the cursor is then.
    ///
    /// # Errors
    /// The stream fails; the rows are forgotten.
    pub(super) async fn next(
        &mut self,
        stream: &mut BatchStream,
        most: usize,
    ) -> Result<Option<RecordBatch>> {
        if self.place < self.forgotten {
            return Err(forgotten());
        }
        loop {
            if let Some(rows) = self.rows_from(self.place, most) {
                self.place += rows.num_rows();
                return Ok(Some(rows));
            }
            if self.is_whole {
                self.place = self.read().saturating_add(1);
                return Ok(None);
            }
            match stream.next().await {
                Some(batch) => self.keep(batch?),
                None => self.is_whole = true,
            }
        }
    }

    /// Moves to the number of a row that was read, and returns the row. `None` of 0, before all rows.
    ///
    /// # Errors
    /// The row is forgotten.
    pub(super) fn go_to(&mut self, place: usize) -> Result<Option<RecordBatch>> {
        let Some(before) = place.checked_sub(1) else {
            self.place = 0;
            return Ok(None);
        };
        let row = self.rows_from(before, 1).ok_or_else(forgotten)?;
        self.place = place;
        Ok(Some(row))
    }

    /// Moves back by up to `most` rows, and returns them in their order, in parts.
    ///
    /// # Errors
    /// One of them is forgotten.
    pub(super) fn back(&mut self, most: usize) -> Result<Vec<RecordBatch>> {
        let last = self.place.saturating_sub(1).min(self.read());
        let place = self.place.saturating_sub(most);
        let before_first = place.saturating_sub(1).min(last);
        if before_first < last && before_first < self.forgotten {
            return Err(forgotten());
        }
        let mut parts = Vec::new();
        let mut from = before_first;
        while from < last {
            let rows = self.rows_from(from, last - from).ok_or_else(forgotten)?;
            from += rows.num_rows();
            parts.push(rows);
        }
        self.place = place;
        Ok(parts)
    }

    /// Returns up to `most` of the rows behind the number of a row, of one batch; `None` if there are
    /// none, or they are forgotten.
    fn rows_from(&self, before: usize, most: usize) -> Option<RecordBatch> {
        if before < self.forgotten || most == 0 {
            return None;
        }
        let index = self.ends.partition_point(|end| *end <= before);
        let batch = self.batches.get(index)?;
        let end = *self.ends.get(index)?;
        let left = end - before;
        Some(batch.slice(batch.num_rows() - left, left.min(most)))
    }

    fn keep(&mut self, batch: RecordBatch) {
        let rows = batch.num_rows();
        if rows == 0 {
            return;
        }
        let bytes = batch.get_array_memory_size().saturating_add(FIXED_BYTES);
        if self.memory.grow(bytes).is_err() {
            self.forgotten = self.read();
            self.batches.clear();
            self.ends.clear();
            self.memory = self.session.hold();
            // Any cursor holds the batch that it reads.
            let _ = self.memory.grow(bytes);
        }
        self.ends.push(self.read().saturating_add(rows));
        self.batches.push(batch);
    }
}

/// Returns the rows in reverse order.
///
/// # Errors
/// The rows cannot be copied.
pub(super) fn reversed(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    take_record_batch(batch, &UInt32Array::from_iter_values((0..rows).rev()))
        .map_err(|error| Error::internal(format!("rows cannot be copied: {error}")))
}

fn forgotten() -> Error {
    Error::new(
        Code::ForwardOnlyCursor,
        "the cursor does not keep rows as far back: they take more memory than a session may hold",
    )
    .with_hint("declare the query again to start over, or an administrator can raise engine.temporary_memory")
}
