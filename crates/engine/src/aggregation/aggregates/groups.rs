//! Accumulators of many groups at once, of functions that keep a few sums of each group.

use arrow::array::{ArrayRef, BooleanArray};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::rows_of;

/// An aggregate function whose result is calculated from sums of the rows of a group.
pub(crate) trait OfSums: Send + 'static {
    /// What is kept of a group. The default is that of no rows.
    type Sums: Copy + Default + Send + 'static;

    /// What is added for a row.
    type Row;

    /// Returns what is added for each row of the arguments; `None` for a row with a NULL.
    ///
    /// # Errors
    ///
    /// A column is missing or of another type.
    fn rows(columns: &[ArrayRef]) -> Result<impl Iterator<Item = Option<Self::Row>>>;

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// A sum is too large.
    fn add(sums: &mut Self::Sums, row: Self::Row) -> Result<()>;

    /// Adds the sums of other rows.
    ///
    /// # Errors
    ///
    /// A sum is too large.
    fn merge(sums: &mut Self::Sums, other: Self::Sums) -> Result<()>;

    /// Returns the sums that columns of a state have.
    ///
    /// # Errors
    ///
    /// A column is missing or of another type.
    fn read(states: &[ArrayRef]) -> Result<impl Iterator<Item = Self::Sums>>;

    /// Returns the columns of a state.
    fn states(sums: &[Self::Sums]) -> Vec<ArrayRef>;

    /// Returns the results of groups.
    ///
    /// # Errors
    ///
    /// A result does not fit its type.
    fn results(&self, sums: &[Self::Sums]) -> Result<ArrayRef>;
}

/// The sums of many groups.
pub(crate) struct GroupedSums<F: OfSums> {
    function: F,
    sums: Vec<F::Sums>,
}

impl<F: OfSums> GroupedSums<F> {
    pub(crate) fn new(function: F) -> Self {
        Self {
            function,
            sums: Vec::new(),
        }
    }

    fn of(&mut self, group: usize) -> Result<&mut F::Sums> {
        self.sums
            .get_mut(group)
            .ok_or_else(|| DataFusionError::Internal("a group beyond the last one".to_owned()))
    }
}

/// Returns whether a filter keeps each row.
fn kept(filter: Option<&BooleanArray>) -> impl Fn(usize) -> bool {
    let kept = filter.map(rows_of);
    move |row| kept.as_ref().is_none_or(|kept| kept.is_valid(row))
}

impl<F: OfSums> GroupsAccumulator for GroupedSums<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, F::Sums::default());
        let kept = kept(filter);
        for (row, (group, value)) in groups.iter().zip(F::rows(values)?).enumerate() {
            if let Some(value) = value.filter(|_| kept(row)) {
                F::add(self.of(*group)?, value)?;
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, F::Sums::default());
        for (group, other) in groups.iter().zip(F::read(states)?) {
            F::merge(self.of(*group)?, other)?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        self.function.results(&sums)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(F::states(&emit_to.take_needed(&mut self.sums)))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let kept = kept(filter);
        let mut rows = Vec::new();
        for (row, value) in F::rows(values)?.enumerate() {
            let mut sums = F::Sums::default();
            if let Some(value) = value.filter(|_| kept(row)) {
                F::add(&mut sums, value)?;
            }
            rows.push(sums);
        }
        Ok(F::states(&rows))
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<F::Sums>()
    }
}
