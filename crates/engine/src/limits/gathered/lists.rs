//! Accumulators of `array_agg` that report the memory that they hold.
//!
//! DataFusion's accumulators keep their input arrays but count slices of them, which include views
//! but not the text behind them (`ArrayAggAccumulator::size`, 55.2;
//! `ArrayData::get_slice_memory_size`, arrow 59.3). Delete this when they count both.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::pinned::{Pinned, part};
use crate::limits::stop::check;

/// Memory of the gathered values.
#[derive(Debug, Default)]
struct Held {
    rows: usize,
    /// Bytes of the values, without the text behind views.
    values: usize,
    viewed: Pinned,
}

impl Held {
    fn add(&mut self, array: &dyn Array) {
        let (array, rows) = match array.as_list_opt::<i32>() {
            // Partial states are lists; their items are what is kept.
            Some(list) => (list.values().as_ref(), list.values().len()),
            None => (array, array.len()),
        };
        self.add_items(array, rows);
    }

    fn add_items(&mut self, array: &dyn Array, rows: usize) {
        self.rows += rows;
        let bytes = array.to_data().get_slice_memory_size();
        self.values += bytes.unwrap_or_else(|_| array.get_array_memory_size());
        self.viewed.add_viewed(array);
    }

    /// Subtracts rows that have been emitted.
    fn remove(&mut self, rows: usize) {
        let left = self.rows.saturating_sub(rows);
        self.values = part(self.values, left, self.rows);
        self.viewed.keep(left, self.rows);
        self.rows = left;
    }

    /// Returns the bytes held, with the list that is built at the end: it has new views, but shares
    /// their text.
    fn bytes(&self, bytes_of_row: usize) -> usize {
        let values = self.values.saturating_mul(2);
        values
            .saturating_add(self.viewed.bytes())
            .saturating_add(self.rows.saturating_mul(bytes_of_row))
    }
}

/// Accumulates over all rows.
#[derive(Debug)]
pub(super) struct Lists {
    inner: Box<dyn Accumulator>,
    held: Held,
}

impl Lists {
    pub(super) fn around(inner: Box<dyn Accumulator>) -> Self {
        Self {
            inner,
            held: Held::default(),
        }
    }
}

impl Accumulator for Lists {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)?;
        for array in values {
            self.held.add_items(array, array.len());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.held.bytes(0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)?;
        for array in states {
            self.held.add(array);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)?;
        self.held
            .remove(values.first().map_or(0, |array| array.len()));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

/// Bytes of the group and row numbers stored with each value.
const PLACE_BYTES: usize = 8;

/// Accumulates by group.
pub(super) struct GroupedLists {
    inner: Box<dyn GroupsAccumulator>,
    held: Held,
}

impl GroupedLists {
    pub(super) fn around(inner: Box<dyn GroupsAccumulator>) -> Self {
        Self {
            inner,
            held: Held::default(),
        }
    }

    /// Subtracts the items of lists that have been emitted.
    fn emitted(&mut self, emit_to: EmitTo, lists: Option<&ArrayRef>) {
        let items = lists.and_then(|lists| lists.as_list_opt::<i32>());
        match (emit_to, items) {
            (EmitTo::First(_), Some(lists)) => self.held.remove(lists.values().len()),
            _ => self.held = Held::default(),
        }
    }
}

impl GroupsAccumulator for GroupedLists {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        check()?;
        self.inner
            .update_batch(values, groups, filter, total_groups)?;
        for array in values {
            self.held.add_items(array, array.len());
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        check()?;
        let lists = self.inner.evaluate(emit_to)?;
        self.emitted(emit_to, Some(&lists));
        Ok(lists)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        check()?;
        let state = self.inner.state(emit_to)?;
        self.emitted(emit_to, state.first());
        Ok(state)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        check()?;
        self.inner.merge_batch(states, groups, total_groups)?;
        for array in states {
            self.held.add(array);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.held.bytes(PLACE_BYTES)
    }
}
