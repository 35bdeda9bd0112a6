//! `regr_r2` is 1 if all values of y are equal, as in the SQL standard and PostgreSQL. The engine
//! returns NULL (`regr.rs` of `datafusion-functions-aggregate`, 55.2). Delete this when it returns
//! 1.

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
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, Operator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};

use super::corrected::corrected;
use crate::aggregation::aggregates::as_the_inner;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.aggregate_functions().get("regr_r2").cloned() {
        let function = AggregateUDF::new_from_impl(Determination { inner });
        state.register_udaf(Arc::new(function))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Determination {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Determination {
    as_the_inner!(except accumulator);

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(corrected(self.inner.accumulator(args)?, level))
    }
}

/// Returns 1 if all values of y are equal.
fn level(value: ScalarValue, inner: &mut dyn Accumulator) -> Result<ScalarValue> {
    if !value.is_null() {
        return Ok(value);
    }
    // The state: count, mean of x, mean of y, squares of x, squares of y, products.
    let state = inner.state()?;
    let float = |index: usize| match state.get(index) {
        Some(ScalarValue::Float64(value)) => *value,
        _ => None,
    };
    let several = matches!(state.first(), Some(ScalarValue::UInt64(Some(2..))));
    let (Some(x), Some(y)) = (float(3), float(4)) else {
        return Ok(value);
    };
    let is_level = several && x > 0.0 && y == 0.0;
    Ok(ScalarValue::Float64(is_level.then_some(1.0)))
}
