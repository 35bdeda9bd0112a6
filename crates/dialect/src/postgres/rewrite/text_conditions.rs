//! Text literals as conditions, which are booleans in PostgreSQL: `WHERE ('true')`,
//! `LEFT JOIN … ON 'true'`, `x AND 'f'`, `NOT 'f'`, `CASE WHEN 't' THEN x END`.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, JoinConstraint, Select, UnaryOperator, Value,
};
use lakegate_sql::join_constraint_mut;

use super::build;

/// Rewrites the texts among the conditions of a SELECT and of its joins.
pub(super) fn rewrite(select: &mut Select) {
    let conditions = [&mut select.selection, &mut select.having];
    conditions.into_iter().flatten().for_each(read);
    for join in select.from.iter_mut().flat_map(|table| &mut table.joins) {
        if let Some(JoinConstraint::On(condition)) = join_constraint_mut(join) {
            read(condition);
        }
    }
}

/// Reads a text literal that is an operand of AND, OR or NOT, or a condition of CASE, as a boolean.
/// Those of WHERE and ON are read with the SELECT.
pub(super) fn rewrite_operands(expr: &mut Expr) {
    let literal = |operand: &mut Expr| {
        if let Expr::Value(_) = operand {
            read(operand);
        }
    };
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or,
            right,
        } => {
            literal(left);
            literal(right);
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: operand,
        } => literal(operand),
        Expr::Case {
            operand: None,
            conditions,
            ..
        } => {
            for when in conditions {
                literal(&mut when.condition);
            }
        }
        _ => {}
    }
}

/// Reads a text literal, and those that are joined by AND, OR and NOT, as booleans.
fn read(condition: &mut Expr) {
    match condition {
        Expr::Nested(inner)
        | Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: inner,
        } => read(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or,
            right,
        } => {
            read(left);
            read(right);
        }
        Expr::Value(value) => {
            let Value::SingleQuotedString(text) = &value.value else {
                return;
            };
            *condition = match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" => build::boolean(true),
                "f" | "false" => build::boolean(false),
                // Other spellings, and the error for what is none.
                _ => build::cast(build::taken(condition), DataType::Boolean),
            };
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::super::testing::with_select;
    use super::*;

    #[test]
    fn operands_are_booleans() {
        for (sql, rewritten) in [
            ("x AND 'f'", "x AND false"),
            ("'yes' OR x", "'yes'::BOOLEAN OR x"),
            ("NOT 't'", "NOT true"),
            ("CASE WHEN 't' THEN 'f' END", "CASE WHEN true THEN 'f' END"),
            ("CASE x WHEN 't' THEN 1 END", "CASE x WHEN 't' THEN 1 END"),
            ("x = 't'", "x = 't'"),
        ] {
            let dialect = PostgreSqlDialect {};
            let mut parser = Parser::new(&dialect).try_with_sql(sql).unwrap();
            let mut expr = parser.parse_expr().unwrap();
            rewrite_operands(&mut expr);
            assert_eq!(expr.to_string(), rewritten);
        }
    }

    #[test]
    fn conditions_are_booleans() {
        for (sql, rewritten) in [
            ("SELECT 1 WHERE ('true')", "SELECT 1 WHERE (true)"),
            (
                "SELECT 1 FROM a LEFT JOIN b ON 'f' WHERE a.x = 'true' AND NOT 'on'",
                "SELECT 1 FROM a LEFT JOIN b ON false WHERE a.x = 'true' AND NOT 'on'::BOOLEAN",
            ),
        ] {
            assert_eq!(with_select(sql, rewrite), rewritten);
        }
    }
}
