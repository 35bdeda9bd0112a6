//! Operators with two operands.
//!
//! ```text
//! a ^@ b                            starts_with(a, b)
//! a OPERATOR(pg_catalog.~) b        a ~ b
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use lakegate_error::Error;

use super::super::{build, calls};

/// Rewrites an operator. `types_literals`: whether literals have PostgreSQL's types beside other
/// operands.
///
/// # Errors
///
/// A literal is not of the type that the other operand asks for.
pub(super) fn rewrite(expr: &mut Expr, types_literals: bool) -> Result<(), Error> {
    let Expr::BinaryOp { left, op, right } = expr else {
        return Ok(());
    };
    let function = match op {
        // The types of the operands decide what it is.
        BinaryOperator::PGOverlap => {
            calls::type_arrays(left, right);
            return Ok(());
        }
        BinaryOperator::PGStartsWith => "starts_with",
        _ => {
            native_operator(op);
            return match types_literals {
                true => calls::type_literals(left, op, right),
                false => Ok(()),
            };
        }
    };
    let args = vec![build::taken(left), build::taken(right)];
    *expr = build::call(function, args);
    Ok(())
}

/// Rewrites `OPERATOR(pg_catalog.~)` to `~`.
pub(in crate::postgres::rewrite) fn native_operator(op: &mut BinaryOperator) {
    let BinaryOperator::PGCustomBinaryOperator(path) = op else {
        return;
    };
    let Some(symbol) = path.last() else { return };
    *op = match symbol.as_str() {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        ">" => BinaryOperator::Gt,
        "<=" => BinaryOperator::LtEq,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        "^" => BinaryOperator::PGExp,
        "&" => BinaryOperator::BitwiseAnd,
        "|" => BinaryOperator::BitwiseOr,
        "#" => BinaryOperator::PGBitwiseXor,
        "<<" => BinaryOperator::PGBitwiseShiftLeft,
        ">>" => BinaryOperator::PGBitwiseShiftRight,
        "&&" => BinaryOperator::PGOverlap,
        "^@" => BinaryOperator::PGStartsWith,
        "@>" => BinaryOperator::AtArrow,
        "<@" => BinaryOperator::ArrowAt,
        "->" => BinaryOperator::Arrow,
        "->>" => BinaryOperator::LongArrow,
        "#>" => BinaryOperator::HashArrow,
        "#>>" => BinaryOperator::HashLongArrow,
        "#-" => BinaryOperator::HashMinus,
        "@@" => BinaryOperator::AtAt,
        "@?" => BinaryOperator::AtQuestion,
        "?" => BinaryOperator::Question,
        "?&" => BinaryOperator::QuestionAnd,
        "?|" => BinaryOperator::QuestionPipe,
        "<<=" | ">>=" | "&<" | "&>" | "-|-" => BinaryOperator::Custom(symbol.clone()),
        _ => return,
    };
}
