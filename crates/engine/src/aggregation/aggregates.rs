//! What aggregate functions of the engine share: delegation for those that override parts of another
//! one, filters, and the accumulators of [`groups`].

mod groups;

use arrow::array::{Array, BooleanArray};
use arrow::buffer::NullBuffer;

pub(crate) use self::groups::{GroupedSums, OfSums};

/// Returns the rows for which a filter is true, as those that are not NULL.
pub(crate) fn rows_of(filter: &BooleanArray) -> NullBuffer {
    NullBuffer::new(match filter.nulls() {
        Some(nulls) => filter.values() & nulls.inner(),
        None => filter.values().clone(),
    })
}

/// Returns the rows that an aggregate function takes: values that are not NULL, where a filter is true.
pub(crate) fn rows_taken(values: &dyn Array, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    match filter {
        None => values.nulls().cloned(),
        Some(filter) => NullBuffer::union(values.nulls(), Some(&rows_of(filter))),
    }
}

/// Implements methods of [`AggregateUDFImpl`](datafusion::logical_expr::AggregateUDFImpl) by
/// calling the function in `self.inner`. The types are those that the calling module imports.
///
/// - Without an argument: everything except the accumulators of moving frames.
/// - `except accumulator`: the same without any accumulators.
/// - `description`: the same without the dependence on the order of rows, and without
///   `reverse_expr`, which is `Identical` otherwise.
/// - `apart from types`: names and documentation, and what does not depend on types and states.
/// - `names of calls`: how calls are named and shown, for a wrapper that must not be seen.
macro_rules! as_the_inner {
    () => {
        as_the_inner!(except accumulator);

        fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
            self.inner.accumulator(args)
        }

        fn create_groups_accumulator(
            &self,
            args: AccumulatorArgs<'_>,
        ) -> Result<Box<dyn GroupsAccumulator>> {
            self.inner.create_groups_accumulator(args)
        }
    };
    (except accumulator) => {
        as_the_inner!(description);

        fn order_sensitivity(&self) -> AggregateOrderSensitivity {
            self.inner.order_sensitivity()
        }

        fn reverse_expr(&self) -> ReversedUDAF {
            ReversedUDAF::Identical
        }
    };
    (description) => {
        as_the_inner!(apart from types);

        fn signature(&self) -> &Signature {
            self.inner.signature()
        }

        fn return_type(&self, types: &[DataType]) -> Result<DataType> {
            self.inner.return_type(types)
        }

        fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
            self.inner.return_field(fields)
        }

        fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
            self.inner.coerce_types(types)
        }

        fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
            self.inner.state_fields(args)
        }

        fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
            self.inner.groups_accumulator_supported(args)
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

        fn value_from_stats(&self, statistics: &StatisticsArgs<'_>) -> Option<ScalarValue> {
            self.inner.value_from_stats(statistics)
        }
    };
    (apart from types) => {
        fn name(&self) -> &str {
            self.inner.name()
        }

        fn aliases(&self) -> &[String] {
            self.inner.aliases()
        }

        fn is_nullable(&self) -> bool {
            self.inner.is_nullable()
        }

        fn simplify(&self) -> Option<AggregateFunctionSimplification> {
            self.inner.simplify()
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
    (names of calls) => {
        fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
            self.inner.schema_name(params)
        }

        fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
            self.inner.human_display(params)
        }

        fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
            self.inner.window_function_schema_name(params)
        }

        fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
            self.inner.display_name(params)
        }

        fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
            self.inner.window_function_display_name(params)
        }
    };
}
pub(crate) use as_the_inner;
