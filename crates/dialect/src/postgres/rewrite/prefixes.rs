//! Operators before their operand bind as in PostgreSQL: signs more tightly than all other
//! operators, and `@`, `~`, `|/` and `||/` less tightly than arithmetic. To the parser it is the
//! other way round:
//!
//! ```text
//! -2 ^ 2           (-2) ^ 2               the parser: -(2 ^ 2)
//! 2 ^ -1 ^ 2       (2 ^ (-1)) ^ 2         2 ^ -(1 ^ 2)
//! @ -5 + 3         @ (-5 + 3)             (@ -5) + 3
//! 1 + |/ 4 + 5     1 + |/ (4 + 5)         (1 + (|/ 4)) + 5
//! ```
//!
//! A parenthesized expression is a node of its own. So the operators of an expression that are
//! outside of parentheses are written down in their order, and parsed again.

use std::iter::Peekable;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Statement, UnaryOperator, VisitorMut};
use lakegate_sql::walk::{walk_expressions, walk_mut};

use super::build;

/// How tightly signs bind.
const SIGN: u8 = 10;
/// How tightly other operators before their operand bind.
const PREFIX: u8 = 6;

/// Corrects the expressions of a statement.
pub(super) fn mend(statement: &mut Statement) {
    let found = walk_expressions(statement, |expr| match is_loose(expr) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    if found.is_break() {
        let _ = walk_mut(statement, &mut Mender { around: Vec::new() });
    }
}

/// Returns whether an expression may be parsed otherwise in PostgreSQL.
fn is_loose(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp { op, expr } if is_sign(*op) => {
            matches!(expr.as_ref(), Expr::BinaryOp { op, .. } if level(op).is_some())
        }
        Expr::UnaryOp { op, .. } => is_prefix(*op),
        _ => false,
    }
}

fn is_sign(op: UnaryOperator) -> bool {
    matches!(op, UnaryOperator::Minus | UnaryOperator::Plus)
}

fn is_prefix(op: UnaryOperator) -> bool {
    use UnaryOperator as Op;
    matches!(
        op,
        Op::PGAbs | Op::BitwiseNot | Op::PGSquareRoot | Op::PGCubeRoot
    )
}

/// Returns how tightly an operator between its operands binds; `None` if it binds less tightly than
/// all operators here.
fn level(op: &BinaryOperator) -> Option<u8> {
    use BinaryOperator as Op;
    match op {
        Op::PGExp => Some(9),
        Op::Multiply | Op::Divide | Op::Modulo => Some(8),
        Op::Plus | Op::Minus => Some(7),
        _ => None,
    }
}

/// Returns whether an expression consists of these operators.
fn is_calculated(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op, .. } => level(op).is_some(),
        Expr::UnaryOp { op, .. } => is_sign(*op) || is_prefix(*op),
        _ => false,
    }
}

struct Mender {
    /// Whether each of the expressions around is calculated, the nearest last.
    around: Vec<bool>,
}

impl VisitorMut for Mender {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_calculated = is_calculated(expr);
        let is_part = self.around.last() == Some(&true);
        if is_calculated && !is_part {
            let tokens = tokens(build::taken(expr));
            *expr = parsed(&mut tokens.into_iter().peekable(), 0);
        }
        self.around.push(is_calculated);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }
}

#[derive(Debug)]
enum Token {
    Prefix(UnaryOperator),
    Infix(BinaryOperator),
    Operand(Box<Expr>),
}

/// Returns the operators and operands as they were written. Iterates, since chains of operators can
/// be as deep as a statement is long.
fn tokens(expr: Expr) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut left = vec![Token::Operand(Box::new(expr))];
    while let Some(token) = left.pop() {
        let operand = match token {
            Token::Operand(operand) => *operand,
            token => {
                tokens.push(token);
                continue;
            }
        };
        match operand {
            Expr::BinaryOp {
                left: first,
                op,
                right,
            } if level(&op).is_some() => {
                left.push(Token::Operand(right));
                left.push(Token::Infix(op));
                left.push(Token::Operand(first));
            }
            Expr::UnaryOp { op, expr } if is_sign(op) || is_prefix(op) => {
                tokens.push(Token::Prefix(op));
                left.push(Token::Operand(expr));
            }
            operand => tokens.push(Token::Operand(Box::new(operand))),
        }
    }
    tokens
}

/// Parses what binds at least so tightly.
fn parsed(tokens: &mut Peekable<impl Iterator<Item = Token>>, least: u8) -> Expr {
    let mut left = match tokens.next() {
        Some(Token::Operand(operand)) => *operand,
        Some(Token::Prefix(op)) => {
            let binds = if is_sign(op) { SIGN } else { PREFIX };
            prefixed(op, parsed(tokens, binds + 1))
        }
        // Each operator has the operands that it had.
        Some(Token::Infix(_)) | None => build::null(),
    };
    let continues = |token: &Token| match token {
        Token::Infix(op) => level(op).is_some_and(|level| level >= least),
        _ => false,
    };
    while let Some(Token::Infix(op)) = tokens.next_if(continues) {
        let binds = level(&op).unwrap_or(least);
        let right = parsed(tokens, binds + 1);
        left = joined(left, op, right);
    }
    left
}

/// The text of the expression means the same to the parser.
fn prefixed(op: UnaryOperator, operand: Expr) -> Expr {
    let operand = match operand {
        operand @ Expr::BinaryOp { .. } => build::nested(operand),
        operand => operand,
    };
    Expr::UnaryOp {
        op,
        expr: Box::new(operand),
    }
}

/// The text of the expression means the same to the parser.
fn joined(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let enclosed = |operand: Expr| match operand {
        operand @ Expr::UnaryOp { .. } if op == BinaryOperator::PGExp => build::nested(operand),
        operand => operand,
    };
    let (left, right) = (enclosed(left), enclosed(right));
    build::binary(left, op, right)
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
            Expr::BinaryOp { left, op, right } => {
                format!("[{} {op} {}]", shown(left), shown(right))
            }
            Expr::UnaryOp { op, expr } => format!("[{op} {}]", shown(expr)),
            Expr::Nested(inner) => shown(inner),
            other => other.to_string(),
        }
    }

    fn mended(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        mend(&mut statements[0]);
        statements[0].to_string()
    }

    // PostgreSQL 15.
    #[test]
    fn signs_bind_most_tightly_and_other_prefixes_least() {
        for (sql, expected) in [
            ("-2 ^ 2", "[[- 2] ^ 2]"),
            ("-a::int ^ 2", "[[- a::INT] ^ 2]"),
            ("2 ^ -1 ^ 2", "[[2 ^ [- 1]] ^ 2]"),
            ("-2 ^ 2 ^ 3", "[[[- 2] ^ 2] ^ 3]"),
            ("3 - -2 ^ 2", "[3 - [[- 2] ^ 2]]"),
            ("2 * -a ^ 2 + 1", "[[2 * [[- a] ^ 2]] + 1]"),
            ("-(2 ^ 2)", "[- [2 ^ 2]]"),
            ("@ -5 + 3", "[@ [[- 5] + 3]]"),
            ("1 + |/ 4 + 5", "[1 + [|/ [4 + 5]]]"),
            ("|/ 16 * 2", "[|/ [16 * 2]]"),
            ("~ 1 + 1 - 2", "[~ [[1 + 1] - 2]]"),
            ("- @ 2 + 3", "[- [@ [2 + 3]]]"),
            ("@ a = b", "[[@ a] = b]"),
            ("(@ a) + b", "[[@ a] + b]"),
            ("a - b - c * -d", "[[a - b] - [c * [- d]]]"),
            ("f(-a ^ 2)", "f((-a) ^ 2)"),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
            let _ = walk_mut(&mut expr, &mut Mender { around: Vec::new() });
            assert_eq!(shown(&expr), expected, "{sql}");
        }
    }

    #[test]
    fn the_text_means_the_same() {
        for (sql, expected) in [
            ("SELECT -2 ^ 2", "SELECT (-2) ^ 2"),
            ("SELECT 2 ^ -1 ^ 2", "SELECT 2 ^ (-1) ^ 2"),
            ("SELECT a + b * c - -d", "SELECT a + b * c - -d"),
        ] {
            assert_eq!(mended(sql), expected);
            assert_eq!(mended(expected), expected);
        }
        let inner = mended("SELECT (SELECT @ x + 1 FROM t WHERE -x ^ 2 > 1)");
        assert_eq!(mended(&inner), inner);
        assert!(inner.contains("(x + 1)"), "{inner}");
        assert!(inner.contains("(-x) ^ 2"), "{inner}");
    }
}
