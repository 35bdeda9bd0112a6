//! Text literals as conditions, which are booleans in PostgreSQL: `WHERE ('true')`,
//! `LEFT JOIN … ON 'true'`.

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
    use super::super::testing::with_select;
    use super::*;

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
