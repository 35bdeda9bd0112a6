//! The states of an aggregate's groups, and what DataFusion calls them through.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use lakegate_engine::stop;

use super::function::Call;

/// Rows that a state takes at once, between two looks at the query's stop.
const ROWS: usize = 8192;

/// The rows of a call that count, with their groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selected<'a> {
    pub groups: &'a [usize],
    pub filter: Option<&'a BooleanArray>,
}

impl Selected<'_> {
    pub(crate) fn is_in(&self, row: usize) -> bool {
        self.filter
            .is_none_or(|filter| filter.is_valid(row) && filter.value(row))
    }

    /// Calls `take` with each row that counts and is not NULL, and its group.
    ///
    /// # Errors
    ///
    /// Those of `take`.
    pub(crate) fn each(
        &self,
        nulls: Option<&NullBuffer>,
        mut take: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<()> {
        for (row, &group) in self.groups.iter().enumerate() {
            if self.is_in(row) && nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                take(row, group)?;
            }
        }
        Ok(())
    }
}

/// The states of all groups of one aggregate. Groups are numbered from 0.
pub(crate) trait State: fmt::Debug + Send + Sync {
    /// Makes room for so many groups; there are never fewer than before.
    fn resize(&mut self, groups: usize);

    fn update(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()>;

    /// Adds states that [`State::state`] returned, one for each group number.
    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()>;

    /// Returns the results of the first groups. The states stay as they are.
    fn evaluate(&mut self, groups: usize) -> Result<ArrayRef>;

    /// Returns the columns of the states of the first groups.
    fn state(&mut self, groups: usize) -> Result<Vec<ArrayRef>>;

    /// Removes the first groups; the others move down.
    fn forget(&mut self, groups: usize) -> Result<()>;

    fn size(&self) -> usize;

    /// Whether [`State::retract`] takes rows out again, with exactly the result of the others.
    fn retracts(&self) -> bool {
        false
    }

    fn retract(&mut self, args: &[ArrayRef], rows: &Selected<'_>) -> Result<()> {
        let _ = (args, rows);
        Ok(())
    }
}

/// Makes empty states for a call.
#[derive(Clone)]
pub(crate) struct Maker {
    pub call: Arc<Call>,
    pub make: fn(&Call) -> Result<Box<dyn State>>,
}

impl Maker {
    pub(crate) fn state(&self) -> Result<Box<dyn State>> {
        (self.make)(&self.call)
    }
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").finish_non_exhaustive()
    }
}

fn length(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |column| column.len())
}

/// Calls `take` with the columns in parts of [`ROWS`] rows.
fn in_parts(
    columns: &[ArrayRef],
    mut take: impl FnMut(&[ArrayRef], usize) -> Result<()>,
) -> Result<()> {
    let rows = length(columns);
    if rows <= ROWS {
        stop::check()?;
        return take(columns, rows);
    }
    for first in (0..rows).step_by(ROWS) {
        stop::check()?;
        let part = ROWS.min(rows - first);
        let sliced: Vec<ArrayRef> = columns
            .iter()
            .map(|column| column.slice(first, part))
            .collect();
        take(&sliced, part)?;
    }
    Ok(())
}

/// The state of one group, such as a window's frame.
#[derive(Debug)]
pub(crate) struct One {
    state: Box<dyn State>,
    /// The group of each row: 0.
    zeros: Vec<usize>,
}

impl One {
    pub(crate) fn new(mut state: Box<dyn State>) -> Self {
        state.resize(1);
        Self {
            state,
            zeros: Vec::new(),
        }
    }

    fn with_zeros(&mut self, rows: usize) {
        if self.zeros.len() < rows {
            self.zeros.resize(rows, 0);
        }
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        in_parts(values, |part, rows| {
            self.with_zeros(rows);
            let rows = Selected {
                groups: &self.zeros[..rows],
                filter: None,
            };
            self.state.update(part, &rows)
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        stop::check()?;
        ScalarValue::try_from_array(&self.state.evaluate(1)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.zeros.capacity() * size_of::<usize>() + self.state.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        stop::check()?;
        let columns = self.state.state(1)?;
        let values = columns.iter();
        values
            .map(|column| ScalarValue::try_from_array(column, 0))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        in_parts(states, |part, rows| {
            self.with_zeros(rows);
            self.state.merge(part, &self.zeros[..rows])
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        in_parts(values, |part, rows| {
            self.with_zeros(rows);
            let rows = Selected {
                groups: &self.zeros[..rows],
                filter: None,
            };
            self.state.retract(part, &rows)
        })
    }

    fn supports_retract_batch(&self) -> bool {
        self.state.retracts()
    }
}

/// A moving frame of an aggregate that cannot take rows out: it keeps the frame's rows and starts
/// anew for each result.
#[derive(Debug)]
pub(crate) struct Moving {
    maker: Maker,
    frame: VecDeque<Vec<ArrayRef>>,
    size: usize,
}

impl Moving {
    pub(crate) fn new(maker: Maker) -> Self {
        Self {
            maker,
            frame: VecDeque::new(),
            size: 0,
        }
    }

    fn whole(&self) -> Result<One> {
        let mut one = One::new(self.maker.state()?);
        for part in &self.frame {
            one.update_batch(part)?;
        }
        Ok(one)
    }
}

fn bytes_of(columns: &[ArrayRef]) -> usize {
    let bytes = columns.iter().map(|column| {
        let bytes = column.to_data().get_slice_memory_size();
        bytes.unwrap_or_else(|_| column.get_array_memory_size())
    });
    size_of::<Vec<ArrayRef>>() + bytes.sum::<usize>()
}

impl Accumulator for Moving {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        stop::check()?;
        if length(values) > 0 {
            self.size += bytes_of(values);
            self.frame.push_back(values.to_vec());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.whole()?.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.size
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.whole()?.state()
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        Err(lakegate_error::Error::internal("a frame is not merged").into())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        stop::check()?;
        let mut rows = length(values);
        while rows > 0 {
            let Some(part) = self.frame.pop_front() else {
                break;
            };
            self.size -= bytes_of(&part);
            let here = length(&part);
            if here > rows {
                let left: Vec<ArrayRef> = part
                    .iter()
                    .map(|column| column.slice(rows, here - rows))
                    .collect();
                self.size += bytes_of(&left);
                self.frame.push_front(left);
                break;
            }
            rows -= here;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The states of many groups.
pub(crate) struct Many {
    maker: Maker,
    state: Box<dyn State>,
    groups: usize,
}

impl Many {
    pub(crate) fn new(maker: Maker) -> Result<Self> {
        Ok(Self {
            state: maker.state()?,
            maker,
            groups: 0,
        })
    }

    fn has(&mut self, groups: usize) {
        if groups > self.groups {
            self.groups = groups;
            self.state.resize(groups);
        }
    }

    fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups.min(self.groups),
        }
    }

    fn forget(&mut self, groups: usize) -> Result<()> {
        if groups == self.groups {
            self.groups = 0;
            self.state = self.maker.state()?;
            return Ok(());
        }
        self.groups -= groups;
        self.state.forget(groups)
    }
}

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        stop::check()?;
        self.has(total);
        self.state.update(values, &Selected { groups, filter })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        stop::check()?;
        let groups = self.emitted(emit_to);
        let results = self.state.evaluate(groups)?;
        self.forget(groups)?;
        Ok(results)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        stop::check()?;
        let groups = self.emitted(emit_to);
        let states = self.state.state(groups)?;
        self.forget(groups)?;
        Ok(states)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        stop::check()?;
        self.has(total);
        self.state.merge(states, groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        stop::check()?;
        let rows = length(values);
        let groups: Vec<usize> = (0..rows).collect();
        let mut state = self.maker.state()?;
        state.resize(rows);
        let rows_of = Selected {
            groups: &groups,
            filter,
        };
        state.update(values, &rows_of)?;
        state.state(rows)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.state.size()
    }
}
