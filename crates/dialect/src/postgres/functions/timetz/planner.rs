//! Operators of `time with time zone`: comparisons by keys, and sums with intervals.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, binary_expr};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::Error;

use super::{Kind, call, is_of_timetz, keys};

/// Plans an operator as a call if one of its operands is of the type.
#[derive(Debug)]
struct TimetzOperators;

/// Returns the planner to register.
pub(in crate::postgres) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(TimetzOperators)
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

impl ExprPlanner for TimetzOperators {
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
        let kind = match expr.op {
            BinaryOperator::Plus => Kind::Plus,
            BinaryOperator::Minus => Kind::Minus,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let of_timetz = [&expr.left, &expr.right].map(|operand| is_of_timetz(operand, schema));
        if of_timetz == [false, false] {
            return Ok(PlannerResult::Original(expr));
        }
        let is_date = |operand: &Expr| matches!(operand.get_type(schema), Ok(DataType::Date32));
        if kind == Kind::Plus && (is_date(&expr.left) || is_date(&expr.right)) {
            let message = "the sum of a date and a time with time zone is not supported";
            let error = Error::not_supported(message);
            return Err(error
                .with_hint("add the time without its zone: x::time")
                .into());
        }
        let sums = |time: bool, by: &Expr| time && is_interval(by, schema);
        let [left, right] = of_timetz;
        Ok(if sums(left, &expr.right) {
            PlannerResult::Planned(call(kind, vec![expr.left, expr.right]))
        } else if kind == Kind::Plus && sums(right, &expr.left) {
            PlannerResult::Planned(call(kind, vec![expr.right, expr.left]))
        } else {
            PlannerResult::Original(expr)
        })
    }
}
