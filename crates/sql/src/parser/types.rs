//! Columns with their constraints, and their Hive types, as text.

use super::cursor::{Cursor, Result};
use crate::ParseError;
use crate::ast::{ColumnDef, Statement, Unsupported};
use crate::lexer::TokenKind;

/// How deeply a type may nest.
const MAX_NESTING: usize = 64;

/// The collations that order texts by their bytes, as all texts are.
const COLLATIONS: &[&str] = &["c", "default", "posix", "ucs_basic"];

/// What a column's constraint or default begins with, its name, and what to write instead.
const REFUSED_OF_COLUMN: &[(&str, &str, &str)] = &[
    ("PRIMARY KEY", "PRIMARY KEY", WITHOUT),
    ("UNIQUE", "UNIQUE", WITHOUT),
    ("REFERENCES", "REFERENCES", WITHOUT),
    ("CHECK", "CHECK", WITHOUT),
    (
        "DEFAULT",
        "DEFAULT other than NULL",
        "the column without it, and send the value",
    ),
    (
        "GENERATED",
        "GENERATED",
        "the column without it, and send the value",
    ),
    (
        "COLLATE",
        "COLLATE other than \"C\"",
        "the column without it",
    ),
];

/// What a constraint of several columns begins with.
const REFUSED_OF_TABLE: &[&str] = &["PRIMARY KEY", "FOREIGN KEY", "UNIQUE", "CHECK", "EXCLUDE"];

/// Nothing would enforce the constraint, so that it is not accepted and forgotten.
const WITHOUT: &str = "the column without it, and check the rows that are written";

/// Why columns are not taken.
pub(super) enum Refused {
    Syntax(ParseError),
    Unsupported(Unsupported),
}

impl From<ParseError> for Refused {
    fn from(error: ParseError) -> Self {
        Self::Syntax(error)
    }
}

impl Refused {
    fn unsupported(what: &str, nearest: &str) -> Self {
        Self::Unsupported(Unsupported {
            what: what.to_owned(),
            nearest: Some(nearest.to_owned()),
        })
    }

    /// The statement of the columns.
    pub(super) fn statement(self) -> Result<Statement> {
        match self {
            Self::Syntax(error) => Err(error),
            Self::Unsupported(refused) => Ok(Statement::Unsupported(refused)),
        }
    }

    /// The error, where no statement can be refused. `cursor`: at the columns.
    pub(super) fn error(self, cursor: &Cursor<'_>) -> ParseError {
        match self {
            Self::Syntax(error) => error,
            Self::Unsupported(refused) => cursor.error(refused.message()),
        }
    }
}

/// `(c type [constraint ..] [COMMENT 'c'], ..)`
pub(super) fn columns(cursor: &mut Cursor<'_>) -> std::result::Result<Vec<ColumnDef>, Refused> {
    cursor.expect_sign('(')?;
    if cursor.is_sign(')') {
        let mut error = cursor.error("a table has at least one column".to_owned());
        error.hint = Some("name it with its type, as in (a int)".to_owned());
        return Err(error.into());
    }
    let mut columns = Vec::new();
    loop {
        if let Some(constraint) = table_constraint(cursor) {
            return Err(Refused::unsupported(constraint, WITHOUT));
        }
        columns.push(column(cursor)?);
        if !cursor.eat_sign(',') {
            break;
        }
    }
    cursor.expect_sign(')')?;
    Ok(columns)
}

/// The name of the constraint of several columns that is next, if one is. Its words may also be
/// names of columns.
fn table_constraint(cursor: &Cursor<'_>) -> Option<&'static str> {
    let mut ahead = *cursor;
    if ahead.is_word("CONSTRAINT") && ahead.is_one_of_at(2, &constraint_words()) {
        ahead.advance();
        ahead.advance();
    }
    let mut constraints = REFUSED_OF_TABLE.iter().copied();
    constraints.find(|words| {
        let mut behind = ahead;
        // `unique (a)`, but not `unique int`; `EXCLUDE USING gist (a WITH =)`.
        behind.eat_all(words) && (behind.is_sign('(') || behind.is_one_of(&["USING", "NULLS"]))
    })
}

/// The first words of constraints of several columns.
fn constraint_words() -> Vec<&'static str> {
    let words = REFUSED_OF_TABLE.iter().copied();
    words.filter_map(|words| words.split(' ').next()).collect()
}

/// `c type [constraint ..] [COMMENT 'c']`
pub(super) fn column(cursor: &mut Cursor<'_>) -> std::result::Result<ColumnDef, Refused> {
    let name = cursor.name("a column's name")?;
    let data_type = data_type(cursor)?;
    let mut not_null = false;
    loop {
        if cursor.eat("CONSTRAINT") {
            cursor.name("a constraint's name")?;
        } else if cursor.eat_all("NOT NULL") {
            not_null = true;
        } else if cursor.eat("NULL") || default_null(cursor)? || collation(cursor)? {
            // As without it: other columns take NULL, and texts are ordered by their bytes.
        } else {
            break;
        }
    }
    let refused = REFUSED_OF_COLUMN.iter();
    let mut refused = refused.filter(|(words, ..)| {
        let mut ahead = *cursor;
        ahead.eat_all(words)
    });
    if let Some((_, what, nearest)) = refused.next() {
        return Err(Refused::unsupported(what, nearest));
    }
    let comment = cursor.string_after("COMMENT")?;
    Ok(ColumnDef {
        name,
        data_type,
        comment,
        not_null,
    })
}

/// `DEFAULT NULL [::type]`
fn default_null(cursor: &mut Cursor<'_>) -> Result<bool> {
    let mut ahead = *cursor;
    if !ahead.eat_all("DEFAULT NULL") {
        return Ok(false);
    }
    if ahead.eat_signs(':', ':') {
        data_type(&mut ahead)?;
    }
    *cursor = ahead;
    Ok(true)
}

/// COLLATE with a collation that orders texts by their bytes.
fn collation(cursor: &mut Cursor<'_>) -> Result<bool> {
    let mut ahead = *cursor;
    if !ahead.eat("COLLATE") {
        return Ok(false);
    }
    let mut name = ahead.name("a collation's name")?;
    if ahead.eat_sign('.') {
        name = ahead.name("a collation's name")?;
    }
    if !COLLATIONS.contains(&name.as_str()) {
        return Ok(false);
    }
    *cursor = ahead;
    Ok(true)
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
    let Some((name @ ("timestamp" | "time"), precision)) = text.split_once('(') else {
        return;
    };
    let mut with_zone = name.to_owned();
    multi_word(cursor, &mut with_zone);
    // A name is followed by its arguments.
    if let Some(zone) = with_zone.strip_prefix(name) {
        *text = format!("{name}({precision}{zone}");
    }
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
    } else if matches!(text.as_str(), "timestamp" | "time") {
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
