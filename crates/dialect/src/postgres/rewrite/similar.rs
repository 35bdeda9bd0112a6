//! `SIMILAR TO`: the engine uses its pattern as a regular expression unchanged, which matches a
//! part of the text, and in which `.`, `^` and `$` are special; in the standard they are not.
//!
//! ```text
//! x SIMILAR TO 'a.(b|_)%'      x ~ '(?s)^(?:a\.(b|.).*)$'
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
        Some(Value::SingleQuotedString(escape)) => {
            let mut characters = escape.chars();
            let only = characters.next();
            if characters.next().is_some() {
                return Err(Error::new(Code::InvalidEscape, "invalid escape string")
                    .with_hint("an escape string is empty, or one character"));
            }
            only
        }
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

/// Returns the regular expression equivalent to the pattern.
fn regular(pattern: &str, escape: Option<char>) -> Result<String, Error> {
    let mut regular = "(?s)^(?:".to_owned();
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
            regular.push_str(&regex::escape(&escaped.to_string()));
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
    regular.push_str(")$");
    Ok(regular)
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
}
