//! Strings and names with Unicode escapes.
//!
//! ```text
//! U&'d\0061t\+000061'          U&'data', the token of a string without escapes
//! U&'d!0061ta' UESCAPE '!'     U&'data'
//! U&'\D83D\DE00'               U&'😀'
//! U&"d!0061ta" UESCAPE '!'     "data"
//! ```
//!
//! The tokenizer reads the prefix as a name and an operator: sqlparser knows neither names nor
//! surrogates, nor other escape characters.

use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::cursor::{Result, shown};
use super::lists::words;
use super::query::is_word;
use super::query_error::{self, Source};
use crate::ParseError;

/// The characters of `U&'`, before the text.
const PREFIX: u64 = 3;

/// What is wrong with an escape, and the character of the text at which it is.
type Fault = (usize, &'static str);

const NO_ESCAPE: &str = "invalid Unicode escape";
const NO_CHARACTER: &str = "invalid Unicode escape value";
const NO_PAIR: &str = "invalid Unicode surrogate pair";

/// Reads the strings and names among the tokens of a query. Strings that go on after a line break must
/// be joined.
///
/// # Errors
///
/// An escape means no character, or the escape character is none.
pub(super) fn read(source: &Source<'_>, tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|token| is_word(&token.token, "U")) {
        return Ok(tokens);
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let Some(written) = Written::of(token, after) else {
            out.push(token.clone());
            continue;
        };
        let behind = after.get(2..).unwrap_or_default();
        let (escape, length) = escape_character(source, behind)?;
        let text = unescaped(written.text, escape).map_err(|(at, message)| {
            wrong(source, place(written.span.start, written.text, at), message)
        })?;
        let read = match written.is_name {
            true => Token::make_word(&text, Some('"')),
            false => Token::UnicodeStringLiteral(text),
        };
        out.push(TokenWithSpan::new(read, written.span));
        rest = behind.get(length..).unwrap_or_default();
    }
    Ok(out)
}

/// A string or a quoted name with its prefix, as it is written.
struct Written<'a> {
    text: &'a str,
    is_name: bool,
    span: Span,
}

impl<'a> Written<'a> {
    /// Returns what a token is the prefix of; `None` if it is no prefix.
    fn of(token: &TokenWithSpan, after: &'a [TokenWithSpan]) -> Option<Self> {
        let [sign, quoted, ..] = after else {
            return None;
        };
        let is_prefix = is_word(&token.token, "U")
            && sign.token == Token::Ampersand
            && sign.span.start == token.span.end
            && quoted.span.start == sign.span.end;
        let (text, is_name) = match &quoted.token {
            Token::SingleQuotedString(text) => (text.as_str(), false),
            Token::Word(word) if word.quote_style == Some('"') => (word.value.as_str(), true),
            _ => return None,
        };
        is_prefix.then_some(Self {
            text,
            is_name,
            span: Span::new(token.span.start, quoted.span.end),
        })
    }
}

/// Returns the escape character, and the number of tokens behind the text that name it.
fn escape_character(source: &Source<'_>, behind: &[TokenWithSpan]) -> Result<(char, usize)> {
    let mut words = words(behind);
    match words.next() {
        Some((_, word)) if is_word(&word.token, "UESCAPE") => {}
        _ => return Ok(('\\', 0)),
    }
    let Some((last, said)) = words.next() else {
        return Err(query_error::at_end(
            source,
            "UESCAPE must be followed by a simple string literal",
        ));
    };
    let near = |message: &str| {
        let near = match &said.token {
            Token::EOF => return query_error::at_end(source, message),
            token => shown(&token.to_string()),
        };
        let message = format!("{message} at or near \"{near}\"");
        query_error::at(source, said.span.start, &message)
    };
    let Token::SingleQuotedString(text) = &said.token else {
        return Err(near("UESCAPE must be followed by a simple string literal"));
    };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(escape), None) if is_escape(escape) => Ok((escape, last + 1)),
        _ => Err(near("invalid Unicode escape character")),
    }
}

fn is_escape(character: char) -> bool {
    !character.is_ascii_hexdigit()
        && !character.is_whitespace()
        && !matches!(character, '+' | '\'' | '"')
}

/// Replaces `\2603` and `\+01F642` by characters, and `\\` by the escape character.
fn unescaped(text: &str, escape: char) -> std::result::Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().enumerate();
    // The first half of a pair of surrogates.
    let mut first: Option<u32> = None;
    while let Some((at, next)) = rest.next() {
        let doubled = || rest.clone().next().is_some_and(|(_, next)| next == escape);
        if next != escape || doubled() {
            if first.is_some() {
                return Err((at, NO_PAIR));
            }
            if next == escape {
                rest.next();
            }
            out.push(next);
            continue;
        }
        let is_long = rest.clone().next().is_some_and(|(_, next)| next == '+');
        if is_long {
            rest.next();
        }
        let length = if is_long { 6 } else { 4 };
        let digits: String = rest.by_ref().take(length).map(|(_, digit)| digit).collect();
        let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if digits.len() != length || !are_digits {
            return Err((at, NO_ESCAPE));
        }
        let code = u32::from_str_radix(&digits, 16).map_err(|_| (at, NO_ESCAPE))?;
        let code = match (first.take(), code) {
            (Some(first), 0xDC00..=0xDFFF) => 0x1_0000 + ((first - 0xD800) << 10) + (code - 0xDC00),
            (Some(_), _) | (None, 0xDC00..=0xDFFF) => return Err((at, NO_PAIR)),
            (None, 0xD800..=0xDBFF) => {
                first = Some(code);
                continue;
            }
            (None, 0) => return Err((at, NO_CHARACTER)),
            (None, code) => code,
        };
        out.push(char::from_u32(code).ok_or((at, NO_CHARACTER))?);
    }
    match first {
        Some(_) => Err((text.chars().count(), NO_PAIR)),
        None => Ok(out),
    }
}

/// Returns the place of a character of a text whose prefix is at `start`.
fn place(start: Location, text: &str, at: usize) -> Location {
    let first = Location::new(start.line, start.column + PREFIX);
    let before = text.chars().take(at);
    before.fold(first, |place, character| match character {
        '\n' => Location::new(place.line + 1, 1),
        _ => Location::new(place.line, place.column + 1),
    })
}

fn wrong(source: &Source<'_>, place: Location, message: &str) -> ParseError {
    let hint =
        (message == NO_ESCAPE).then(|| "Unicode escapes must be \\XXXX or \\+XXXXXX.".to_owned());
    ParseError {
        hint,
        ..query_error::at(source, place, message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::{ParseError, Statement};

    fn parsed(sql: &str) -> Result<String, ParseError> {
        match crate::parse(sql)?.remove(0).statement {
            Statement::Query(query) => Ok(query.to_string()),
            other => panic!("no query: {other:?}"),
        }
    }

    #[test]
    fn escapes_become_characters() {
        for (sql, expected) in [
            (r"SELECT U&'d\0061t\+000061'", "SELECT 'data'"),
            (r"SELECT u&'d!0061t!!' UESCAPE '!'", "SELECT 'dat!'"),
            (r"SELECT U&'!!''!+01F642'UESCAPE'!'", "SELECT '!''🙂'"),
            (r"SELECT U&'\D83D\DE00\\'", r"SELECT '😀\'"),
            ("SELECT U&'a'\n'b!0061' UESCAPE '!'", "SELECT 'aba'"),
            (
                r#"SELECT U&"d\0061t\+000061" FROM t AS U&"!0074" UESCAPE '!'"#,
                r#"SELECT "data" FROM t AS "t""#,
            ),
            ("SELECT u & 'a', u", "SELECT u & 'a', u"),
        ] {
            assert_eq!(parsed(sql).unwrap(), parsed(expected).unwrap(), "{sql}");
        }
    }

    #[test]
    fn escapes_that_mean_no_character_are_mistakes() {
        for (sql, position, message) in [
            (r"SELECT U&'\00zz'", 11, "invalid Unicode escape"),
            (r"SELECT U&'a\00'", 12, "invalid Unicode escape"),
            (r"SELECT U&'\0000'", 11, "invalid Unicode escape value"),
            (r"SELECT U&'\+110000'", 11, "invalid Unicode escape value"),
            (r"SELECT U&'\d83d'", 16, "invalid Unicode surrogate pair"),
            (r"SELECT U&'\d83dx'", 16, "invalid Unicode surrogate pair"),
            (r"SELECT U&'\dE00'", 11, "invalid Unicode surrogate pair"),
            (
                "SELECT U&'a' UESCAPE 'a'",
                22,
                "invalid Unicode escape character at or near \"'a'\"",
            ),
            (
                "SELECT U&'a' UESCAPE '!!'",
                22,
                "invalid Unicode escape character at or near \"'!!'\"",
            ),
            (
                "SELECT U&'a' UESCAPE 1",
                22,
                "UESCAPE must be followed by a simple string literal at or near \"1\"",
            ),
        ] {
            let error = parsed(sql).unwrap_err();
            assert_eq!(error.message, message, "{sql}");
            assert_eq!(error.position, Some(position), "{sql}");
        }
    }
}
