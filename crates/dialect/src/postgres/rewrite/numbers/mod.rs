//! Number literals: a decimal literal is exact in PostgreSQL, and floating-point in the engine.
//!
//! ```text
//! 0.1 + 0.2, 0.3 / 0.1         0.3, 3.0
//! 7 % 0.005                    0.000
//! SELECT 1, 1.50; x * 0.1      SELECT NULL $literal 1, '1.50'::numeric(3,2); x * NULL $literal 0.1; see columns.rs
//! SELECT 1.5e3                 SELECT '1500'::numeric(4,0)
//! 1 << x                       1::int << x
//! VALUES (1), (2)              VALUES (1::int), (2::int)
//! CASE WHEN c THEN x ELSE 0 END, coalesce(x, 0)
//!                              CASE WHEN c THEN x ELSE 0::int END, coalesce(x, 0::int)
//! ```
//!
//! The engine gives the literals of integers beside other operators their types.

mod columns;
mod shown;
#[cfg(test)]
mod tests;
mod values;
mod written;

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};

pub(super) use self::columns::type_columns;
pub use self::shown::type_literals;
pub(super) use self::values::of_one_type;
use self::written::Written;
use super::build;

/// The maximum depth of the operators in a column.
const MAX_DEPTH: usize = 16;

/// Calculates with two literals of which one has a point.
pub(super) fn fold(expr: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expr else {
        return;
    };
    let (Some(left), Some(right)) = (literal(left), literal(right)) else {
        return;
    };
    let result = match op {
        BinaryOperator::Divide => left.divided(right),
        op => left.combined(op, right),
    };
    if let Some(result) = result.filter(|_| left.is_decimal || right.is_decimal) {
        *expr = result.expr();
    }
}

/// Makes the literals of integers beside `<<` or `>>` ones of 32 bits: the engine's have 64, and would
/// make the other operand have as many.
pub(super) fn shift(expr: &mut Expr) {
    if let Expr::BinaryOp {
        left,
        op: BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight,
        right,
    } = expr
    {
        to_integers(&mut [left.as_mut(), right.as_mut()]);
    }
}

/// Makes the literals with a point beside `^` decimals.
pub(super) fn raise(expr: &mut Expr) {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::PGExp,
        right,
    } = expr
    else {
        return;
    };
    for operand in [left, right] {
        if let Some(exact) = exact(operand) {
            **operand = exact;
        }
    }
}

/// Makes the literals of integers among values ones of the type `integer`, if they fit it.
pub(super) fn to_integers(values: &mut [&mut Expr]) {
    for value in values {
        if let Some(typed) = integer(value) {
            **value = typed;
        }
    }
}

/// Returns a literal, or literals and operators between them, as an `integer`; `None` for other
/// expressions, and for numbers that do not fit it.
pub(super) fn integer(expr: &Expr) -> Option<Expr> {
    let number = calculated(expr, literal, MAX_DEPTH)?;
    (!number.is_decimal).then(|| {
        let value = build::nested(expr.clone());
        build::cast(value, DataType::Integer(None))
    })
}

/// Returns a literal that is written with a point as a decimal; `None` for other expressions.
pub(super) fn exact(expr: &Expr) -> Option<Expr> {
    let number = literal(expr).filter(|number| number.is_decimal)?;
    Some(number.decimal())
}

/// Returns whether an expression consists of literals and operators between them.
pub(super) fn is_calculated(expr: &Expr) -> bool {
    calculated(expr, literal, MAX_DEPTH).is_some()
}

/// Returns the value of literals and the four operations between them, if it and those of all parts
/// are decimals or of 32 bits. Quotients and remainders are those of integers.
///
/// `read`: reads the literals.
fn calculated(expr: &Expr, read: fn(&Expr) -> Option<Written>, depth: usize) -> Option<Written> {
    let depth = depth.checked_sub(1)?;
    let number = match expr {
        Expr::Nested(inner) => calculated(inner, read, depth),
        Expr::Value(_) => read(expr),
        // The number without its sign may be too large.
        Expr::UnaryOp { .. } if read(expr).is_some() => read(expr),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => calculated(expr, read, depth).map(|number| number.signed(*op)),
        Expr::BinaryOp { left, op, right } => {
            calculated(left, read, depth)?.combined(op, calculated(right, read, depth)?)
        }
        _ => None,
    };
    number.filter(|number| number.is_decimal || number.fits_integer())
}

/// Returns a literal, which may have a sign. One with an exponent is read if it has the mark of results.
fn literal(expr: &Expr) -> Option<Written> {
    number(expr, false)
}

/// Returns a literal of a query whose result goes to a client, which may have a sign.
fn result_literal(expr: &Expr) -> Option<Written> {
    number(expr, true)
}

/// `with_exponents`: whether exponents are read without the mark of results.
fn number(expr: &Expr, with_exponents: bool) -> Option<Written> {
    match expr {
        Expr::Nested(inner) => number(inner, with_exponents),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => number(expr, with_exponents).map(|number| number.signed(*op)),
        Expr::Value(value) => match &value.value {
            Value::Number(text, is_shown) => {
                let reads = with_exponents || *is_shown;
                let exponent = || Written::of_exponent(text).filter(|_| reads);
                let number = Written::of(text).or_else(exponent);
                number.map(|number| number.shown(*is_shown))
            }
            _ => None,
        },
        _ => None,
    }
}
