//! Averages of many groups at once.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray,
    UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Decimal128Type, UInt64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::NullState;

use super::{Division, carries};
use crate::aggregation::aggregates::rows_taken;
use crate::aggregation::sum::total::{Total, column};
use crate::aggregation::sum::{STATE, Summed, few};

/// The averages of groups. `T`: the type of the values.
pub(super) struct GroupedNumericAverage<T> {
    division: Division,
    sums: Vec<i128>,
    counts: Vec<u64>,
    /// The carries of each group; empty until one carries.
    carries: Vec<i64>,
    nulls: NullState,
    of: PhantomData<T>,
}

/// What groups have, each with its own.
struct Groups {
    sums: Vec<i128>,
    counts: Vec<u64>,
    /// Empty if none carries.
    carries: Vec<i64>,
    nulls: Option<NullBuffer>,
}

impl<T> GroupedNumericAverage<T> {
    pub(super) fn new(division: Division) -> Self {
        Self {
            division,
            sums: Vec::new(),
            counts: Vec::new(),
            carries: Vec::new(),
            nulls: NullState::new(),
            of: PhantomData,
        }
    }

    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.counts.resize(groups, 0);
    }

    fn add_carry(&mut self, group: usize, carry: i64) {
        if self.carries.len() < self.sums.len() {
            self.carries.resize(self.sums.len(), 0);
        }
        if let Some(carries) = self.carries.get_mut(group) {
            *carries += carry;
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> Groups {
        let carries = match self.carries.is_empty() {
            true => Vec::new(),
            false => {
                self.carries.resize(self.sums.len(), 0);
                emit_to.take_needed(&mut self.carries)
            }
        };
        Groups {
            sums: emit_to.take_needed(&mut self.sums),
            counts: emit_to.take_needed(&mut self.counts),
            carries,
            nulls: self.nulls.build(emit_to),
        }
    }
}

impl<T: Summed> GroupsAccumulator for GroupedNumericAverage<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<T>();
        self.resize(total_groups);
        if filter.is_none()
            && values.null_count() == 0
            && let Some(added) = few::added::<T>(&self.sums, groups, values.values())
        {
            self.nulls
                .accumulate(groups, values, None, total_groups, |_, _| ());
            for (sum, added) in self.sums.iter_mut().zip(added) {
                *sum = added;
            }
            few::count(&mut self.counts, groups);
            return Ok(());
        }
        let mut carried: Vec<(usize, i64)> = Vec::new();
        let (sums, counts) = (&mut self.sums, &mut self.counts);
        self.nulls
            .accumulate(groups, values, filter, total_groups, |group, value| {
                let value = T::widened(value);
                if let (Some(sum), Some(count)) = (sums.get_mut(group), counts.get_mut(group)) {
                    let (added, overflows) = sum.overflowing_add(value);
                    *sum = added;
                    *count += 1;
                    if overflows {
                        carried.push((group, if value < 0 { -1 } else { 1 }));
                    }
                }
            });
        for (group, carry) in carried {
            self.add_carry(group, carry);
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        let added = column(states, 0)?.as_primitive::<Decimal128Type>();
        let counted = column(states, 1)?.as_primitive::<UInt64Type>();
        self.resize(total_groups);
        let mut carried: Vec<(usize, i64)> = Vec::new();
        let sums = &mut self.sums;
        self.nulls
            .accumulate(groups, added, None, total_groups, |group, value| {
                if let Some(sum) = sums.get_mut(group) {
                    let (added, overflows) = sum.overflowing_add(value);
                    *sum = added;
                    if overflows {
                        carried.push((group, if value < 0 { -1 } else { 1 }));
                    }
                }
            });
        for (group, added) in groups.iter().zip(counted.values()) {
            if let Some(count) = self.counts.get_mut(*group) {
                *count += added;
            }
        }
        if let Some(carries) = carries(&self.division, states)? {
            let rows = groups.iter().zip(carries.values());
            carried.extend(rows.map(|(group, carries)| (*group, *carries)));
        }
        for (group, carry) in carried {
            if carry != 0 {
                self.add_carry(group, carry);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let taken = self.take(emit_to);
        let rows = taken.sums.into_iter().zip(taken.counts).enumerate();
        let averages = rows.map(|(row, (sum, count))| {
            let carries = taken.carries.get(row).copied().unwrap_or(0);
            self.division.average(Total { sum, carries }, count)
        });
        let averages = averages.collect::<Result<Decimal128Array>>()?;
        Ok(Arc::new(averages.with_data_type(self.division.data_type())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let Groups {
            sums,
            counts,
            mut carries,
            nulls,
        } = self.take(emit_to);
        carries.resize(sums.len(), 0);
        let sums = PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls).with_data_type(STATE);
        let mut state: Vec<ArrayRef> = vec![Arc::new(sums), Arc::new(UInt64Array::from(counts))];
        if self.division.carries {
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
        let nulls = rows_taken(values, filter);
        let sums = values.values().iter().map(|value| T::widened(*value));
        let sums: Vec<i128> = sums.collect();
        let is_counted = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let counts = (0..values.len()).map(|row| u64::from(is_counted(row)));
        let counts = UInt64Array::from_iter_values(counts);
        let sums = PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls).with_data_type(STATE);
        let mut state: Vec<ArrayRef> = vec![Arc::new(sums), Arc::new(counts)];
        if self.division.carries {
            state.push(Arc::new(Int64Array::from(vec![0; values.len()])));
        }
        Ok(state)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>()
            + self.counts.capacity() * size_of::<u64>()
            + self.carries.capacity() * size_of::<i64>()
            + self.nulls.size()
    }
}
