//! PostgreSQL's `SELECT .. INTO [TEMP] t FROM ..`, which is CREATE TABLE AS.

use sqlparser::ast::{ObjectName, ObjectNamePart, Query, SelectInto, SetExpr};

use super::cursor::{Cursor, Result};
use super::query;
use crate::ast::{CreateTableAs, OnCommit, Statement, TableName};

/// The query that extends to the end of the cursor. With INTO in its first SELECT, it makes a table;
/// that of other ones is refused.
pub(super) fn statement(cursor: &Cursor<'_>) -> Result<Statement> {
    if !(0..cursor.rest().len()).any(|at| cursor.is_word_at(at, "INTO")) {
        return query::statement(cursor);
    }
    let mut into = None;
    let statement = query::changed(cursor, |query| into = taken(query))?;
    let (query, into) = match (statement, into) {
        (Statement::Query(query), Some(into)) => (query, into),
        (other, _) => return Ok(other),
    };
    let Some(name) = table_name(&into.name) else {
        let message = format!(
            "improper qualified name (too many dotted names): {}",
            into.name
        );
        return Err(cursor.error(message));
    };
    let is_temporary = into.temporary || name.is_temporary();
    Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
        temporary: is_temporary.then(OnCommit::default),
        or_replace: false,
        if_not_exists: false,
        name,
        columns: Vec::new(),
        comment: None,
        properties: Vec::new(),
        query,
        with_data: true,
        select_into: true,
    })))
}

/// Takes the INTO out of the first SELECT of a query.
fn taken(query: &mut Query) -> Option<SelectInto> {
    // Without recursion: a chain of set operations is long.
    let mut body = query.body.as_mut();
    loop {
        match body {
            SetExpr::SetOperation { left, .. } => body = left.as_mut(),
            SetExpr::Select(select) => {
                let is_kept = |into: &mut SelectInto| !into.unlogged;
                return select.into.take_if(is_kept);
            }
            _ => return None,
        }
    }
}

/// `None`: the name has too many parts.
fn table_name(name: &ObjectName) -> Option<TableName> {
    let mut parts = Vec::with_capacity(name.0.len());
    for part in &name.0 {
        match part {
            ObjectNamePart::Identifier(ident) => parts.push(ident.value.to_lowercase()),
            ObjectNamePart::Function(_) => return None,
        }
    }
    let table = parts.pop()?;
    let database = parts.pop();
    let catalog = parts.pop();
    parts.is_empty().then_some(TableName {
        catalog,
        database,
        table,
    })
}
