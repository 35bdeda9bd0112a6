//! `SIMILAR TO`: the engine uses its pattern as a regular expression unchanged, which matches a
//! part of the text, and in which `.`, `^` and `$` are special; in the standard they are not.
//!
//! ```text
//! x SIMILAR TO 'a.(b|_)%'      x ~ '(?s)^(?:a\.(b|.).*)$'
//! substring(x SIMILAR 'a#"_#"%' ESCAPE '#')
//!     (regexp_match(x, '(?s)^(?:a){1,1}?(.){1,1}(?:.*)$'))[1]
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};
use lakegate_error::{Code, Error};

use super::build;

/// Rewrites a `SIMILAR TO` expression.
pub(super) fn rewrite(expr: &mut Expr) -> Result<(), Error> {
    let Expr::SimilarTo {
        negated,
        expr: text,
        pattern,
        escape_char,
    } = expr
    else {
        return Ok(());
    };
    let escape = match escape_char.as_ref().map(|escape| &escape.value) {
        None => Some('\\'),
        Some(Value::SingleQuotedString(escape)) => one_character(escape)?,
        Some(_) => {
            // With a NULL escape, the result is NULL.
            *expr = build::cast(build::null(), DataType::Boolean);
            return Ok(());
        }
    };
    let pattern = match pattern.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(pattern) => build::text(regular(pattern, escape)?),
            Value::Null => build::null(),
            _ => return Err(no_constant()),
        },
        _ => return Err(no_constant()),
    };
    let matches = Expr::Nested(Box::new(Expr::BinaryOp {
        left: text.clone(),
        op: BinaryOperator::PGRegexMatch,
        right: Box::new(pattern),
    }));
    *expr = match negated {
        true => Expr::Nested(Box::new(Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(matches),
        })),
        false => matches,
    };
    Ok(())
}

fn no_constant() -> Error {
    Error::not_supported("SIMILAR TO takes a pattern that is a constant")
        .with_hint("LIKE and ~ take patterns of columns")
}

/// Returns the regular expression that finds the part of a text that a pattern marks: its first group,
/// or its match if it has none. The part is between two escape characters with a quotation mark each.
/// What precedes it is as short as possible.
///
/// # Errors
///
/// The escape string has several characters, or the pattern is not valid.
pub(super) fn of_part(pattern: &str, escape: &str) -> Result<String, Error> {
    let parts = translated(pattern, one_character(escape)?, true)?;
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
fn one_character(escape: &str) -> Result<Option<char>, Error> {
    let mut characters = escape.chars();
    let only = characters.next();
    match characters.next() {
        None => Ok(only),
        Some(_) => Err(Error::new(Code::InvalidEscape, "invalid escape string")
            .with_hint("an escape string is empty, or one character")),
    }
}

/// Returns the regular expression equivalent to the pattern.
fn regular(pattern: &str, escape: Option<char>) -> Result<String, Error> {
    let parts = translated(pattern, escape, false)?;
    Ok(format!("(?s)^(?:{})$", parts.concat()))
}

/// Returns the regular expressions equivalent to the parts of a pattern. `is_marked`: an escape
/// character with a quotation mark separates parts, and parentheses capture nothing.
fn translated(pattern: &str, escape: Option<char>, is_marked: bool) -> Result<Vec<String>, Error> {
    let mut parts = Vec::new();
    let mut regular = String::new();
    let mut within_brackets = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            let escaped = characters.next().ok_or_else(|| {
                Error::new(
                    Code::InvalidParameter,
                    "the pattern of SIMILAR TO ends with its escape character",
                )
            })?;
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
    Ok(parts)
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
        ] {
            let regular = regular(pattern, Some('\\')).unwrap();
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
        assert!(of_part("a#", "#").is_err());
    }
}
