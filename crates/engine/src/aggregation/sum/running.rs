//! Sums and averages of windows whose frames begin with the partition.

use std::any::Any;

use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::logical_expr::Accumulator;

use super::Summed;
use super::average::PlainAverage;
use super::numeric_average::PlainNumericAverage;
use super::total::PlainSum;
use crate::windows::running_windows::{Running, folded};

/// Returns what computes the same values as an accumulator of this module, if this is one of those
/// that add up integers or decimals.
///
/// `of`: the type of the argument. `to`: the type of the result.
pub(crate) fn running(
    accumulator: &(dyn Accumulator + 'static),
    of: &DataType,
    to: &DataType,
) -> Option<Box<dyn Running>> {
    let accumulator: &dyn Any = accumulator;
    if accumulator.is::<PlainAverage>() {
        return folded(PlainAverage::default(), of, to);
    }
    averaged::<Int64Type>(accumulator, of, to)
        .or_else(|| averaged::<Decimal128Type>(accumulator, of, to))
        .or_else(|| same::<Int64Type, Int64Type>(accumulator, of, to))
        .or_else(|| same::<Int64Type, Decimal128Type>(accumulator, of, to))
        .or_else(|| same::<UInt64Type, UInt64Type>(accumulator, of, to))
        .or_else(|| same::<Decimal128Type, Decimal128Type>(accumulator, of, to))
}

fn same<T: Summed, O: Summed>(
    accumulator: &dyn Any,
    of: &DataType,
    to: &DataType,
) -> Option<Box<dyn Running>> {
    let sum = accumulator.downcast_ref::<PlainSum<T, O>>()?;
    folded(PlainSum::<T, O>::new(sum.kind().clone()), of, to)
}

fn averaged<T: Summed>(
    accumulator: &dyn Any,
    of: &DataType,
    to: &DataType,
) -> Option<Box<dyn Running>> {
    let average = accumulator.downcast_ref::<PlainNumericAverage<T>>()?;
    folded(PlainNumericAverage::<T>::new(average.division()), of, to)
}
