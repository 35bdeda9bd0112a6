//! Number literals: a decimal literal is exact in PostgreSQL, and floating-point in the engine.
//!
//! ```text
//! 0.1 + 0.2, 0.3 / 0.1         0.3, 3.0
//! 7 % 0.005                    0.000
//! SELECT 1, -2, 1 + 1          SELECT 1::int AS "?column?", (-2)::int …, (1 + 1)::int …
//! SELECT 1.50, 0.1 + 0.2       SELECT '1.50'::numeric(3,2) AS "?column?", '0.3'::numeric(1,1) …
//! SELECT 1 << 31, gcd(12, 18)  SELECT (-2147483648)::int AS "?column?", 6::int AS gcd
//! VALUES (1), (2)              VALUES (1::int), (2::int)
//! CASE WHEN c THEN x ELSE 0 END, coalesce(x, 0)
//!                              CASE WHEN c THEN x ELSE 0::int END, coalesce(x, 0::int)
//! ```
//!
//! Within a query, the engine gives the literals of integers beside operators their types, and a
//! literal of a decimal adapts to what it is combined with.

mod columns;
mod divisor;
#[cfg(test)]
mod tests;
mod values;
mod written;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

pub use self::columns::type_literals;
use self::divisor::Divisor;
pub(super) use self::values::of_one_type;
use self::written::Written;

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

/// Makes a literal of an integer beside `<<` or `>>` one of 32 bits: the engine's has 64, and would make
/// the other operand have as many.
pub(super) fn shift(expr: &mut Expr) {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight,
        right,
    } = expr
    else {
        return;
    };
    // What consists of literals only is calculated as a whole.
    match (integer(left), integer(right)) {
        (Some(value), None) => **left = value,
        (None, Some(bits)) => **right = bits,
        _ => {}
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
    let number = calculated(expr, MAX_DEPTH)?;
    (!number.is_decimal).then(|| number.integer(expr))
}

/// Returns a literal that is written with a point as a decimal; `None` for other expressions.
pub(super) fn exact(expr: &Expr) -> Option<Expr> {
    let number = literal(expr).filter(|number| number.is_decimal)?;
    Some(number.decimal())
}

/// Returns whether an expression consists of literals and operators between them.
pub(super) fn is_calculated(expr: &Expr) -> bool {
    calculated(expr, MAX_DEPTH).is_some()
}

/// Returns the value of literals and operators between them, if it and those of all parts are
/// decimals or of 32 bits. Quotients and remainders are those of integers. Bits that are shifted out
/// are lost.
fn calculated(expr: &Expr, depth: usize) -> Option<Written> {
    let depth = depth.checked_sub(1)?;
    let number = match expr {
        Expr::Nested(inner) => calculated(inner, depth),
        Expr::Value(_) => literal(expr),
        // The number without its sign may be too large.
        Expr::UnaryOp { .. } if literal(expr).is_some() => literal(expr),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => calculated(expr, depth).map(|number| number.signed(*op)),
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            expr,
        } => calculated(expr, depth)?.with_bits(|value| Some(!value)),
        // `~5 + 3` is `~(5 + 3)`, and not what the parser reads; see prefixes.rs.
        Expr::BinaryOp { left, right, .. } if is_inverted(left) || is_inverted(right) => None,
        Expr::BinaryOp { left, op, right } => {
            calculated(left, depth)?.combined(op, calculated(right, depth)?)
        }
        Expr::Function(_) => {
            let (divisor, args) = Divisor::called(expr)?;
            let [one, other] = args.as_slice() else {
                return None;
            };
            let other = calculated(other, depth)?.whole()?;
            calculated(one, depth)?.with_bits(|one| divisor.of(one, other))
        }
        _ => None,
    };
    number.filter(|number| number.is_decimal || i32::try_from(number.value).is_ok())
}

fn is_inverted(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            ..
        }
    )
}

/// Returns a literal, which may have a sign.
fn literal(expr: &Expr) -> Option<Written> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => literal(expr).map(|number| number.signed(*op)),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Written::of(text),
            _ => None,
        },
        _ => None,
    }
}

/// Returns whether an expression calculates with signs and the four operations only.
fn is_arithmetic(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_arithmetic(inner),
        Expr::Value(_) => true,
        Expr::UnaryOp { op, expr } => {
            matches!(op, UnaryOperator::Minus | UnaryOperator::Plus) && is_arithmetic(expr)
        }
        Expr::BinaryOp { left, op, right } => {
            let is_operation = matches!(
                op,
                BinaryOperator::Plus
                    | BinaryOperator::Minus
                    | BinaryOperator::Multiply
                    | BinaryOperator::Divide
                    | BinaryOperator::Modulo
            );
            is_operation && is_arithmetic(left) && is_arithmetic(right)
        }
        _ => false,
    }
}
