//! `greatest` and `least` of intervals by their length: DataFusion compares months, then days, then
//! nanoseconds.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::length::lengths;
use crate::plans::expressions;

/// Replaces a call on intervals; `None` for other functions and types.
pub(super) fn of_intervals(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let wanted = match call.func.name() {
        "greatest" => Ordering::Greater,
        "least" => Ordering::Less,
        _ => return None,
    };
    let mut types = call.args.iter().map(|arg| arg.get_type(schema));
    let function = ExtremeInterval {
        wanted,
        signature: Signature::variadic_any(Volatility::Immutable),
    };
    types
        .any(|of| matches!(of, Ok(DataType::Interval(_))))
        .then(|| expressions::call(function, call.args.clone()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExtremeInterval {
    /// How a value compares to the best one so far if it replaces it.
    wanted: Ordering,
    signature: Signature,
}

impl ScalarUDFImpl for ExtremeInterval {
    fn name(&self) -> &str {
        match self.wanted {
            Ordering::Less => "least_interval",
            _ => "greatest_interval",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let target = DataType::Interval(IntervalUnit::MonthDayNano);
        let columns: Vec<ArrayRef> = ColumnarValue::values_to_arrays(&args.args)?
            .iter()
            .map(|column| cast(column, &target))
            .collect::<std::result::Result<_, _>>()?;
        let lengths = columns.iter().map(lengths).collect::<Result<Vec<_>>>()?;
        let rows = columns.first().map_or(0, |column| column.len());
        let places = best_places(rows, self.wanted, &lengths, |lengths, row| {
            lengths.is_valid(row).then(|| lengths.value(row))
        });
        let arrays: Vec<_> = columns.iter().map(Arc::as_ref).collect();
        Ok(ColumnarValue::Array(interleave(&arrays, &places)?))
    }
}

/// Returns, for each row, the column with the least or greatest value: the first of equal ones, and
/// the first column if all are NULL.
pub(crate) fn best_places<'a, C, K: Ord>(
    rows: usize,
    wanted: Ordering,
    columns: &'a [C],
    value: impl Fn(&'a C, usize) -> Option<K>,
) -> Vec<(usize, usize)> {
    let best = |row| {
        let values = columns.iter().enumerate();
        let values = values.filter_map(|(place, column)| Some((place, value(column, row)?)));
        let best = values.reduce(|best, value| match value.1.cmp(&best.1) == wanted {
            true => value,
            false => best,
        });
        (best.map_or(0, |(place, _)| place), row)
    };
    (0..rows).map(best).collect()
}
