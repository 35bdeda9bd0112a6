//! `avg` of integers from their exact sum, and of intervals. DataFusion adds up integers as
//! floating-point numbers, which are inexact beyond 2^53, and whose sum depends on the order of
//! rows; it has no average of intervals.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type, UInt64Type,
};
use datafusion::common::ScalarValue;
use datafusion::common::types::{NativeType, logical_int64};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, Coercion, EmitTo, GroupsAccumulator, TypeSignature,
    TypeSignatureClass,
};
use datafusion::physical_expr::NullState;

use super::distinct::{self, Distinct, OfDistinct};
use super::interval::{self, IntervalSum};
use super::own_or_inner::{Own, OwnOrInner};
use super::total::column;
use super::{MAX_PRECISION, STATE};
use crate::aggregation::aggregates::rows_taken;
use crate::windows::running_windows::Fold;

/// Replaces DataFusion's `avg` with the exact one.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let Some(inner) = state.aggregate_functions().get("avg").cloned() else {
        return Ok(());
    };
    let whole = TypeSignature::Coercible(vec![Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int64()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int64,
    )]);
    let intervals =
        TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Interval)]);
    let others = match &inner.signature().type_signature {
        TypeSignature::OneOf(all) => all.clone(),
        one => vec![one.clone()],
    };
    let mut signature = inner.signature().clone();
    let own = [whole, intervals].into_iter();
    signature.type_signature = TypeSignature::OneOf(own.chain(others).collect());
    let average = OwnOrInner::new(ExactAverage, inner, signature);
    state.register_udaf(Arc::new(AggregateUDF::new_from_impl(average)))?;
    Ok(())
}

/// Returns the number nearest to `sum / count`, except perhaps in the last bit if they have more
/// than 53 bits.
fn average(sum: i128, count: u64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    if count > 0 && count <= EXACT && sum.unsigned_abs() <= u128::from(EXACT) {
        return Some(sum as f64 / count as f64);
    }
    let count = i128::from(count);
    let (whole, rest) = (sum.checked_div(count)?, sum.checked_rem(count)?);
    Some(whole as f64 + rest as f64 / count as f64)
}

/// The averages of integers and of intervals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactAverage;

/// What is averaged.
enum Of {
    Integers,
    /// NULLs without a type: their average is NULL, like that of no integers.
    Nulls,
    Intervals,
}

/// Returns the values that are not NULL.
fn whole(columns: &[ArrayRef]) -> Result<impl Iterator<Item = i64> + '_> {
    let values = column(columns, 0)?.as_primitive_opt::<Int64Type>();
    Ok(values.into_iter().flatten().flatten())
}

impl Own for ExactAverage {
    type Of = Of;

    fn of(&self, argument: &DataType) -> Option<Of> {
        match argument {
            DataType::Int64 => Some(Of::Integers),
            DataType::Null => Some(Of::Nulls),
            other if interval::is_summed(other) => Some(Of::Intervals),
            _ => None,
        }
    }

    fn return_type(&self, of: &Of) -> DataType {
        match of {
            Of::Integers | Of::Nulls => DataType::Float64,
            Of::Intervals => interval::INTERVAL,
        }
    }

    fn accumulator(&self, of: Of, args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator> {
        match (of, args.is_distinct) {
            (Of::Intervals, is_distinct) => Box::new(IntervalSum::average(is_distinct)),
            (Of::Integers | Of::Nulls, true) => Box::new(Distinct::new(DistinctAverage)),
            (Of::Integers | Of::Nulls, false) => Box::new(PlainAverage::default()),
        }
    }

    fn state_fields(&self, of: Of, args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
        if matches!(of, Of::Intervals) {
            return interval::state_fields(args.name, args.is_distinct);
        }
        if args.is_distinct {
            let name = format_state_name(args.name, "avg distinct");
            return distinct::state_fields(name);
        }
        let count = format_state_name(args.name, "count");
        vec![
            Arc::new(Field::new(format_state_name(args.name, "sum"), STATE, true)),
            Arc::new(Field::new(count, DataType::UInt64, false)),
        ]
    }

    fn groups_accumulator(
        &self,
        of: Of,
        _: &AccumulatorArgs<'_>,
    ) -> Option<Box<dyn GroupsAccumulator>> {
        match of {
            Of::Integers => Some(Box::new(GroupedAverage::default())),
            Of::Nulls | Of::Intervals => None,
        }
    }
}

/// Averages all rows, or a window's frame. 2^64 values of 64 bits do not overflow 128 bits.
#[derive(Debug, Default)]
pub(super) struct PlainAverage {
    sum: i128,
    count: u64,
}

impl Fold for PlainAverage {
    type Of = Int64Type;
    type To = Float64Type;

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, value: i64) {
        self.sum += i128::from(value);
        self.count += 1;
    }

    fn value(&self) -> Result<Option<f64>> {
        Ok(average(self.sum, self.count))
    }
}

impl Accumulator for PlainAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in whole(values)? {
            self.add(value);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in whole(values)? {
            self.sum -= i128::from(value);
            self.count = self.count.saturating_sub(1);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = column(states, 0)?.as_primitive::<Decimal128Type>();
        let counts = column(states, 1)?.as_primitive::<UInt64Type>();
        for (sum, count) in sums.iter().zip(counts) {
            self.sum += sum.unwrap_or_default();
            self.count += count.unwrap_or_default();
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.count > 0).then_some(self.sum);
        Ok(vec![
            ScalarValue::Decimal128(sum, MAX_PRECISION, 0),
            ScalarValue::UInt64(Some(self.count)),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value().map(ScalarValue::Float64)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// `avg(DISTINCT x)`.
struct DistinctAverage;

impl OfDistinct for DistinctAverage {
    fn visit(columns: &[ArrayRef], each: impl FnMut(i128)) -> Result<()> {
        match column(columns, 0)?.data_type() {
            DataType::Null => Ok(()),
            _ => distinct::visit::<Int64Type>(columns, each),
        }
    }

    fn result(&self, values: impl Iterator<Item = i128>) -> Result<ScalarValue> {
        let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
        Ok(ScalarValue::Float64(average(sum, count)))
    }
}

/// Averages many groups at once.
struct GroupedAverage {
    sums: Vec<i128>,
    counts: Vec<u64>,
    nulls: NullState,
}

impl Default for GroupedAverage {
    fn default() -> Self {
        Self {
            sums: Vec::new(),
            counts: Vec::new(),
            nulls: NullState::new(),
        }
    }
}

impl GroupedAverage {
    fn take(&mut self, emit_to: EmitTo) -> (Vec<i128>, Vec<u64>, Option<NullBuffer>) {
        let sums = emit_to.take_needed(&mut self.sums);
        let counts = emit_to.take_needed(&mut self.counts);
        (sums, counts, self.nulls.build(emit_to))
    }
}

impl GroupsAccumulator for GroupedAverage {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<Int64Type>();
        self.sums.resize(total_groups, 0);
        self.counts.resize(total_groups, 0);
        let (sums, counts) = (&mut self.sums, &mut self.counts);
        self.nulls
            .accumulate(groups, values, filter, total_groups, |group, value| {
                if let (Some(sum), Some(count)) = (sums.get_mut(group), counts.get_mut(group)) {
                    *sum += i128::from(value);
                    *count += 1;
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
        let added = column(states, 0)?.as_primitive::<Decimal128Type>();
        let counted = column(states, 1)?.as_primitive::<UInt64Type>();
        self.sums.resize(total_groups, 0);
        self.counts.resize(total_groups, 0);
        let (sums, counts) = (&mut self.sums, &mut self.counts);
        self.nulls
            .accumulate(groups, added, None, total_groups, |group, value| {
                if let Some(sum) = sums.get_mut(group) {
                    *sum += value;
                }
            });
        for (group, added) in groups.iter().zip(counted) {
            if let (Some(count), Some(added)) = (counts.get_mut(*group), added) {
                *count += added;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, counts, _) = self.take(emit_to);
        let averages: Float64Array = sums
            .into_iter()
            .zip(counts)
            .map(|(sum, count)| average(sum, count))
            .collect();
        Ok(Arc::new(averages))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts, nulls) = self.take(emit_to);
        let sums = arrow::array::PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls)
            .with_data_type(STATE);
        Ok(vec![Arc::new(sums), Arc::new(UInt64Array::from(counts))])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values: &Int64Array = column(values, 0)?.as_primitive::<Int64Type>();
        let nulls = rows_taken(values, filter);
        let sums: Vec<i128> = values
            .values()
            .iter()
            .map(|value| i128::from(*value))
            .collect();
        let is_counted = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let counts = (0..values.len()).map(|row| u64::from(is_counted(row)));
        let counts = UInt64Array::from_iter_values(counts);
        let sums = arrow::array::PrimitiveArray::<Decimal128Type>::new(sums.into(), nulls)
            .with_data_type(STATE);
        Ok(vec![Arc::new(sums), Arc::new(counts)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>()
            + self.counts.capacity() * size_of::<u64>()
            + self.nulls.size()
    }
}
