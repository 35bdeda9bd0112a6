//! `bit_xor` is NULL over a frame that its last value has left. The engine returns 0
//! (`bit_and_or_xor.rs` of `datafusion-functions-aggregate`, 55.2). Delete this when it returns
//! NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
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

use crate::aggregation::aggregates::as_the_inner;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.aggregate_functions().get("bit_xor").cloned() {
        let function = AggregateUDF::new_from_impl(Xor { inner });
        state.register_udaf(Arc::new(function))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Xor {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Xor {
    as_the_inner!();

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let null = ScalarValue::try_from(args.return_field.data_type())?;
        Ok(Box::new(Counted {
            inner: self.inner.create_sliding_accumulator(args)?,
            null,
            values: 0,
        }))
    }
}

/// The engine's accumulator, and the number of its values.
#[derive(Debug)]
struct Counted {
    inner: Box<dyn Accumulator>,
    null: ScalarValue,
    values: usize,
}

fn values(columns: &[ArrayRef]) -> usize {
    let column = columns.first();
    column.map_or(0, |column| column.len() - column.logical_null_count())
}

impl Accumulator for Counted {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.values += values(columns);
        self.inner.update_batch(columns)
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.values = self.values.saturating_sub(values(columns));
        self.inner.retract_batch(columns)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.values == 0 {
            return Ok(self.null.clone());
        }
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}
