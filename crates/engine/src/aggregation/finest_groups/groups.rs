//! Groups with the states of their aggregates.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::GroupsAccumulatorAdapter;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::steps::{Step, Steps};

/// Groups by some of the keys of an aggregation.
pub(super) struct Groups {
    /// One for each key of the aggregation; `None` for keys that they are not grouped by.
    keys: Vec<Option<ArrayRef>>,
    states: Vec<ArrayRef>,
    pub(super) count: usize,
}

impl Groups {
    /// Returns groups by all keys.
    ///
    /// `batch`: keys, states. `keys`: how many of its columns are keys.
    pub(super) fn finest(batch: &RecordBatch, keys: usize) -> Self {
        let columns = batch.columns().iter();
        Self {
            keys: columns.clone().take(keys).cloned().map(Some).collect(),
            states: columns.skip(keys).cloned().collect(),
            count: batch.num_rows(),
        }
    }

    /// Returns groups that have these keys only. Several of them may have equal keys.
    pub(super) fn with_keys(&self, keys: &[usize]) -> Self {
        let all = self.keys.iter().enumerate();
        let some = all.map(|(place, key)| key.clone().filter(|_| keys.contains(&place)));
        Self {
            keys: some.collect(),
            states: self.states.clone(),
            count: self.count,
        }
    }

    pub(super) fn slice(&self, first: usize, count: usize) -> Self {
        let keys = self.keys.iter();
        let keys = keys.map(|key| key.as_ref().map(|key| key.slice(first, count)));
        let states = self.states.iter();
        Self {
            keys: keys.collect(),
            states: states.map(|state| state.slice(first, count)).collect(),
            count,
        }
    }

    /// Returns how much memory the columns hold.
    pub(super) fn bytes(&self) -> usize {
        let columns = self.keys.iter().flatten().chain(&self.states);
        columns.map(|column| column.get_array_memory_size()).sum()
    }

    /// Returns the groups as rows of the result, with NULL for keys that they are not grouped by.
    ///
    /// `number`: of the set. `schema`: keys, number, states.
    pub(super) fn rows(&self, number: &ScalarValue, schema: &SchemaRef) -> Result<RecordBatch> {
        let keys = self.keys.iter().zip(schema.fields().iter());
        let keys = keys.map(|(key, field)| match key {
            Some(key) => Arc::clone(key),
            None => new_null_array(field.data_type(), self.count),
        });
        let mut columns: Vec<ArrayRef> = keys.collect();
        columns.push(number.to_array_of_size(self.count)?);
        columns.extend(self.states.iter().cloned());
        batch(schema, columns, self.count)
    }
}

/// Returns columns as a batch, also if there are none.
pub(super) fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    Ok(batch?)
}

/// Groups that are being made of finer ones.
pub(super) struct Table {
    /// `None` if there are no keys, and so one group.
    values: Option<Box<dyn GroupValues>>,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    /// The group of each row that was added last.
    places: Vec<usize>,
    count: usize,
    /// Finer groups so far.
    added: usize,
    bytes: usize,
}

impl Table {
    /// # Errors
    ///
    /// Returns an error if keys cannot be hashed, or if a function has no accumulator.
    pub(super) fn new(step: &Step, functions: &[Arc<AggregateFunctionExpr>]) -> Result<Self> {
        let values = match step.keys.is_empty() {
            true => None,
            false => {
                let schema = Arc::clone(&step.schema);
                Some(new_group_values(schema, &GroupOrdering::None)?)
            }
        };
        Ok(Self {
            values,
            accumulators: functions.iter().map(accumulator).collect::<Result<_>>()?,
            places: Vec::new(),
            count: 0,
            added: 0,
            bytes: 0,
        })
    }

    /// Merges finer groups.
    ///
    /// # Errors
    ///
    /// Returns an error of a function, or if the groups lack a column.
    pub(super) fn add(&mut self, finer: &Groups, step: &Step, states: &[usize]) -> Result<()> {
        if finer.count == 0 {
            return Ok(());
        }
        match &mut self.values {
            Some(values) => {
                let keys = step.keys.iter();
                let keys = keys.map(|place| finer.keys.get(*place).cloned().flatten());
                let keys = keys.collect::<Option<Vec<_>>>().ok_or_else(incomplete)?;
                values.intern(&keys, &mut self.places)?;
                self.count = values.len();
            }
            None => {
                self.places.clear();
                self.places.resize(finer.count, 0);
                self.count = 1;
            }
        }
        let mut rest = finer.states.as_slice();
        for (accumulator, columns) in self.accumulators.iter_mut().zip(states) {
            let (state, others) = rest.split_at_checked(*columns).ok_or_else(incomplete)?;
            accumulator.merge_batch(state, &self.places, self.count)?;
            rest = others;
        }
        self.added += finer.count;
        self.bytes = self.size();
        Ok(())
    }

    /// Returns how many groups there are, and of how many finer ones they are made.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.count, self.added)
    }

    /// Returns how much memory the table holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn size(&self) -> usize {
        let values = self.values.as_ref().map_or(0, |values| values.size());
        let accumulators = self.accumulators.iter();
        let accumulators: usize = accumulators.map(|accumulator| accumulator.size()).sum();
        let places = self.places.capacity().saturating_mul(size_of::<usize>());
        values.saturating_add(accumulators).saturating_add(places)
    }

    /// Returns the groups that were made.
    ///
    /// # Errors
    ///
    /// Returns an error of a function.
    pub(super) fn into_groups(mut self, step: &Step, plan: &Steps) -> Result<Groups> {
        let mut keys: Vec<Option<ArrayRef>> = vec![None; plan.keys];
        if let Some(values) = &mut self.values {
            let columns = values.emit(EmitTo::All)?;
            for (place, column) in step.keys.iter().zip(columns) {
                *keys.get_mut(*place).ok_or_else(incomplete)? = Some(column);
            }
        }
        // Keys are hashed no more.
        self.values = None;
        let mut states = Vec::new();
        for accumulator in &mut self.accumulators {
            states.extend(accumulator.state(EmitTo::All)?);
        }
        Ok(Groups {
            keys,
            states,
            count: self.count,
        })
    }
}

fn incomplete() -> DataFusionError {
    DataFusionError::Internal("groups lack a column".to_owned())
}

fn accumulator(function: &Arc<AggregateFunctionExpr>) -> Result<Box<dyn GroupsAccumulator>> {
    if function.groups_accumulator_supported() {
        return function.create_groups_accumulator();
    }
    let function = Arc::clone(function);
    let accumulators = move || function.create_accumulator();
    Ok(Box::new(GroupsAccumulatorAdapter::new(accumulators)))
}
