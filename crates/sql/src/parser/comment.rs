//! COMMENT ON.

use super::cursor::{Cursor, Result};
use super::names;
use crate::ast::{CommentOn, Commented, Statement, Unsupported};

/// Objects of other engines, whose COMMENT ON is refused by name.
const OTHERS: &[&str] = &[
    "ACCESS",
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "CONSTRAINT",
    "DOMAIN",
    "EXTENSION",
    "FUNCTION",
    "INDEX",
    "LANGUAGE",
    "MATERIALIZED",
    "OPERATOR",
    "POLICY",
    "PROCEDURE",
    "ROLE",
    "RULE",
    "SEQUENCE",
    "SERVER",
    "TABLESPACE",
    "TRIGGER",
    "TYPE",
];

pub(super) fn comment(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_all("COMMENT ON")?;
    let object = if cursor.eat("TABLE") {
        Commented::Table(names::table(cursor)?)
    } else if cursor.eat("VIEW") {
        Commented::View(names::table(cursor)?)
    } else if cursor.eat_any(&["SCHEMA", "DATABASE"]) {
        Commented::Database(names::database(cursor)?)
    } else if cursor.eat("COLUMN") {
        let (table, column) = names::column(cursor)?;
        Commented::Column { table, column }
    } else if cursor.is_one_of(OTHERS) {
        let word = cursor.word_at(0).unwrap_or_default().to_uppercase();
        return Ok(Statement::Unsupported(Unsupported {
            what: format!("COMMENT ON {word}"),
            nearest: Some("COMMENT ON TABLE, VIEW, COLUMN or SCHEMA".to_owned()),
        }));
    } else {
        return Err(cursor.expected("TABLE, VIEW, COLUMN or SCHEMA after COMMENT ON"));
    };
    cursor.expect("IS")?;
    let comment = match cursor.eat("NULL") {
        true => None,
        // As in PostgreSQL, an empty comment is none.
        false => Some(cursor.string("a comment as a string, or NULL")?).filter(|c| !c.is_empty()),
    };
    Ok(Statement::CommentOn(CommentOn { object, comment }))
}
