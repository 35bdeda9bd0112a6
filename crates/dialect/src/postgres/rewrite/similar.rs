//! `SIMILAR TO`: the engine uses its pattern as a regular expression unchanged, which matches a
//! part of the text, and in which `.`, `^` and `$` are special; in the standard they are not.
//!
//! ```text
//! x SIMILAR TO 'a.(b|_)%'      x ~ '(?s)^(?:a\.(b|.).*)$'
//! x SIMILAR TO p               x ~ "$similar_pattern"(p, '\')
//! substring(x SIMILAR 'a#"_#"%' ESCAPE '#')
//!     (regexp_match(x, '(?s)^(?:a){1,1}?(.){1,1}(?:.*)$'))[1]
//! substring(x SIMILAR p ESCAPE '#')
//!     (regexp_match(x, "$similar_part"(p, '#')))[1]
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};
use lakegate_error::{Code, Error};

use super::build;
use crate::postgres::functions::{SIMILAR_PART, SIMILAR_PATTERN};
use crate::postgres::similar_pattern::{self, one_character, regular};

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
        Some(Value::Null) => {
            // With a NULL escape, the result is NULL.
            *expr = build::cast(build::null(), DataType::Boolean);
            return Ok(());
        }
        Some(escape) => {
            let escape = escape.clone().into_string().ok_or_else(|| {
                Error::not_supported("SIMILAR TO takes a constant after ESCAPE")
                    .with_hint("write the character: ESCAPE '#'")
            })?;
            one_character(&escape)?
        }
    };
    let written: &Expr = pattern;
    let pattern = match written {
        Expr::Value(value) => match &value.value {
            Value::Null => build::null(),
            Value::Placeholder(_) => computed(SIMILAR_PATTERN, written, escape),
            other => {
                let pattern = other.clone().into_string().ok_or_else(no_text)?;
                build::text(regular(&pattern, escape))
            }
        },
        _ => computed(SIMILAR_PATTERN, written, escape),
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

/// Returns a call that makes the regular expression of a pattern that is not a constant.
fn computed(function: &str, pattern: &Expr, escape: Option<char>) -> Expr {
    let escape = escape.map(String::from).unwrap_or_default();
    build::call(function, vec![pattern.clone(), build::text(escape)])
}

fn no_text() -> Error {
    Error::new(
        Code::TypeMismatch,
        "SIMILAR TO takes a pattern that is a text",
    )
    .with_hint("quote it: x SIMILAR TO '1%'")
}

/// Returns the regular expression that finds the part of a text that a pattern marks.
///
/// # Errors
///
/// The escape string has several characters, or a constant pattern is not valid.
pub(super) fn part_of(pattern: &Expr, escape: &str) -> Result<Expr, Error> {
    match pattern {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(pattern) => {
                similar_pattern::of_part(pattern, escape).map(build::text)
            }
            _ => Ok(computed(SIMILAR_PART, pattern, one_character(escape)?)),
        },
        pattern => Ok(computed(SIMILAR_PART, pattern, one_character(escape)?)),
    }
}
