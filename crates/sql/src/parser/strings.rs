//! String constants that go on after a line break.
//!
//! ```text
//! E'a\n'
//!   'b\n'        E'a\nb\n'        as in PostgreSQL, with the escapes of the first part
//! 'a' -- more
//!   'b'         'ab'
//! 'a' 'b'        a mistake: on one line, the second string would be an alias
//! $$a$$
//!   'b'         a mistake: such strings do not go on
//! ```
//!
//! The prefix of `U&'..'` is not part of the token of the string, see [`super::unicode`].
//!
//! sqlparser joins strings only if they have no escapes, and nothing is between them but blanks.

use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::cursor::Result;
use super::query_error::{self, Source};
use crate::dialect::AthenaDialect;

/// Joins strings to those on the lines behind them.
///
/// # Errors
///
/// A string follows another one on its line, or one that does not go on.
pub(super) fn joined(
    source: &Source<'_>,
    tokens: Vec<TokenWithSpan>,
) -> Result<Vec<TokenWithSpan>> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // The place of a string behind which only blanks follow, and whether its line has ended.
    let mut before: Option<(usize, bool)> = None;
    for token in tokens {
        match (&token.token, before) {
            (Token::Whitespace(blank), Some((place, has_ended))) => {
                let ends = matches!(
                    blank,
                    Whitespace::Newline | Whitespace::SingleLineComment { .. }
                );
                before = Some((place, has_ended || ends));
            }
            (Token::SingleQuotedString(text), Some((place, has_ended))) => {
                let start = out.get_mut(place).filter(|_| has_ended);
                if !start.is_some_and(|start| goes_on(start, text, token.span.end)) {
                    return Err(query_error::unexpected(source, token.span.start));
                }
                out.truncate(place + 1);
                before = Some((place, false));
                continue;
            }
            (
                Token::SingleQuotedString(_)
                | Token::EscapedStringLiteral(_)
                | Token::NationalStringLiteral(_)
                | Token::HexStringLiteral(_)
                | Token::DollarQuotedString(_),
                _,
            ) => before = Some((out.len(), false)),
            _ => before = None,
        }
        out.push(token);
    }
    Ok(out)
}

/// Adds the text of a string on another line, which ends at `end`. Returns whether the string goes on.
fn goes_on(start: &mut TokenWithSpan, text: &str, end: Location) -> bool {
    match &mut start.token {
        Token::SingleQuotedString(first) | Token::NationalStringLiteral(first) => {
            first.push_str(text);
        }
        // `0xFF` is this token too, one character shorter.
        Token::HexStringLiteral(digits) => {
            let (from, to) = (start.span.start, start.span.end);
            let written = u64::try_from(digits.len() + "X''".len());
            let is_string =
                from.line != to.line || written == Ok(to.column.saturating_sub(from.column));
            if !is_string {
                return false;
            }
            digits.push_str(text);
        }
        Token::EscapedStringLiteral(first) => match unescaped(text) {
            Some(text) => first.push_str(&text),
            None => return false,
        },
        _ => return false,
    }
    start.span.end = end;
    true
}

/// Replaces the escapes of a string; `None` if one is not valid.
fn unescaped(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let written = format!("E'{}'", text.replace('\'', "''"));
    let mut tokens = Tokenizer::new(&AthenaDialect::default(), &written)
        .tokenize()
        .ok()?
        .into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(Token::EscapedStringLiteral(text)), None | Some(Token::EOF)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    fn parsed(sql: &str) -> std::result::Result<String, String> {
        match crate::parse(sql) {
            Ok(mut statements) => match statements.remove(0).statement {
                Statement::Query(query) => Ok(query.to_string()),
                other => panic!("no query: {other:?}"),
            },
            Err(error) => Err(error.message),
        }
    }

    #[test]
    fn strings_go_on_after_a_line_break() {
        for sql in [
            "SELECT E'a\\t'\n 'b' AS x",
            "SELECT E'a\\t' -- more\n'b' AS x",
        ] {
            assert_eq!(
                parsed(sql).unwrap(),
                parsed("SELECT E'a\\tb' AS x").unwrap()
            );
        }
        assert_eq!(
            parsed("SELECT E'a'\n'\\tb'\n\n'c''d'").unwrap(),
            parsed("SELECT E'a\\tbc''d'").unwrap()
        );
        for sql in ["SELECT 'a' -- more\n'b'", "SELECT 'a'\n-- '\n\n 'b'"] {
            assert_eq!(parsed(sql).unwrap(), "SELECT 'ab'", "{sql}");
        }
        for (sql, expected) in [
            ("SELECT N'a'\n'b'", "SELECT N'ab'"),
            ("SELECT X'1F'\n'a' -- more\n'B'", "SELECT X'1FaB'"),
            ("SELECT U&'a'\n'\\0062'", "SELECT 'ab'"),
        ] {
            assert_eq!(parsed(sql).unwrap(), parsed(expected).unwrap(), "{sql}");
        }
    }

    #[test]
    fn other_strings_that_follow_each_other_are_a_mistake() {
        for sql in [
            "SELECT 'a' 'b'",
            "SELECT E'a' /* \n */ 'b'",
            "SELECT N'a' 'b'",
            "SELECT $$a$$ 'b'",
            "SELECT $$a$$\n'b'",
            "SELECT X'1F' 'b'",
            "SELECT 0x1F\n'b'",
            "SELECT U&'a' 'b'",
        ] {
            let message = parsed(sql).unwrap_err();
            assert_eq!(message, "syntax error at or near \"'b'\"", "{sql}");
        }
        parsed("SELECT 'a' LIKE 'b' ESCAPE '#', 'c', 'd' AS x").unwrap();
    }
}
