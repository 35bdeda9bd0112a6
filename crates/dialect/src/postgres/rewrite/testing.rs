//! What tests of rewrites share.

#![allow(clippy::unwrap_used, clippy::panic)]

use datafusion::sql::sqlparser::ast::{Select, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Changes a statement, and returns its text.
pub(super) fn with_statement(sql: &str, change: impl FnOnce(&mut Statement)) -> String {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
    let mut statement = statements.remove(0);
    change(&mut statement);
    statement.to_string()
}

/// Changes the outer SELECT of a query, and returns the query's text.
pub(super) fn with_select(sql: &str, change: impl FnOnce(&mut Select)) -> String {
    with_statement(sql, |statement| {
        let Statement::Query(query) = statement else {
            panic!("{sql}")
        };
        let SetExpr::Select(select) = query.body.as_mut() else {
            panic!("{sql}")
        };
        change(select);
    })
}
