//! Operators of these types: comparisons by keys, sums of times and intervals, networks, distances in
//! the log, bit strings, and ranges. `&&` is that of arrays if it is none of networks or ranges.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::functions_nested::expr_fn::array_has_any;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, binary_expr};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::Error;
use std::sync::Arc;

use super::{Keyed, bits, check_beside, keys, of_expr, ranges, text_types, written};
use crate::postgres::functions::{log_positions, networks, timetz};

/// Plans an operator as a call if one of its operands is of such a type.
#[derive(Debug)]
struct KeyedOperators;

/// Returns the planner to register.
pub(in crate::postgres) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(KeyedOperators)
}

/// Returns the operator of a comparison, and its symbol.
fn comparison(op: &BinaryOperator) -> Option<(Operator, &'static str)> {
    Some(match op {
        BinaryOperator::Eq => (Operator::Eq, "="),
        BinaryOperator::NotEq => (Operator::NotEq, "<>"),
        BinaryOperator::Lt => (Operator::Lt, "<"),
        BinaryOperator::LtEq => (Operator::LtEq, "<="),
        BinaryOperator::Gt => (Operator::Gt, ">"),
        BinaryOperator::GtEq => (Operator::GtEq, ">="),
        _ => return None,
    })
}

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    let of = expr.get_type(schema);
    of.is_ok_and(|of| matches!(of, DataType::Interval(_) | DataType::Duration(_)))
}

impl ExprPlanner for KeyedOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some((op, symbol)) = comparison(&expr.op) {
            let keys = keys([&expr.left, &expr.right], symbol, schema)?;
            let pair = keys.and_then(|mut keys| keys.next().zip(keys.next()));
            return Ok(match pair {
                Some((left, right)) => PlannerResult::Planned(binary_expr(left, op, right)),
                None => PlannerResult::Original(expr),
            });
        }
        let types = [&expr.left, &expr.right].map(|operand| of_expr(operand, schema));
        let [left, right] = types;
        match left.or(right) {
            Some(Keyed::Timetz) => of_times(expr, [left.is_some(), right.is_some()], schema),
            Some(Keyed::LogPosition) => of_positions(expr, schema),
            Some(of) if of.is_network() => of_networks(expr, types, schema),
            Some(of) if of.is_bits() => bits::planned(expr, types, schema),
            Some(Keyed::Range(of)) => ranges::planned(expr, of, schema),
            _ if expr.op == BinaryOperator::PGOverlap => {
                let overlap = array_has_any(expr.left, expr.right);
                Ok(PlannerResult::Planned(overlap))
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}

/// Plans the sum or difference of a time with a zone and an interval. `of_timetz`: which operands
/// are such times.
fn of_times(
    expr: RawBinaryExpr,
    of_timetz: [bool; 2],
    schema: &DFSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let kind = match expr.op {
        BinaryOperator::Plus => timetz::Kind::Plus,
        BinaryOperator::Minus => timetz::Kind::Minus,
        _ => return Ok(PlannerResult::Original(expr)),
    };
    let is_date = |operand: &Expr| matches!(operand.get_type(schema), Ok(DataType::Date32));
    if kind == timetz::Kind::Plus && (is_date(&expr.left) || is_date(&expr.right)) {
        let message = "the sum of a date and a time with time zone is not supported";
        let error = Error::not_supported(message);
        return Err(error
            .with_hint("add the time without its zone: x::time")
            .into());
    }
    let sums = |time: bool, by: &Expr| time && is_interval(by, schema);
    let [left, right] = of_timetz;
    let function = timetz::function(kind);
    Ok(if sums(left, &expr.right) {
        PlannerResult::Planned(function.call(vec![expr.left, expr.right]))
    } else if kind == timetz::Kind::Plus && sums(right, &expr.left) {
        PlannerResult::Planned(function.call(vec![expr.right, expr.left]))
    } else {
        PlannerResult::Original(expr)
    })
}

/// Plans the distance of two positions in the log.
fn of_positions(expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    if expr.op != BinaryOperator::Minus {
        return Ok(PlannerResult::Original(expr));
    }
    for operand in [&expr.left, &expr.right] {
        check_beside(Keyed::LogPosition, written(operand), "-", schema)?;
    }
    let (left, right) = (written(&expr.left).clone(), written(&expr.right).clone());
    let distance = log_positions::distance().call(vec![left, right]);
    Ok(PlannerResult::Planned(distance))
}

/// Plans what contains what, sums of addresses and numbers, differences, and addresses beside `||`.
fn of_networks(
    expr: RawBinaryExpr,
    types: [Option<Keyed>; 2],
    schema: &DFSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let RawBinaryExpr { op, left, right } = expr;
    let is_integer = |operand: &Expr| operand.get_type(schema).is_ok_and(|of| of.is_integer());
    let contained = match &op {
        BinaryOperator::PGBitwiseShiftLeft => Some((networks::WITHIN, "<<")),
        BinaryOperator::PGBitwiseShiftRight => Some((networks::CONTAINS, ">>")),
        BinaryOperator::PGOverlap => Some((networks::OVERLAP, "&&")),
        BinaryOperator::Custom(symbol) if symbol == "<<=" => {
            Some((networks::WITHIN_OR_EQUAL, "<<="))
        }
        BinaryOperator::Custom(symbol) if symbol == ">>=" => {
            Some((networks::CONTAINS_OR_EQUAL, ">>="))
        }
        _ => None,
    };
    if let Some((function, symbol)) = contained {
        for operand in [&left, &right] {
            check_beside(Keyed::Inet, written(operand), symbol, schema)?;
        }
        let args = vec![written(&left).clone(), written(&right).clone()];
        return Ok(PlannerResult::Planned(
            networks::function(function).call(args),
        ));
    }
    let function = match (&op, types) {
        (BinaryOperator::Plus, [Some(_), None]) if is_integer(&right) => networks::PLUS,
        (BinaryOperator::Plus, [None, Some(_)]) if is_integer(&left) => {
            let sum = networks::function(networks::PLUS).call(vec![right, left]);
            return Ok(PlannerResult::Planned(sum));
        }
        (BinaryOperator::Minus, [Some(_), None]) if is_integer(&right) => networks::MINUS,
        (BinaryOperator::Minus, [Some(_), Some(_)]) => networks::DISTANCE,
        (BinaryOperator::StringConcat, _) => {
            let shown = |operand: Expr, of: Option<Keyed>| match of {
                Some(Keyed::Inet) => text_types::text_of_address(operand),
                _ => operand,
            };
            let [of_left, of_right] = types;
            return Ok(PlannerResult::Original(RawBinaryExpr {
                op,
                left: shown(left, of_left),
                right: shown(right, of_right),
            }));
        }
        _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
    };
    let planned = networks::function(function).call(vec![left, right]);
    Ok(PlannerResult::Planned(planned))
}
