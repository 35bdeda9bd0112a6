//! Operators and calls of ranges.
//!
//! ```text
//! r @> s, s <@ r              $int4range_contains(r, s)
//! r @> x, x <@ r              $int4range_holds(r, x)
//! r && s, r << s, r -|- s     $int4range_overlaps(r, s) …
//! r + s, r * s, r - s         $int4range_union(r, s) …
//! lower(r), upper(r)          CAST($int4range_lower(r) AS integer) …
//! range_merge(r, s)           $int4range_merged(r, s)
//! ```
//!
//! A quoted literal or a parameter beside a range is a range of its type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_engine::OPEN_NUMERIC;
use lakegate_error::{Code, Error};

use super::{Act, Keyed, check_beside, no_operator, of_expr, written};
use crate::postgres::functions::ranges::{RangeOp, RangeType, function};

/// Plans an operator of which an operand is a range of a type, other than comparisons.
///
/// # Errors
///
/// Ranges have no such operator.
pub(super) fn planned(
    expr: RawBinaryExpr,
    of: RangeType,
    schema: &DFSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    use BinaryOperator as Op;
    let does = match &expr.op {
        Op::AtArrow | Op::ArrowAt => RangeOp::Contains,
        Op::PGOverlap => RangeOp::Overlaps,
        Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight => RangeOp::Before,
        Op::Custom(symbol) if symbol == "&<" => RangeOp::EndsBy,
        Op::Custom(symbol) if symbol == "&>" => RangeOp::StartsFrom,
        Op::Custom(symbol) if symbol == "-|-" => RangeOp::Adjoins,
        Op::Plus => RangeOp::Union,
        Op::Multiply => RangeOp::Intersection,
        Op::Minus => RangeOp::Difference,
        // Texts are joined, AND and OR refuse ranges, and marks of the dialect become casts.
        Op::StringConcat | Op::And | Op::Or => return Ok(PlannerResult::Original(expr)),
        Op::Custom(mark) if mark.starts_with('$') => return Ok(PlannerResult::Original(expr)),
        op => {
            let other = match of_expr(&expr.left, schema) {
                Some(_) => &expr.right,
                None => &expr.left,
            };
            return Err(no_operator(Keyed::Range(of), &op.to_string(), other, schema).into());
        }
    };
    // With its operands turned, `<@` is `@>`, and `>>` is `<<`.
    let (one, symbol, other) = match expr.op {
        Op::ArrowAt => (expr.right, Op::AtArrow.to_string(), expr.left),
        Op::PGBitwiseShiftRight => (expr.right, Op::PGBitwiseShiftLeft.to_string(), expr.left),
        op => (expr.left, op.to_string(), expr.right),
    };
    check_beside(Keyed::Range(of), written(&one), &symbol, schema)?;
    let is_value = does == RangeOp::Contains && is_value_of(of, &other, schema);
    let args = match is_value {
        true => vec![range(of, &one, schema), other],
        false => {
            check_beside(Keyed::Range(of), written(&other), &symbol, schema)?;
            vec![range(of, &one, schema), range(of, &other, schema)]
        }
    };
    let does = match is_value {
        true => RangeOp::Holds,
        false => does,
    };
    Ok(PlannerResult::Planned(function(of, does).call(args)))
}

/// Returns a value as a range.
fn range(of: RangeType, value: &Expr, schema: &DFSchema) -> Expr {
    let value = written(value).clone();
    match of_expr(&value, schema) {
        Some(_) => value,
        None => Keyed::Range(of).call(Act::In, vec![value]),
    }
}

/// Returns whether an expression is a value that ranges of a type may have. Integers of any width count as
/// one type, and so do all numbers: the type of one may be settled later.
fn is_value_of(of: RangeType, value: &Expr, schema: &DFSchema) -> bool {
    let value = written(value);
    if of_expr(value, schema).is_some() || Keyed::Range(of).takes(value, schema) {
        return false;
    }
    value
        .get_type(schema)
        .is_ok_and(|data_type| is_bound_type(of, &data_type))
}

fn is_bound_type(of: RangeType, data_type: &DataType) -> bool {
    match of {
        RangeType::Int4 | RangeType::Int8 => data_type.is_integer(),
        RangeType::Num => data_type.is_numeric(),
        RangeType::Ts => matches!(data_type, DataType::Timestamp(_, None)),
        RangeType::Tstz => matches!(data_type, DataType::Timestamp(_, Some(_))),
        RangeType::Date => *data_type == DataType::Date32,
    }
}

/// Returns the call of a range's function that a call stands for; `None` for others.
///
/// # Errors
///
/// The arguments are not bounds of the type, or not ranges of one type.
pub(super) fn called(call: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let args = call.args.as_slice();
    let name = call.func.name();
    if let Some(of) = RangeType::named(name) {
        check_bounds(of, args, schema)?;
        return Ok(None);
    }
    if !matches!(name, "lower" | "upper" | "range_merge") {
        return Ok(None);
    }
    let mut types = args.iter().filter_map(|arg| of_expr(arg, schema));
    let Some(Keyed::Range(of)) = types.next() else {
        return Ok(None);
    };
    Ok(match (name, args) {
        ("lower", [value]) => Some(bound(of, RangeOp::Lower, value)),
        ("upper", [value]) => Some(bound(of, RangeOp::Upper, value)),
        ("range_merge", [one, other]) => {
            for arg in [one, other] {
                check_beside(Keyed::Range(of), written(arg), "and", schema)?;
            }
            let args = vec![range(of, one, schema), range(of, other, schema)];
            Some(function(of, RangeOp::Merged).call(args))
        }
        _ => None,
    })
}

/// Returns a bound of a range, of its type. A number has the digits of its text.
fn bound(of: RangeType, does: RangeOp, value: &Expr) -> Expr {
    let text = function(of, does).call(vec![value.clone()]);
    let cast = match of {
        RangeType::Num => {
            let target = Field::new(OPEN_NUMERIC, of.bound_type(), true);
            Cast::new_from_field(Box::new(text), Arc::new(target))
        }
        of => Cast::new(Box::new(text), of.bound_type()),
    };
    Expr::Cast(cast)
}

/// # Errors
///
/// An argument of a constructor is neither a value of the bounds of its type, nor becomes one.
fn check_bounds(of: RangeType, args: &[Expr], schema: &DFSchema) -> Result<(), Error> {
    let is_bound = |arg: &Expr| {
        let becomes = |data_type: DataType| match of {
            RangeType::Ts => data_type == DataType::Date32,
            RangeType::Tstz => matches!(data_type, DataType::Date32 | DataType::Timestamp(..)),
            _ => data_type.is_null(),
        };
        is_value_of(of, arg, schema)
            || Keyed::Range(of).takes(written(arg), schema)
            || arg.get_type(schema).is_ok_and(becomes)
    };
    match args.iter().take(2).all(is_bound) {
        true => Ok(()),
        false => {
            let name = of.name();
            let message = format!("the arguments of {name} are not bounds of its ranges");
            let hint = format!("cast them to {}", of.bound_name());
            Err(Error::new(Code::FunctionNotFound, message).with_hint(hint))
        }
    }
}
