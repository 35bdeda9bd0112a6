//! The types of literals beside other operands.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Value};
use lakegate_engine::time::interval_in_words;
use lakegate_error::Error;

use super::super::{build, casts};
use super::{text_of, unnested};

/// Returns an operand that is the text of an array, such as `'{a,b}'`, as an array of the type of
/// the other operand. A text that may be JSON stays: none that is both has items.
fn array_operand(operand: &Expr, other: &Expr) -> Option<Expr> {
    let items = match text_of(operand)?.trim_start().starts_with('{') {
        true => casts::literal_array(unnested(operand)).ok().flatten()?,
        false => return None,
    };
    if items.is_empty() {
        return None;
    }
    let of_numbers = match unnested(other) {
        Expr::Array(array) => match array.elem.first()? {
            Expr::Value(value) => matches!(value.value, Value::Number(..)),
            _ => false,
        },
        _ => false,
    };
    if !of_numbers {
        return Some(build::array(items));
    }
    let numbers = items.iter().map(|item| match item {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.parse::<i64>().ok().map(build::integer),
            _ => Some(item.clone()),
        },
        _ => None,
    });
    numbers.collect::<Option<Vec<_>>>().map(build::array)
}

/// Makes an array of each operand that is the text of one.
pub(in crate::postgres::rewrite) fn type_arrays(left: &mut Expr, right: &mut Expr) {
    if let Some(array) = array_operand(left, right) {
        *left = array;
    } else if let Some(array) = array_operand(right, left) {
        *right = array;
    }
}

/// Gives a literal operand the type that the other operand and the operator ask for.
///
/// # Errors
///
/// A text is not an interval.
pub(in crate::postgres::rewrite) fn type_literals(
    left: &mut Expr,
    op: &BinaryOperator,
    right: &mut Expr,
) -> Result<(), Error> {
    let is_array = |expr: &Expr| matches!(unnested(expr), Expr::Array(_));
    match op {
        BinaryOperator::AtArrow | BinaryOperator::ArrowAt => type_arrays(left, right),
        BinaryOperator::Eq | BinaryOperator::NotEq if is_array(left) || is_array(right) => {
            type_arrays(left, right);
        }
        // What is appended to an array is an item, unless it is an array itself.
        BinaryOperator::StringConcat if is_array(right) => type_arrays(left, right),
        BinaryOperator::Plus | BinaryOperator::Minus => {
            if let (true, Some(text)) = (is_interval(left), text_of(right)) {
                *right = build::interval(&interval_in_words(text)?)?;
            } else if let (true, Some(text)) = (is_interval(right), text_of(left))
                && *op == BinaryOperator::Plus
            {
                *left = build::interval(&interval_in_words(text)?)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Returns an argument of a function as a value of the type that the function takes, if it is a quoted
/// text, a parameter or NULL, which have none of their own.
pub(in crate::postgres::rewrite) fn typed(argument: &Expr, data_type: DataType) -> Expr {
    let is_untyped = match unnested(argument) {
        Expr::Value(value) => matches!(
            value.value,
            Value::Placeholder(_) | Value::SingleQuotedString(_) | Value::Null
        ),
        _ => false,
    };
    match is_untyped {
        true => build::cast(argument.clone(), data_type),
        false => argument.clone(),
    }
}

/// Returns whether an expression is an interval by its form.
pub(in crate::postgres::rewrite) fn is_interval(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => is_interval(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Interval { .. }),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Multiply | BinaryOperator::Divide,
            right,
        } => is_interval(left) || is_interval(right),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Plus | BinaryOperator::Minus,
            right,
        } => is_interval(left) && is_interval(right),
        _ => false,
    }
}
