//! Bit strings: their operators, their casts to integers, and calls with them.
//!
//! ```text
//! b & c, b | c, b # c        $bit_and(b, c), $bit_or(b, c), $bit_xor(b, c)
//! ~b, b || c                 $bit_not(b), $bit_cat(b, c)
//! b << n, b >> n             $bit_shift_left(b, n), $bit_shift_right(b, n)
//! b::integer, b::bigint      $bit_to_integer(b), $bit_to_bigint(b)
//! substring(b FROM n)        $bit_in(substr(b, n))
//! octet_length(b)            $bit_octets(b)
//! bit_count(b)               $bit_ones(b)
//! get_bit(b, n)              $bit_get(b, n)
//! overlay(b PLACING c …)     $bit_overlay(b, c, …)
//! ```
//!
//! Every other operator is refused: the engine would take the digits for those of a number.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions::unicode::character_length;
use datafusion::logical_expr::expr::{Like, ScalarFunction};
use datafusion::logical_expr::planner::{PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::{Code, Error};

use super::{Act, Keyed, check_beside, is_parameter, no_operator, of_expr, written};
use crate::postgres::functions::{BIT_COUNT, BIT_LENGTH, bit_strings};

/// Aggregate functions of numbers, which the engine may take texts for.
const OF_NUMBERS: [&str; 5] = ["avg", "bit_and", "bit_or", "bit_xor", "sum"];

/// Plans an operator of which an operand is a bit string, other than comparisons. `types`: those of
/// the operands.
///
/// # Errors
///
/// Bit strings have no such operator.
pub(super) fn planned(
    expr: RawBinaryExpr,
    types: [Option<Keyed>; 2],
    schema: &DFSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    use BinaryOperator as Op;
    let RawBinaryExpr { op, left, right } = expr;
    let [of_left, of_right] = types;
    let of = of_left.or(of_right).unwrap_or(Keyed::Bit);
    let other = match of_left {
        Some(_) => &right,
        None => &left,
    };
    let function = match &op {
        Op::BitwiseAnd => bit_strings::AND,
        Op::BitwiseOr => bit_strings::OR,
        Op::PGBitwiseXor if of_left.is_some() && is_all_ones(&right) => {
            let inverted = bit_strings::function(bit_strings::INVERTED);
            return Ok(PlannerResult::Planned(inverted.call(vec![left])));
        }
        Op::PGBitwiseXor => bit_strings::XOR,
        Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight
            if of_left.is_some() && is_integer(&right, schema) =>
        {
            let shifted = bit_strings::function(match op {
                Op::PGBitwiseShiftLeft => bit_strings::LEFT,
                _ => bit_strings::RIGHT,
            });
            let places = match is_parameter(&right) {
                true => cast(right, DataType::Int32),
                false => right,
            };
            return Ok(PlannerResult::Planned(shifted.call(vec![left, places])));
        }
        Op::StringConcat if is_text(other, schema) => {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        Op::StringConcat => bit_strings::JOINED,
        // AND and OR refuse them, and marks of the dialect become casts.
        Op::And | Op::Or => {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        Op::Custom(mark) if mark.starts_with('$') => {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        op => return Err(no_operator(of, &op.to_string(), other, schema).into()),
    };
    let symbol = op.to_string();
    for operand in [&left, &right] {
        check_beside(of, written(operand), &symbol, schema)?;
    }
    let args = vec![written(&left).clone(), written(&right).clone()];
    Ok(PlannerResult::Planned(
        bit_strings::function(function).call(args),
    ))
}

/// Returns whether an operand is the number that the dialect writes `~x` with: `x # -1::smallint`.
fn is_all_ones(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => {
            *cast.field.data_type() == DataType::Int16
                && matches!(
                    cast.expr.as_ref(),
                    Expr::Literal(ScalarValue::Int64(Some(-1)), _) | Expr::Negative(_)
                )
        }
        _ => false,
    }
}

fn is_integer(expr: &Expr, schema: &DFSchema) -> bool {
    is_parameter(expr) || expr.get_type(schema).is_ok_and(|of| of.is_integer())
}

/// Returns whether `||` beside a bit string joins texts, or appends to an array. A literal without a type
/// becomes a bit string.
fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    if of_expr(expr, schema).is_some() || Keyed::Bit.takes(written(expr), schema) {
        return false;
    }
    let of = expr.get_type(schema);
    of.is_ok_and(|of| of.is_string() || matches!(of, DataType::List(_)))
}

/// Returns the integer that a cast makes of bits; `None` for other casts.
pub(super) fn as_number(cast: &Cast, of: Keyed) -> Option<Expr> {
    if !of.is_bits() {
        return None;
    }
    let function = match cast.field.data_type() {
        DataType::Int32 => bit_strings::SHORT_NUMBER,
        DataType::Int64 => bit_strings::WIDE_NUMBER,
        _ => return None,
    };
    let bits = cast.expr.as_ref().clone();
    Some(bit_strings::function(function).call(vec![bits]))
}

/// Returns the call of a bit string's function that a call stands for; `None` for others.
pub(super) fn called(function: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let args = function.args.as_slice();
    let is_of_bits = |expr: &Expr| of_expr(expr, schema).is_some_and(Keyed::is_bits);
    if !args.first().is_some_and(is_of_bits) {
        return None;
    }
    Some(match (function.func.name(), args) {
        ("octet_length", _) => bit_strings::function(bit_strings::OCTETS).call(args.to_vec()),
        (BIT_COUNT, _) => bit_strings::function(bit_strings::ONES).call(args.to_vec()),
        (BIT_LENGTH, _) => character_length().call(args.to_vec()),
        ("get_bit", [_, _]) => bit_strings::taken_bit(args.to_vec()),
        ("set_bit", [_, _, _]) => bit_strings::with_bit(args.to_vec()),
        ("substr", _) => {
            let part = Expr::ScalarFunction(function.clone());
            Keyed::Bit.call(Act::In, vec![part])
        }
        ("overlay", _) => bit_strings::function(bit_strings::OVERLAID).call(args.to_vec()),
        _ => return None,
    })
}

/// Refuses patterns, and casts that would read the digits as those of a number.
///
/// # Errors
///
/// The expression is one of these, of a bit string.
pub(super) fn check(expr: &Expr, schema: &DFSchema) -> Result<()> {
    let of_bits = |expr: &Expr| of_expr(expr, schema).filter(|of| of.is_bits());
    match expr {
        Expr::Like(Like { expr, pattern, .. }) | Expr::SimilarTo(Like { expr, pattern, .. }) => {
            match of_bits(expr) {
                Some(of) => Err(no_operator(of, "~~", pattern, schema).into()),
                None => Ok(()),
            }
        }
        Expr::TryCast(cast) if !cast.field.data_type().is_string() => match of_bits(&cast.expr) {
            Some(of) => {
                let message = format!("TRY_CAST of type {} is not supported", of.name());
                Err(Error::new(Code::CannotCoerce, message).into())
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Refuses aggregate functions of numbers.
///
/// # Errors
///
/// An argument is a bit string.
pub(super) fn check_aggregate(name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    let is_of_bits = |expr: &Expr| of_expr(expr, schema).is_some_and(Keyed::is_bits);
    match OF_NUMBERS.contains(&name) && args.iter().any(is_of_bits) {
        true => {
            let message = format!("{name} of bit strings is not supported");
            Err(Error::not_supported(message).into())
        }
        false => Ok(()),
    }
}
