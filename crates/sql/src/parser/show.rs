//! SHOW and DESCRIBE.

use super::cursor::{Cursor, Result};
use super::{grants, names, partitions, query, session, show_stats};
use crate::ast::{
    DatabaseName, Describe, DescribeDetail, DescribePrepared, PreparedSide, ShowColumns,
    ShowCreateTable, ShowCreateView, ShowDatabases, ShowFunctions, ShowPartitions, ShowTables,
    ShowTblProperties, ShowViews, ShowWorkgroup, Statement, Unsupported,
};

pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("SHOW")?;
    let Some(word) = cursor.word_at(0).map(str::to_ascii_uppercase) else {
        return session::show(cursor);
    };
    let alone = cursor.rest().len() == 1;
    match word.as_str() {
        "DATABASES" | "SCHEMAS" => {
            cursor.advance();
            let catalog = match cursor.eat_any(&["IN", "FROM"]) {
                true => Some(cursor.name("a catalog's name")?),
                false => None,
            };
            let like = pattern(cursor)?;
            Ok(Statement::ShowDatabases(ShowDatabases { catalog, like }))
        }
        "TABLES" => {
            cursor.advance();
            let database = in_database(cursor)?;
            let pattern = pattern(cursor)?;
            Ok(Statement::ShowTables(ShowTables { database, pattern }))
        }
        "VIEWS" => {
            cursor.advance();
            let database = in_database(cursor)?;
            let pattern = pattern(cursor)?;
            Ok(Statement::ShowViews(ShowViews { database, pattern }))
        }
        "COLUMNS" => {
            cursor.advance();
            columns(cursor)
        }
        "PARTITIONS" => {
            cursor.advance();
            let table = names::table(cursor)?;
            let filter = if cursor.eat("PARTITION") {
                Some(partitions::filter(cursor)?)
            } else {
                None
            };
            Ok(Statement::ShowPartitions(ShowPartitions { table, filter }))
        }
        "CREATE" => {
            cursor.advance();
            show_create(cursor)
        }
        "TBLPROPERTIES" => {
            cursor.advance();
            tblproperties(cursor)
        }
        "STATS" => {
            cursor.advance();
            show_stats::show_stats(cursor)
        }
        "FUNCTIONS" => {
            cursor.advance();
            let like = pattern(cursor)?;
            Ok(Statement::ShowFunctions(ShowFunctions { like }))
        }
        "CATALOGS" => {
            cursor.advance();
            let catalogs = "SELECT current_catalog AS \"Catalog\"";
            listing(cursor, catalogs, "current_catalog")
        }
        "SESSION" if alone || cursor.is_word_at(1, "LIKE") => {
            cursor.advance();
            let settings = "SELECT name AS \"Name\", setting AS \"Value\", \
                            boot_val AS \"Default\", vartype AS \"Type\", \
                            short_desc AS \"Description\" FROM pg_catalog.pg_settings";
            listing(cursor, settings, "name")
        }
        "GRANTS" | "GRANT" => {
            cursor.advance();
            grants::show_grants(cursor)
        }
        "ROLES" => {
            cursor.advance();
            grants::show_roles(cursor)
        }
        "USERS" => {
            cursor.advance();
            Ok(Statement::ShowUsers)
        }
        "WORKGROUPS" => {
            cursor.advance();
            Ok(Statement::ShowWorkgroups)
        }
        "WORKGROUP" if !alone => {
            cursor.advance();
            let name = cursor.principal_name("a workgroup's name")?;
            Ok(Statement::ShowWorkgroup(ShowWorkgroup {
                name,
                create: false,
            }))
        }
        _ => match refused(cursor, &word) {
            Some(refused) => Ok(Statement::Unsupported(refused)),
            None => session::show(cursor),
        },
    }
}

/// SHOW statements of other engines.
fn refused(cursor: &Cursor<'_>, word: &str) -> Option<Unsupported> {
    let nearest = match word {
        "INDEX" | "INDEXES" | "INDICES" | "LOCKS" | "COMPACTIONS" | "TRANSACTIONS" | "CONF" => {
            "SHOW ALL"
        }
        "TABLE" => "SHOW TABLES",
        "CURRENT" | "ROLE" | "PRINCIPALS" => "SHOW ROLES",
        "PROCESSLIST" | "QUERIES" => "SELECT .. FROM system.queries",
        _ => return None,
    };
    // `SHOW role` shows Postgres' setting.
    if word == "ROLE" && cursor.rest().len() == 1 {
        return None;
    }
    Some(Unsupported {
        what: format!("SHOW {word}"),
        nearest: Some(nearest.to_owned()),
    })
}

fn in_database(cursor: &mut Cursor<'_>) -> Result<Option<DatabaseName>> {
    if cursor.eat_any(&["IN", "FROM"]) {
        names::database(cursor).map(Some)
    } else {
        Ok(None)
    }
}

/// `[LIKE] 'pattern'`
fn pattern(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.eat("LIKE") || cursor.is_string() {
        cursor.string("a pattern as a string").map(Some)
    } else {
        Ok(None)
    }
}

/// A SHOW of Trino's that is a query, whose pattern is that of LIKE.
fn listing(cursor: &mut Cursor<'_>, query: &str, name: &str) -> Result<Statement> {
    let filter = match pattern(cursor)? {
        Some(pattern) => format!(" WHERE {name} LIKE '{}'", pattern.replace('\'', "''")),
        None => String::new(),
    };
    let query = format!("{query}{filter} ORDER BY 1");
    query::of_text(&query).map(Statement::Query)
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if !cursor.eat_any(&["IN", "FROM"]) {
        return Err(cursor.expected("IN or FROM and a table's name"));
    }
    let mut table = names::table(cursor)?;
    let before = *cursor;
    if let Some(database) = in_database(cursor)? {
        if table
            .database
            .as_ref()
            .is_some_and(|named| *named != database.database)
        {
            return Err(before.error(format!(
                "two databases are named: {table} is not in {database}"
            )));
        }
        table.catalog = database.catalog.or(table.catalog);
        table.database = Some(database.database);
    }
    let like = pattern(cursor)?;
    Ok(Statement::ShowColumns(ShowColumns { table, like }))
}

fn show_create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.eat("TABLE") {
        let table = names::table(cursor)?;
        return Ok(Statement::ShowCreateTable(ShowCreateTable { table }));
    }
    if cursor.eat("WORKGROUP") {
        let name = cursor.principal_name("a workgroup's name")?;
        return Ok(Statement::ShowWorkgroup(ShowWorkgroup {
            name,
            create: true,
        }));
    }
    if cursor.eat("VIEW") {
        let view = names::table(cursor)?;
        return Ok(Statement::ShowCreateView(ShowCreateView { view }));
    }
    let (what, nearest) = if cursor.is_one_of(&["DATABASE", "SCHEMA"]) {
        ("SHOW CREATE DATABASE", "SHOW DATABASES")
    } else if cursor.is_one_of(&["FUNCTION", "MATERIALIZED"]) {
        ("SHOW CREATE of this kind", "SHOW CREATE TABLE")
    } else {
        return Err(cursor.expected("TABLE, VIEW or WORKGROUP after SHOW CREATE"));
    };
    Ok(Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    }))
}

fn tblproperties(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let table = names::table(cursor)?;
    let mut key = None;
    if cursor.eat_sign('(') {
        key = Some(cursor.string("a property's name as a string")?);
        cursor.expect_sign(')')?;
    }
    Ok(Statement::ShowTblProperties(ShowTblProperties {
        table,
        key,
    }))
}

pub(super) fn describe(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.advance();
    let named = |cursor: &Cursor<'_>| cursor.rest().len() > 1 && !cursor.is_sign_at(1, '.');
    if named(cursor) && cursor.is_one_of(&["DATABASE", "SCHEMA", "FUNCTION"]) {
        let what = cursor.word_at(0).unwrap_or_default().to_ascii_uppercase();
        return Ok(Statement::Unsupported(Unsupported {
            what: format!("DESCRIBE {what}"),
            nearest: Some("DESCRIBE table".to_owned()),
        }));
    }
    if named(cursor) && cursor.is_one_of(&["INPUT", "OUTPUT"]) {
        let side = match cursor.is_word("INPUT") {
            true => PreparedSide::Input,
            false => PreparedSide::Output,
        };
        cursor.advance();
        let name = names::folded(cursor, "a prepared statement's name")?;
        return Ok(Statement::DescribePrepared(DescribePrepared { side, name }));
    }
    let detail = if named(cursor) && cursor.eat("EXTENDED") {
        DescribeDetail::Extended
    } else if named(cursor) && cursor.eat("FORMATTED") {
        DescribeDetail::Formatted
    } else {
        DescribeDetail::Plain
    };
    // Not valid in Athena, but users of other engines write it.
    if named(cursor) {
        cursor.eat("TABLE");
    }
    let table = names::table(cursor)?;
    let partition = if cursor.eat("PARTITION") {
        Some(partitions::spec(cursor)?)
    } else {
        None
    };
    let mut column = Vec::new();
    if cursor.is_name() {
        column.push(cursor.name("a column's name")?);
        while cursor.eat_sign('.') {
            column.push(cursor.name_or_string("a field's name")?);
        }
    }
    Ok(Statement::Describe(Describe {
        detail,
        table,
        partition,
        column,
    }))
}
