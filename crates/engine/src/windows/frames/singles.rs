//! `var_pop` and `stddev_pop` of one infinity or NaN are NaN, as of several. The engine returns 0
//! for any single value (`variance.rs` of `datafusion-functions-aggregate`, 55.2), without GROUP BY.
//! Delete this when it does not.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};

use super::corrected::corrected;
use crate::aggregation::aggregates::as_the_inner;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for name in ["var_pop", "stddev_pop"] {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let function = AggregateUDF::new_from_impl(Population { inner });
            state.register_udaf(Arc::new(function))?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Population {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Population {
    as_the_inner!(except accumulator);

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let is_distinct = args.is_distinct;
        let inner = self.inner.accumulator(args)?;
        // The state of distinct values is the values.
        Ok(match is_distinct {
            true => inner,
            false => corrected(inner, spread),
        })
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
}

/// Returns NaN if the sum of squares is.
fn spread(value: ScalarValue, inner: &mut dyn Accumulator) -> Result<ScalarValue> {
    if value != ScalarValue::Float64(Some(0.0)) {
        return Ok(value);
    }
    // The state: count, mean, squares of the distances from the mean.
    Ok(match inner.state()?.get(2) {
        Some(ScalarValue::Float64(Some(squares))) if squares.is_nan() => {
            ScalarValue::Float64(Some(f64::NAN))
        }
        _ => value,
    })
}
