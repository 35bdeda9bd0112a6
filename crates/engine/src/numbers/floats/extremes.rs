//! `min` and `max` of groups of floating-point numbers. `arrays/extremes.rs` has those of arrays.
//!
//! The engine's begin with the largest and the smallest finite number, so that they are finite for
//! a group of infinities, and replace a NaN by any later value (`datafusion-functions-aggregate`,
//! `min_max.rs`, 55.2). Delete this when they agree with `min` and `max` of all rows.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, FieldRef, Float16Type, Float32Type, Float64Type,
};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, Expr, GroupsAccumulator,
    Operator, ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};
use datafusion::physical_expr::NullState;

use super::order;
use crate::aggregation::aggregates::{as_the_inner, rows_taken};
use crate::arrays::{ArrayExtreme, MovingArrayExtreme, is_array};

/// Registers `min` and `max` in place of the engine's.
///
/// # Errors
///
/// Returns an error if the session cannot register a function.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for (name, wanted) in [("min", Ordering::Less), ("max", Ordering::Greater)] {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let extreme = Extreme { inner, wanted };
            state.register_udaf(Arc::new(AggregateUDF::new_from_impl(extreme)))?;
        }
    }
    Ok(())
}

/// `min` or `max`, which is the engine's except for arrays and for groups of floating-point
/// numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    inner: Arc<AggregateUDF>,
    /// How a value must compare with the current one to replace it.
    wanted: Ordering,
}

impl AggregateUDFImpl for Extreme {
    as_the_inner!(except accumulator);

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match args.return_field.data_type() {
            of if is_array(of) => Ok(Box::new(ArrayExtreme::new(self.wanted, of))),
            _ => self.inner.accumulator(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let wanted = self.wanted;
        Ok(match args.return_field.data_type() {
            DataType::Float64 => Box::new(Grouped::<Float64Type>::new(wanted)),
            DataType::Float32 => Box::new(Grouped::<Float32Type>::new(wanted)),
            DataType::Float16 => Box::new(Grouped::<Float16Type>::new(wanted)),
            _ => return self.inner.create_groups_accumulator(args),
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match args.return_field.data_type() {
            of if is_array(of) => Ok(Box::new(MovingArrayExtreme::new(self.wanted, of))),
            _ => self.inner.create_sliding_accumulator(args),
        }
    }
}

/// A floating-point type.
pub(super) trait Float: ArrowPrimitiveType + Send + Sync {
    fn widened(value: Self::Native) -> f64;
}

impl Float for Float64Type {
    fn widened(value: f64) -> f64 {
        value
    }
}

impl Float for Float32Type {
    fn widened(value: f32) -> f64 {
        value.into()
    }
}

impl Float for Float16Type {
    fn widened(value: Self::Native) -> f64 {
        value.into()
    }
}

struct Grouped<T: Float> {
    wanted: Ordering,
    /// The extreme of each group; `None` if it has no value so far.
    values: Vec<Option<T::Native>>,
    nulls: NullState,
}

impl<T: Float> Grouped<T> {
    fn new(wanted: Ordering) -> Self {
        Self {
            wanted,
            values: Vec::new(),
            nulls: NullState::new(),
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> ArrayRef {
        let values = emit_to.take_needed(&mut self.values);
        let values: Vec<T::Native> = values.into_iter().map(Option::unwrap_or_default).collect();
        let nulls = self.nulls.build(emit_to);
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
    }
}

fn first<T: Float>(columns: &[ArrayRef]) -> Result<&PrimitiveArray<T>> {
    columns
        .first()
        .and_then(|column| column.as_primitive_opt::<T>())
        .ok_or_else(|| DataFusionError::Internal("an extreme of another type".to_owned()))
}

impl<T: Float> GroupsAccumulator for Grouped<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let array = first::<T>(values)?;
        self.values.resize(total_groups, None);
        let (kept, wanted) = (&mut self.values, self.wanted);
        self.nulls
            .accumulate(groups, array, filter, total_groups, |group, value| {
                let Some(kept) = kept.get_mut(group) else {
                    return;
                };
                let better =
                    kept.is_none_or(|kept| order(T::widened(value), T::widened(kept)) == wanted);
                if better {
                    *kept = Some(value);
                }
            });
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.update_batch(states, groups, None, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.take(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(emit_to)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let array = first::<T>(values)?;
        let nulls = rows_taken(array, filter);
        let state = PrimitiveArray::<T>::new(array.values().clone(), nulls);
        Ok(vec![Arc::new(state)])
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<Option<T::Native>>() + self.nulls.size()
    }
}
