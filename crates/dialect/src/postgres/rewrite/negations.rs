//! The minus sign before an operand.
//!
//! ```text
//! -(x - y)                      NULL $negation (x - y)
//! -interval '1 day 2 hours'     -(interval '1 day 2 hours')
//! -1, -(1 + 1)                  as they are
//! ```
//!
//! The engine plans the first by the type of the operand, and adds the sign of the second to the
//! first of the literal's numbers only.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use lakegate_engine::NEGATION;

use super::{build, numbers};

/// Rewrites a negation. `is_postgres`: in PostgreSQL's dialect.
pub(super) fn rewrite(expr: &mut Expr, is_postgres: bool) {
    let Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr: operand,
    } = expr
    else {
        return;
    };
    if matches!(operand.as_ref(), Expr::Interval(_)) {
        let interval = build::taken(operand);
        **operand = build::nested(interval);
    } else if is_postgres && !is_literal(operand) {
        let operand = build::taken(operand);
        let negation = BinaryOperator::Custom(NEGATION.to_owned());
        *expr = build::binary(build::null(), negation, operand);
    }
}

/// Returns whether an operand is a literal, or made of literals of numbers.
fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::Interval(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. } => is_literal(inner),
        _ => numbers::is_calculated(expr),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn operands_of_any_type_are_negated_by_the_engine() {
        for (sql, expected) in [
            ("-x", "NULL $negation x"),
            ("-(x - y)", "NULL $negation (x - y)"),
            ("-max(x)", "NULL $negation max(x)"),
            ("-(1)", "-(1)"),
            ("-(1 + 1)", "-(1 + 1)"),
            ("-'1'::int", "-'1'::INT"),
            ("-INTERVAL '1 day'", "-(INTERVAL '1 day')"),
            ("+x", "+x"),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
            rewrite(&mut expr, true);
            assert_eq!(expr.to_string(), expected, "{sql}");
        }
    }
}
