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

use crate::aggregation::aggregates::as_the_inner;

/// What a function does for the types that are its own. The order of rows does not matter to it.
pub(super) trait Own: fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// What the function knows of a type that is its own.
    type Of;

    /// Returns `None` for the types of the other function.
    fn of(&self, argument: &DataType) -> Option<Self::Of>;

    fn return_type(&self, of: &Self::Of) -> DataType;

    /// Returns what computes the result of all rows, or of a moving frame.
    fn accumulator(&self, of: Self::Of, args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator>;

    fn state_fields(&self, of: Self::Of, args: &StateFieldsArgs<'_>) -> Vec<FieldRef>;

    /// Returns what computes the results of groups, for calls without DISTINCT. `None`: the groups of
    /// this type have an accumulator each.
    fn groups_accumulator(
        &self,
        of: Self::Of,
        args: &AccumulatorArgs<'_>,
    ) -> Option<Box<dyn GroupsAccumulator>>;
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

    /// Returns `None` for a call of the other function.
    fn of(&self, arguments: &[FieldRef]) -> Option<F::Of> {
        self.own.of(arguments.first()?.data_type())
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
        match types.first().and_then(|first| self.own.of(first)) {
            Some(of) => Ok(self.own.return_type(&of)),
            None => self.inner.return_type(types),
        }
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        match self.of(fields) {
            Some(of) => {
                let result = self.own.return_type(&of);
                let field = Field::new(self.name(), result, self.is_nullable());
                Ok(Arc::new(field))
            }
            None => self.inner.return_field(fields),
        }
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match self.of(args.expr_fields) {
            Some(of) => Ok(self.own.accumulator(of, &args)),
            None => self.inner.accumulator(args),
        }
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match self.of(args.expr_fields) {
            Some(of) => Ok(self.own.accumulator(of, &args)),
            None => self.inner.create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match self.of(args.input_fields) {
            Some(of) => Ok(self.own.state_fields(of, &args)),
            None => self.inner.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match self.of(args.expr_fields) {
            Some(of) => !args.is_distinct && self.own.groups_accumulator(of, &args).is_some(),
            None => self.inner.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let of = self.of(args.expr_fields);
        match of.and_then(|of| self.own.groups_accumulator(of, &args)) {
            Some(groups) => Ok(groups),
            None => self.inner.create_groups_accumulator(args),
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
