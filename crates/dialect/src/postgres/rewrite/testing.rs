//! What tests of rewrites share.

#![allow(clippy::unwrap_used, clippy::panic)]

use datafusion::sql::sqlparser::ast::{Select, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Changes the outer SELECT of a query, and returns the query's text.
pub(super) fn with_select(sql: &str, change: impl FnOnce(&mut Select)) -> String {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
    let mut statement = statements.remove(0);
    let Statement::Query(query) = &mut statement else {
        panic!("{sql}")
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        panic!("{sql}")
    };
    change(select);
    statement.to_string()
}
