//! A sum in 128 bits with carries, and its accumulator.

use std::fmt;
use std::marker::PhantomData;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Decimal128Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Accumulator;

use super::{Kind, MAX_PRECISION, Summed};
use crate::windows::running_windows::Fold;

/// `sum + carries * 2^128`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) sum: i128,
    pub(super) carries: i64,
}

impl Total {
    #[inline]
    pub(super) fn add(&mut self, value: i128) {
        let (sum, carried) = self.sum.overflowing_add(value);
        self.sum = sum;
        if carried {
            self.carries += if value < 0 { -1 } else { 1 };
        }
    }

    #[inline]
    pub(super) fn subtract(&mut self, value: i128) {
        let (sum, carried) = self.sum.overflowing_sub(value);
        self.sum = sum;
        if carried {
            self.carries += if value < 0 { 1 } else { -1 };
        }
    }

    #[inline]
    pub(super) fn add_total(&mut self, other: Total) {
        self.add(other.sum);
        self.carries += other.carries;
    }
}

/// Returns a column of an accumulator's state.
///
/// # Errors
///
/// Returns an error if there is no such column.
pub(super) fn column(arrays: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    arrays
        .get(index)
        .ok_or_else(|| DataFusionError::Internal(format!("sum without its column {index}")))
}

/// Sums all rows, or a window's frame. `T`: the type of the values, `O`: that of the sum.
pub(super) struct PlainSum<T, O = T> {
    kind: Kind,
    total: Total,
    /// Number of values in the sum; without values, the sum is NULL.
    values: u64,
    of: PhantomData<(T, O)>,
}

impl<T, O> PlainSum<T, O> {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            total: Total::default(),
            values: 0,
            of: PhantomData,
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl<T: Summed, O: Summed> Fold for PlainSum<T, O> {
    type Of = T;
    type To = O;

    fn clear(&mut self) {
        self.total = Total::default();
        self.values = 0;
    }

    fn add(&mut self, value: T::Native) {
        self.total.add(T::widened(value));
        self.values += 1;
    }

    fn value(&self) -> Result<Option<O::Native>> {
        match self.values {
            0 => Ok(None),
            _ => self.kind.narrowed::<O>(self.total).map(Some),
        }
    }
}

impl<T, O> fmt::Debug for PlainSum<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainSum({:?}, {})", self.total, self.values)
    }
}

impl<T: Summed, O: Summed> Accumulator for PlainSum<T, O> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<T>();
        match values.null_count() {
            0 => {
                for value in values.values() {
                    self.total.add(T::widened(*value));
                }
            }
            _ => {
                for value in values.iter().flatten() {
                    self.total.add(T::widened(value));
                }
            }
        }
        self.values += (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<T>();
        for value in values.iter().flatten() {
            self.total.subtract(T::widened(value));
            self.values = self.values.saturating_sub(1);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = column(states, 0)?.as_primitive::<Decimal128Type>();
        let carries = match self.kind.carries() {
            true => Some(column(states, 1)?.as_primitive::<Int64Type>()),
            false => None,
        };
        for (row, sum) in sums.iter().enumerate() {
            let Some(sum) = sum else { continue };
            self.total.add_total(Total {
                sum,
                carries: carries.map_or(0, |carries| carries.value(row)),
            });
            self.values += 1;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.values > 0).then_some(self.total.sum);
        let mut state = vec![ScalarValue::Decimal128(sum, MAX_PRECISION, 0)];
        if self.kind.carries() {
            state.push(ScalarValue::Int64(Some(self.total.carries)));
        }
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::new_primitive::<O>(self.value()?, &self.kind.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
