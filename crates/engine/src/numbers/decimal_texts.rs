//! A text that is compared with a decimal is a number with all of its digits.
//!
//! The engine casts the text to the decimal's own type, so that `price = '0.005'` finds 0.01 where
//! prices have two digits after the point. PostgreSQL reads it as a `numeric` of any length. An
//! analyzer rule that runs before type coercion replaces the text by the number. A parameter that a
//! client sends as text is cast before, while its statement is prepared.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Maximum digits of a decimal.
const MAX_DIGITS: usize = 38;

/// Reads texts that are compared with decimals as numbers.
#[derive(Debug)]
pub(crate) struct DecimalTexts;

impl AnalyzerRule for DecimalTexts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, |expr| text_of(expr).is_some(), compared)
    }

    fn name(&self) -> &str {
        "decimal_texts"
    }
}

fn compared(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            mut left,
            op,
            mut right,
        }) if op.supports_propagation() => {
            let changed = numbers([left.as_mut(), right.as_mut()], schema);
            Transformed::new_transformed(
                Expr::BinaryExpr(BinaryExpr::new(left, op, right)),
                changed,
            )
        }
        Expr::Between(Between {
            mut expr,
            negated,
            mut low,
            mut high,
        }) => {
            let changed = numbers([expr.as_mut(), low.as_mut(), high.as_mut()], schema);
            let between = Between::new(expr, negated, low, high);
            Transformed::new_transformed(Expr::Between(between), changed)
        }
        Expr::InList(InList {
            mut expr,
            mut list,
            negated,
        }) => {
            let operands = std::iter::once(expr.as_mut()).chain(list.iter_mut());
            let changed = numbers(operands, schema);
            let list = InList::new(expr, list, negated);
            Transformed::new_transformed(Expr::InList(list), changed)
        }
        Expr::Case(Case {
            expr: Some(mut operand),
            mut when_then_expr,
            else_expr,
        }) => {
            let whens = when_then_expr.iter_mut().map(|(when, _)| when.as_mut());
            let changed = numbers(std::iter::once(operand.as_mut()).chain(whens), schema);
            let case = Case::new(Some(operand), when_then_expr, else_expr);
            Transformed::new_transformed(Expr::Case(case), changed)
        }
        expr => Transformed::no(expr),
    }
}

/// Replaces texts by numbers, if one of the operands is a decimal. Returns whether anything
/// changed.
fn numbers<'a>(operands: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    let operands: Vec<&mut Expr> = operands.into_iter().collect();
    if !operands.iter().any(|operand| text_of(operand).is_some()) {
        return false;
    }
    let is_decimal = |operand: &Expr| {
        text_of(operand).is_none()
            && operand
                .get_type(schema)
                .is_ok_and(|data_type| matches!(data_type, DataType::Decimal128(..)))
    };
    if !operands.iter().any(|operand| is_decimal(operand)) {
        return false;
    }
    let mut changed = false;
    for operand in operands {
        if let Some(number) = text_of(operand).and_then(number) {
            *operand = Expr::Literal(number, None);
            changed = true;
        }
    }
    changed
}

/// Returns the text of a literal, or of a parameter that is text.
fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        Expr::Cast(Cast { expr, field }) if field.data_type().is_string() => match expr.as_ref() {
            Expr::Literal(value, _) => value.try_as_str().flatten(),
            _ => None,
        },
        _ => None,
    }
}

/// Parses a decimal: digits with a point, and an exponent. Returns `None` if the text is not a
/// number, or has more digits than a decimal holds.
pub fn number(text: &str) -> Option<ScalarValue> {
    let text = text.trim();
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        let zeros = usize::try_from(scale.unsigned_abs())
            .ok()
            .filter(|zeros| *zeros <= MAX_DIGITS)?;
        digits.push_str(&"0".repeat(zeros));
        scale = 0;
    }
    // Trailing zeros do not change the number.
    while scale > 0 && digits.ends_with('0') {
        digits.pop();
        scale -= 1;
    }
    let significant = digits.trim_start_matches('0');
    let scale = usize::try_from(scale).ok()?;
    let precision = significant.len().max(scale).max(1);
    if precision > MAX_DIGITS {
        return None;
    }
    let value: i128 = match significant {
        "" => 0,
        significant => significant.parse().ok()?,
    };
    Some(ScalarValue::Decimal128(
        Some(if negative { -value } else { value }),
        u8::try_from(precision).ok()?,
        i8::try_from(scale).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_is_the_decimal_that_it_says() {
        let decimal =
            |value, precision, scale| Some(ScalarValue::Decimal128(Some(value), precision, scale));
        for (text, expected) in [
            ("0.005", decimal(5, 3, 3)),
            (" -12.50 ", decimal(-125, 3, 1)),
            ("+7", decimal(7, 1, 0)),
            ("0", decimal(0, 1, 0)),
            (".5", decimal(5, 1, 1)),
            ("5.", decimal(5, 1, 0)),
            ("1e3", decimal(1000, 4, 0)),
            ("12e-4", decimal(12, 4, 4)),
            ("", None),
            (".", None),
            ("NaN", None),
            ("1e", None),
            ("0x10", None),
            ("1e100", None),
            ("123456789012345678901234567890123456789", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
