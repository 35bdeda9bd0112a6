//! Quotients of decimals, and products of many digits, in PostgreSQL's sessions.
//!
//! ```text
//! a / b     rounded(a, b)     at least 16 fractional digits; the engine has four more than `a`,
//!                             and cuts off the others
//! a * b     rounded(a, b)     if the engine's result would leave fewer than 14 digits before the
//!                             point, as that of two quotients
//! ```
//!
//! Made while a query is planned, because the results have other types (`types/operand_types.rs`).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Decimal128Array, Decimal128Builder};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Schema, i256};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use datafusion::physical_expr_common::datum::apply;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::checked::{fits, is_overflow, out_of_range};
use super::floats;
use crate::plans::expressions;

/// Fractional digits of a quotient or an average, at least: PostgreSQL's has about as many
/// significant digits.
pub(crate) const PLACES: i8 = 16;

/// Fractional digits of the engine's product, at most, if its digits are more than a decimal holds.
const PRODUCT_PLACES: i8 = 24;

/// Returns the operation on operands of these types; `None` if the engine's own is as good.
pub(crate) fn planned(
    op: &BinaryOperator,
    left: (&Expr, &DataType),
    right: (&Expr, &DataType),
) -> Option<Expr> {
    let (first, second) = (decimal_of(left.1)?, decimal_of(right.1)?);
    if !left.1.is_decimal() && !right.1.is_decimal() {
        return None;
    }
    let (operation, places) = match op {
        BinaryOperator::Divide => (Operation::Quotient, first.1.max(PLACES)),
        BinaryOperator::Multiply => {
            let places = first.1.saturating_add(second.1);
            let digits = u16::from(first.0) + u16::from(second.0);
            if digits < u16::from(DECIMAL128_MAX_PRECISION) || places <= PRODUCT_PLACES {
                return None;
            }
            // As many as there is room for beside the digits before the point.
            let whole = |of: (u8, i8)| i16::from(of.0) - i16::from(of.1);
            let room = i16::from(DECIMAL128_MAX_PRECISION) - whole(first) - whole(second);
            let room = i8::try_from(room).unwrap_or(0);
            let kept = room.max(first.1).max(second.1).max(PLACES);
            (Operation::Product, kept.min(places))
        }
        _ => return None,
    };
    let function = Rounded {
        operation,
        places,
        signature: Signature::any(2, Volatility::Immutable),
    };
    let args = vec![left.0.clone(), right.0.clone()];
    Some(expressions::call(function, args))
}

/// Returns the left operand of an operation that is made here.
pub(crate) fn left_operand(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::ScalarFunction(call) if call.func.inner().is::<Rounded>() => call.args.first(),
        _ => None,
    }
}

/// Returns the operator that a call is made for here.
pub(crate) fn operator_of(call: &ScalarFunction) -> Option<Operator> {
    let function = call.func.inner().downcast_ref::<Rounded>()?;
    Some(match function.operation {
        Operation::Quotient => Operator::Divide,
        Operation::Product => Operator::Multiply,
    })
}

/// Returns whether a call is a quotient that has a result for all values of its operands' types: by
/// a number other than 0, and of so few digits that all of them have room.
pub(crate) fn never_fails(call: &ScalarFunctionExpr, schema: &Schema) -> bool {
    let function = call.fun().inner().downcast_ref::<Rounded>();
    let (Some(function), [left, right]) = (function, call.args()) else {
        return false;
    };
    let type_of = |operand: &PhysicalExprRef| {
        let of = operand.data_type(schema).ok();
        of.and_then(|of| decimal_of(&of))
    };
    let types = type_of(left).zip(type_of(right));
    let Some(((digits, left_places), (_, right_places))) = types else {
        return false;
    };
    if !matches!(function.operation, Operation::Quotient) || !is_divisor(right) {
        return false;
    }
    let power = i32::from(function.places) - i32::from(left_places) + i32::from(right_places);
    i32::from(digits) + power.max(0) < i32::from(DECIMAL128_MAX_PRECISION)
}

/// Returns whether an expression is a decimal or an integer other than 0.
fn is_divisor(expression: &PhysicalExprRef) -> bool {
    let literal = expression.downcast_ref::<Literal>();
    literal.is_some_and(|literal| match literal.value() {
        ScalarValue::Int8(Some(value)) => *value != 0,
        ScalarValue::Int16(Some(value)) => *value != 0,
        ScalarValue::Int32(Some(value)) => *value != 0,
        ScalarValue::Int64(Some(value)) => *value != 0,
        ScalarValue::Decimal128(Some(value), ..) => *value != 0,
        _ => false,
    })
}

/// Returns the digits and the fractional digits of a decimal that holds all values of a type.
fn decimal_of(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal128(precision, places @ 0..) => Some((*precision, *places)),
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((20, 0)),
        _ => None,
    }
}

fn is_exact(data_type: &DataType) -> bool {
    decimal_of(data_type).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Quotient,
    Product,
}

/// A quotient or a product of decimals or integers with so many fractional digits. Halves are
/// rounded away from zero. An operand may become a floating-point number after planning, such as
/// `CASE WHEN a THEN decimal ELSE double END`: then the result is one, too.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounded {
    operation: Operation,
    places: i8,
    signature: Signature,
}

impl Rounded {
    fn data_type(&self) -> DataType {
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, self.places)
    }

    fn values(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
        let ((left, one_left), (right, one_right)) = (left.get(), right.get());
        let rows = if one_left { right.len() } else { left.len() };
        let (left, left_places) = decimals(left)?;
        let (right, right_places) = decimals(right)?;
        let places = i32::from(self.places);
        let power = match self.operation {
            Operation::Quotient => places - left_places + right_places,
            Operation::Product => places - left_places - right_places,
        };
        let scaling = Scaling::new(power);
        let mut values = Decimal128Builder::with_capacity(rows);
        for row in 0..rows {
            let left = value(&left, if one_left { 0 } else { row });
            let right = value(&right, if one_right { 0 } else { row });
            let (Some(left), Some(right)) = (left, right) else {
                values.append_null();
                continue;
            };
            let result = match self.operation {
                Operation::Quotient if right == 0 => return Err(ArrowError::DivideByZero),
                Operation::Quotient => scaling.quotient(left, right),
                Operation::Product => scaling.product(left, right),
            };
            let result = result.filter(|result| fits(*result)).ok_or_else(|| {
                ArrowError::ArithmeticOverflow(format!("{left} and {right} as decimals"))
            })?;
            values.append_value(result);
        }
        let values = values.finish();
        let values = values.with_precision_and_scale(DECIMAL128_MAX_PRECISION, self.places)?;
        Ok(Arc::new(values))
    }
}

/// Returns decimals or integers as decimals, and their fractional digits.
fn decimals(array: &dyn Array) -> Result<(Decimal128Array, i32), ArrowError> {
    let converted: ArrayRef = match array.data_type() {
        DataType::Decimal128(..) => array.slice(0, array.len()),
        other => {
            let precision =
                decimal_of(other).map_or(DECIMAL128_MAX_PRECISION, |(precision, _)| precision);
            cast(array, &DataType::Decimal128(precision, 0))?
        }
    };
    let decimals = converted.as_primitive::<Decimal128Type>().clone();
    let places = i32::from(decimals.scale());
    Ok((decimals, places))
}

fn value(array: &Decimal128Array, row: usize) -> Option<i128> {
    array.is_valid(row).then(|| array.value(row))
}

/// How the digits of operands become those of a result: they are multiplied by a power of ten, or
/// divided by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scaling {
    power: i32,
    /// The factor, if it fits.
    factor: Option<i128>,
}

impl Scaling {
    /// `power`: of ten.
    pub(crate) fn new(power: i32) -> Self {
        let factor = 10_i128.checked_pow(power.unsigned_abs());
        Self { power, factor }
    }

    fn wide_factor(&self) -> Option<i256> {
        i256::from_i128(10).checked_pow(self.power.unsigned_abs())
    }

    /// Returns a quotient; `None` if it has too many digits. `right` is not 0.
    pub(crate) fn quotient(&self, left: i128, right: i128) -> Option<i128> {
        let (dividend, divisor) = match (self.power >= 0, self.factor) {
            (true, Some(factor)) => (left.checked_mul(factor), Some(right)),
            (false, Some(factor)) => (Some(left), right.checked_mul(factor)),
            (_, None) => (None, None),
        };
        if let (Some(dividend), Some(divisor)) = (dividend, divisor) {
            return rounded(dividend, divisor);
        }
        self.wide_quotient(i256::from_i128(left), i256::from_i128(right))
    }

    /// Returns the quotient of operands that may have more than 128 bits, as [`Self::quotient`].
    pub(crate) fn wide_quotient(&self, left: i256, right: i256) -> Option<i128> {
        let factor = self.wide_factor()?;
        match self.power >= 0 {
            true => rounded_wide(left.checked_mul(factor)?, right),
            false => rounded_wide(left, right.checked_mul(factor)?),
        }
    }

    /// Returns a product; `None` if it has too many digits.
    fn product(&self, left: i128, right: i128) -> Option<i128> {
        let all = i256::from_i128(left).checked_mul(i256::from_i128(right))?;
        let factor = self.wide_factor()?;
        match self.power >= 0 {
            true => all.checked_mul(factor)?.to_i128(),
            false => rounded_wide(all, factor),
        }
    }
}

fn rounded(dividend: i128, divisor: i128) -> Option<i128> {
    let quotient = dividend.checked_div(divisor)?;
    // A product takes less time than a second division. The rest is smaller than the divisor.
    let rest = dividend.wrapping_sub(quotient.wrapping_mul(divisor));
    let rest = rest.unsigned_abs();
    if rest < divisor.unsigned_abs() - rest {
        return Some(quotient);
    }
    match (dividend < 0) == (divisor < 0) {
        true => quotient.checked_add(1),
        false => quotient.checked_sub(1),
    }
}

fn rounded_wide(dividend: i256, divisor: i256) -> Option<i128> {
    let quotient = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?.wrapping_abs();
    if rest < divisor.wrapping_abs().checked_sub(rest)? {
        return quotient.to_i128();
    }
    match dividend.is_negative() == divisor.is_negative() {
        true => quotient.checked_add(i256::ONE)?.to_i128(),
        false => quotient.checked_sub(i256::ONE)?.to_i128(),
    }
}

impl ScalarUDFImpl for Rounded {
    /// Returns the operator, as EXPLAIN shows it.
    fn name(&self) -> &str {
        match self.operation {
            Operation::Quotient => "/",
            Operation::Product => "*",
        }
    }

    /// Returns the name of the operation that the call replaces, so that columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<String> = args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect();
        Ok(args.join(&format!(" {} ", self.name())))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.iter().all(is_exact) {
            true => self.data_type(),
            false => DataType::Float64,
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(format!(
                "operator {} without two operands",
                self.name()
            )));
        };
        if !is_exact(&left.data_type()) || !is_exact(&right.data_type()) {
            let left = left.cast_to(&DataType::Float64, None)?;
            let right = right.cast_to(&DataType::Float64, None)?;
            let op = match self.operation {
                Operation::Quotient => Operator::Divide,
                Operation::Product => Operator::Multiply,
            };
            return floats::calculated(op, &left, &right);
        }
        let values = |left: &dyn Datum, right: &dyn Datum| self.values(left, right);
        apply(left, right, values).map_err(|error| match is_overflow(&error) {
            true => out_of_range(&self.data_type()).into(),
            false => error,
        })
    }
}

#[cfg(test)]
mod tests;
