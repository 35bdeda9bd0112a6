//! The values of strings and quoted names.

use crate::lexer::{Prefix, TokenKind};

/// A name, unquoted.
pub(super) fn name(text: &str, kind: TokenKind) -> String {
    match kind {
        TokenKind::Double { .. } => undouble(inner(text, 1, 1), '"'),
        TokenKind::Backtick => undouble(inner(text, 1, 1), '`'),
        _ => text.to_owned(),
    }
}

/// A string, unquoted and unescaped.
pub(super) fn string(text: &str, kind: TokenKind) -> Result<String, String> {
    match kind {
        TokenKind::Single { prefix, escapes } => {
            let opening = match prefix {
                Prefix::None => 1,
                Prefix::Escape => 2,
                Prefix::Other => {
                    return Err("only plain and E'' strings are taken here".to_owned());
                }
            };
            let body = inner(text, opening, 1);
            Ok(if escapes {
                unescape(body, '\'')
            } else {
                undouble(body, '\'')
            })
        }
        TokenKind::Double { escapes } => {
            let body = inner(text, 1, 1);
            Ok(if escapes {
                unescape(body, '"')
            } else {
                undouble(body, '"')
            })
        }
        TokenKind::Dollar { tag } => Ok(inner(text, tag, tag).to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn inner(text: &str, opening: usize, closing: usize) -> &str {
    text.len()
        .checked_sub(closing)
        .and_then(|end| text.get(opening..end))
        .unwrap_or_default()
}

fn undouble(text: &str, quote: char) -> String {
    let mut doubled = String::from(quote);
    doubled.push(quote);
    text.replace(&doubled, quote.encode_utf8(&mut [0; 4]))
}

/// Hive's and Postgres' backslash escapes: `\t`, `\001` (octal), `\u0001`, `\'`; any other escaped
/// character stands for itself.
fn unescape(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        if character == quote {
            // Only as the first of a doubled pair: a single quote would have ended the string.
            chars.next_if_eq(&quote);
            out.push(quote);
            continue;
        }
        if character != '\\' {
            out.push(character);
            continue;
        }
        match chars.next() {
            None => out.push('\\'),
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('Z') => out.push('\u{1a}'),
            // Hive keeps the first two escaped, as LIKE patterns need them. `\N` is the usual null
            // format; read as N, it would turn every N into NULL.
            Some(kept @ ('%' | '_' | 'N')) => out.extend(['\\', kept]),
            Some('u') => push_code(&mut out, &mut chars, 'u', 16, 4, 4),
            Some('x') => push_code(&mut out, &mut chars, 'x', 16, 1, 2),
            Some(digit @ '0'..='7') => push_octal(&mut out, &mut chars, digit),
            Some(other) => out.push(other),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn push_code(
    out: &mut String,
    chars: &mut Chars<'_>,
    letter: char,
    radix: u32,
    least: usize,
    most: usize,
) {
    let digits: String = chars
        .clone()
        .take_while(|c| c.is_digit(radix))
        .take(most)
        .collect();
    let code = u32::from_str_radix(&digits, radix)
        .ok()
        .and_then(char::from_u32);
    match code {
        Some(code) if digits.len() >= least => {
            out.push(code);
            chars.nth(digits.len() - 1);
        }
        _ => out.push(letter),
    }
}

fn push_octal(out: &mut String, chars: &mut Chars<'_>, first: char) {
    let mut code = first.to_digit(8).unwrap_or_default();
    let mut count = 1;
    while count < 3
        && let Some(digit) = chars.peek().and_then(|c| c.to_digit(8))
    {
        code = code * 8 + digit;
        chars.next();
        count += 1;
    }
    out.extend(char::from_u32(code));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hive(text: &str) -> String {
        let kind = TokenKind::Single {
            prefix: Prefix::None,
            escapes: true,
        };
        string(text, kind).unwrap()
    }

    #[test]
    fn hive_escapes_become_their_characters() {
        assert_eq!(hive(r"'\t'"), "\t");
        assert_eq!(hive(r"'\n'"), "\n");
        assert_eq!(hive(r"'\001'"), "\u{1}");
        assert_eq!(hive(r"'\1'"), "\u{1}");
        assert_eq!(hive(r"'\u0001'"), "\u{1}");
        assert_eq!(hive(r"'\''"), "'");
        assert_eq!(hive(r"'\\'"), "\\");
        assert_eq!(hive(r"'\N'"), "\\N");
        assert_eq!(hive(r"'\d'"), "d");
        assert_eq!(hive(r"'\\N'"), "\\N");
        assert_eq!(hive("'it''s'"), "it's");
        assert_eq!(hive(r"'\u00'"), "u00");
    }

    #[test]
    fn a_standard_string_keeps_its_backslashes() {
        let kind = TokenKind::Single {
            prefix: Prefix::None,
            escapes: false,
        };
        assert_eq!(string(r"'a\t''b'", kind).unwrap(), r"a\t'b");
    }

    #[test]
    fn quotes_of_names_are_resolved() {
        assert_eq!(
            name("\"a\"\"B\"", TokenKind::Double { escapes: false }),
            "a\"B"
        );
        assert_eq!(name("`a``B`", TokenKind::Backtick), "a`B");
    }
}
