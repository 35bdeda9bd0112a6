//! Several `string_agg`s in one SELECT, each with its own order.
//!
//! DataFusion sorts its input for `string_agg(x, ',' ORDER BY y)` and refuses a second order. The
//! function gathers with `array_agg`, which sorts by itself if its input is not in order;
//! DataFusion just does not declare it (`string_agg.rs`, 55.2).
//!
//! Delete this when `string_agg` declares its order as a soft requirement, as `array_agg` does.

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

use crate::aggregation::aggregates::as_the_inner;

/// Replaces DataFusion's `string_agg` with one that does not need sorted input.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.aggregate_functions().get("string_agg").cloned() {
        state.register_udaf(Arc::new(AggregateUDF::new_from_impl(Joined { inner })))?;
    }
    Ok(())
}

/// `string_agg` that sorts by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Joined {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Joined {
    as_the_inner!(description);

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::SoftRequirement
    }

    /// Returns the function unchanged, because it sorts in either case.
    fn with_beneficial_ordering(
        self: Arc<Self>,
        _: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::NotSupported
    }
}
