//! Aggregate functions that have results of their own for some types, and those of another function
//! for the other types.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};

use crate::aggregates::as_the_inner;

/// What a function does for the types that are its own. The order of rows does not matter to it.
pub(super) trait Own: fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// Returns whether values of a type are the function's own.
    fn takes(&self, argument: &DataType) -> bool;

    fn return_type(&self, argument: &DataType) -> DataType;

    /// Returns what computes the result of all rows, or of a moving frame.
    fn accumulator(&self, args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator>;

    fn state_fields(&self, args: &StateFieldsArgs<'_>) -> Vec<FieldRef>;

    /// Returns what computes the results of groups, for calls without DISTINCT.
    fn groups_accumulator(&self, args: &AccumulatorArgs<'_>) -> Box<dyn GroupsAccumulator>;
}

/// A function with results of its own, which is the inner function for other types.
///
/// The inner function's `simplify` and `default_value` are not asked: they would be for all types.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnOrInner<F: Own> {
    own: F,
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl<F: Own> OwnOrInner<F> {
    pub(super) fn new(own: F, inner: Arc<AggregateUDF>, signature: Signature) -> Self {
        Self {
            own,
            inner,
            signature,
        }
    }

    /// Returns whether a call is the function's own.
    fn takes(&self, arguments: &[FieldRef]) -> bool {
        let first = arguments.first();
        first.is_some_and(|field| self.own.takes(field.data_type()))
    }
}

impl<F: Own> AggregateUDFImpl for OwnOrInner<F> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    as_the_inner!(names of calls);

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [one] if self.own.takes(one) => Ok(self.own.return_type(one)),
            types => self.inner.return_type(types),
        }
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        match fields.first() {
            Some(field) if self.own.takes(field.data_type()) => {
                let result = self.own.return_type(field.data_type());
                Ok(Arc::new(Field::new(
                    self.name(),
                    result,
                    self.is_nullable(),
                )))
            }
            _ => self.inner.return_field(fields),
        }
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match self.takes(args.expr_fields) {
            true => Ok(self.own.accumulator(&args)),
            false => self.inner.accumulator(args),
        }
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match self.takes(args.expr_fields) {
            true => Ok(self.own.accumulator(&args)),
            false => self.inner.create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match self.takes(args.input_fields) {
            true => Ok(self.own.state_fields(&args)),
            false => self.inner.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match self.takes(args.expr_fields) {
            true => !args.is_distinct,
            false => self.inner.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match self.takes(args.expr_fields) {
            true => Ok(self.own.groups_accumulator(&args)),
            false => self.inner.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
