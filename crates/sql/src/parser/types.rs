//! Columns and their Hive types, as text.

use super::cursor::{Cursor, Result};
use crate::ast::ColumnDef;
use crate::lexer::TokenKind;

/// How deeply a type may nest.
const MAX_NESTING: usize = 64;

/// What a column's constraint or default begins with.
const CONSTRAINTS: &[&str] = &[
    "NOT",
    "DEFAULT",
    "PRIMARY",
    "UNIQUE",
    "REFERENCES",
    "CHECK",
    "GENERATED",
    "CONSTRAINT",
    "COLLATE",
];

/// `(c type [COMMENT 'c'], ..)`
pub(super) fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<ColumnDef>> {
    cursor.expect_sign('(')?;
    let columns = cursor.list(column)?;
    cursor.expect_sign(')')?;
    Ok(columns)
}

/// `c type [COMMENT 'c']`
pub(super) fn column(cursor: &mut Cursor<'_>) -> Result<ColumnDef> {
    let name = cursor.name("a column's name")?;
    let data_type = data_type(cursor)?;
    // Columns take NULL anyway.
    cursor.eat("NULL");
    if let Some(constraint) = CONSTRAINTS.iter().find(|word| cursor.is_word(word)) {
        let constraint = match *constraint {
            "NOT" => "NOT NULL",
            other => other,
        };
        return Err(cursor.error(format!(
            "constraints and defaults of columns are not supported; leave {constraint} out"
        )));
    }
    let comment = cursor.string_after("COMMENT")?;
    Ok(ColumnDef {
        name,
        data_type,
        comment,
    })
}

/// The text of a Hive type: lower case, without blanks and without field comments.
pub(super) fn data_type(cursor: &mut Cursor<'_>) -> Result<String> {
    let first = cursor.word_at(0).ok_or_else(|| cursor.expected("a type"))?;
    let mut text = canonical(first);
    cursor.advance();
    multi_word(cursor, &mut text);
    if cursor.is_sign('<') {
        nested(cursor, &mut text)?;
    } else {
        arguments(cursor, &mut text)?;
        zone_after_precision(cursor, &mut text);
    }
    array(cursor, text)
}

/// `timestamp(6) without time zone`, which PostgreSQL's tools write.
fn zone_after_precision(cursor: &mut Cursor<'_>, text: &mut String) {
    let Some(precision) = text.strip_prefix("timestamp(") else {
        return;
    };
    let precision = precision.to_owned();
    let mut with_zone = "timestamp".to_owned();
    multi_word(cursor, &mut with_zone);
    // A name is followed by its arguments.
    *text = match with_zone.strip_prefix("timestamp") {
        Some(zone) => format!("timestamp({precision}{zone}"),
        None => return,
    };
}

/// PostgreSQL's arrays: `text[]`, `text[3]`, `text ARRAY`.
fn array(cursor: &mut Cursor<'_>, item: String) -> Result<String> {
    let is_array = if cursor.eat("ARRAY") {
        if cursor.eat_sign('[') {
            cursor.number();
            cursor.expect_sign(']')?;
        }
        true
    } else if cursor.eat_sign('[') {
        cursor.number();
        cursor.expect_sign(']')?;
        true
    } else {
        false
    };
    Ok(if is_array {
        format!("array<{item}>")
    } else {
        item
    })
}

fn canonical(word: &str) -> String {
    let word = word.to_lowercase();
    if word == "integer" {
        "int".to_owned()
    } else {
        word
    }
}

/// The further words of multi-word types.
fn multi_word(cursor: &mut Cursor<'_>, text: &mut String) {
    if text == "double" {
        cursor.eat("PRECISION");
    } else if text == "character" {
        *text = match cursor.eat("VARYING") {
            true => "varchar".to_owned(),
            false => "char".to_owned(),
        };
    } else if text == "timestamp" {
        for zone in [
            "WITH TIME ZONE",
            "WITHOUT TIME ZONE",
            "WITH LOCAL TIME ZONE",
        ] {
            if cursor.eat_all(zone) {
                text.push(' ');
                text.push_str(&zone.to_lowercase());
            }
        }
    }
}

/// `(10, 2)`
fn arguments(cursor: &mut Cursor<'_>, text: &mut String) -> Result<()> {
    if !cursor.eat_sign('(') {
        return Ok(());
    }
    let numbers =
        cursor.list(|cursor| cursor.number().ok_or_else(|| cursor.expected("a number")))?;
    cursor.expect_sign(')')?;
    text.push('(');
    text.push_str(&numbers.join(","));
    text.push(')');
    Ok(())
}

/// `<..>` to its end, at any depth, without recursion.
fn nested(cursor: &mut Cursor<'_>, text: &mut String) -> Result<()> {
    let mut depth = 0usize;
    loop {
        if cursor.eat_sign('<') {
            depth += 1;
            if depth > MAX_NESTING {
                return Err(cursor.error(format!("a type nests at most {MAX_NESTING} deep")));
            }
            text.push('<');
        } else if cursor.eat_sign('>') {
            depth -= 1;
            text.push('>');
            if depth == 0 {
                return Ok(());
            }
        } else if cursor.eat_sign(',') {
            text.push(',');
        } else if cursor.eat_sign(':') {
            text.push(':');
        } else if cursor.is_sign('(') {
            arguments(cursor, text)?;
        } else if cursor.is_word("COMMENT") && after_a_type(text) {
            cursor.advance();
            cursor.string("a comment")?;
        } else if cursor.is_name() {
            if after_a_type(text) {
                return Err(cursor.expected("\",\", \":\" or \">\" in a type"));
            }
            field_or_type(cursor, text)?;
        } else {
            return Err(cursor.expected("\">\" to close a type"));
        }
    }
}

/// Whether a word or a closing sign was last, so another word cannot follow.
fn after_a_type(text: &str) -> bool {
    !text.ends_with(['<', ',', ':'])
}

fn field_or_type(cursor: &mut Cursor<'_>, text: &mut String) -> Result<()> {
    let quoted = cursor
        .token()
        .is_some_and(|token| token.kind != TokenKind::Word);
    let is_type = text.ends_with(':') || !cursor.is_sign_at(1, ':');
    let name = cursor.name("a type or a field's name")?;
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    if quoted && !plain {
        text.push('`');
        text.push_str(&name.replace('`', "``"));
        text.push('`');
        return Ok(());
    }
    let mut word = if is_type && !quoted {
        canonical(&name)
    } else {
        name
    };
    if is_type && !quoted {
        multi_word(cursor, &mut word);
    }
    text.push_str(&word);
    Ok(())
}
