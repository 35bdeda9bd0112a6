//! Sums and averages of windows whose frames begin with the partition.

use std::any::Any;

use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::logical_expr::Accumulator;

use super::average::PlainAverage;
use super::total::PlainSum;
use super::{Kind, Summed};
use crate::running_windows::{Running, folded};

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
    if let Some(kind) = kind::<Int64Type>(accumulator) {
        return folded(PlainSum::<Int64Type>::new(kind), of, to);
    }
    if let Some(kind) = kind::<UInt64Type>(accumulator) {
        return folded(PlainSum::<UInt64Type>::new(kind), of, to);
    }
    let kind = kind::<Decimal128Type>(accumulator)?;
    folded(PlainSum::<Decimal128Type>::new(kind), of, to)
}

fn kind<T: Summed>(accumulator: &dyn Any) -> Option<Kind> {
    let sum = accumulator.downcast_ref::<PlainSum<T>>()?;
    Some(sum.kind().clone())
}
