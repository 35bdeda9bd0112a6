//! PREPARE, EXECUTE and DEALLOCATE.

use super::cursor::{Cursor, Result};
use super::{names, parenthesized, query};
use crate::ast::{Deallocate, Execute, Prepare, Statement, Unsupported};

pub(super) fn prepare(cursor: &mut Cursor<'_>, depth: usize) -> Result<Statement> {
    cursor.expect("PREPARE")?;
    if cursor.is_word("TRANSACTION") && cursor.is_string_at(1) {
        return Ok(Statement::Unsupported(Unsupported {
            what: "PREPARE TRANSACTION".to_owned(),
            nearest: Some("COMMIT or ROLLBACK".to_owned()),
        }));
    }
    let name = names::folded(cursor, "a prepared statement's name")?;
    let types = if cursor.is_sign('(') {
        query::data_types(&parenthesized(cursor)?)?
    } else {
        Vec::new()
    };
    if !cursor.eat_any(&["AS", "FROM"]) {
        return Err(cursor.expected("AS or FROM and a statement"));
    }
    let text = cursor.rest_text().to_owned();
    let start = *cursor;
    let statement = super::statement(start, depth + 1)?;
    cursor.skip_rest();
    match &statement {
        Statement::Query(_) => {}
        Statement::Unsupported(_) => return Ok(statement),
        // As in Postgres, nothing else can be prepared: a prepared EXECUTE could execute itself.
        _ => return Err(start.expected("a query")),
    }
    Ok(Statement::Prepare(Prepare {
        name,
        types,
        statement: Box::new(statement),
        text,
    }))
}

pub(super) fn execute(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("EXECUTE")?;
    if cursor.is_word("IMMEDIATE") && cursor.is_string_at(1) {
        return Ok(Statement::Unsupported(Unsupported {
            what: "EXECUTE IMMEDIATE".to_owned(),
            nearest: Some("PREPARE and EXECUTE".to_owned()),
        }));
    }
    let name = names::folded(cursor, "a prepared statement's name")?;
    let parameters = if cursor.is_sign('(') {
        let inner = parenthesized(cursor)?;
        if inner.at_end() {
            Vec::new()
        } else {
            query::expressions(&inner)?
        }
    } else if cursor.eat("USING") {
        let parameters = query::expressions(cursor)?;
        cursor.skip_rest();
        parameters
    } else {
        Vec::new()
    };
    Ok(Statement::Execute(Execute { name, parameters }))
}

pub(super) fn deallocate(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DEALLOCATE")?;
    if cursor.rest().len() > 1 {
        cursor.eat("PREPARE");
    }
    let name = if cursor.eat("ALL") {
        None
    } else {
        Some(names::folded(cursor, "a prepared statement's name")?)
    };
    Ok(Statement::Deallocate(Deallocate { name }))
}
