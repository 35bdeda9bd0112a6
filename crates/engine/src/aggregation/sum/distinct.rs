//! Functions of the distinct values of a column: `sum(DISTINCT x)`, and the average and the variances
//! in other files.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{Decimal128Type, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{HashMap, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;

use super::total::{Total, column};
use super::{Kind, MAX_PRECISION, STATE, Summed};

/// A function of distinct numbers.
pub(super) trait OfDistinct: Send + Sync + 'static {
    /// Calls `each` with the values of a batch that are not NULL.
    ///
    /// # Errors
    ///
    /// Returns an error if the columns are not those of an argument of the function.
    fn visit(columns: &[ArrayRef], each: impl FnMut(i128)) -> Result<()>;

    /// Returns the result of distinct values.
    ///
    /// # Errors
    ///
    /// Returns an error if the type of the result does not hold it.
    fn result(&self, values: impl Iterator<Item = i128>) -> Result<ScalarValue>;
}

/// Calls `each` with the values of a column of type `T` that are not NULL.
///
/// # Errors
///
/// Returns an error if there is no column.
pub(super) fn visit<T: Summed>(columns: &[ArrayRef], each: impl FnMut(i128)) -> Result<()> {
    let values = column(columns, 0)?.as_primitive::<T>();
    values.iter().flatten().map(T::widened).for_each(each);
    Ok(())
}

/// Returns the fields of the state of a [`Distinct`]. `name`: that of the only one.
pub(super) fn state_fields(name: String) -> Vec<FieldRef> {
    let item = Field::new_list_field(STATE, true);
    vec![Arc::new(Field::new_list(name, item, false))]
}

/// The distinct values, and how often each occurs in a window's frame.
pub(super) struct Distinct<F> {
    function: F,
    values: HashMap<i128, u64>,
}

impl<F> Distinct<F> {
    pub(super) fn new(function: F) -> Self {
        Self {
            function,
            values: HashMap::default(),
        }
    }
}

impl<F> fmt::Debug for Distinct<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Distinct({} values)", self.values.len())
    }
}

impl<F: OfDistinct> Accumulator for Distinct<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        F::visit(values, |value| {
            *self.values.entry(value).or_default() += 1;
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        F::visit(values, |value| {
            if let Some(times) = self.values.get_mut(&value) {
                *times -= 1;
                if *times == 0 {
                    self.values.remove(&value);
                }
            }
        })
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
        self.function.result(self.values.keys().copied())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<(i128, u64)>()
    }
}

/// `sum(DISTINCT x)`. `T`: the type of the values, `O`: that of the sum.
pub(super) struct DistinctSum<T, O> {
    kind: Kind,
    of: PhantomData<(T, O)>,
}

impl<T, O> DistinctSum<T, O> {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            of: PhantomData,
        }
    }
}

impl<T: Summed, O: Summed> OfDistinct for DistinctSum<T, O> {
    fn visit(columns: &[ArrayRef], each: impl FnMut(i128)) -> Result<()> {
        visit::<T>(columns, each)
    }

    fn result(&self, values: impl Iterator<Item = i128>) -> Result<ScalarValue> {
        let mut total = None;
        for value in values {
            total.get_or_insert_with(Total::default).add(value);
        }
        let sum = total.map(|total| self.kind.narrowed::<O>(total));
        ScalarValue::new_primitive::<O>(sum.transpose()?, &self.kind.data_type)
    }
}
