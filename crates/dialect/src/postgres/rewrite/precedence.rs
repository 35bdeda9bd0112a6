//! `a IS DISTINCT FROM b AND c`: the parser takes `b AND c` for the right side, where SQL takes
//! `b`.
//!
//! A parenthesized expression is a node of its own, so a right side with a bare AND or OR was
//! parsed too far. Then the whole surrounding expression of ANDs and ORs is split, from left to
//! right, and rebuilt.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Statement, UnaryOperator};
use lakegate_sql::walk::walk_expressions;

use super::build;

/// Corrects an expression that is not part of a larger one of ANDs and ORs, or is part of one that
/// is being corrected.
pub(super) fn mend(expr: &mut Expr) {
    if !reads_too_far(expr) {
        return;
    }
    let (mut operands, mut operators) = (Vec::new(), Vec::new());
    let whole = build::taken(expr);
    take_apart(whole, &mut operands, &mut operators);
    *expr = put_together(operands, operators);
}

fn joins(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::And | BinaryOperator::Or)
}

/// Returns whether a statement contains such an expression.
pub(super) fn is_needed(statement: &Statement) -> bool {
    let found = walk_expressions(statement, |expr| match is_loose(expr) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn is_loose(expr: &Expr) -> bool {
    match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => {
            matches!(right.as_ref(), Expr::BinaryOp { op, .. } if joins(op))
        }
        _ => false,
    }
}

/// Returns whether the expression must be rebuilt. Iterates on the left side, since chains of ANDs
/// and ORs can be as deep as a statement is long.
fn reads_too_far(expr: &Expr) -> bool {
    let mut next = Some(expr);
    while let Some(expr) = next.take() {
        next = match expr {
            Expr::BinaryOp { left, op, right } if joins(op) => {
                if reads_too_far(right) {
                    return true;
                }
                Some(left)
            }
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => Some(expr),
            expr if is_loose(expr) => return true,
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => Some(right),
            _ => None,
        };
    }
    false
}

fn take_apart(expr: Expr, operands: &mut Vec<Expr>, operators: &mut Vec<BinaryOperator>) {
    let first = operands.len();
    let around = |operands: &mut Vec<Expr>, make: &dyn Fn(Box<Expr>) -> Expr| {
        if let Some(operand) = operands.get_mut(first) {
            let inner = build::taken(operand);
            *operand = make(Box::new(inner));
        }
    };
    match expr {
        Expr::BinaryOp { ref op, .. } if joins(op) => {
            let (mut rest, mut expr) = (Vec::new(), expr);
            loop {
                match expr {
                    Expr::BinaryOp { left, op, right } if joins(&op) => {
                        rest.push((op, *right));
                        expr = *left;
                    }
                    leftmost => {
                        take_apart(leftmost, operands, operators);
                        break;
                    }
                }
            }
            for (op, right) in rest.into_iter().rev() {
                operators.push(op);
                take_apart(right, operands, operators);
            }
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => {
            take_apart(*expr, operands, operators);
            around(operands, &|expr| Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            });
        }
        Expr::IsDistinctFrom(left, right) => {
            take_apart(*right, operands, operators);
            around(operands, &|right| Expr::IsDistinctFrom(left.clone(), right));
        }
        Expr::IsNotDistinctFrom(left, right) => {
            take_apart(*right, operands, operators);
            around(operands, &|right| {
                Expr::IsNotDistinctFrom(left.clone(), right)
            });
        }
        other => operands.push(other),
    }
}

/// Rebuilds the expression; AND binds more tightly than OR.
fn put_together(operands: Vec<Expr>, operators: Vec<BinaryOperator>) -> Expr {
    let binary = |left: Option<Expr>, op: BinaryOperator, right: Expr| match left {
        None => right,
        Some(left) => Expr::BinaryOp {
            left: Box::new(left),
            op,
            right: Box::new(right),
        },
    };
    let (mut done, mut group): (Option<Expr>, Option<Expr>) = (None, None);
    let mut operators = operators.into_iter();
    for operand in operands {
        group = Some(binary(group, BinaryOperator::And, operand));
        if operators.next() == Some(BinaryOperator::Or)
            && let Some(ended) = group.take()
        {
            done = Some(binary(done, BinaryOperator::Or, ended));
        }
    }
    match group {
        Some(last) => binary(done, BinaryOperator::Or, last),
        None => done.unwrap_or(build::null()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// Prints the expression with explicit parentheses.
    fn shown(expr: &Expr) -> String {
        match expr {
            Expr::BinaryOp { left, op, right } if joins(op) => {
                format!("({} {op} {})", shown(left), shown(right))
            }
            Expr::UnaryOp { expr, .. } => format!("(NOT {})", shown(expr)),
            Expr::IsDistinctFrom(left, right) => format!("[{} <> {}]", shown(left), shown(right)),
            Expr::IsNotDistinctFrom(left, right) => {
                format!("[{} = {}]", shown(left), shown(right))
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn is_distinct_from_ends_before_and_and_or() {
        for (sql, expected) in [
            ("a IS DISTINCT FROM b AND c", "([a <> b] AND c)"),
            ("p AND a IS DISTINCT FROM b OR c", "((p AND [a <> b]) OR c)"),
            (
                "p OR a IS NOT DISTINCT FROM b AND c",
                "(p OR ([a = b] AND c))",
            ),
            ("NOT a IS DISTINCT FROM b AND c", "((NOT [a <> b]) AND c)"),
            ("a IS DISTINCT FROM (b AND c)", "[a <> (b AND c)]"),
            (
                "a IS DISTINCT FROM b AND c IS DISTINCT FROM d OR e",
                "(([a <> b] AND [c <> d]) OR e)",
            ),
            ("a AND b OR c", "((a AND b) OR c)"),
        ] {
            let mut expr = Parser::new(&PostgreSqlDialect {})
                .try_with_sql(sql)
                .unwrap()
                .parse_expr()
                .unwrap();
            mend(&mut expr);
            assert_eq!(shown(&expr), expected, "{sql}");
        }
    }
}
