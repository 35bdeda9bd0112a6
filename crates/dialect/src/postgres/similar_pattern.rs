//! Patterns of `SIMILAR TO` as regular expressions.
//!
//! ```text
//! a.(b|_)%          (?s)^(?:a\.(b|.).*)$
//! a#"_#"%           (?s)^(?:a){1,1}?(.){1,1}(?:.*)$, which finds a part
//! ```

use lakegate_error::{Code, Error};

/// Returns the regular expression that finds the part of a text that a pattern marks: its first group,
/// or its match if it has none. The part is between two escape characters with a quotation mark each.
/// What precedes it is as short as possible.
///
/// # Errors
///
/// The escape string has several characters, or the pattern marks more than one part.
pub(super) fn of_part(pattern: &str, escape: &str) -> Result<String, Error> {
    let parts = translated(pattern, one_character(escape)?, true);
    match parts.as_slice() {
        [whole] => Ok(format!("(?s)^(?:{whole})$")),
        [before, part] => Ok(format!("(?s)^(?:{before}){{1,1}}?({part})$")),
        [before, part, after] => Ok(format!(
            "(?s)^(?:{before}){{1,1}}?({part}){{1,1}}(?:{after})$"
        )),
        _ => Err(Error::new(
            Code::InvalidEscape,
            "SQL regular expression may not contain more than two escape-double-quote separators",
        )),
    }
}

/// Returns the character of an escape string; `None` if it is empty.
///
/// # Errors
///
/// The escape string has several characters.
pub(super) fn one_character(escape: &str) -> Result<Option<char>, Error> {
    let mut characters = escape.chars();
    let only = characters.next();
    match characters.next() {
        None => Ok(only),
        Some(_) => Err(Error::new(Code::InvalidEscape, "invalid escape string")
            .with_hint("an escape string is empty, or one character")),
    }
}

/// Returns the regular expression equivalent to a pattern.
pub(super) fn regular(pattern: &str, escape: Option<char>) -> String {
    let parts = translated(pattern, escape, false);
    format!("(?s)^(?:{})$", parts.concat())
}

/// Returns the regular expressions equivalent to the parts of a pattern. An escape character at its
/// end stands for nothing. `is_marked`: an escape character with a quotation mark separates parts,
/// and parentheses capture nothing.
fn translated(pattern: &str, escape: Option<char>, is_marked: bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut regular = String::new();
    let mut within_brackets = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            let Some(escaped) = characters.next() else {
                break;
            };
            match escaped == '"' && is_marked && !within_brackets {
                true => parts.push(std::mem::take(&mut regular)),
                false => regular.push_str(&regex::escape(&escaped.to_string())),
            }
            continue;
        }
        match character {
            '[' if !within_brackets => within_brackets = true,
            ']' if within_brackets => within_brackets = false,
            _ => {}
        }
        match character {
            '%' if !within_brackets => regular.push_str(".*"),
            '_' if !within_brackets => regular.push('.'),
            '(' if is_marked && !within_brackets => regular.push_str("(?:"),
            '.' | '^' | '$' if !within_brackets => {
                regular.push('\\');
                regular.push(character);
            }
            '\\' | '&' | '~' => {
                regular.push('\\');
                regular.push(character);
            }
            other => regular.push(other),
        }
    }
    parts.push(regular);
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pattern_matches_whole_texts() {
        for (pattern, text, matches) in [
            ("b", "abc", false),
            ("%b%", "abc", true),
            ("a.c", "abc", false),
            ("a_c", "abc", true),
            ("(a|x)bc", "abc", true),
            ("a|abc", "abc", true),
            ("[a-c]{3}", "abc", true),
            ("[^a-c]+", "xyz", true),
            ("^abc$", "abc", false),
            ("a\\%", "a%", true),
            ("a\\%", "ab", false),
            ("a%", "a\nb", true),
            ("abc\\", "abc", true),
            ("ab\\", "abc", false),
        ] {
            let regular = regular(pattern, Some('\\'));
            let found = regex::Regex::new(&regular).unwrap().is_match(text);
            assert_eq!(found, matches, "{pattern} {text} {regular}");
        }
    }

    #[test]
    fn parts_are_marked_by_quotation_marks() {
        for (pattern, expected) in [
            ("%#\"o_b#\"%", "(?s)^(?:.*){1,1}?(o.b){1,1}(?:.*)$"),
            ("(a|b)#\"%", "(?s)^(?:(?:a|b)){1,1}?(.*)$"),
            ("a#%[(]\"", "(?s)^(?:a%[(]\")$"),
            ("##\"#\".", "(?s)^(?:\\#\"){1,1}?(\\.)$"),
        ] {
            assert_eq!(of_part(pattern, "#").unwrap(), expected, "{pattern}");
        }
        assert_eq!(of_part("#\"a", "").unwrap(), "(?s)^(?:#\"a)$");
        assert!(of_part("#\"a#\"b#\"", "#").is_err());
        assert!(of_part("a", "##").is_err());
        assert_eq!(of_part("a#", "#").unwrap(), "(?s)^(?:a)$");
    }
}
