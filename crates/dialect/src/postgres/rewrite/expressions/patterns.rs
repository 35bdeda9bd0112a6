//! Escape characters of LIKE.

use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan};
use lakegate_error::{Code, Error};

use super::super::build;
use super::super::calls::text_of;
use crate::postgres::functions::with_backslash;

/// Rewrites a pattern with another escape character than the backslash, which the engine has.
///
/// # Errors
///
/// The escape is neither a text nor a parameter.
pub(super) fn escape(
    pattern: &mut Expr,
    escape_char: &mut Option<ValueWithSpan>,
) -> Result<(), Error> {
    let Some(escape) = escape_char.take() else {
        return Ok(());
    };
    if escape.value == Value::Null {
        // With a NULL escape, the result is NULL.
        *pattern = build::null();
        return Ok(());
    }
    if let Some(escape) = other_escape(escape)? {
        let written = build::taken(pattern);
        let constant = text_of(&written).zip(text_of(&escape));
        *pattern = match constant.and_then(|(pattern, escape)| with_backslash(pattern, escape)) {
            Some(pattern) => build::text(pattern),
            None => build::call("like_escape", vec![written, escape]),
        };
    }
    Ok(())
}

/// Returns the escape character of a pattern, if it is not the backslash, which the engine has.
///
/// # Errors
///
/// It is neither a text nor a parameter.
fn other_escape(escape: ValueWithSpan) -> Result<Option<Expr>, Error> {
    if matches!(escape.value, Value::Placeholder(_)) {
        return Ok(Some(Expr::Value(escape)));
    }
    let text = escape.into_string().ok_or_else(|| {
        Error::new(Code::TypeMismatch, "LIKE takes a text after ESCAPE")
            .with_hint("quote it: ESCAPE '#'")
    })?;
    Ok((text != "\\").then(|| build::text(text)))
}
