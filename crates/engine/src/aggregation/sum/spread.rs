//! Variances and standard deviations of integers and decimals, from exact sums, in PostgreSQL's
//! sessions. DataFusion adds them up as floating-point numbers, to which 10^18 + 1 and 10^18 + 2 are
//! one number. Of floating-point numbers, they are DataFusion's.
//!
//! ```text
//! stddev(integer), var_pop(bigint)     decimal(38,16)
//! stddev(decimal(p,s))                 decimal(38,16), or decimal(38,s) if s is more
//!
//! state: the count, the sum, and the sum of the squares, in 256 bits
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type,
    UInt64Type, i256,
};
use datafusion::common::ScalarValue;
use datafusion::common::types::{NativeType, logical_int64};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, Coercion, GroupsAccumulator, TypeSignature, TypeSignatureClass,
};
use lakegate_error::Error;

use super::MAX_PRECISION;
use super::distinct::{self, Distinct, OfDistinct};
use super::own_or_inner::{Own, OwnOrInner};
use super::small_spread;
use super::squares::{Sums, root, with_digits};
use super::total::column;
use crate::aggregation::aggregates::{GroupedSums, OfSums};
use crate::numbers::checked::{fits, out_of_range};
use crate::numbers::quotients::PLACES;

/// The type of the sums of a state.
const WIDE: DataType = DataType::Decimal256(DECIMAL256_MAX_PRECISION, 0);

/// Replaces a session's functions with the exact ones.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register_spreads(state: &mut SessionState) -> Result<()> {
    for (name, of) in [
        ("var", Spread::new(false, false)),
        ("var_pop", Spread::new(true, false)),
        ("stddev", Spread::new(false, true)),
        ("stddev_pop", Spread::new(true, true)),
    ] {
        if let Some(inner) = state.aggregate_functions().get(name).cloned() {
            let function = exact(inner, of);
            state.register_udaf(Arc::new(AggregateUDF::new_from_impl(function)))?;
        }
    }
    Ok(())
}

/// What a function returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Spread {
    /// Of a population, and not of a sample.
    population: bool,
    /// The root of the variance.
    deviation: bool,
}

impl Spread {
    fn new(population: bool, deviation: bool) -> Self {
        Self {
            population,
            deviation,
        }
    }

    /// Returns the result for the sums of numbers with so many fractional digits, without its point;
    /// `None` if they are too few.
    ///
    /// # Errors
    ///
    /// Returns an error if the result has more digits than a decimal.
    fn of(self, sums: &Sums, places: i8) -> Result<Option<i128>> {
        let shown = shown_places(places);
        let (own, least) = (i32::from(places), i32::from(shown));
        let small = small_spread::spread(sums, self.population, self.deviation, own, least);
        if let Some(small) = small.filter(|small| small.is_none_or(fits)) {
            return Ok(small);
        }
        let variance = sums.variance(self.population, own, least)?;
        let Some((variance, digits)) = variance else {
            return Ok(None);
        };
        let result = match self.deviation {
            true => root(variance, digits),
            false => Some(variance),
        };
        let shown = u32::from(shown.unsigned_abs());
        let result = result.and_then(|result| with_digits(result, digits, shown));
        let result = result.and_then(i256::to_i128);
        match result.filter(|result| fits(*result)) {
            Some(result) => Ok(Some(result)),
            None => Err(out_of_range(&result_type(places)).into()),
        }
    }
}

/// Returns the fractional digits of results, by those of the numbers.
fn shown_places(places: i8) -> i8 {
    places.max(PLACES)
}

fn result_type(places: i8) -> DataType {
    DataType::Decimal128(MAX_PRECISION, shown_places(places))
}

/// Returns a result as a value.
fn scalar(result: Option<i128>, places: i8) -> ScalarValue {
    ScalarValue::Decimal128(result, MAX_PRECISION, shown_places(places))
}

/// Returns a function of the session that is exact for integers and decimals.
fn exact(inner: Arc<AggregateUDF>, spread: Spread) -> OwnOrInner<Spread> {
    let whole = TypeSignature::Coercible(vec![Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int64()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int64,
    )]);
    let decimal = TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Decimal)]);
    let mut signature = inner.signature().clone();
    signature.type_signature = TypeSignature::OneOf(vec![whole, decimal, signature.type_signature]);
    OwnOrInner::new(spread, inner, signature)
}

/// Returns the numbers of a column without their point.
fn numbers(columns: &[ArrayRef]) -> Result<Decimal128Array> {
    let values = column(columns, 0)?;
    Ok(match values.data_type() {
        DataType::Null => Decimal128Array::new_null(values.len()),
        DataType::Int64 => values
            .as_primitive::<Int64Type>()
            .unary::<_, Decimal128Type>(i128::from),
        DataType::Decimal128(..) => values.as_primitive::<Decimal128Type>().clone(),
        DataType::Decimal32(_, places)
        | DataType::Decimal64(_, places)
        | DataType::Decimal256(_, places) => {
            let values = cast(values, &DataType::Decimal128(MAX_PRECISION, *places))?;
            values.as_primitive::<Decimal128Type>().clone()
        }
        other => {
            let message = format!("exact sums of values of type {other}");
            return Err(Error::internal(message).into());
        }
    })
}

/// Returns the sums of each row of a state's columns.
fn sums(states: &[ArrayRef]) -> Result<impl Iterator<Item = Sums> + '_> {
    let counts = column(states, 0)?.as_primitive::<UInt64Type>();
    let totals = column(states, 1)?.as_primitive::<Decimal256Type>();
    let squares = column(states, 2)?.as_primitive::<Decimal256Type>();
    let rows = counts.values().iter().zip(totals.values());
    let rows = rows.zip(squares.values());
    Ok(rows.map(|((count, sum), squares)| Sums {
        count: *count,
        sum: *sum,
        squares: *squares,
    }))
}

/// Returns the columns of a state.
fn states(sums: &[Sums]) -> Vec<ArrayRef> {
    let counts = UInt64Array::from_iter_values(sums.iter().map(|sums| sums.count));
    let totals = Decimal256Array::from_iter_values(sums.iter().map(|sums| sums.sum));
    let squares = Decimal256Array::from_iter_values(sums.iter().map(|sums| sums.squares));
    vec![
        Arc::new(counts),
        Arc::new(totals.with_data_type(WIDE)),
        Arc::new(squares.with_data_type(WIDE)),
    ]
}

impl Own for Spread {
    /// The fractional digits of the numbers.
    type Of = i8;

    /// A column without a type counts as integers.
    fn of(&self, argument: &DataType) -> Option<i8> {
        match argument {
            DataType::Int64 | DataType::Null => Some(0),
            DataType::Decimal32(_, places)
            | DataType::Decimal64(_, places)
            | DataType::Decimal128(_, places)
            | DataType::Decimal256(_, places) => Some(*places),
            _ => None,
        }
    }

    fn return_type(&self, places: &i8) -> DataType {
        result_type(*places)
    }

    fn accumulator(&self, places: i8, args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator> {
        let spread = *self;
        match args.is_distinct {
            true => Box::new(Distinct::new(OfNumbers { spread, places })),
            false => Box::new(Numbers {
                spread,
                places,
                sums: Sums::default(),
            }),
        }
    }

    fn state_fields(&self, _: i8, args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
        let name = |of: &str| format_state_name(args.name, of);
        if args.is_distinct {
            return distinct::state_fields(name("distinct"));
        }
        vec![
            Arc::new(Field::new(name("count"), DataType::UInt64, false)),
            Arc::new(Field::new(name("sum"), WIDE, false)),
            Arc::new(Field::new(name("squares"), WIDE, false)),
        ]
    }

    fn groups_accumulator(
        &self,
        places: i8,
        _: &AccumulatorArgs<'_>,
    ) -> Option<Box<dyn GroupsAccumulator>> {
        let spread = *self;
        Some(Box::new(GroupedSums::new(OfNumbers { spread, places })))
    }
}

/// All rows, or a window's frame.
#[derive(Debug)]
struct Numbers {
    spread: Spread,
    places: i8,
    sums: Sums,
}

impl Accumulator for Numbers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in numbers(values)?.iter().flatten() {
            self.sums.add(Sums::of(value))?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in numbers(values)?.iter().flatten() {
            self.sums.subtract(value);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for other in sums(states)? {
            self.sums.add(other)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let wide = |value| ScalarValue::Decimal256(Some(value), DECIMAL256_MAX_PRECISION, 0);
        Ok(vec![
            ScalarValue::UInt64(Some(self.sums.count)),
            wide(self.sums.sum),
            wide(self.sums.squares),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.spread.of(&self.sums, self.places)?;
        Ok(scalar(result, self.places))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

impl OfDistinct for OfNumbers {
    fn visit(columns: &[ArrayRef], each: impl FnMut(i128)) -> Result<()> {
        numbers(columns)?.iter().flatten().for_each(each);
        Ok(())
    }

    fn result(&self, values: impl Iterator<Item = i128>) -> Result<ScalarValue> {
        let mut sums = Sums::default();
        for value in values {
            sums.add(Sums::of(value))?;
        }
        let result = self.spread.of(&sums, self.places)?;
        Ok(scalar(result, self.places))
    }
}

/// The function of the numbers of each group.
struct OfNumbers {
    spread: Spread,
    places: i8,
}

impl OfSums for OfNumbers {
    type Sums = Sums;
    type Row = Sums;

    fn rows(columns: &[ArrayRef]) -> Result<impl Iterator<Item = Option<Sums>>> {
        let numbers = numbers(columns)?;
        let number = move |row| numbers.is_valid(row).then(|| numbers.value(row));
        let rows = 0..column(columns, 0)?.len();
        Ok(rows.map(move |row| number(row).map(Sums::of)))
    }

    fn add(sums: &mut Sums, row: Sums) -> Result<()> {
        sums.add(row)
    }

    fn merge(sums: &mut Sums, other: Sums) -> Result<()> {
        sums.add(other)
    }

    fn read(states: &[ArrayRef]) -> Result<impl Iterator<Item = Sums>> {
        sums(states)
    }

    fn states(sums: &[Sums]) -> Vec<ArrayRef> {
        states(sums)
    }

    fn results(&self, sums: &[Sums]) -> Result<ArrayRef> {
        let results = sums.iter().map(|sums| self.spread.of(sums, self.places));
        let results: Decimal128Array = results.collect::<Result<_>>()?;
        Ok(Arc::new(results.with_data_type(result_type(self.places))))
    }
}

#[cfg(test)]
mod tests;
