//! Recognises queries of literals, such as `SELECT 1`, before they are planned.

use std::ops::ControlFlow;

use lakegate_sql::walk::walk_expressions;
use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Statement,
    UnaryOperator, Value,
};

/// Parts of expressions of such a query. Planning them takes less time than a planner thread takes to
/// begin.
const MAX_PARTS: usize = 64;

/// Bytes of a text among the literals.
const MAX_TEXT: usize = 1 << 10;

/// Returns whether a rewritten statement is a short list of literals and nothing else: no functions, whose
/// constant results may take long to compute, and no relations.
pub(crate) fn is_literal_list(statement: &Statement) -> bool {
    let Statement::Query(query) = statement else {
        return false;
    };
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    if !is_bare(query) || !is_list(select) {
        return false;
    }
    let mut parts = 0_usize;
    let walked = walk_expressions(statement, |expr| {
        parts += 1;
        match is_simple(expr) && parts <= MAX_PARTS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    walked.is_continue()
}

fn is_bare(query: &Query) -> bool {
    query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.pipe_operators.is_empty()
}

fn is_list(select: &Select) -> bool {
    let mut items = select.projection.iter();
    let is_grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    };
    let is_filtered =
        select.selection.is_some() || select.having.is_some() || select.qualify.is_some();
    select.from.is_empty()
        && select.distinct.is_none()
        && !is_grouped
        && !is_filtered
        && items.all(|item| {
            matches!(
                item,
                SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
            )
        })
}

/// Returns whether a part of an expression is a literal, or what a rewrite puts around one.
fn is_simple(expr: &Expr) -> bool {
    match expr {
        Expr::Value(literal) => match &literal.value {
            Value::Number(digits, _) => digits.len() <= MAX_TEXT,
            Value::SingleQuotedString(text) => text.len() <= MAX_TEXT,
            Value::Boolean(_) | Value::Null => true,
            _ => false,
        },
        // The marks of literals. Powers and factorials of literals may take long.
        Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::Custom(_)),
        Expr::UnaryOp { op, .. } => matches!(op, UnaryOperator::Minus | UnaryOperator::Plus),
        Expr::Nested(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    fn is_one(sql: &str) -> bool {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        is_literal_list(&statements.remove(0))
    }

    #[test]
    fn lists_of_literals_are_recognised() {
        for sql in [
            "SELECT 1",
            "SELECT 1 AS one, 'a', NULL, true, -2.5",
            "SELECT (2), +3",
        ] {
            assert!(is_one(sql), "{sql}");
        }
    }

    #[test]
    fn what_may_take_long_is_planned_apart() {
        let long = format!("SELECT '{}'", "x".repeat(MAX_TEXT + 1));
        let wide = format!("SELECT 1{}", ", 1".repeat(MAX_PARTS));
        for sql in [
            "SELECT a FROM t",
            "SELECT 1 FROM t",
            "SELECT repeat('x', 1000000)",
            "SELECT (SELECT 1)",
            "SELECT 2 ^ 100000",
            "SELECT 1 + 1",
            "SELECT 1 WHERE now() > now()",
            "SELECT 1 LIMIT 1",
            "SELECT DISTINCT 1",
            "SELECT 1 UNION SELECT 2",
            "WITH a AS (SELECT 1) SELECT 2",
            "SELECT CAST('a' AS text)",
            "SELECT $1",
            "SELECT *",
            "SELECT 1 GROUP BY 1",
            "VALUES (1)",
            &long,
            &wide,
        ] {
            assert!(!is_one(sql), "{sql}");
        }
    }
}
