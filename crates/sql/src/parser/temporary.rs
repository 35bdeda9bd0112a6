//! CREATE TEMPORARY: what belongs to one session. SELECT INTO TEMPORARY is in `select_into`.

use super::cursor::{Cursor, Result};
use super::write::{NewTable, lists_names, whole_query, without_data_clause};
use super::{names, table_like, types, view};
use crate::ast::{CreateTable, CreateTableAs, OnCommit, Statement, Unsupported};

/// Moves past `[OR REPLACE] [LOCAL|GLOBAL] {TEMP|TEMPORARY}` and returns whether OR REPLACE is
/// among it. `None`: something else follows CREATE, and the cursor stays.
pub(super) fn begun(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut ahead = *cursor;
    let or_replace = ahead.eat_all("OR REPLACE");
    // As in PostgreSQL, both mean the same.
    ahead.eat_any(&["LOCAL", "GLOBAL"]);
    if !ahead.eat_any(&["TEMP", "TEMPORARY"]) {
        return None;
    }
    *cursor = ahead;
    Some(or_replace)
}

/// After [`begun`].
pub(super) fn create(cursor: &mut Cursor<'_>, or_replace: bool) -> Result<Statement> {
    if cursor.eat("VIEW") {
        return view::create(cursor, or_replace, true);
    }
    if !cursor.eat("TABLE") {
        return Err(cursor.expected("TABLE or VIEW after CREATE TEMPORARY"));
    }
    let if_not_exists = cursor.if_not_exists()?;
    let name = names::table(cursor)?;
    let new = NewTable {
        or_replace,
        if_not_exists,
        name,
    };
    table(cursor, new)
}

/// After the name of a temporary table: `(c type, ..) [ON COMMIT ..]` or `[(c, ..)] [ON COMMIT ..]
/// AS q [WITH [NO] DATA]`.
pub(super) fn table(cursor: &mut Cursor<'_>, new: NewTable) -> Result<Statement> {
    if table_like::form(cursor).is_some() {
        return Ok(refuse(
            "CREATE TEMPORARY TABLE .. LIKE",
            "CREATE TEMPORARY TABLE .. AS SELECT .. WHERE false",
        ));
    }
    let mut names = Vec::new();
    let mut columns = Vec::new();
    if lists_names(cursor) {
        names = cursor.names_in_parentheses("a column's name")?;
    } else if cursor.is_sign('(') {
        match types::columns(cursor) {
            Ok(found) => columns = found,
            Err(refused) => return refused.statement(),
        }
    }
    let on_commit = on_commit(cursor)?;
    let is_filled = columns.is_empty();
    if is_filled && cursor.eat("AS") {
        let (inner, with_data) = without_data_clause(cursor);
        let query = match whole_query(&inner)? {
            Statement::Query(query) => query,
            refused => return Ok(refused),
        };
        cursor.skip_rest();
        return Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
            temporary: Some(on_commit),
            or_replace: new.or_replace,
            if_not_exists: new.if_not_exists,
            name: new.name,
            columns: names,
            comment: None,
            properties: Vec::new(),
            query,
            with_data,
            select_into: false,
        })));
    }
    if cursor.is_word("WITH") {
        return Ok(refuse(
            "WITH properties of a temporary table",
            "the statement without them; its rows are kept in memory",
        ));
    }
    if is_filled || new.or_replace {
        return Err(cursor.expected("columns with their types, or AS and a query"));
    }
    Ok(Statement::CreateTable(Box::new(CreateTable {
        temporary: Some(on_commit),
        if_not_exists: new.if_not_exists,
        columns,
        ..CreateTable::named(new.name)
    })))
}

/// `[ON COMMIT {PRESERVE ROWS|DELETE ROWS|DROP}]`
fn on_commit(cursor: &mut Cursor<'_>) -> Result<OnCommit> {
    if !cursor.eat_all("ON COMMIT") {
        return Ok(OnCommit::default());
    }
    if cursor.eat_all("PRESERVE ROWS") {
        Ok(OnCommit::PreserveRows)
    } else if cursor.eat_all("DELETE ROWS") {
        Ok(OnCommit::DeleteRows)
    } else if cursor.eat("DROP") {
        Ok(OnCommit::Drop)
    } else {
        Err(cursor.expected("PRESERVE ROWS, DELETE ROWS or DROP after ON COMMIT"))
    }
}

fn refuse(what: &str, nearest: &str) -> Statement {
    Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}
