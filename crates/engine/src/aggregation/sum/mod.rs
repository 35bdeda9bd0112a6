//! `sum` that returns the exact sum or an error: DataFusion's wraps silently
//! (apache/datafusion#16406).
//!
//! Integers, decimals and durations are added up in 128 bits with a count of carries, so that
//! neither the order of rows nor the splitting of work changes the result. It is an error (22003)
//! only if the sum of all rows does not fit its type.
//!
//! ```text
//! sum(bigint)          state: decimal(38,0)            64-bit values cannot overflow 128 bits
//! sum(decimal(38,s))   state: decimal(38,0), carries   20 times 10^38-1 overflows
//! ```
//!
//! `avg` of integers divides that sum by their number ([`average`]). In PostgreSQL's sessions, the
//! averages of integers and decimals are decimals ([`numeric_average`]), and so is the sum of a
//! `bigint` ([`numeric`]); variances are those of exact sums ([`spread`]). Intervals are added up by
//! their parts ([`interval`]). Floating-point numbers are summed by DataFusion. Delete this when
//! DataFusion's `sum` is checked.

mod average;
mod distinct;
mod few;
mod grouped;
mod interval;
mod numeric;
mod numeric_average;
mod own_or_inner;
mod running;
mod small_spread;
mod spread;
mod squares;
mod total;

use std::sync::Arc;

use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, DecimalType, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field, FieldRef,
    Int64Type, TimeUnit, UInt64Type,
};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::AggregateFunctionParams;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};
use distinct::{Distinct, DistinctSum};
use grouped::GroupedSum;
use interval::IntervalSum;
use lakegate_error::{Code, Error};
pub(crate) use numeric::{is_numeric_sum, numeric_sum};
pub(crate) use numeric_average::register_averages;
pub(crate) use running::running;
pub(crate) use spread::register_spreads;
use total::{PlainSum, Total};

/// The type of a sum's state.
const STATE: DataType = DataType::Decimal128(38, 0);

/// Digits of the widest decimal.
const MAX_PRECISION: u8 = 38;

/// Replaces DataFusion's `sum` with the checked one.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.aggregate_functions().get("sum").cloned() {
        state.register_udaf(Arc::new(AggregateUDF::new_from_impl(CheckedSum { inner })))?;
    }
    average::register(state)
}

/// Numbers that [`Total`] adds up. Methods are called for each row, from other units of compilation.
trait Summed: ArrowPrimitiveType + Send + Sync {
    fn widened(value: Self::Native) -> i128;

    /// Returns `None` if the type does not hold the sum. `precision`: digits of a decimal.
    fn narrowed(sum: i128, precision: u8) -> Option<Self::Native>;
}

macro_rules! summed {
    ($($name:ty),*) => {
        $(impl Summed for $name {
            #[inline]
            fn widened(value: Self::Native) -> i128 {
                value.into()
            }

            #[inline]
            fn narrowed(sum: i128, _: u8) -> Option<Self::Native> {
                sum.try_into().ok()
            }
        })*
    };
}

summed!(
    Int64Type,
    UInt64Type,
    DurationSecondType,
    DurationMillisecondType,
    DurationMicrosecondType,
    DurationNanosecondType
);

impl Summed for Decimal128Type {
    #[inline]
    fn widened(value: i128) -> i128 {
        value
    }

    #[inline]
    fn narrowed(sum: i128, precision: u8) -> Option<i128> {
        let largest = Self::MAX_FOR_EACH_PRECISION.get(usize::from(precision))?;
        (sum.unsigned_abs() <= largest.unsigned_abs()).then_some(sum)
    }
}

/// A result type that is summed here.
#[derive(Debug, Clone)]
struct Kind {
    data_type: DataType,
    /// Digits of a decimal; 0 for other types.
    precision: u8,
}

impl Kind {
    /// Returns `None` for a type that DataFusion's own `sum` handles.
    fn of(data_type: &DataType) -> Option<Self> {
        let precision = match data_type {
            DataType::Int64 | DataType::UInt64 | DataType::Duration(_) => 0,
            DataType::Decimal128(precision, _) => *precision,
            _ => return None,
        };
        Some(Self {
            data_type: data_type.clone(),
            precision,
        })
    }

    /// Returns whether a sum may overflow 128 bits. A narrower result comes from values with at
    /// most 27 digits; it would take 10^10 times as many rows as a table may have.
    fn carries(&self) -> bool {
        self.precision == MAX_PRECISION
    }

    fn narrowed<T: Summed>(&self, total: Total) -> Result<T::Native> {
        let value = match total.carries {
            0 => T::narrowed(total.sum, self.precision),
            _ => None,
        };
        value.ok_or_else(|| self.out_of_range().into())
    }

    fn out_of_range(&self) -> Error {
        let name = match &self.data_type {
            DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
            DataType::Duration(_) => "interval".to_owned(),
            _ => "bigint".to_owned(),
        };
        Error::new(
            Code::NumericOutOfRange,
            format!("the sum is out of range for type {name}"),
        )
        .with_hint("cast what is summed: sum(CAST(x AS DOUBLE))")
    }
}

/// Calls `$make::<T>` for the type of a [`Kind`].
macro_rules! for_type {
    ($kind:expr, $make:ident) => {
        match $kind.data_type {
            DataType::UInt64 => $make!(UInt64Type),
            DataType::Decimal128(..) => $make!(Decimal128Type),
            DataType::Duration(TimeUnit::Second) => $make!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $make!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $make!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $make!(DurationNanosecondType),
            _ => $make!(Int64Type),
        }
    };
}

/// `sum`, checked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for CheckedSum {
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

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.inner().schema_name(params)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if interval::is_summed(args.return_type()) {
            return Ok(Box::new(IntervalSum::new(args.is_distinct)));
        }
        let Some(kind) = Kind::of(args.return_type()) else {
            return self.inner.accumulator(args);
        };
        macro_rules! plain {
            ($t:ty) => {
                Box::new(PlainSum::<$t, $t>::new(kind)) as Box<dyn Accumulator>
            };
        }
        macro_rules! distinct {
            ($t:ty) => {
                Box::new(Distinct::new(DistinctSum::<$t, $t>::new(kind))) as Box<dyn Accumulator>
            };
        }
        Ok(match args.is_distinct {
            true => for_type!(kind, distinct),
            false => for_type!(kind, plain),
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match Kind::of(args.return_type()) {
            Some(_) => self.accumulator(args),
            None if interval::is_summed(args.return_type()) => self.accumulator(args),
            None => self.inner.create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if interval::is_summed(args.return_type()) {
            return Ok(interval::state_fields(args.name, args.is_distinct));
        }
        let Some(kind) = Kind::of(args.return_type()) else {
            return self.inner.state_fields(args);
        };
        if args.is_distinct {
            let name = format_state_name(args.name, "sum distinct");
            return Ok(distinct::state_fields(name));
        }
        let sum = Field::new(format_state_name(args.name, "sum"), STATE, true);
        let mut fields = vec![Arc::new(sum)];
        if kind.carries() {
            let name = format_state_name(args.name, "carries");
            fields.push(Arc::new(Field::new(name, DataType::Int64, false)));
        }
        Ok(fields)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match Kind::of(args.return_type()) {
            Some(_) => !args.is_distinct,
            None if interval::is_summed(args.return_type()) => false,
            None => self.inner.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let Some(kind) = Kind::of(args.return_type()) else {
            return self.inner.create_groups_accumulator(args);
        };
        macro_rules! grouped {
            ($t:ty) => {
                Box::new(GroupedSum::<$t, $t>::new(kind)) as Box<dyn GroupsAccumulator>
            };
        }
        Ok(for_type!(kind, grouped))
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

#[cfg(test)]
mod tests;
