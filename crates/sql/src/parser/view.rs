//! CREATE VIEW and DROP VIEW.

use super::cursor::{Cursor, Result};
use super::{names, query};
use crate::ast::{CreateView, DropView, Statement};

/// After `CREATE [OR REPLACE] [TEMP] VIEW`.
pub(super) fn create(
    cursor: &mut Cursor<'_>,
    or_replace: bool,
    temporary: bool,
) -> Result<Statement> {
    let if_not_exists = cursor.eat_all("IF NOT EXISTS");
    let name = names::table(cursor)?;
    let temporary = temporary || name.is_temporary();
    let columns = if cursor.is_sign('(') {
        cursor.names_in_parentheses("a column's name")?
    } else {
        Vec::new()
    };
    let mut comment = None;
    let mut runs_as_invoker = temporary;
    loop {
        if cursor.eat("COMMENT") {
            comment = Some(cursor.string("a comment as a string")?);
        } else if cursor.eat_all("SECURITY INVOKER") {
            runs_as_invoker = true;
        } else if cursor.eat_all("SECURITY DEFINER") {
            runs_as_invoker = temporary;
        } else {
            break;
        }
    }
    cursor.expect("AS")?;
    let text = cursor.rest_text().to_owned();
    if !cursor.is_sign('(') && !cursor.is_one_of(&["SELECT", "WITH", "VALUES", "TABLE"]) {
        return Err(cursor.expected("a query"));
    }
    let query = match query::statement(cursor)? {
        Statement::Query(query) => query,
        refused => return Ok(refused),
    };
    cursor.skip_rest();
    Ok(Statement::CreateView(CreateView {
        temporary,
        or_replace,
        if_not_exists,
        name,
        columns,
        comment,
        runs_as_invoker,
        query,
        text,
    }))
}

/// After `DROP VIEW`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let names = cursor.list(names::table)?;
    cursor.eat_any(&["RESTRICT", "CASCADE"]);
    Ok(Statement::DropView(DropView { if_exists, names }))
}
