//! Floating-point numbers as PostgreSQL has them: NaN is equal to itself and greater than every other number, -0 is 0.
//!
//! The engine has them so in comparisons, joins and groups, and not everywhere. What it does otherwise is replaced here:
//!
//! - [`extremes`]: `min` and `max` of groups, which begin at the largest finite number and forget NaN;
//! - [`sliding`]: `sum`, `avg` and the like over moving frames, which stay NaN after an infinity has left;
//! - [`canonical`]: NaNs with a sign, and -0 in windows, CASE, `nullif` and IN lists;
//! - [`joins`]: -0 in the filters that joins make of their keys.

mod canonical;
mod extremes;
mod joins;
mod sliding;

use std::cmp::Ordering;

use datafusion::error::Result;
use datafusion::execution::SessionState;

pub use canonical::CanonicalFloats;
pub use joins::CanonicalJoinKeys;

/// Puts these functions in the place of the engine's.
pub fn register(state: &mut SessionState) -> Result<()> {
    extremes::register(state)?;
    sliding::register(state)
}

/// NaN last, of whatever sign.
fn order(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
    }
}

/// What of an [`AggregateUDFImpl`](datafusion::logical_expr::AggregateUDFImpl) is that of the function in `self.inner`.
macro_rules! as_the_inner {
    () => {
        fn name(&self) -> &str {
            self.inner.name()
        }

        fn aliases(&self) -> &[String] {
            self.inner.aliases()
        }

        fn signature(&self) -> &Signature {
            self.inner.signature()
        }

        fn return_type(&self, types: &[DataType]) -> Result<DataType> {
            self.inner.return_type(types)
        }

        fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
            self.inner.return_field(fields)
        }

        fn is_nullable(&self) -> bool {
            self.inner.is_nullable()
        }

        fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
            self.inner.coerce_types(types)
        }

        fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
            self.inner.accumulator(args)
        }

        fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
            self.inner.state_fields(args)
        }

        fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
            self.inner.groups_accumulator_supported(args)
        }

        fn simplify(&self) -> Option<AggregateFunctionSimplification> {
            self.inner.simplify()
        }

        fn simplify_expr_op_literal(
            &self,
            function: &AggregateFunction,
            argument: &Expr,
            op: Operator,
            literal: &Expr,
            argument_is_left: bool,
        ) -> Result<Option<Expr>> {
            self.inner
                .simplify_expr_op_literal(function, argument, op, literal, argument_is_left)
        }

        fn is_descending(&self) -> Option<bool> {
            self.inner.is_descending()
        }

        fn order_sensitivity(&self) -> AggregateOrderSensitivity {
            self.inner.order_sensitivity()
        }

        fn reverse_expr(&self) -> ReversedUDAF {
            ReversedUDAF::Identical
        }

        fn value_from_stats(&self, statistics: &StatisticsArgs<'_>) -> Option<ScalarValue> {
            self.inner.value_from_stats(statistics)
        }

        fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
            self.inner.default_value(data_type)
        }

        fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
            self.inner.inner().set_monotonicity(data_type)
        }

        fn documentation(&self) -> Option<&Documentation> {
            self.inner.documentation()
        }
    };
}
use as_the_inner;

#[cfg(test)]
mod tests;
