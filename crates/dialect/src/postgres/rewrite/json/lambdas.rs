//! `name -> 'key'`, which the parser reads as a lambda whose body goes on as far as it can.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, LambdaFunction, LambdaSyntax, OneOrManyWithParens,
};

use crate::postgres::rewrite::build;

/// Functions whose arguments may be lambdas. So may those of functions whose names begin with `$`.
pub(super) const WITH_LAMBDAS: &[&str] = &[
    "all_match",
    "any_match",
    "array_any_match",
    "array_filter",
    "array_sort",
    "array_transform",
    "filter",
    "list_any_match",
    "list_filter",
    "list_transform",
    "map_filter",
    "map_zip_with",
    "none_match",
    "reduce",
    "regexp_replace",
    "transform",
    "transform_keys",
    "transform_values",
    "zip_with",
];

/// Returns the only parameter of a lambda with an arrow and no parentheses.
pub(super) fn parameter(lambda: &LambdaFunction) -> Option<&Ident> {
    match (&lambda.params, &lambda.syntax) {
        (OneOrManyWithParens::One(parameter), LambdaSyntax::Arrow)
            if parameter.data_type.is_none() =>
        {
            Some(&parameter.name)
        }
        _ => None,
    }
}

/// Returns whether an operator binds no more tightly than `->`.
fn is_loose(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    !matches!(
        op,
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::PGExp
    )
}

/// Returns the left operand of an expression that binds no more tightly than `->`.
fn left_of(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op, .. } if is_loose(op) => Some(left),
        Expr::IsNull(left)
        | Expr::IsNotNull(left)
        | Expr::IsTrue(left)
        | Expr::IsNotTrue(left)
        | Expr::IsFalse(left)
        | Expr::IsNotFalse(left)
        | Expr::IsDistinctFrom(left, _)
        | Expr::IsNotDistinctFrom(left, _)
        | Expr::AnyOp { left, .. }
        | Expr::AllOp { left, .. } => Some(left),
        Expr::Between { expr, .. }
        | Expr::Like { expr, .. }
        | Expr::ILike { expr, .. }
        | Expr::SimilarTo { expr, .. }
        | Expr::InList { expr, .. }
        | Expr::InSubquery { expr, .. } => Some(expr),
        _ => None,
    }
}

/// Rewrites `name -> body`, read as a lambda, to the operator on the first operand of the body.
pub(super) fn restored(lambda: &mut LambdaFunction) -> Option<Expr> {
    let name = parameter(lambda)?.clone();
    let mut body = build::taken(lambda.body.as_mut());
    let (mut depth, mut next) = (0usize, &mut body);
    while let Some(left) = left_of(next) {
        depth += 1;
        next = left;
    }
    let mut operand = &mut body;
    for _ in 0..depth {
        operand = left_of(operand)?;
    }
    let right = build::taken(operand);
    *operand = Expr::BinaryOp {
        left: Box::new(Expr::Identifier(name)),
        op: BinaryOperator::Arrow,
        right: Box::new(right),
    };
    Some(body)
}
