//! Names of databases and tables.

use super::cursor::{Cursor, Result};
use crate::ast::{DatabaseName, TableName};
use crate::lexer::TokenKind;

/// `[catalog.][database.]table`, lower-cased.
pub(super) fn table(cursor: &mut Cursor<'_>) -> Result<TableName> {
    let mut parts = dotted(cursor, "a table's name")?;
    if parts.len() > 3 {
        return Err(cursor.error(too_many(&parts, "catalog.database.table")));
    }
    let table = parts.pop().unwrap_or_default();
    let database = parts.pop();
    Ok(TableName {
        catalog: parts.pop(),
        database,
        table,
    })
}

/// `[[catalog.]database.]table.column`, lower-cased.
pub(super) fn column(cursor: &mut Cursor<'_>) -> Result<(TableName, String)> {
    let mut parts = dotted(cursor, "a column's name with its table")?;
    if parts.len() > 4 {
        return Err(cursor.error(too_many(&parts, "catalog.database.table.column")));
    }
    let column = parts.pop().unwrap_or_default();
    let Some(table) = parts.pop() else {
        return Err(cursor.expected("\".\" and a column's name after that of its table"));
    };
    let database = parts.pop();
    let table = TableName {
        catalog: parts.pop(),
        database,
        table,
    };
    Ok((table, column))
}

/// `[catalog.]database`, lower-cased.
pub(super) fn database(cursor: &mut Cursor<'_>) -> Result<DatabaseName> {
    let mut parts = dotted(cursor, "a database's name")?;
    if parts.len() > 2 {
        return Err(cursor.error(too_many(&parts, "catalog.database")));
    }
    let database = parts.pop().unwrap_or_default();
    Ok(DatabaseName {
        catalog: parts.pop(),
        database,
    })
}

fn dotted(cursor: &mut Cursor<'_>, what: &str) -> Result<Vec<String>> {
    let mut parts = vec![cursor.name(what)?];
    while cursor.eat_sign('.') {
        parts.push(cursor.name(what)?);
    }
    Ok(parts)
}

fn too_many(parts: &[String], most: &str) -> String {
    let name: Vec<&str> = parts.iter().take(5).map(String::as_str).collect();
    format!(
        "improper qualified name (too many dotted names): {}; a name is {most} at most",
        name.join(".")
    )
}

/// Names of session objects (cursors, prepared statements, savepoints), folded as in Postgres:
/// quoted ones keep their case.
pub(super) fn folded(cursor: &mut Cursor<'_>, what: &str) -> Result<String> {
    let bare = cursor
        .token()
        .is_some_and(|token| token.kind == TokenKind::Word);
    let name = cursor.raw_name(what)?;
    Ok(if bare { name.to_lowercase() } else { name })
}
