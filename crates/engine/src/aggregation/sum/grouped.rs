//! Sums of many groups at once.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Decimal128Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::NullState;

use super::total::{Total, column};
use super::{Kind, STATE, Summed, few};
use crate::aggregation::aggregates::rows_taken;

/// The sums of groups. `T`: the type of the values, `O`: that of the sums.
pub(super) struct GroupedSum<T, O = T> {
    kind: Kind,
    sums: Vec<i128>,
    /// The carries of each group; empty until one carries.
    carries: Vec<i64>,
    nulls: NullState,
    of: PhantomData<(T, O)>,
}

impl<T, O> GroupedSum<T, O> {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            sums: Vec::new(),
            carries: Vec::new(),
            nulls: NullState::new(),
            of: PhantomData,
        }
    }

    fn add_carry(&mut self, group: usize, carry: i64) {
        if self.carries.len() < self.sums.len() {
            self.carries.resize(self.sums.len(), 0);
        }
        if let Some(carries) = self.carries.get_mut(group) {
            *carries += carry;
        }
    }

    /// Adds values to the sums. Carries are rare, and are applied at the end.
    fn add<V: Summed>(
        &mut self,
        values: &PrimitiveArray<V>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) {
        self.sums.resize(total_groups, 0);
        if filter.is_none()
            && values.null_count() == 0
            && let Some(added) = few::added::<V>(&self.sums, groups, values.values())
        {
            self.nulls
                .accumulate(groups, values, None, total_groups, |_, _| ());
            for (sum, added) in self.sums.iter_mut().zip(added) {
                *sum = added;
            }
            return;
        }
        let mut carried: Vec<(usize, i64)> = Vec::new();
        let sums = &mut self.sums;
        self.nulls
            .accumulate(groups, values, filter, total_groups, |group, value| {
                let value = V::widened(value);
                if let Some(sum) = sums.get_mut(group) {
                    let (added, overflows) = sum.overflowing_add(value);
                    *sum = added;
                    if overflows {
                        carried.push((group, if value < 0 { -1 } else { 1 }));
                    }
                }
            });
        for (group, carry) in carried {
            self.add_carry(group, carry);
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> (Vec<i128>, Vec<i64>, Option<NullBuffer>) {
        let sums = emit_to.take_needed(&mut self.sums);
        let mut carries = match self.carries.is_empty() {
            true => Vec::new(),
            false => {
                self.carries.resize(self.carries.len().max(sums.len()), 0);
                emit_to.take_needed(&mut self.carries)
            }
        };
        carries.resize(sums.len(), 0);
        (sums, carries, self.nulls.build(emit_to))
    }
}

impl<T: Summed, O: Summed> GroupsAccumulator for GroupedSum<T, O> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<T>();
        self.add(values, groups, filter, total_groups);
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        let sums = column(states, 0)?.as_primitive::<Decimal128Type>();
        self.add(sums, groups, None, total_groups);
        if self.kind.carries() {
            let carries = column(states, 1)?.as_primitive::<Int64Type>();
            for (group, carry) in groups.iter().zip(carries.values()) {
                if *carry != 0 {
                    self.add_carry(*group, *carry);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, carries, nulls) = self.take(emit_to);
        let narrowed = sums
            .into_iter()
            .zip(carries)
            .map(|(sum, carries)| self.kind.narrowed::<O>(Total { sum, carries }))
            .collect::<Result<Vec<_>>>()?;
        let values = PrimitiveArray::<O>::new(narrowed.into(), nulls)
            .with_data_type(self.kind.data_type.clone());
        Ok(Arc::new(values))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, carries, nulls) = self.take(emit_to);
        let sums = PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls).with_data_type(STATE);
        let mut state: Vec<ArrayRef> = vec![Arc::new(sums)];
        if self.kind.carries() {
            state.push(Arc::new(Int64Array::from(carries)));
        }
        Ok(state)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = column(values, 0)?.as_primitive::<T>();
        let sums: Vec<i128> = values
            .values()
            .iter()
            .map(|value| T::widened(*value))
            .collect();
        let nulls = rows_taken(values, filter);
        let sums = PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls).with_data_type(STATE);
        let mut state: Vec<ArrayRef> = vec![Arc::new(sums)];
        if self.kind.carries() {
            state.push(Arc::new(Int64Array::from(vec![0; values.len()])));
        }
        Ok(state)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>()
            + self.carries.capacity() * size_of::<i64>()
            + self.nulls.size()
    }
}
