//! Aggregate functions of states instead of rows.
//!
//! The first phase of an aggregation for grouping sets returns states of each set. Where rows are
//! grouped before, it makes these of the states of finer groups. DataFusion has a phase of this kind
//! (`AggregateMode::PartialReduce`, 55.2), but not for grouping sets: it looks for the number of the
//! set in its input. So the phase stays the first one, and its functions take states as arguments.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, new_null_array};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};

/// Returns a function that merges the states of another one. Its states and its result are those of
/// that function.
///
/// `rows`: the columns that the arguments of the function are of. `states`: its states, which are
/// columns of `schema`.
///
/// # Errors
///
/// Returns an error if an argument has no type.
pub(super) fn merged(
    function: &Arc<AggregateFunctionExpr>,
    rows: &Schema,
    states: Vec<PhysicalExprRef>,
    schema: SchemaRef,
) -> Result<Arc<AggregateFunctionExpr>> {
    let arguments = function.expressions();
    let arguments = arguments.iter().map(|argument| argument.data_type(rows));
    let of_states = OfStates {
        function: Arc::clone(function),
        arguments: arguments.collect::<Result<_>>()?,
        signature: Signature::any(states.len(), Volatility::Immutable),
    };
    let udaf = AggregateUDF::new_from_impl(of_states);
    let built = AggregateExprBuilder::new(Arc::new(udaf), states)
        .schema(schema)
        .alias(function.name())
        .human_display(function.human_display().unwrap_or_default())
        .build()?;
    Ok(Arc::new(built))
}

/// A function whose arguments are the states of another one.
#[derive(Debug, PartialEq)]
struct OfStates {
    function: Arc<AggregateFunctionExpr>,
    /// The types of the arguments of that function.
    arguments: Vec<DataType>,
    signature: Signature,
}

impl Eq for OfStates {}

impl Hash for OfStates {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name().hash(state);
        self.arguments.hash(state);
    }
}

impl AggregateUDFImpl for OfStates {
    fn name(&self) -> &str {
        self.function.fun().name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.field().data_type().clone())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let inner = self.function.create_accumulator()?;
        Ok(Box::new(Merged { inner }))
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.function.state_fields()
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        self.function.groups_accumulator_supported()
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(MergedGroups {
            inner: self.function.create_groups_accumulator()?,
            arguments: self.arguments.clone(),
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Merges the states of one group.
#[derive(Debug)]
struct Merged {
    inner: Box<dyn Accumulator>,
}

impl Accumulator for Merged {
    fn update_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

/// Merges the states of many groups.
struct MergedGroups {
    inner: Box<dyn GroupsAccumulator>,
    /// The types of the arguments that have these states.
    arguments: Vec<DataType>,
}

impl GroupsAccumulator for MergedGroups {
    fn update_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let Some(filter) = filter else {
            return self.inner.merge_batch(states, groups, total_groups);
        };
        if filter.true_count() > 0 {
            return Err(filtered());
        }
        // The group of no rows is made of a row that a filter leaves out.
        let arguments = self.arguments.iter();
        let arguments = arguments.map(|of| new_null_array(of, groups.len()));
        let arguments: Vec<ArrayRef> = arguments.collect();
        self.inner
            .update_batch(&arguments, groups, Some(filter), total_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.inner.merge_batch(states, groups, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.inner.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn convert_to_state(
        &self,
        states: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        match filter {
            None => Ok(states.to_vec()),
            Some(_) => Err(filtered()),
        }
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

/// Filters are applied to rows, before there are states.
fn filtered() -> DataFusionError {
    DataFusionError::Internal("states have a filter".to_owned())
}
