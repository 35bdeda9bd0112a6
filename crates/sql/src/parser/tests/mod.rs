//! What users write, and how it is parsed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod alter;
mod copy;
mod ddl;
mod enclosed;
mod errors;
mod issue;
mod only;
mod queries;
mod robustness;
mod session;
mod show;
mod spellings;
mod statistics;
mod trino;
mod views;
mod whole_rows;
mod writes;

use crate::ast::Statement;
use crate::{ParseError, parse};

/// The one statement of a text.
fn one(sql: &str) -> Statement {
    let mut parsed = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(parsed.len(), 1, "{sql}");
    parsed.remove(0).statement
}

/// What the error of a text says, and what was expected.
fn said(sql: &str) -> String {
    error(sql).said()
}

/// A text's error.
fn error(sql: &str) -> ParseError {
    match parse(sql) {
        Err(error) => error,
        Ok(parsed) => panic!("{sql}: parsed as {parsed:?}"),
    }
}

/// The message for a refused statement.
fn refused(sql: &str) -> String {
    match one(sql) {
        Statement::Unsupported(refused) => refused.message(),
        other => panic!("{sql}: parsed as {other:?}"),
    }
}

/// A query's text as sqlparser prints it.
fn query(sql: &str) -> String {
    match one(sql) {
        Statement::Query(query) => query.to_string(),
        other => panic!("{sql}: parsed as {other:?}"),
    }
}
