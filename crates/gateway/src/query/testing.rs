//! Queries and statements that tests of this crate share.

#![allow(clippy::unwrap_used, clippy::panic)]

use lakegate_sql::Statement;
use sqlparser::ast;

/// Returns the query that a text consists of.
pub(crate) fn query(sql: &str) -> ast::Query {
    match lakegate_sql::parse(sql).unwrap().remove(0).statement {
        Statement::Query(query) => *query,
        other => panic!("{other:?}"),
    }
}

/// Returns the same as a statement.
pub(crate) fn statement(sql: &str) -> ast::Statement {
    ast::Statement::Query(Box::new(query(sql)))
}
