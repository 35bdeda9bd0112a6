//! The strings in the query of a Hive view, written as Trino's.
//!
//! Hive has strings in single and in double quotes, with backslash escapes, and names in backticks:
//!
//! ```text
//! `t`.`a` = "it's"     `t`.`a` = 'it''s'
//! `t`.`a` = 'it\'s'    `t`.`a` = 'it''s'
//! `t`.`a` = 'x''y'     `t`.`a` = 'xy'      one string in two parts
//! ```
//!
//! The escapes are those of Hive's `BaseSemanticAnalyzer.unescapeSQLString`.

use std::iter::Peekable;
use std::str::Chars;

/// Returns the text with all strings in single quotes and without escapes.
pub(crate) fn standard_strings(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\'' | '"' => {
                let text = string(character, &mut rest);
                out.push('\'');
                out.push_str(&text.replace('\'', "''"));
                out.push('\'');
                continue;
            }
            _ => out.push(character),
        }
        // A name or a comment is copied to its end.
        let end = match (character, rest.peek()) {
            ('`', _) => "`",
            ('-', Some('-')) => "\n",
            ('/', Some('*')) => "*/",
            _ => continue,
        };
        let start = out.len();
        // Not the asterisk of the start: `/*/` is not a whole comment.
        let skipped = end.len() - 1;
        for within in rest.by_ref() {
            out.push(within);
            let read = out.get(start + skipped..).unwrap_or_default();
            if read.ends_with(end) {
                break;
            }
        }
    }
    out
}

/// Reads a string after its first quote, and the strings that follow it without a space.
fn string(quote: char, rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    let mut quote = quote;
    while let Some(character) = rest.next() {
        if character == '\\' {
            escape(rest, &mut text);
        } else if character != quote {
            text.push(character);
        } else if let Some(next) = rest.next_if(|next| matches!(next, '\'' | '"')) {
            quote = next;
        } else {
            break;
        }
    }
    text
}

/// Reads what follows a backslash.
fn escape(rest: &mut Peekable<Chars<'_>>, text: &mut String) {
    let found = match rest.peek() {
        Some('u') => coded(rest, 1, 4, 16),
        // Of three octal digits, the first is 0 or 1.
        Some('0' | '1') => coded(rest, 0, 3, 8),
        _ => None,
    };
    if let Some((character, after)) = found {
        text.push(character);
        *rest = after;
        return;
    }
    match rest.next() {
        Some('0') => text.push('\0'),
        Some('b') => text.push('\u{8}'),
        Some('n') => text.push('\n'),
        Some('r') => text.push('\r'),
        Some('t') => text.push('\t'),
        Some('Z') => text.push('\u{1a}'),
        // Of a LIKE pattern.
        Some(wildcard @ ('%' | '_')) => text.extend(['\\', wildcard]),
        Some(other) => text.push(other),
        None => text.push('\\'),
    }
}

/// Returns the character of a code after `skipped` characters, with what follows the code.
fn coded<'a>(
    rest: &Peekable<Chars<'a>>,
    skipped: usize,
    digits: usize,
    radix: u32,
) -> Option<(char, Peekable<Chars<'a>>)> {
    let mut ahead = rest.clone();
    for _ in 0..skipped {
        ahead.next();
    }
    let mut code = 0;
    for _ in 0..digits {
        code = code * radix + ahead.next()?.to_digit(radix)?;
    }
    Some((char::from_u32(code)?, ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_lose_their_escapes_and_double_quotes() {
        for (hive, standard) in [
            (r#"a = "x""#, "a = 'x'"),
            (r#"a = "it's""#, "a = 'it''s'"),
            (r"a = 'it\'s'", "a = 'it''s'"),
            (r#"a = 'a"b'"#, "a = 'a\"b'"),
            (r"a = 'x''y'", "a = 'xy'"),
            (r"a RLIKE '^\\d+$'", r"a RLIKE '^\d+$'"),
            (r"a LIKE '1\%\_'", r"a LIKE '1\%\_'"),
            (r"'\t\n\u00e4\u00zz\101\7'", "'\t\näu00zzA7'"),
            (r"'ends\", r"'ends\'"),
            ("'open", "'open'"),
        ] {
            assert_eq!(standard_strings(hive), standard, "{hive}");
        }
    }

    #[test]
    fn names_and_comments_stay() {
        for text in [
            "SELECT `it's`.`\"a\"` FROM `t`",
            "`a``'b`",
            "1 -- it's\n, 2 - 1",
            "1 /* it's */ / 2 /*/ '*/",
            "a - b / c",
            "`open '",
            "-- \"open",
        ] {
            assert_eq!(standard_strings(text), text);
        }
        assert_eq!(standard_strings("-- it's\n\"x\""), "-- it's\n'x'");
        assert_eq!(standard_strings("/* it's */\"x\""), "/* it's */'x'");
    }
}
