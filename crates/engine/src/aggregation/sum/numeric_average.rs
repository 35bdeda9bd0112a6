//! `avg` of integers and decimals as a decimal, as PostgreSQL has it: a `numeric` of the exact sum,
//! with at least 16 fractional digits. Of other types, it is the session's.
//!
//! ```text
//! avg(integer), avg(bigint)     decimal(38,16)
//! avg(decimal(p,s))             decimal(38,16), or decimal(38,s) if s is more
//!
//! state: sum decimal(38,0), count, and the carries of sums that 128 bits do not hold
//! ```

mod grouped;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type, i256};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, GroupsAccumulator};

use self::grouped::GroupedNumericAverage;
use super::distinct::{self, Distinct, OfDistinct};
use super::own_or_inner::{Own, OwnOrInner};
use super::total::{Total, column};
use super::{MAX_PRECISION, STATE, Summed};
use crate::numbers::checked::{fits, out_of_range};
use crate::numbers::quotients::{PLACES, Scaling};
use crate::windows::running_windows::Fold;

/// Digits of decimals whose sum fits 128 bits for every number of rows. There may be 10^18 of them:
/// groups that are joined are added up as often as their rows would be.
const NEVER_CARRIED: u8 = 20;

/// Replaces a session's `avg` with the one of decimals.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register_averages(state: &mut SessionState) -> Result<()> {
    if let Some(inner) = state.aggregate_functions().get("avg").cloned() {
        let signature = inner.signature().clone();
        let function = OwnOrInner::new(NumericAverage, inner, signature);
        state.register_udaf(Arc::new(AggregateUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// How the sum of numbers of one type is divided by their number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Division {
    /// Fractional digits of the average.
    places: i8,
    /// What the sum is multiplied by.
    scaling: Scaling,
    /// The same as a number.
    factor: u64,
    /// Whether sums may exceed 128 bits.
    carries: bool,
}

impl Division {
    /// Returns `None` for a type whose average is the session's.
    fn of(data_type: &DataType) -> Option<Self> {
        let (digits, own) = match data_type {
            DataType::Int64 => (0, 0),
            DataType::Decimal128(digits, own @ 0..) => (*digits, *own),
            _ => return None,
        };
        let places = own.max(PLACES);
        let power = u32::try_from(places.checked_sub(own)?).ok()?;
        Some(Self {
            places,
            scaling: Scaling::new(i32::from(places) - i32::from(own)),
            factor: 10_u64.checked_pow(power)?,
            carries: digits > NEVER_CARRIED,
        })
    }

    fn data_type(&self) -> DataType {
        DataType::Decimal128(MAX_PRECISION, self.places)
    }

    /// Returns the average, rounded away from zero; `None` of no numbers.
    ///
    /// # Errors
    ///
    /// The average has more digits than a decimal.
    fn average(&self, total: Total, count: u64) -> Result<Option<i128>> {
        if count == 0 {
            return Ok(None);
        }
        let average = match total.carries {
            0 => self
                .of_small(total.sum, count)
                .or_else(|| self.scaling.quotient(total.sum, i128::from(count))),
            carries => {
                let carried = i256::from_parts(0, i128::from(carries));
                let sum = i256::from_i128(total.sum).checked_add(carried);
                let count = i256::from_i128(i128::from(count));
                sum.and_then(|sum| self.scaling.wide_quotient(sum, count))
            }
        };
        match average.filter(|average| fits(*average)) {
            Some(average) => Ok(Some(average)),
            None => Err(out_of_range(&self.data_type()).into()),
        }
    }

    /// Returns the average if numbers of 64 bits are enough to divide, as those of small groups are.
    fn of_small(&self, sum: i128, count: u64) -> Option<i128> {
        let size = u64::try_from(sum.unsigned_abs()).ok()?;
        let (whole, rest) = (size.checked_div(count)?, size.checked_rem(count)?);
        let rest = rest.checked_mul(self.factor)?;
        let (fraction, rest) = (rest.checked_div(count)?, rest.checked_rem(count)?);
        // The rest is smaller than the count.
        let rounded = fraction + u64::from(rest >= count - rest);
        let average = i128::from(whole) * i128::from(self.factor) + i128::from(rounded);
        Some(if sum < 0 { -average } else { average })
    }
}

/// Calls `$make::<T>` for the type of an argument that has a [`Division`].
macro_rules! for_argument {
    ($args:expr, $make:ident) => {
        match $args.expr_fields.first().map(|field| field.data_type()) {
            Some(DataType::Decimal128(..)) => $make!(Decimal128Type),
            _ => $make!(Int64Type),
        }
    };
}

/// The averages of integers and decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NumericAverage;

impl Own for NumericAverage {
    type Of = Division;

    fn of(&self, argument: &DataType) -> Option<Division> {
        Division::of(argument)
    }

    fn return_type(&self, division: &Division) -> DataType {
        division.data_type()
    }

    fn accumulator(&self, division: Division, args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator> {
        macro_rules! plain {
            ($t:ty) => {
                Box::new(PlainNumericAverage::<$t>::new(division)) as Box<dyn Accumulator>
            };
        }
        macro_rules! distinct {
            ($t:ty) => {
                Box::new(Distinct::new(DistinctNumericAverage::<$t>::new(division)))
                    as Box<dyn Accumulator>
            };
        }
        match args.is_distinct {
            true => for_argument!(args, distinct),
            false => for_argument!(args, plain),
        }
    }

    fn state_fields(&self, division: Division, args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
        let name = |of: &str| format_state_name(args.name, of);
        if args.is_distinct {
            return distinct::state_fields(name("avg distinct"));
        }
        let mut fields: Vec<FieldRef> = vec![
            Arc::new(Field::new(name("sum"), STATE, true)),
            Arc::new(Field::new(name("count"), DataType::UInt64, false)),
        ];
        if division.carries {
            let carries = Field::new(name("carries"), DataType::Int64, false);
            fields.push(Arc::new(carries));
        }
        fields
    }

    fn groups_accumulator(
        &self,
        division: Division,
        args: &AccumulatorArgs<'_>,
    ) -> Option<Box<dyn GroupsAccumulator>> {
        macro_rules! grouped {
            ($t:ty) => {
                Box::new(GroupedNumericAverage::<$t>::new(division)) as Box<dyn GroupsAccumulator>
            };
        }
        Some(for_argument!(args, grouped))
    }
}

/// Returns the carries of a state's sums; `None` if there are none.
fn carries<'a>(division: &Division, states: &'a [ArrayRef]) -> Result<Option<&'a Int64Array>> {
    match division.carries {
        true => Ok(Some(column(states, 2)?.as_primitive::<Int64Type>())),
        false => Ok(None),
    }
}

/// Averages all rows, or a window's frame. `T`: the type of the values.
pub(super) struct PlainNumericAverage<T> {
    division: Division,
    total: Total,
    count: u64,
    of: PhantomData<T>,
}

impl<T> PlainNumericAverage<T> {
    pub(super) fn new(division: Division) -> Self {
        Self {
            division,
            total: Total::default(),
            count: 0,
            of: PhantomData,
        }
    }

    pub(super) fn division(&self) -> Division {
        self.division
    }
}

impl<T> fmt::Debug for PlainNumericAverage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainNumericAverage({:?}, {})", self.total, self.count)
    }
}

impl<T: Summed> Fold for PlainNumericAverage<T> {
    type Of = T;
    type To = Decimal128Type;

    fn clear(&mut self) {
        self.total = Total::default();
        self.count = 0;
    }

    fn add(&mut self, value: T::Native) {
        self.total.add(T::widened(value));
        self.count += 1;
    }

    fn value(&self) -> Result<Option<i128>> {
        self.division.average(self.total, self.count)
    }
}

impl<T: Summed> Accumulator for PlainNumericAverage<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<T>();
        match (values.null_count(), self.division.carries) {
            (0, false) => {
                let sum: i128 = values.values().iter().map(|value| T::widened(*value)).sum();
                self.total.add(sum);
            }
            (0, true) => {
                for value in values.values() {
                    self.total.add(T::widened(*value));
                }
            }
            _ => {
                for value in values.iter().flatten() {
                    self.total.add(T::widened(value));
                }
            }
        }
        self.count += (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = column(values, 0)?.as_primitive::<T>();
        for value in values.iter().flatten() {
            self.total.subtract(T::widened(value));
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
        let carries = carries(&self.division, states)?;
        for (row, (sum, count)) in sums.iter().zip(counts.values()).enumerate() {
            let Some(sum) = sum else { continue };
            self.total.add_total(Total {
                sum,
                carries: carries.map_or(0, |carries| carries.value(row)),
            });
            self.count += count;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.count > 0).then_some(self.total.sum);
        let mut state = vec![
            ScalarValue::Decimal128(sum, MAX_PRECISION, 0),
            ScalarValue::UInt64(Some(self.count)),
        ];
        if self.division.carries {
            state.push(ScalarValue::Int64(Some(self.total.carries)));
        }
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let average = self.value()?;
        let places = self.division.places;
        Ok(ScalarValue::Decimal128(average, MAX_PRECISION, places))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// `avg(DISTINCT x)`. `T`: the type of the values.
struct DistinctNumericAverage<T> {
    division: Division,
    of: PhantomData<T>,
}

impl<T> DistinctNumericAverage<T> {
    fn new(division: Division) -> Self {
        Self {
            division,
            of: PhantomData,
        }
    }
}

impl<T: Summed> OfDistinct for DistinctNumericAverage<T> {
    fn visit(columns: &[ArrayRef], each: impl FnMut(i128)) -> Result<()> {
        distinct::visit::<T>(columns, each)
    }

    fn result(&self, values: impl Iterator<Item = i128>) -> Result<ScalarValue> {
        let (mut total, mut count) = (Total::default(), 0);
        for value in values {
            total.add(value);
            count += 1;
        }
        let average = self.division.average(total, count)?;
        let places = self.division.places;
        Ok(ScalarValue::Decimal128(average, MAX_PRECISION, places))
    }
}

#[cfg(test)]
mod tests;
