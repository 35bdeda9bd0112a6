//! USE and the statements on databases.

use super::cursor::{Cursor, Result};
use super::names;
use crate::ast::{
    AlterDatabaseSetProperties, CreateDatabase, DropDatabase, Statement, Unsupported, Use,
};

pub(super) fn use_database(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("USE")?;
    // `USE DATABASE d` and `USE SCHEMA d` are what users of other engines write.
    if cursor.is_one_of(&["DATABASE", "SCHEMA"]) && cursor.word_at(1).is_some() {
        cursor.advance();
    }
    let database = names::database(cursor)?;
    Ok(Statement::Use(Use { database }))
}

pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let mut created = CreateDatabase {
        if_not_exists: cursor.if_not_exists()?,
        name: names::database(cursor)?,
        comment: None,
        location: None,
        properties: Vec::new(),
    };
    while !cursor.at_end() {
        if let Some(comment) = cursor.string_after("COMMENT")? {
            created.comment = Some(comment);
        } else if let Some(location) = cursor.string_after("LOCATION")? {
            created.location = Some(location);
        } else if cursor.eat_all("WITH DBPROPERTIES") {
            created.properties = cursor.properties()?;
        } else {
            return Err(cursor.expected("COMMENT, LOCATION or WITH DBPROPERTIES"));
        }
    }
    Ok(Statement::CreateDatabase(created))
}

pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let name = names::database(cursor)?;
    let cascade = cursor.eat("CASCADE");
    if !cascade {
        cursor.eat("RESTRICT");
    }
    Ok(Statement::DropDatabase(DropDatabase {
        if_exists,
        name,
        cascade,
    }))
}

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let name = names::database(cursor)?;
    if cursor.eat_all("SET DBPROPERTIES") {
        let properties = cursor.properties()?;
        return Ok(Statement::AlterDatabaseSetProperties(
            AlterDatabaseSetProperties { name, properties },
        ));
    }
    let what = if cursor.eat_all("SET LOCATION") {
        "ALTER DATABASE .. SET LOCATION"
    } else if cursor.eat_all("SET OWNER") || cursor.eat_all("OWNER TO") {
        "ALTER DATABASE .. SET OWNER"
    } else if cursor.eat_all("RENAME TO") {
        "ALTER DATABASE .. RENAME TO"
    } else {
        return Err(cursor.expected("SET DBPROPERTIES"));
    };
    Ok(Statement::Unsupported(Unsupported {
        what: what.to_owned(),
        nearest: Some("ALTER DATABASE .. SET DBPROPERTIES".to_owned()),
    }))
}
