//! Literals of integers as operands in PostgreSQL's sessions: of 32 bits, if they fit. The planner
//! reads all of them as ones of 64 bits, and would make the other operand have as many.
//!
//! ```text
//! x + 1, 2 * x           x + 1::int, 2::int * x, if x is an INT or a SMALLINT
//! 1 + 1, NULL + 1        1::int + 1::int, NULL + 1::int
//! x + 1, x * 3000000000  unchanged, if x is a BIGINT, a decimal, a date …
//! a || 1                 a || 1::int
//! NULL $literal 1        1::int
//! ```
//!
//! The engine asks planners about operators, and about few other places of literals. So the dialect
//! writes a literal that is a column, an item of an array, or a value whose type a function returns, as
//! an operator of NULL and the literal. A literal with a point is a decimal then.
//!
//! A literal without a cast is one that is written so: a cast of it is not folded yet when operators
//! are planned. Literals that are compared keep the planner's type: comparisons do not depend on it,
//! and filters look for plain literals.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// The operator that the dialect writes before a literal. No statement can have it.
pub const LITERAL: &str = "$literal";

pub(crate) fn is_mark(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Custom(name) if name == LITERAL)
}

/// Returns the operands of an operator with their literals as integers of 32 bits.
///
/// `is_narrow`: whether an operand that is no such literal has a type beside which they stay so.
pub(crate) fn beside(left: Expr, right: Expr, is_narrow: impl Fn(&Expr) -> bool) -> (Expr, Expr) {
    match (small(&left), small(&right)) {
        (Some(left), Some(right)) => (literal(left), literal(right)),
        (Some(left), None) if is_narrow(&right) => (literal(left), right),
        (None, Some(right)) if is_narrow(&left) => (left, literal(right)),
        _ => (left, right),
    }
}

/// Returns a literal as an integer of 32 bits if it fits; any other expression as it is.
pub(crate) fn narrowed(expr: Expr) -> Expr {
    match small(&expr) {
        Some(value) => literal(value),
        None => expr,
    }
}

/// Returns the value of a literal of 64 bits that fits 32.
fn small(expr: &Expr) -> Option<i32> {
    i32::try_from(value(expr)?).ok()
}

fn value(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Negative(number) => value(number)?.checked_neg(),
        Expr::Literal(ScalarValue::Int64(value), None) => *value,
        _ => None,
    }
}

fn literal(value: i32) -> Expr {
    Expr::Literal(ScalarValue::Int32(Some(value)), None)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn literals_are_as_narrow_as_the_other_operand() {
        let operands = |left: Expr, right: Expr| beside(left, right, |of| *of == col("narrow"));
        let (x, y) = (col("narrow"), col("wide"));
        for (operands, expected) in [
            (operands(x.clone(), lit(1_i64)), (x.clone(), lit(1_i32))),
            (operands(lit(-2_i64), x.clone()), (lit(-2_i32), x.clone())),
            (operands(lit(1_i64), lit(2_i64)), (lit(1_i32), lit(2_i32))),
            (operands(y.clone(), lit(1_i64)), (y.clone(), lit(1_i64))),
            (
                operands(lit(2_147_483_648_i64), lit(1_i64)),
                (lit(2_147_483_648_i64), lit(1_i64)),
            ),
            (operands(x.clone(), y.clone()), (x.clone(), y)),
        ] {
            assert_eq!(operands, expected);
        }
    }

    #[test]
    fn only_integers_that_fit_are_narrow() {
        let negative = |number: Expr| Expr::Negative(Box::new(number));
        for (expr, expected) in [
            (lit(i64::from(i32::MAX)), lit(i32::MAX)),
            (negative(lit(5_i64)), lit(-5_i32)),
            (lit(i64::from(i32::MIN)), lit(i32::MIN)),
            (negative(lit(2_147_483_648_i64)), lit(i32::MIN)),
            (lit(2_147_483_648_i64), lit(2_147_483_648_i64)),
            (lit(i64::MAX), lit(i64::MAX)),
            (lit(1.5), lit(1.5)),
            (lit(ScalarValue::Int64(None)), lit(ScalarValue::Int64(None))),
        ] {
            assert_eq!(narrowed(expr), expected);
        }
    }
}
