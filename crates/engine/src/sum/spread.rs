//! Variances and standard deviations of integers and decimals, from exact sums, in PostgreSQL's
//! sessions. DataFusion adds them up as floating-point numbers, to which 10^18 + 1 and 10^18 + 2 are
//! one number. Of floating-point numbers, they are DataFusion's.
//!
//! ```text
//! state: the count, the sum, and the sum of the squares, in 256 bits
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Float64Array,
    UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type,
    UInt64Type, i256,
};
use datafusion::common::ScalarValue;
use datafusion::common::types::{NativeType, logical_int64};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Coercion, Documentation, EmitTo,
    GroupsAccumulator, ReversedUDAF, Signature, TypeSignature, TypeSignatureClass,
};
use lakegate_error::{Code, Error};

use super::distinct::DistinctSum;
use super::total::column;
use super::{Kind, MAX_PRECISION, STATE};

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
            let function = ExactSpread::new(inner, of);
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

    /// Returns the result for the sums of numbers with so many fractional digits; `None` if they
    /// are too few.
    fn of(self, sums: &Sums, places: i8) -> Option<f64> {
        let unit = 10f64.powi(2 * i32::from(places));
        let variance = sums.variance(self.population, unit)?;
        Some(match self.deviation {
            true => variance.sqrt(),
            false => variance,
        })
    }
}

/// The sums of numbers without their point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    count: u64,
    sum: i256,
    squares: i256,
}

impl Sums {
    fn of(value: i128) -> Self {
        let value = i256::from_i128(value);
        Self {
            count: 1,
            sum: value,
            // The product of two numbers of 128 bits fits.
            squares: value.wrapping_mul(value),
        }
    }

    fn add(&mut self, other: Self) -> Result<()> {
        let sum = self.sum.checked_add(other.sum);
        let squares = self.squares.checked_add(other.squares);
        let (Some(sum), Some(squares)) = (sum, squares) else {
            return Err(too_large());
        };
        *self = Self {
            count: self.count.saturating_add(other.count),
            sum,
            squares,
        };
        Ok(())
    }

    /// Takes one value of the sums away.
    fn subtract(&mut self, value: i128) {
        let other = Self::of(value);
        *self = Self {
            count: self.count.saturating_sub(1),
            sum: self.sum.wrapping_sub(other.sum),
            squares: self.squares.wrapping_sub(other.squares),
        };
    }

    /// Returns the variance divided by a unit; `None` of too few numbers.
    fn variance(&self, population: bool, unit: f64) -> Option<f64> {
        let degrees = self.count.checked_sub(u64::from(!population))?;
        if degrees == 0 {
            return None;
        }
        let count = i256::from_i128(i128::from(self.count));
        let mean = self.sum.checked_div(count)?;
        let rest = self.sum.checked_rem(count)?;
        // The sum of the squares of distances from the whole part of the mean. It has as many bits
        // as the squares, also if what it is calculated from has more.
        let twice = mean.wrapping_mul(self.sum).wrapping_mul(i256::from_i128(2));
        let distances = self
            .squares
            .wrapping_sub(twice)
            .wrapping_add(mean.wrapping_mul(mean).wrapping_mul(count));
        // From the mean itself, the sum is less by rest² / count.
        let rest = rest.wrapping_mul(rest);
        let exact = distances.checked_mul(count);
        let exact = exact.and_then(|distances| distances.checked_sub(rest));
        let (count, unit) = (self.count as f64, degrees as f64 * unit);
        Some(match exact {
            Some(exact) => float(exact) / (count * unit),
            None => (float(distances) - float(rest) / count) / unit,
        })
    }
}

fn float(value: i256) -> f64 {
    let (low, high) = value.to_parts();
    high as f64 * 2f64.powi(128) + low as f64
}

fn too_large() -> DataFusionError {
    let message = "value overflows numeric format";
    let error = Error::new(Code::NumericOutOfRange, message);
    error
        .with_hint("cast to double precision, or to decimals of fewer digits")
        .into()
}

/// A function of the session, exact for integers and decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactSpread {
    inner: Arc<AggregateUDF>,
    spread: Spread,
    signature: Signature,
}

impl ExactSpread {
    fn new(inner: Arc<AggregateUDF>, spread: Spread) -> Self {
        let whole = TypeSignature::Coercible(vec![Coercion::new_implicit(
            TypeSignatureClass::Native(logical_int64()),
            vec![TypeSignatureClass::Integer],
            NativeType::Int64,
        )]);
        let decimal =
            TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Decimal)]);
        let mut signature = inner.signature().clone();
        signature.type_signature =
            TypeSignature::OneOf(vec![whole, decimal, signature.type_signature]);
        Self {
            inner,
            spread,
            signature,
        }
    }
}

/// Returns whether a column has integers or decimals. A column without a type counts as integers.
fn is_exact(field: Option<&FieldRef>) -> bool {
    field.is_some_and(|field| {
        let of = field.data_type();
        matches!(of, DataType::Int64 | DataType::Null) || of.is_decimal()
    })
}

/// Returns the fractional digits of a column.
fn places(field: Option<&FieldRef>) -> i8 {
    match field.map(|field| field.data_type()) {
        Some(
            DataType::Decimal32(_, places)
            | DataType::Decimal64(_, places)
            | DataType::Decimal128(_, places)
            | DataType::Decimal256(_, places),
        ) => *places,
        _ => 0,
    }
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

impl AggregateUDFImpl for ExactSpread {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let field = args.expr_fields.first();
        if !is_exact(field) {
            return self.inner.accumulator(args);
        }
        let (spread, places) = (self.spread, places(field));
        Ok(match args.is_distinct {
            true => Box::new(DistinctNumbers {
                spread,
                places,
                values: DistinctSum::new(Kind {
                    data_type: STATE,
                    precision: MAX_PRECISION,
                }),
            }),
            false => Box::new(Numbers {
                spread,
                places,
                sums: Sums::default(),
            }),
        })
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match is_exact(args.expr_fields.first()) {
            true => self.accumulator(args),
            false => self.inner.create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !is_exact(args.input_fields.first()) {
            return self.inner.state_fields(args);
        }
        let name = |of: &str| format_state_name(args.name, of);
        if args.is_distinct {
            let item = Field::new_list_field(STATE, true);
            let values = Field::new_list(name("distinct"), item, false);
            return Ok(vec![Arc::new(values)]);
        }
        Ok(vec![
            Arc::new(Field::new(name("count"), DataType::UInt64, false)),
            Arc::new(Field::new(name("sum"), WIDE, false)),
            Arc::new(Field::new(name("squares"), WIDE, false)),
        ])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match is_exact(args.expr_fields.first()) {
            true => !args.is_distinct,
            false => self.inner.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let field = args.expr_fields.first();
        match is_exact(field) {
            true => Ok(Box::new(Groups {
                spread: self.spread,
                places: places(field),
                sums: Vec::new(),
            })),
            false => self.inner.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
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
        let result = self.spread.of(&self.sums, self.places);
        Ok(ScalarValue::Float64(result))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The distinct values of all rows, or of a window's frame.
#[derive(Debug)]
struct DistinctNumbers {
    spread: Spread,
    places: i8,
    values: DistinctSum<Decimal128Type>,
}

impl Accumulator for DistinctNumbers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values: ArrayRef = Arc::new(numbers(values)?);
        self.values.update_batch(&[values])
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values: ArrayRef = Arc::new(numbers(values)?);
        self.values.retract_batch(&[values])
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut sums = Sums::default();
        for value in self.values.distinct() {
            sums.add(Sums::of(value))?;
        }
        Ok(ScalarValue::Float64(self.spread.of(&sums, self.places)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.size()
    }
}

/// Many groups at once.
#[derive(Debug)]
struct Groups {
    spread: Spread,
    places: i8,
    sums: Vec<Sums>,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, Sums::default());
        let values = numbers(values)?;
        for (row, (group, value)) in groups.iter().zip(&values).enumerate() {
            let is_kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let (true, Some(value), Some(sums)) = (is_kept, value, self.sums.get_mut(*group)) {
                sums.add(Sums::of(value))?;
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, Sums::default());
        for (group, other) in groups.iter().zip(sums(states)?) {
            if let Some(sums) = self.sums.get_mut(*group) {
                sums.add(other)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let results = sums.iter().map(|sums| self.spread.of(sums, self.places));
        let results: Float64Array = results.collect();
        Ok(Arc::new(results))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(states(&emit_to.take_needed(&mut self.sums)))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = numbers(values)?;
        let rows = values.iter().enumerate().map(|(row, value)| {
            let is_kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            value.filter(|_| is_kept).map(Sums::of).unwrap_or_default()
        });
        Ok(states(&rows.collect::<Vec<Sums>>()))
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Sums>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Returns the values of the first column.
    async fn values(sql: &str) -> Result<Vec<Option<f64>>> {
        let config = SessionConfig::new().with_target_partitions(3);
        let mut state = SessionContext::new_with_config(config).state();
        register_spreads(&mut state).unwrap();
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            values.extend(
                batch
                    .column(0)
                    .as_primitive::<arrow::datatypes::Float64Type>(),
            );
        }
        Ok(values)
    }

    const CLOSE: &str = "(VALUES (1, 1000000000000000001), (1, 1000000000000000002), (1, 1000000000000000003), (1, NULL), (2, 5), (3, NULL)) t(g, x)";

    // PostgreSQL 15.
    #[tokio::test]
    async fn numbers_beyond_those_of_doubles_are_told_apart() {
        for (call, expected) in [
            ("var_pop(x)", Some(2.0 / 3.0)),
            ("var_samp(x)", Some(1.0)),
            ("stddev_pop(x)", Some((2.0f64 / 3.0).sqrt())),
            ("stddev(x)", Some(1.0)),
            ("var_pop(DISTINCT x / 2)", Some(0.25)),
            ("var_pop(-x)", Some(2.0 / 3.0)),
            (
                "var_pop(CAST(x AS DECIMAL(38,2)) + CAST(0.25 AS DECIMAL(3,2)))",
                Some(2.0 / 3.0),
            ),
            (
                "var_samp(CAST(x - 1000000000000000000 AS DECIMAL(9,4)) / 10)",
                Some(0.01),
            ),
            (
                "var_samp(CAST(x - 1000000000000000000 AS DOUBLE))",
                Some(1.0),
            ),
        ] {
            let sql = format!("SELECT {call} FROM {CLOSE} WHERE g = 1");
            assert_eq!(values(&sql).await.unwrap(), [expected], "{call}");
        }
    }

    #[tokio::test]
    async fn groups_and_frames_have_their_own() {
        let sql = format!("SELECT var_samp(x) FROM {CLOSE} GROUP BY g ORDER BY g");
        assert_eq!(values(&sql).await.unwrap(), [Some(1.0), None, None]);
        let sql = format!("SELECT var_pop(x) FROM {CLOSE} GROUP BY g ORDER BY g");
        let expected = [Some(2.0 / 3.0), Some(0.0), None];
        assert_eq!(values(&sql).await.unwrap(), expected);
        let sql = format!(
            "SELECT var_pop(x) FILTER (WHERE x % 2 = 1) FROM {CLOSE} GROUP BY g ORDER BY g"
        );
        assert_eq!(values(&sql).await.unwrap(), [Some(1.0), Some(0.0), None]);
        let sql = format!(
            "SELECT var_pop(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS v FROM {CLOSE} WHERE x > 5 ORDER BY x"
        );
        let expected = [Some(0.0), Some(0.25), Some(0.25)];
        assert_eq!(values(&sql).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn squares_that_do_not_fit_are_an_error() {
        let largest = "CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))";
        let rows = vec![format!("({largest})"); 8].join(", ");
        let error = values(&format!("SELECT var_pop(x) FROM (VALUES {rows}) t(x)")).await;
        let error = lakegate_error::from_engine(error.unwrap_err());
        assert_eq!(error.code(), Code::NumericOutOfRange);
        let rows = vec![format!("({largest})"); 4].join(", ");
        let zero = values(&format!("SELECT var_pop(x) FROM (VALUES {rows}) t(x)")).await;
        assert_eq!(zero.unwrap(), [Some(0.0)]);
    }

    #[test]
    fn sums_are_exact() {
        let mut sums = Sums::default();
        for value in [1, 2, 4] {
            sums.add(Sums::of(value)).unwrap();
        }
        assert_eq!(sums.variance(true, 1.0), Some(14.0 / 9.0));
        assert_eq!(sums.variance(false, 1.0), Some(14.0 / 6.0));
        assert_eq!(sums.variance(true, 100.0), Some(14.0 / 900.0));
        sums.subtract(4);
        assert_eq!(sums.variance(true, 1.0), Some(0.25));
        let mut far = Sums::of(-(10i128.pow(37)));
        far.add(Sums::of(10i128.pow(37))).unwrap();
        let variance = far.variance(true, 1e74).unwrap();
        assert!((variance - 1.0).abs() < 1e-15, "{variance}");
        assert_eq!(Sums::default().variance(true, 1.0), None);
        assert_eq!(Sums::of(7).variance(false, 1.0), None);
    }
}
