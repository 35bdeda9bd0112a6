//! What a running function owes the others: it stops when its query is stopped, and it does not
//! build more than a value or a batch may have.

use std::cell::Cell;

use datafusion::error::Result;
use lakegate_engine::{bounded, stop};

/// Rows, or steps within a row, between two looks at the query's [`stop::Stop`].
const STRIDE: u32 = 64;

/// The work of one call: bytes built so far, and steps since the last check.
#[derive(Debug)]
pub(crate) struct Work {
    name: &'static str,
    one_value: bool,
    bytes: Cell<usize>,
    steps: Cell<u32>,
}

impl Work {
    /// `one_value`: the call returns one value, whose limit is lower than a batch's.
    pub(crate) fn new(name: &'static str, one_value: bool) -> Self {
        Self {
            name,
            one_value,
            bytes: Cell::new(0),
            steps: Cell::new(0),
        }
    }

    /// Counts bytes of the result before they are built. Call it once a row, and within a row for
    /// each part of a value that can grow; values of one size may be counted at once for all rows,
    /// each of which is then a [`Self::step`].
    ///
    /// # Errors
    ///
    /// The query was stopped, or the result is larger than a value or a batch may be.
    #[inline]
    pub(crate) fn builds(&self, bytes: usize) -> Result<()> {
        let total = self.bytes.get().saturating_add(bytes);
        self.bytes.set(total);
        match self.one_value {
            true => bounded::check_value(self.name, total)?,
            false => bounded::check_batch(self.name, total)?,
        }
        self.step()
    }

    /// Counts a step that builds nothing. Call it within loops that are long for one row.
    ///
    /// # Errors
    ///
    /// The query was stopped.
    #[inline]
    pub(crate) fn step(&self) -> Result<()> {
        let steps = self.steps.get() + 1;
        if steps < STRIDE {
            self.steps.set(steps);
            return Ok(());
        }
        self.steps.set(0);
        stop::check()
    }
}
