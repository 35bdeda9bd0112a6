//! CREATE INDEX and DROP INDEX, as PostgreSQL's clients send them.

use super::cursor::{Cursor, Result};
use super::{names, parenthesized};
use crate::ast::{CreateIndex, DropIndex, Statement};
use crate::lexer::TokenKind;

/// What may follow the columns. Indexes do not exist, so that none of it is read.
const BEHIND: &[&str] = &["INCLUDE", "NULLS", "WITH", "TABLESPACE", "WHERE"];

/// After `CREATE INDEX`.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.eat("CONCURRENTLY");
    cursor.if_not_exists()?;
    if !cursor.is_word("ON") {
        cursor.name("the index's name, or ON")?;
    }
    cursor.expect("ON")?;
    let mut ahead = *cursor;
    if ahead.eat("ONLY") && ahead.is_name() {
        *cursor = ahead;
    }
    let table = names::table(cursor)?;
    if cursor.eat("USING") {
        cursor.name("an index method")?;
    }
    let mut inner = parenthesized(cursor)?;
    let mut columns = Vec::new();
    loop {
        columns.extend(item(&mut inner)?);
        if !inner.eat_sign(',') {
            break;
        }
    }
    inner.expect_end()?;
    if cursor.is_one_of(BEHIND) {
        cursor.skip_rest();
    }
    Ok(Statement::CreateIndex(CreateIndex { table, columns }))
}

/// One item of an index, to the comma behind it. Returns the column, unless it is an expression.
fn item(inner: &mut Cursor<'_>) -> Result<Option<String>> {
    if !inner.is_name() && !inner.is_sign('(') {
        return Err(inner.expected("a column's name"));
    }
    let is_expression = inner.is_sign('(') || inner.is_sign_at(1, '(');
    let column = match is_expression {
        true => None,
        false => Some(inner.name("a column's name")?),
    };
    let mut depth = 0_usize;
    while let Some(token) = inner.token() {
        match token.kind {
            TokenKind::Sign(',') if depth == 0 => break,
            TokenKind::Sign('(') => depth += 1,
            TokenKind::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        inner.advance();
    }
    Ok(column)
}

/// After `DROP INDEX`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.eat("CONCURRENTLY");
    let if_exists = cursor.if_exists()?;
    let names = cursor.list(names::table)?;
    cursor.eat_any(&["RESTRICT", "CASCADE"]);
    Ok(Statement::DropIndex(DropIndex { if_exists, names }))
}
