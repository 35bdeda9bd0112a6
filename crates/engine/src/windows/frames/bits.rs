//! `bool_and`, `bool_or`, `bit_and` and `bit_or` over moving frames, which the engine refuses
//! (`bool_and_or.rs` and `bit_and_or_xor.rs` of `datafusion-functions-aggregate`, 55.2: "retract_batch
//! is not implemented"). Delete this when it does not.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
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

use super::stacks::{Merge, Queue};
use crate::aggregation::aggregates::as_the_inner;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for (name, all) in [
        ("bool_and", true),
        ("bool_or", false),
        ("bit_and", true),
        ("bit_or", false),
    ] {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let function = AggregateUDF::new_from_impl(OfBits { inner, all });
            state.register_udaf(Arc::new(function))?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfBits {
    inner: Arc<AggregateUDF>,
    /// Whether a bit is set if it is in all values, not in any.
    all: bool,
}

impl AggregateUDFImpl for OfBits {
    as_the_inner!();

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let returns = args.return_field.data_type();
        if !returns.is_signed_integer() && returns != &DataType::Boolean {
            return self.inner.create_sliding_accumulator(args);
        }
        let returns = returns.clone();
        Ok(match self.all {
            true => Box::new(Frame::<true> {
                values: Queue::new(),
                returns,
            }),
            false => Box::new(Frame::<false> {
                values: Queue::new(),
                returns,
            }),
        })
    }
}

/// The bits of values: those of all, or of any. `None` if there is no value.
#[derive(Debug, Clone, Copy)]
struct Bits<const ALL: bool>(Option<i64>);

impl<const ALL: bool> Merge for Bits<ALL> {
    const NOTHING: Self = Self(None);

    fn merge(&self, later: &Self) -> Self {
        Self(match (self.0, later.0) {
            (Some(bits), Some(others)) if ALL => Some(bits & others),
            (Some(bits), Some(others)) => Some(bits | others),
            (bits, others) => bits.or(others),
        })
    }
}

/// The values of a frame, without NULLs.
#[derive(Debug)]
struct Frame<const ALL: bool> {
    values: Queue<Bits<ALL>>,
    returns: DataType,
}

/// Returns integers, or 1 for true and 0 for false.
fn integers(columns: &[ArrayRef]) -> Result<Int64Array> {
    let missing = || DataFusionError::Internal("a frame without values".to_owned());
    let column = columns.first().ok_or_else(missing)?;
    Ok(cast(column, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

impl<const ALL: bool> Accumulator for Frame<ALL> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in integers(columns)?.iter().flatten() {
            self.values.push(Bits(Some(value)));
        }
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for _ in integers(columns)?.iter().flatten() {
            self.values.pop();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Bits(bits) = self.values.total();
        match &self.returns {
            DataType::Boolean => Ok(ScalarValue::Boolean(bits.map(|bits| bits != 0))),
            returns => ScalarValue::Int64(bits).cast_to(returns),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        Err(DataFusionError::Internal(
            "frames are not merged".to_owned(),
        ))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.size()
    }
}
