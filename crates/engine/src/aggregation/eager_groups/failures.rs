//! Expressions that fail for no row, by their types or by the bounds of what they read.
//!
//! The arguments of an aggregation that moves below joins are evaluated for rows that the joins
//! would drop, and an error for one of these would be new. So what is not listed here may fail.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
    NegativeExpr, NotExpr,
};
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};

use super::Operator as Rows;
use super::bounds::bounds;
use crate::numbers::quotients;

/// How deep an expression is read.
const MOST_LEVELS: usize = 32;

/// Returns whether an expression is known to fail for no row. `rows`: what it reads.
pub(super) fn never_fails(expression: &PhysicalExprRef, rows: &Rows) -> bool {
    is_safe(expression, rows, &rows.schema(), 0)
}

fn is_safe(expression: &PhysicalExprRef, rows: &Rows, schema: &Schema, level: usize) -> bool {
    if level > MOST_LEVELS {
        return false;
    }
    let safe = |part: &PhysicalExprRef| is_safe(part, rows, schema, level + 1);
    let type_of = |part: &PhysicalExprRef| part.data_type(schema).ok();
    if expression.is::<Column>() || expression.is::<Literal>() {
        return true;
    }
    if let Some(test) = expression.downcast_ref::<IsNullExpr>() {
        return safe(test.arg());
    }
    if let Some(test) = expression.downcast_ref::<IsNotNullExpr>() {
        return safe(test.arg());
    }
    if let Some(not) = expression.downcast_ref::<NotExpr>() {
        return safe(not.arg());
    }
    if let Some(negative) = expression.downcast_ref::<NegativeExpr>() {
        let of = type_of(negative.arg());
        return matches!(of, Some(DataType::Decimal128(..))) && safe(negative.arg());
    }
    if let Some(list) = expression.downcast_ref::<InListExpr>() {
        return safe(list.expr()) && list.list().iter().all(|item| item.is::<Literal>());
    }
    if let Some(case) = expression.downcast_ref::<CaseExpr>() {
        let mut branches = case.when_then_expr().iter();
        return case.expr().is_none()
            && branches.all(|(when, then)| safe(when) && safe(then))
            && case.else_expr().is_none_or(safe);
    }
    if let Some(cast) = expression.downcast_ref::<CastExpr>() {
        let from = type_of(cast.expr());
        return from.is_some_and(|from| holds(cast.cast_type(), &from)) && safe(cast.expr());
    }
    if let Some(call) = expression.downcast_ref::<ScalarFunctionExpr>() {
        let has_room = || bounds(expression, rows).is_some();
        return (quotients::never_fails(call, schema) || has_room())
            && call.args().iter().all(safe);
    }
    let Some(binary) = expression.downcast_ref::<BinaryExpr>() else {
        return false;
    };
    let types = type_of(binary.left()).zip(type_of(binary.right()));
    types.is_some_and(|(left, right)| is_total(binary, &left, &right))
        && safe(binary.left())
        && safe(binary.right())
}

/// Returns whether an operator has a result for all values of these types.
fn is_total(binary: &BinaryExpr, left: &DataType, right: &DataType) -> bool {
    use Operator as O;
    match binary.op() {
        O::And | O::Or => *left == DataType::Boolean && *right == DataType::Boolean,
        O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq => {
            left == right && (left.is_primitive() || left.is_string())
        }
        O::Plus | O::Minus | O::Multiply | O::Divide => {
            let divisor = match binary.op() {
                O::Divide => Some(binary.right()),
                _ => None,
            };
            divisor.is_none_or(is_nonzero)
                && digits(*binary.op(), left, right)
                    .is_some_and(|digits| digits < i16::from(DECIMAL128_MAX_PRECISION))
        }
        _ => false,
    }
}

/// Returns how many digits the result of an operator on decimals may have; `None` for other types.
/// These are the types that the kernels of `arrow-arith` 59 give.
fn digits(op: Operator, left: &DataType, right: &DataType) -> Option<i16> {
    let of = |data_type: &DataType| match data_type {
        DataType::Decimal128(digits, places @ 0..) => {
            Some((i16::from(*digits), i16::from(*places)))
        }
        _ => None,
    };
    let ((left, left_places), (right, right_places)) = (of(left)?, of(right)?);
    Some(match op {
        Operator::Multiply => left + right + 1,
        // Four places more than the dividend has.
        Operator::Divide => left + 4 + right_places,
        _ => {
            let whole = (left - left_places).max(right - right_places);
            whole + left_places.max(right_places) + 1
        }
    })
}

/// Returns whether an expression is a decimal other than 0.
fn is_nonzero(expression: &PhysicalExprRef) -> bool {
    let literal = expression.downcast_ref::<Literal>();
    literal.is_some_and(|literal| {
        matches!(literal.value(), ScalarValue::Decimal128(Some(value), ..) if *value != 0)
    })
}

/// Returns whether a type has all values of another one, of numbers that are exact.
fn holds(to: &DataType, from: &DataType) -> bool {
    if to == from {
        return true;
    }
    let decimal = |data_type: &DataType| match data_type {
        DataType::Decimal128(digits, places @ 0..) => {
            Some((i16::from(*digits), i16::from(*places)))
        }
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        _ => None,
    };
    match (from, to) {
        (from, to) if from.is_signed_integer() && to.is_signed_integer() => {
            from.primitive_width() <= to.primitive_width()
        }
        (from, DataType::Decimal128(..)) => {
            let types = decimal(from).zip(decimal(to));
            types.is_some_and(|((digits, places), (to_digits, to_places))| {
                to_places >= places && to_digits - to_places >= digits - places
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::{binary, cast, col, lit};
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("d", DataType::Decimal128(7, 2), true),
            Field::new("w", DataType::Decimal128(30, 2), true),
            Field::new("n", DataType::Int32, true),
            Field::new("t", DataType::Utf8, true),
        ])
    }

    fn column(name: &str) -> PhysicalExprRef {
        col(name, &schema()).unwrap()
    }

    fn decimal(value: i128) -> PhysicalExprRef {
        Arc::new(Literal::new(ScalarValue::Decimal128(Some(value), 3, 1)))
    }

    fn with(left: PhysicalExprRef, op: Operator, right: PhysicalExprRef) -> PhysicalExprRef {
        Arc::new(BinaryExpr::new(left, op, right))
    }

    fn is_known(expression: &PhysicalExprRef) -> bool {
        let rows: Rows = Arc::new(EmptyExec::new(Arc::new(schema())));
        never_fails(expression, &rows)
    }

    #[test]
    fn decimals_that_have_room_do_not_overflow() {
        use Operator as O;
        for op in [O::Plus, O::Minus, O::Multiply] {
            assert!(is_known(&with(column("d"), op, column("d"))), "{op}");
        }
        let difference = with(column("d"), O::Minus, column("d"));
        assert!(is_known(&with(difference, O::Divide, decimal(20))));
        // 30 + 7 + 1 digits.
        assert!(!is_known(&with(column("w"), O::Multiply, column("d"))));
        assert!(!is_known(&with(column("w"), O::Multiply, column("w"))));
    }

    #[test]
    fn divisors_that_may_be_zero_fail() {
        for divisor in [column("d"), decimal(0)] {
            assert!(!is_known(&with(column("d"), Operator::Divide, divisor)));
        }
        let null = Literal::new(ScalarValue::Decimal128(None, 3, 1));
        let divided = with(column("d"), Operator::Divide, Arc::new(null));
        assert!(!is_known(&divided));
    }

    #[test]
    fn whole_numbers_overflow_unless_they_become_wider() {
        let one: PhysicalExprRef = lit(1_i32);
        let sum = binary(column("n"), Operator::Plus, one, &schema()).unwrap();
        assert!(!is_known(&sum));
        let cast_to = |name: &str, to: DataType| cast(column(name), &schema(), to).unwrap();
        assert!(is_known(&cast_to("n", DataType::Int64)));
        assert!(!is_known(&cast_to("n", DataType::Int16)));
        assert!(is_known(&cast_to("n", DataType::Decimal128(12, 2))));
        assert!(!is_known(&cast_to("n", DataType::Decimal128(11, 2))));
        assert!(is_known(&cast_to("d", DataType::Decimal128(9, 3))));
        assert!(!is_known(&cast_to("d", DataType::Decimal128(9, 5))));
        assert!(!is_known(&cast_to("t", DataType::Int32)));
    }

    #[test]
    fn comparisons_are_of_one_type() {
        let equal = with(column("n"), Operator::Eq, lit(1_i32));
        assert!(is_known(&equal));
        assert!(!is_known(&with(column("n"), Operator::Eq, column("t"))));
        assert!(is_known(&with(Arc::clone(&equal), Operator::And, equal)));
    }
}
