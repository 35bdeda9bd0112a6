//! Casts between decimals and floating-point numbers return the nearest value, as in PostgreSQL and
//! Athena.
//!
//! The engine multiplies and divides by a power of ten in 53 bits (`arrow-cast`, 59.3), which
//! returns the nearest value only for up to 15 digits:
//!
//! ```text
//! CAST(1e15 AS DECIMAL(38,10))                     the engine: 1000000000000000.0905969664
//! CAST(1234567.89::DECIMAL(38,10) AS DOUBLE)       the engine: 1234567.8900000001
//! ```
//!
//! A floating-point number becomes the shortest decimal that reads back as this number. An analyzer
//! rule that runs after type coercion. Delete this when the engine's casts are exact.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::open_numerics::OPEN_NUMERIC;
use crate::plans::expressions;

/// Digits that a double always holds.
const FLOAT64_DIGITS: u8 = 15;
const FLOAT32_DIGITS: u8 = 6;
/// The largest power of ten that is a double: 10^22.
const FLOAT64_POWERS: i8 = 22;
const FLOAT32_POWERS: i8 = 10;
/// The most places of a decimal whose quotient is calculated in 128 bits: 10^21 has 70 bits.
const MOST_PLACES: u32 = 21;

/// Replaces casts whose results may be inexact by [`Nearest`].
#[derive(Debug)]
pub(crate) struct NearestCasts;

impl AnalyzerRule for NearestCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let casts = |expr: &Expr| expressions::cast_type(expr).is_some_and(is_number);
        expressions::rewritten(plan, casts, rewritten)
    }

    fn name(&self) -> &str {
        "nearest_casts"
    }
}

fn is_number(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal128(..) | DataType::Float64 | DataType::Float32
    )
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) if is_off(&expr, field.data_type(), schema) => {
            Transformed::yes(nearest(*expr, &field, false))
        }
        Expr::TryCast(TryCast { expr, field }) if is_off(&expr, field.data_type(), schema) => {
            Transformed::yes(nearest(*expr, &field, true))
        }
        expr => Transformed::no(expr),
    }
}

/// Returns whether the engine's own cast may miss the nearest value.
fn is_off(expr: &Expr, to: &DataType, schema: &DFSchema) -> bool {
    match (expr.get_type(schema), to) {
        (Ok(DataType::Float64 | DataType::Float32), DataType::Decimal128(..)) => true,
        (Ok(DataType::Decimal128(precision, scale)), DataType::Float64) => {
            precision > FLOAT64_DIGITS || scale.unsigned_abs() > FLOAT64_POWERS.unsigned_abs()
        }
        (Ok(DataType::Decimal128(precision, scale)), DataType::Float32) => {
            precision > FLOAT32_DIGITS || scale.unsigned_abs() > FLOAT32_POWERS.unsigned_abs()
        }
        _ => false,
    }
}

fn nearest(expr: Expr, to: &Field, safe: bool) -> Expr {
    let function = Nearest {
        to: to.data_type().clone(),
        is_open: to.name() == OPEN_NUMERIC,
        safe,
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

/// Returns the value that a call casts to a `numeric` without digits; `None` for other calls.
pub(super) fn open_value(call: &ScalarFunction) -> Option<&Expr> {
    let nearest = call.func.inner().downcast_ref::<Nearest>();
    call.args
        .first()
        .filter(|_| nearest.is_some_and(|nearest| nearest.is_open))
}

/// A cast to the nearest value. If `safe`, a value that does not fit becomes NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Nearest {
    to: DataType,
    /// Whether the statement casts to a `numeric` without digits.
    is_open: bool,
    safe: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Nearest {
    fn name(&self) -> &str {
        "nearest"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = self.safe || args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.to.clone(), nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| {
            cast_to(values, &self.to, self.safe)
        })
    }
}

/// Casts values with the engine's own cast, which reports those that do not fit, and corrects the
/// results.
pub(super) fn cast_to(values: &ArrayRef, to: &DataType, safe: bool) -> Result<ArrayRef> {
    let options = CastOptions {
        safe,
        ..CastOptions::default()
    };
    let cast = cast_with_options(values, to, &options)?;
    Ok(match (values.data_type(), to) {
        (DataType::Float64, DataType::Decimal128(_, scale)) => {
            let values = values.as_primitive::<Float64Type>();
            let exact = |row| digits(&format!("{:e}", values.value(row)), *scale);
            let decimals = corrected(cast.as_primitive::<Decimal128Type>(), exact);
            Arc::new(decimals.with_data_type(to.clone()))
        }
        (DataType::Float32, DataType::Decimal128(_, scale)) => {
            let values = values.as_primitive::<Float32Type>();
            let exact = |row| digits(&format!("{:e}", values.value(row)), *scale);
            let decimals = corrected(cast.as_primitive::<Decimal128Type>(), exact);
            Arc::new(decimals.with_data_type(to.clone()))
        }
        (DataType::Decimal128(_, scale), DataType::Float64) => {
            let values = values.as_primitive::<Decimal128Type>();
            let is_exact = |digits: i128| {
                digits.unsigned_abs() < 1 << f64::MANTISSA_DIGITS
                    && scale.unsigned_abs() <= FLOAT64_POWERS.unsigned_abs()
            };
            let exact = |row| match values.value(row) {
                digits if is_exact(digits) => None,
                digits => quotient(digits, *scale)
                    .or_else(|| format!("{digits}e{}", -i16::from(*scale)).parse().ok()),
            };
            Arc::new(corrected(cast.as_primitive::<Float64Type>(), exact))
        }
        (DataType::Decimal128(_, scale), DataType::Float32) => {
            let values = values.as_primitive::<Decimal128Type>();
            let exact = |row| {
                format!("{}e{}", values.value(row), -i16::from(*scale))
                    .parse()
                    .ok()
            };
            Arc::new(corrected(cast.as_primitive::<Float32Type>(), exact))
        }
        _ => cast,
    })
}

/// Replaces values by the exact ones, in rows that have one.
fn corrected<T: arrow::datatypes::ArrowPrimitiveType>(
    cast: &PrimitiveArray<T>,
    exact: impl Fn(usize) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let values = (0..cast.len()).map(|row| match cast.is_null(row) {
        true => cast.value(row),
        false => exact(row).unwrap_or_else(|| cast.value(row)),
    });
    PrimitiveArray::new(values.collect(), cast.nulls().cloned())
}

/// Returns the double that is nearest to a number of units of 10^-scale; `None` if 128 bits are too few
/// to tell.
fn quotient(digits: i128, scale: i8) -> Option<f64> {
    let places = u32::try_from(scale).ok()?;
    if digits == 0 || places > MOST_PLACES {
        return None;
    }
    let (number, unit) = (digits.unsigned_abs(), 10_u128.pow(places));
    let bits = |number: u128| u128::BITS - number.leading_zeros();
    // The quotient has two bits more than a double at least: one to round by, and one that says
    // whether anything is left.
    let shift = (f64::MANTISSA_DIGITS + 2 + bits(unit)).saturating_sub(bits(number));
    let shifted = number << shift;
    let (whole, rest) = (shifted / unit, shifted % unit);
    let nearest = (whole | u128::from(rest > 0)) as f64;
    let power = f64::from_bits((1023 - u64::from(shift)) << 52);
    let nearest = nearest * power;
    Some(if digits < 0 { -nearest } else { nearest })
}

/// Returns a number in scientific notation in units of 10^-scale, rounded half away from zero.
/// `None` if it is not finite, or too large.
fn digits(text: &str, scale: i8) -> Option<i128> {
    let (mantissa, exponent) = text.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let behind = i32::try_from(fraction.len()).ok()?;
    let shift = exponent.parse::<i32>().ok()? - behind + i32::from(scale);
    if let Ok(shift) = u32::try_from(shift) {
        return digits.checked_mul(10_i128.checked_pow(shift)?);
    }
    let Some(unit) = 10_i128.checked_pow(shift.unsigned_abs()) else {
        return Some(0);
    };
    let (whole, rest) = (digits / unit, digits % unit);
    let away = i128::from(rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2));
    Some(whole + away * digits.signum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Decimal128Array, Float32Array, Float64Array};

    use super::*;

    #[test]
    fn numbers_are_the_nearest_decimals() {
        for (value, scale, expected) in [
            (1e15, 10, 10_000_000_000_000_000_000_000_000),
            (2_147_483_647.5, 10, 21_474_836_475_000_000_000),
            (0.1, 20, 10_000_000_000_000_000_000),
            (-2.5, 0, -3),
            (2.4999, 0, 2),
            (0.05, 1, 1),
            (1e-300, 10, 0),
            (123.456, -1, 12),
        ] {
            let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(value), None]));
            let cast = cast_to(&values, &DataType::Decimal128(38, scale), false).unwrap();
            let cast = cast.as_primitive::<Decimal128Type>();
            assert_eq!(
                (cast.value(0), cast.is_null(1)),
                (expected, true),
                "{value}"
            );
        }
        let values: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 16_777_216.0]));
        let cast = cast_to(&values, &DataType::Decimal128(38, 10), false).unwrap();
        let cast = cast.as_primitive::<Decimal128Type>();
        assert_eq!(cast.values()[..], [1_000_000_000, 167_772_160_000_000_000]);
    }

    #[test]
    fn decimals_are_the_nearest_numbers() {
        let mut state = 7_u64;
        for scale in [0_i8, 3, 10, 16, 21, 22, 30] {
            let to = DataType::Decimal128(38, scale);
            let digits: Vec<i128> = (0..2_000)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    i128::from(state) << (state % 60)
                })
                .collect();
            let decimals = Decimal128Array::from(digits.clone()).with_data_type(to);
            let values: ArrayRef = Arc::new(decimals);
            for (row, digits) in digits.iter().enumerate() {
                let expected: f64 = format!("{digits}e-{scale}").parse().unwrap();
                let cast = cast_to(&values.slice(row, 1), &DataType::Float64, false).unwrap();
                assert_eq!(cast.as_primitive::<Float64Type>().value(0), expected);
            }
        }
    }

    #[test]
    fn ties_and_ends_are_rounded_as_texts_are() {
        let half = 1_i128 << 53;
        let numbers = [1, 3, half + 1, half + 3, half * 2 + 2, half * 2 + 6, 5, 7];
        let large = [
            i128::MAX,
            i128::MIN,
            10_i128.pow(38) - 1,
            i128::from(u64::MAX),
        ];
        for number in numbers.into_iter().chain(large) {
            for scale in 0..=21_i8 {
                let powers = [1, 10_i128.pow(scale.unsigned_abs().into())];
                let scaled = powers.iter().filter_map(|power| number.checked_mul(*power));
                for digits in scaled.flat_map(|digits| [digits, digits.wrapping_neg()]) {
                    let expected: f64 = format!("{digits}e-{scale}").parse().unwrap();
                    assert_eq!(quotient(digits, scale), Some(expected), "{digits} {scale}");
                }
            }
        }
        assert_eq!(quotient(7, 22), None);
        assert_eq!(quotient(7, -1), None);
        assert_eq!(quotient(0, 3), None);
    }

    #[test]
    fn what_does_not_fit_is_an_error_or_null() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1e30, f64::NAN, 1.25]));
        let to = DataType::Decimal128(10, 1);
        assert!(cast_to(&values, &to, false).is_err());
        let cast = cast_to(&values, &to, true).unwrap();
        assert_eq!(cast.null_count(), 2);
        assert_eq!(cast.as_primitive::<Decimal128Type>().value(2), 13);
    }
}
