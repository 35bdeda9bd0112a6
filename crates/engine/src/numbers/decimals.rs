//! Decimals are compared with number literals as they are written.
//!
//! A literal such as `9999999.99` is a floating-point number to the parser. The engine compares it
//! with a DECIMAL as a decimal with 15 digits after the point, `9999999.990000001220608`, which no
//! value equals. An analyzer rule that runs after type coercion reads the literal as the decimal
//! that is written. A DECIMAL and any other floating-point number are compared as floating-point
//! numbers, as in Athena and PostgreSQL: as decimals, large numbers and NaN would be errors.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Maximum digits of a decimal.
const MAX_DIGITS: u32 = 38;

/// Digits after the point of the decimals that the engine makes of floating-point numbers.
const FLOAT64_SCALE: i8 = 15;
const FLOAT32_SCALE: i8 = 7;

/// Reads floating-point literals that are compared with decimals as decimals.
#[derive(Debug)]
pub(crate) struct DecimalLiterals;

impl AnalyzerRule for DecimalLiterals {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let compares = |expr: &Expr| match expr {
            Expr::BinaryExpr(binary) => binary.op.supports_propagation(),
            expr => matches!(expr, Expr::Between(_) | Expr::InList(_)),
        };
        expressions::rewritten(plan, compares, compared)
    }

    fn name(&self) -> &str {
        "decimal_literals"
    }
}

fn compared(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() => {
            match alike(&[&left, &right], schema).map(<[Expr; 2]>::try_from) {
                Some(Ok([left, right])) => Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(left),
                    op,
                    Box::new(right),
                ))),
                _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::Between(between) => {
            let operands = [
                between.expr.as_ref(),
                between.low.as_ref(),
                between.high.as_ref(),
            ];
            match alike(&operands, schema).map(<[Expr; 3]>::try_from) {
                Some(Ok([expr, low, high])) => Transformed::yes(Expr::Between(Between::new(
                    Box::new(expr),
                    between.negated,
                    Box::new(low),
                    Box::new(high),
                ))),
                _ => Transformed::no(Expr::Between(between)),
            }
        }
        Expr::InList(list) => {
            let operands: Vec<&Expr> = std::iter::once(list.expr.as_ref())
                .chain(&list.list)
                .collect();
            match alike(&operands, schema) {
                Some(mut changed) if !changed.is_empty() => {
                    let expr = changed.remove(0);
                    let list = InList::new(Box::new(expr), changed, list.negated);
                    Transformed::yes(Expr::InList(list))
                }
                _ => Transformed::no(Expr::InList(list)),
            }
        }
        expr => Transformed::no(expr),
    }
}

/// An operand of a comparison, without the engine's cast to a decimal.
enum Operand {
    Decimal(Expr, u8, i8),
    /// A literal as it is written: its digits, and how many of them are after the point.
    Literal(i128, u32),
    Null,
    Float(Expr),
}

/// Returns the operands as values of one type; `None` if nothing changes.
fn alike(operands: &[&Expr], schema: &DFSchema) -> Option<Vec<Expr>> {
    let is_float = |expr: &Expr| {
        let data_type = uncast(expr, schema)?.get_type(schema).ok()?;
        data_type.is_floating().then_some(())
    };
    operands.iter().find_map(|operand| is_float(operand))?;
    let operands: Vec<Operand> = operands
        .iter()
        .map(|operand| operand_of(operand, schema))
        .collect::<Option<_>>()?;
    let decimals = || {
        operands.iter().filter_map(|operand| match operand {
            Operand::Decimal(_, precision, scale) => Some((*precision, *scale)),
            _ => None,
        })
    };
    decimals().next()?;
    let floats = operands
        .iter()
        .any(|operand| matches!(operand, Operand::Float(_)));
    let literals = || {
        operands.iter().filter_map(|operand| match operand {
            Operand::Literal(digits, scale) => Some((*digits, *scale)),
            _ => None,
        })
    };
    if !floats {
        literals().next()?;
    }
    let decimal = || {
        let scale = decimals()
            .map(|(_, scale)| u32::try_from(scale).ok())
            .chain(literals().map(|(_, scale)| Some(scale)))
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()?;
        let whole = decimals()
            .map(|(precision, scale)| {
                u32::from(precision).saturating_sub(u32::from(scale.unsigned_abs()))
            })
            .chain(literals().map(|(digits, scale)| length(digits).saturating_sub(scale)))
            .max()?;
        let precision = whole.checked_add(scale).filter(|all| *all <= MAX_DIGITS)?;
        let precision = u8::try_from(precision.max(1)).ok()?;
        Some(DataType::Decimal128(precision, i8::try_from(scale).ok()?))
    };
    let target = if floats { None } else { decimal() }.unwrap_or(DataType::Float64);
    operands
        .into_iter()
        .map(|operand| of_type(operand, &target))
        .collect()
}

/// Returns the operand of a cast to a decimal that the engine added for the comparison. `None` if
/// there is no cast, or a user may have written it.
fn uncast<'a>(expr: &'a Expr, schema: &DFSchema) -> Option<&'a Expr> {
    let Expr::Cast(Cast { expr: inner, field }) = expr else {
        return None;
    };
    let DataType::Decimal128(_, scale) = field.data_type() else {
        return None;
    };
    let is_implicit = match inner.get_type(schema).ok()? {
        DataType::Float64 => *scale >= FLOAT64_SCALE,
        DataType::Float32 => *scale >= FLOAT32_SCALE,
        // A user's own cast of this kind changes no value either, but it may make some an error.
        DataType::Decimal128(_, from_scale) => from_scale <= *scale,
        _ => false,
    };
    is_implicit.then_some(inner.as_ref())
}

fn operand_of(expr: &Expr, schema: &DFSchema) -> Option<Operand> {
    let inner = uncast(expr, schema).unwrap_or(expr);
    if let Expr::Literal(value, _) = inner {
        if value.is_null() {
            return Some(Operand::Null);
        }
        if let ScalarValue::Float64(Some(value)) = value
            && let Some((digits, scale)) = written(*value)
        {
            return Some(Operand::Literal(digits, scale));
        }
    }
    match inner.get_type(schema).ok()? {
        DataType::Decimal128(precision, scale) => {
            Some(Operand::Decimal(inner.clone(), precision, scale))
        }
        DataType::Float32 | DataType::Float64 => Some(Operand::Float(inner.clone())),
        _ => None,
    }
}

/// Returns the shortest decimal that the parser reads as this number, which is what was written
/// unless it has more than 15 digits.
fn written(value: f64) -> Option<(i128, u32)> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value}");
    let (whole, fraction) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let fraction = fraction.trim_end_matches('0');
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = u32::try_from(fraction.len()).ok()?;
    (length(digits) <= MAX_DIGITS && scale <= MAX_DIGITS).then_some((digits, scale))
}

/// Returns a number literal as a decimal of its own digits; `None` if it has more digits than a
/// decimal holds.
pub(crate) fn of_literal(value: f64) -> Option<ScalarValue> {
    let (digits, scale) = written(value)?;
    let precision = u8::try_from(length(digits).max(scale).max(1)).ok()?;
    let scale = i8::try_from(scale).ok()?;
    Some(ScalarValue::Decimal128(Some(digits), precision, scale))
}

/// Returns the number of digits.
fn length(digits: i128) -> u32 {
    digits
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| log + 1)
}

fn of_type(operand: Operand, target: &DataType) -> Option<Expr> {
    let literal = |value| Some(Expr::Literal(value, None));
    match (operand, target) {
        (Operand::Null, target) => literal(ScalarValue::try_from(target).ok()?),
        (Operand::Literal(digits, scale), DataType::Decimal128(precision, to)) => {
            let by = u32::try_from(*to).ok()?.checked_sub(scale)?;
            let digits = digits.checked_mul(10_i128.checked_pow(by)?)?;
            literal(ScalarValue::Decimal128(Some(digits), *precision, *to))
        }
        (Operand::Literal(digits, scale), _) => {
            let value: f64 = format!("{digits}e-{scale}").parse().ok()?;
            literal(ScalarValue::Float64(Some(value)))
        }
        (Operand::Decimal(expr, precision, scale), target) => {
            if DataType::Decimal128(precision, scale) == *target {
                return Some(expr);
            }
            Some(cast(expr, target.clone()))
        }
        (Operand::Float(expr), target) => Some(cast(expr, target.clone())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn number_is_the_shortest_decimal_that_it_is_written_as() {
        for (value, expected) in [
            (9_999_999.99, Some((999_999_999, 2))),
            (-0.5, Some((-5, 1))),
            (1.0, Some((1, 0))),
            (0.1, Some((1, 1))),
            (1e20, Some((100_000_000_000_000_000_000, 0))),
            (1e-7, Some((1, 7))),
            (1e300, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(written(value), expected, "{value}");
        }
    }
}
