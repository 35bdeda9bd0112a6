//! Converts sqlparser's errors to Postgres' wording, with the position in the whole text.

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, TokenizerError};

use super::cursor::{Cursor, char_position, shown};
use crate::ParseError;
use crate::lexer::{Token, TokenKind};

/// The part of the text that sqlparser reads.
pub(super) struct Source<'a> {
    sql: &'a str,
    tokens: &'a [Token],
    start: usize,
    end: usize,
}

impl<'a> Source<'a> {
    pub(super) fn of(cursor: &Cursor<'a>) -> Self {
        let tokens = cursor.rest();
        Source {
            sql: cursor.sql,
            tokens,
            start: tokens.first().map_or(cursor.sql.len(), |token| token.start),
            end: tokens.last().map_or(cursor.sql.len(), |token| token.end),
        }
    }

    pub(super) fn text(&self) -> &'a str {
        self.sql.get(self.start..self.end).unwrap_or_default()
    }

    /// Byte offset in the whole text of a line and column, both from 1, counted in characters.
    fn offset(&self, location: Location) -> usize {
        let mut line = 1;
        let mut column = 1;
        for (index, character) in self.text().char_indices() {
            if (line, column) >= (location.line, location.column) {
                return self.start + index;
            }
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        self.end
    }

    /// Tokens without blanks.
    pub(super) fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// The text of a bare word.
    fn word(&self, token: Token) -> Option<&'a str> {
        match token.kind {
            TokenKind::Word => self.sql.get(token.start..token.end),
            _ => None,
        }
    }

    /// The position of the token that a message reports as found: some messages name it but give
    /// the position of the next one.
    fn place_of(&self, found: &str, offset: usize) -> usize {
        let before = self.tokens.iter().take_while(|token| token.end <= offset);
        let said = |token: &&Token| {
            self.word(**token)
                .is_some_and(|word| word.eq_ignore_ascii_case(found))
        };
        match (self.near(offset), before.last().filter(said)) {
            (Some(near), _) if near.eq_ignore_ascii_case(found) => offset,
            (_, Some(token)) => token.start,
            _ => offset,
        }
    }

    fn error(&self, offset: usize, message: String) -> ParseError {
        ParseError {
            message,
            position: Some(char_position(self.sql, offset)),
            hint: None,
        }
    }

    /// The token at a byte offset, as errors show it.
    fn near(&self, offset: usize) -> Option<&'a str> {
        let token = self
            .tokens
            .iter()
            .find(|token| (token.start..token.end).contains(&offset))?;
        self.sql.get(token.start..token.end)
    }
}

pub(super) fn of_tokenizer(source: &Source<'_>, error: &TokenizerError) -> ParseError {
    let offset = source.offset(error.location);
    let detail = lower_first(&error.message);
    syntax_error(source, offset, &detail)
}

pub(super) fn of_parser(source: &Source<'_>, error: &ParserError) -> ParseError {
    let text = match error {
        ParserError::RecursionLimitExceeded => {
            return source.error(
                source.start,
                "the statement is nested too deeply: split it with WITH, or use fewer parentheses and brackets"
                    .to_owned(),
            );
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
    };
    let (text, location) = split_location(text);
    let offset = location.map_or(source.end, |location| source.offset(location));
    if let Some((offset, detail)) = without_a_table(source) {
        return syntax_error(source, offset, detail);
    }
    let expected = text
        .strip_prefix("Expected: ")
        .or_else(|| text.strip_prefix("Expected "))
        .and_then(|rest| rest.rsplit_once(", found: "));
    match expected {
        Some((expected, found)) => {
            let detail = format!("expected {}", expected.trim_start_matches("expected "));
            syntax_error(source, source.place_of(found, offset), &detail)
        }
        None => syntax_error(source, offset, &lower_first(text)),
    }
}

/// Words that cannot name a table, though sqlparser would accept them as one.
const NO_TABLES: [&str; 10] = [
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "FROM",
    "JOIN",
    "ON",
];

/// FROM or JOIN without a table after it: the position where the table should be.
fn without_a_table(source: &Source<'_>) -> Option<(usize, &'static str)> {
    source.tokens.windows(2).find_map(|pair| {
        let [before, after] = pair else { return None };
        let (before, word) = (source.word(*before)?, source.word(*after)?);
        let found = is_one_of(before, &["FROM", "JOIN"]) && is_one_of(word, &NO_TABLES);
        found.then_some((after.start, "expected a table or a subquery"))
    })
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}

/// Unexpected text where the statement should end.
pub(super) fn unexpected(source: &Source<'_>, location: Location) -> ParseError {
    let offset = source.offset(location);
    if let Some((offset, detail)) = without_a_table(source) {
        return syntax_error(source, offset, detail);
    }
    // GROUP and ORDER are not names: the error is that BY does not follow.
    let mut rest = source
        .tokens
        .iter()
        .skip_while(|token| token.start < offset);
    let is_clause = rest
        .next()
        .and_then(|token| source.word(*token))
        .is_some_and(|word| is_one_of(word, &["GROUP", "ORDER"]));
    if is_clause {
        let next = rest.next().map_or(source.end, |token| token.start);
        return syntax_error(source, next, "expected BY");
    }
    syntax_error(source, offset, "expected the end of the statement")
}

pub(super) fn at(source: &Source<'_>, location: Location, message: &str) -> ParseError {
    source.error(source.offset(location), message.to_owned())
}

/// The end of the text, where more is expected.
pub(super) fn at_end(source: &Source<'_>, message: &str) -> ParseError {
    source.error(source.end, format!("{message} at end of input"))
}

fn syntax_error(source: &Source<'_>, offset: usize, detail: &str) -> ParseError {
    let message = match source.near(offset) {
        Some(near) => format!("syntax error at or near \"{}\"", shown(near)),
        None => "syntax error at end of input".to_owned(),
    };
    ParseError {
        hint: Some(shown_detail(detail)),
        ..source.error(offset, message)
    }
}

/// A reserved word in the place of a name.
pub(super) fn reserved(source: &Source<'_>, location: Location) -> ParseError {
    let detail = "the word is reserved, and a name only in double quotes";
    syntax_error(source, source.offset(location), detail)
}

/// sqlparser quotes source text at length in some messages.
fn shown_detail(detail: &str) -> String {
    const LONGEST: usize = 200;
    match detail.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", detail.get(..end).unwrap_or_default()),
        None => detail.to_owned(),
    }
}

/// Splits `.. at Line: 1, Column: 8` into message and location.
fn split_location(text: &str) -> (&str, Option<Location>) {
    let parse = |place: &str| -> Option<Location> {
        let (line, column) = place.split_once(", Column: ")?;
        Some(Location::new(
            line.trim().parse().ok()?,
            column.trim().parse().ok()?,
        ))
    };
    match text.rsplit_once(" at Line: ") {
        Some((message, place)) => (message, parse(place)),
        None => (text, None),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
