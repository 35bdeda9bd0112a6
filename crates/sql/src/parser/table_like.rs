//! CREATE TABLE LIKE, in the grammars of Hive and of Trino and PostgreSQL.

use super::cursor::{Cursor, Result};
use super::names;
use crate::ast::{CreateTableLike, Statement, TableName, Unsupported};

/// How LIKE is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `LIKE s`.
    Hive,
    /// `(LIKE s ..)`.
    Parenthesised,
}

/// What PostgreSQL's INCLUDING and EXCLUDING name. Tables have comments only, which are copied.
const PARTS: &[&str] = &[
    "COMMENTS",
    "COMPRESSION",
    "CONSTRAINTS",
    "DEFAULTS",
    "GENERATED",
    "IDENTITY",
    "INDEXES",
    "STATISTICS",
    "STORAGE",
];

/// The form of LIKE at the cursor, which is behind the name of the new table.
pub(super) fn form(cursor: &Cursor<'_>) -> Option<Form> {
    if cursor.is_word("LIKE") {
        return Some(Form::Hive);
    }
    // In `(like) AS ..` and `(like, ..) AS ..` it is the name of a column.
    let names_a_column = cursor.is_sign_at(2, ')') || cursor.is_sign_at(2, ',');
    let like = cursor.is_sign('(') && cursor.is_word_at(1, "LIKE") && !names_a_column;
    like.then_some(Form::Parenthesised)
}

/// After the name of the new table.
pub(super) fn create(
    cursor: &mut Cursor<'_>,
    form: Form,
    if_not_exists: bool,
    name: TableName,
) -> Result<Statement> {
    if form == Form::Parenthesised {
        cursor.expect_sign('(')?;
    }
    cursor.expect("LIKE")?;
    let mut like = CreateTableLike {
        if_not_exists,
        name,
        source: names::table(cursor)?,
        with_properties: form == Form::Hive,
        comment: None,
        location: None,
        properties: Vec::new(),
    };
    if form == Form::Parenthesised {
        options(cursor, &mut like)?;
        if cursor.is_sign(',') {
            return Ok(Statement::Unsupported(Unsupported {
                what: "CREATE TABLE with LIKE and more columns".to_owned(),
                nearest: Some(
                    "CREATE TABLE .. (LIKE ..) and ALTER TABLE .. ADD COLUMNS".to_owned(),
                ),
            }));
        }
        cursor.expect_sign(')')?;
    }
    let mut seen = Vec::new();
    while !cursor.at_end() {
        let before = *cursor;
        let clause = clause(cursor, &mut like)?;
        if seen.contains(&clause) {
            return Err(before.error(format!("{clause} is given twice")));
        }
        seen.push(clause);
    }
    Ok(Statement::CreateTableLike(Box::new(like)))
}

/// `[{INCLUDING|EXCLUDING} {PROPERTIES|ALL|..}] ..`
fn options(cursor: &mut Cursor<'_>, like: &mut CreateTableLike) -> Result<()> {
    loop {
        let including = cursor.is_word("INCLUDING");
        if !cursor.eat_any(&["INCLUDING", "EXCLUDING"]) {
            return Ok(());
        }
        if cursor.eat_any(&["PROPERTIES", "ALL"]) {
            like.with_properties = including;
        } else if !cursor.eat_any(PARTS) {
            return Err(cursor.expected("PROPERTIES or ALL after INCLUDING or EXCLUDING"));
        }
    }
}

/// Parses one clause after the source; returns its name.
fn clause(cursor: &mut Cursor<'_>, like: &mut CreateTableLike) -> Result<&'static str> {
    if let Some(comment) = cursor.string_after("COMMENT")? {
        like.comment = Some(comment);
        Ok("COMMENT")
    } else if let Some(location) = cursor.string_after("LOCATION")? {
        like.location = Some(location);
        Ok("LOCATION")
    } else if cursor.eat("TBLPROPERTIES") {
        like.properties = cursor.properties()?;
        Ok("TBLPROPERTIES")
    } else if cursor.eat("WITH") {
        like.location = Some(external_location(cursor)?);
        Ok("LOCATION")
    } else {
        Err(cursor.expected("COMMENT, LOCATION, TBLPROPERTIES or WITH (external_location = '..')"))
    }
}

/// `(external_location = 'l')`, as Trino has it.
fn external_location(cursor: &mut Cursor<'_>) -> Result<String> {
    cursor.expect_sign('(')?;
    cursor.expect("external_location")?;
    cursor.expect_sign('=')?;
    let location = cursor.string("a location as a string")?;
    cursor.expect_sign(')')?;
    Ok(location)
}
