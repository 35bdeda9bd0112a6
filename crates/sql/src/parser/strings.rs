//! String constants that go on after a line break.
//!
//! ```text
//! E'a\n'
//!   'b\n'        E'a\nb\n'        as in PostgreSQL, with the escapes of the first part
//! 'a' 'b'        a mistake: on one line, the second string would be an alias
//! ```
//!
//! sqlparser joins strings without escapes itself.

use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::cursor::Result;
use super::query_error::{self, Source};
use crate::dialect::AthenaDialect;

/// Joins strings with escapes to those on the lines behind them.
///
/// # Errors
///
/// A string follows another one on its line.
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
            (Token::SingleQuotedString(_), Some((_, false))) => {
                return Err(query_error::unexpected(source, token.span.start));
            }
            (Token::SingleQuotedString(text), Some((place, true))) => {
                if let Some(TokenWithSpan {
                    token: Token::EscapedStringLiteral(start),
                    span,
                }) = out.get_mut(place)
                {
                    let Some(rest) = unescaped(text) else {
                        return Err(query_error::unexpected(source, token.span.start));
                    };
                    start.push_str(&rest);
                    span.end = token.span.end;
                    out.truncate(place + 1);
                    before = Some((place, false));
                    continue;
                }
                before = Some((out.len(), false));
            }
            (Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_), None) => {
                before = Some((out.len(), false));
            }
            _ => before = None,
        }
        out.push(token);
    }
    Ok(out)
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
    }

    #[test]
    fn two_strings_on_a_line_are_a_mistake() {
        for sql in ["SELECT 'a' 'b'", "SELECT E'a' /* \n */ 'b'"] {
            let message = parsed(sql).unwrap_err();
            assert_eq!(message, "syntax error at or near \"'b'\"", "{sql}");
        }
        parsed("SELECT 'a' LIKE 'b' ESCAPE '#', 'c', 'd' AS x").unwrap();
    }
}
