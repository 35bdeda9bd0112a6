//! `first_value`, `last_value` and `nth_value` over frames without some of their rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    Documentation, PartitionEvaluator, Signature, WindowUDF, WindowUDFImpl,
};
use lakegate_error::{Code, Error};

use super::{Exclusion, Left, split};
use crate::limits::gathered;

/// Returns a function over frames without some of their rows; `None` for a function that does not
/// look at its frame.
pub fn value_excluding(function: &Arc<WindowUDF>, exclusion: Exclusion) -> Option<Arc<WindowUDF>> {
    let which = match function.name() {
        "first_value" => Which::First,
        "last_value" => Which::Last,
        "nth_value" => Which::Nth,
        _ => return None,
    };
    let name = exclusion.named(function.name());
    Some(gathered::of_window(Arc::new(WindowUDF::new_from_impl(
        ValueExcluding {
            inner: Arc::clone(function),
            which,
            exclusion,
            name,
        },
    ))))
}

/// Which row of a frame the value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    First,
    Last,
    /// The one whose number, from 1, is the second argument.
    Nth,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ValueExcluding {
    inner: Arc<WindowUDF>,
    which: Which,
    exclusion: Exclusion,
    name: String,
}

impl WindowUDFImpl for ValueExcluding {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.field(args)
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Rows {
            which: self.which,
            left: Left::of(self.exclusion),
            arguments: args.input_exprs().len(),
            ignores_nulls: args.ignore_nulls(),
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// The rows of one partition, which are evaluated in their order.
#[derive(Debug)]
struct Rows {
    which: Which,
    left: Left,
    /// The number of arguments.
    arguments: usize,
    ignores_nulls: bool,
}

impl PartitionEvaluator for Rows {
    /// `values`: the arguments, then the keys of the order.
    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let row = self.left.row;
        let (arguments, keys) = split(values, self.arguments)?;
        let missing = || DataFusionError::Internal("a value of no argument".to_owned());
        let value = arguments.first().ok_or_else(missing)?;
        let parts = self.left.next(keys, value.len(), frame)?;
        let nulls = match self.ignores_nulls {
            true => value.logical_nulls(),
            false => None,
        };
        let is_counted = |row: &usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
        let mut counted = parts.into_iter().flatten().filter(is_counted);
        let found = match self.which {
            Which::First => counted.next(),
            Which::Last => counted.next_back(),
            Which::Nth => {
                let numbers = arguments.get(1).ok_or_else(missing)?;
                number(numbers, row)?.and_then(|number| counted.nth(number - 1))
            }
        };
        match found {
            Some(found) => ScalarValue::try_from_array(value, found),
            None => ScalarValue::try_from(value.data_type()),
        }
    }

    fn uses_window_frame(&self) -> bool {
        true
    }
}

/// Returns the number of the row that `nth_value` looks for, at least 1; `None` for NULL.
///
/// # Errors
///
/// The number is less than 1, or of a type that has no numbers.
fn number(numbers: &ArrayRef, row: usize) -> Result<Option<usize>> {
    // One row: a partition may be large, and each of its rows asks.
    let one = cast(&numbers.slice(row, 1), &DataType::Int64)?;
    let Some(number) = one.as_primitive::<Int64Type>().iter().next().flatten() else {
        return Ok(None);
    };
    match usize::try_from(number) {
        Ok(number @ 1..) => Ok(Some(number)),
        _ => Err(Error::new(
            Code::InvalidNthValue,
            format!("the offset of nth_value must be at least 1, not {number}"),
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Int64Array;
    use arrow::datatypes::Field;
    use datafusion::functions_window::nth_value::{
        first_value_udwf, last_value_udwf, nth_value_udwf,
    };
    use datafusion::functions_window::row_number::row_number_udwf;
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_expr::expressions::Column;

    use super::*;

    fn column(values: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }

    /// Returns the values of a partition whose rows are 10, NULL, 30, 40, with one frame of all rows.
    /// The second and the third row are peers. `numbers`: the second argument of each row.
    fn values(
        function: &Arc<WindowUDF>,
        exclusion: Exclusion,
        numbers: Option<Vec<Option<i64>>>,
        ignores_nulls: bool,
    ) -> Result<Vec<String>> {
        let window = value_excluding(function, exclusion).unwrap();
        let count = if numbers.is_some() { 2 } else { 1 };
        let exprs = (0..count).map(|at| Arc::new(Column::new("x", at)) as Arc<dyn PhysicalExpr>);
        let exprs: Vec<Arc<dyn PhysicalExpr>> = exprs.collect();
        let field: FieldRef = Arc::new(Field::new("x", DataType::Int64, true));
        let fields = vec![field; count];
        let args = PartitionEvaluatorArgs::new(&exprs, &fields, false, ignores_nulls);
        let mut evaluator = window.partition_evaluator_factory(args)?;
        let mut columns = vec![column(vec![Some(10), None, Some(30), Some(40)])];
        columns.extend(numbers.map(column));
        columns.push(column(vec![Some(1), Some(2), Some(2), Some(3)]));
        let rows = (0..4).map(|_| evaluator.evaluate(&columns, &(0..4)));
        rows.map(|value| value.map(|value| value.to_string()))
            .collect()
    }

    #[test]
    fn values_are_of_rows_that_are_left() {
        use Exclusion as E;
        for (function, exclusion, expected) in [
            (
                first_value_udwf(),
                E::CurrentRow,
                ["NULL", "10", "10", "10"],
            ),
            (first_value_udwf(), E::Group, ["NULL", "10", "10", "10"]),
            (first_value_udwf(), E::Ties, ["10", "10", "10", "10"]),
            (last_value_udwf(), E::CurrentRow, ["40", "40", "40", "30"]),
            (last_value_udwf(), E::Group, ["40", "40", "40", "30"]),
            (last_value_udwf(), E::Ties, ["40", "40", "40", "40"]),
        ] {
            let found = values(&function, exclusion, None, false).unwrap();
            assert_eq!(found, expected, "{} {exclusion:?}", function.name());
        }
        let found = values(&first_value_udwf(), E::CurrentRow, None, true).unwrap();
        assert_eq!(found, ["30", "10", "10", "10"]);
    }

    #[test]
    fn each_row_has_its_number() {
        let numbers = |numbers| {
            let nth = nth_value_udwf();
            values(&nth, Exclusion::CurrentRow, Some(numbers), false)
        };
        let found = numbers(vec![Some(2), Some(2), None, Some(i64::MAX)]).unwrap();
        assert_eq!(found, ["30", "30", "NULL", "NULL"]);
        for wrong in [0, -1, i64::MIN] {
            let error = numbers(vec![Some(1), Some(wrong), None, None]).unwrap_err();
            assert!(error.to_string().contains("at least 1"), "{error}");
        }
    }

    #[test]
    fn functions_that_do_not_look_at_frames_stay() {
        assert!(value_excluding(&row_number_udwf(), Exclusion::Ties).is_none());
    }
}
