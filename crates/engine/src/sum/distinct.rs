//! `sum(DISTINCT x)`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::Decimal128Type;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{HashMap, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;

use super::total::{Total, column};
use super::{Kind, MAX_PRECISION, Summed};

/// The distinct values, and how often each occurs in a window's frame. `T`: the type of the values,
/// `O`: that of the sum.
pub(super) struct DistinctSum<T, O = T> {
    kind: Kind,
    values: HashMap<i128, u64>,
    of: PhantomData<(T, O)>,
}

impl<T, O> DistinctSum<T, O> {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            values: HashMap::default(),
            of: PhantomData,
        }
    }

    /// Returns the distinct values, each once.
    pub(super) fn distinct(&self) -> impl Iterator<Item = i128> + '_ {
        self.values.keys().copied()
    }
}

impl<T, O> fmt::Debug for DistinctSum<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinctSum({} values)", self.values.len())
    }
}

impl<T: Summed, O: Summed> Accumulator for DistinctSum<T, O> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in column(values, 0)?.as_primitive::<T>().iter().flatten() {
            *self.values.entry(T::widened(value)).or_default() += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in column(values, 0)?.as_primitive::<T>().iter().flatten() {
            let value = T::widened(value);
            if let Some(times) = self.values.get_mut(&value) {
                *times -= 1;
                if *times == 0 {
                    self.values.remove(&value);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in column(states, 0)?.as_list::<i32>().iter().flatten() {
            for value in list.as_primitive::<Decimal128Type>().iter().flatten() {
                *self.values.entry(value).or_default() += 1;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Decimal128Array = self.values.keys().map(|value| Some(*value)).collect();
        let values = values.with_precision_and_scale(MAX_PRECISION, 0)?;
        let list = SingleRowListArrayBuilder::new(Arc::new(values)).build_list_scalar();
        Ok(vec![list])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut total = Total::default();
        for value in self.values.keys() {
            total.add(*value);
        }
        let sum = match self.values.is_empty() {
            true => None,
            false => Some(self.kind.narrowed::<O>(total)?),
        };
        ScalarValue::new_primitive::<O>(sum, &self.kind.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<(i128, u64)>()
    }
}
