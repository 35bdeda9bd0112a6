//! `SIMILAR TO`, whose patterns are SQL's: `%` and `_` as in LIKE, with alternatives and repetitions. The engine takes them for regular
//! expressions as they are, to which `%` is itself and a point is any character.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value};

use super::build;
use crate::error::Error;

/// `x SIMILAR TO 'a%'` as `x ~ '^(?s:a.*)$'`.
///
/// # Errors
/// The pattern is no literal, or names another escape character.
pub fn rewrite(expr: &mut Expr) -> Result<(), Error> {
    let Expr::SimilarTo {
        negated,
        expr: inner,
        pattern,
        escape_char,
    } = expr
    else {
        return Ok(());
    };
    let pattern = match pattern.as_ref() {
        Expr::Value(value) if escape_char.is_none() => match &value.value {
            Value::SingleQuotedString(pattern) => Some(regular(pattern)),
            Value::Null => None,
            _ => return Err(unsupported()),
        },
        _ => return Err(unsupported()),
    };
    let op = match *negated {
        true => BinaryOperator::PGRegexNotMatch,
        false => BinaryOperator::PGRegexMatch,
    };
    let left = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
    *expr = Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(match pattern {
            Some(pattern) => build::text(pattern),
            None => Expr::Value(Value::Null.into()),
        }),
    };
    Ok(())
}

fn unsupported() -> Error {
    Error::not_supported("SIMILAR TO takes a literal pattern, and no ESCAPE")
        .with_hint("LIKE takes any pattern, ~ any regular expression")
}

fn regular(pattern: &str) -> String {
    let mut regular = String::from("^(?s:");
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                if let Some(escaped) = chars.next() {
                    push_literal(&mut regular, escaped);
                }
            }
            ']' if in_class => {
                in_class = false;
                regular.push(c);
            }
            _ if in_class => regular.push(c),
            '[' => {
                in_class = true;
                regular.push(c);
            }
            '%' => regular.push_str(".*"),
            '_' => regular.push('.'),
            '(' => regular.push_str("(?:"),
            '|' | '*' | '+' | '?' | '{' | '}' | ')' => regular.push(c),
            c => push_literal(&mut regular, c),
        }
    }
    regular.push_str(")$");
    regular
}

fn push_literal(regular: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        regular.push('\\');
    }
    regular.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_sql_become_regular_expressions() {
        for (pattern, expected) in [
            ("a%", "^(?s:a.*)$"),
            ("a.c", r"^(?s:a\.c)$"),
            ("_(b|c)*", "^(?s:.(?:b|c)*)$"),
            ("[a-c_]+$", r"^(?s:[a-c_]+\$)$"),
            (r"50\%", r"^(?s:50\%)$"),
        ] {
            assert_eq!(regular(pattern), expected, "{pattern}");
        }
    }
}
