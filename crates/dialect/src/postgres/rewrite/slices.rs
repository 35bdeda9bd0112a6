//! Slices of arrays and substrings.

use datafusion::sql::sqlparser::ast::{AccessExpr, DataType, Expr, Subscript, Value};
use lakegate_error::{Code, Error};

use super::build;
use super::calls::text_of;
use super::similar;

/// Adds the missing bounds to slices such as `a[2:]`.
///
/// # Errors
///
/// A subscript follows a slice: in PostgreSQL it applies to the next dimension.
pub(super) fn complete(access_chain: &mut [AccessExpr]) -> Result<(), Error> {
    // A column after the name of its table is no subscript.
    let subscripts = access_chain
        .iter()
        .filter(|access| matches!(access, AccessExpr::Subscript(_)));
    let several = subscripts.count() > 1;
    for access in access_chain {
        let AccessExpr::Subscript(Subscript::Slice {
            lower_bound,
            upper_bound,
            ..
        }) = access
        else {
            continue;
        };
        if several {
            return Err(Error::new(
                Code::NotSupported,
                "a slice beside another subscript is not supported",
            )
            .with_hint(
                "write (a[1:2])[1] for an item of a slice, (a[1])[1:2] for a slice of an item",
            ));
        }
        lower_bound.get_or_insert_with(|| build::integer(1));
        upper_bound.get_or_insert_with(|| build::integer(i64::from(i32::MAX)));
    }
    Ok(())
}

pub(super) fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}

/// Rewrites `substring(x FROM 'pattern')`, since the engine supports only positions, to
/// `(regexp_match(x, 'pattern'))[1]`, and `substring(x FROM 'pattern' FOR 'escape')`, whose pattern is
/// one of `SIMILAR TO`, likewise.
///
/// # Errors
///
/// A pattern of `SIMILAR TO` is not valid.
pub(super) fn matched_part(expr: &mut Expr) -> Result<(), Error> {
    let Expr::Substring {
        expr: text,
        substring_from: Some(pattern),
        substring_for: escape,
        ..
    } = expr
    else {
        return Ok(());
    };
    let pattern = match (text_of(pattern), escape.as_deref()) {
        (Some(_), Some(escape)) if is_null(escape) => {
            *expr = build::cast(build::null(), DataType::Text);
            return Ok(());
        }
        (None, Some(escape)) if is_null(pattern) && text_of(escape).is_some() => {
            *expr = build::cast(build::null(), DataType::Text);
            return Ok(());
        }
        (Some(_), None) => pattern.as_ref().clone(),
        (constant, Some(escape)) => match text_of(escape) {
            // Two texts beside a column may be numbers: a place and a count.
            Some(escape) if constant.is_some() || !is_number(escape) => {
                let constant = constant.map(build::text);
                let pattern: &Expr = pattern;
                similar::part_of(constant.as_ref().unwrap_or(pattern), escape)?
            }
            _ => return Ok(()),
        },
        (None, None) => return Ok(()),
    };
    *expr = first_match(text.as_ref().clone(), pattern);
    Ok(())
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<i64>().is_ok()
}

/// Returns the part of a text that a pattern matches, or its first group.
pub(super) fn first_match(text: Expr, pattern: Expr) -> Expr {
    Expr::CompoundFieldAccess {
        root: Box::new(build::call("regexp_match", vec![text, pattern])),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index {
            index: build::integer(1),
        })],
    }
}
