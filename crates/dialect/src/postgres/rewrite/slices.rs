//! Slices of arrays and substrings.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, Expr, Subscript, Value,
};
use lakegate_error::{Code, Error};

use super::build;
use super::calls::text_of;
use super::similar;
use crate::postgres::functions::SLICES;

/// Adds the missing bounds to slices such as `a[2:]`. As in PostgreSQL, subscripts of which one is a
/// slice are slices of one dimension each: `a[2][1:3]` is `a[1:2][1:3]`.
///
/// ```text
/// a[2:]                 a[2:2147483647]
/// a[2][1:3]             "$array_slices"(a, 1, 2, 1, 3)
/// ```
///
/// # Errors
///
/// A field of a slice is asked for.
pub(super) fn rewrite(expr: &mut Expr) -> Result<(), Error> {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else {
        return Ok(());
    };
    // A column after the name of its table is not a subscript.
    let is_subscript = |access: &AccessExpr| matches!(access, AccessExpr::Subscript(_));
    let is_slice =
        |access: &AccessExpr| matches!(access, AccessExpr::Subscript(Subscript::Slice { .. }));
    if !access_chain.iter().any(is_slice) {
        return Ok(());
    }
    let first = access_chain.iter().position(is_subscript).unwrap_or(0);
    let subscripts = access_chain.get_mut(first..).unwrap_or_default();
    if let [AccessExpr::Subscript(only)] = subscripts {
        if let Subscript::Slice {
            lower_bound,
            upper_bound,
            ..
        } = only
        {
            lower_bound.get_or_insert_with(|| build::integer(1));
            upper_bound.get_or_insert_with(|| build::integer(i64::from(i32::MAX)));
        }
        return Ok(());
    }
    if !subscripts.iter().all(is_subscript) {
        return Err(
            Error::new(Code::NotSupported, "a field of a slice is not supported")
                .with_hint("write (a[1]).f for a field of an item"),
        );
    }
    let subscripts = access_chain.split_off(first);
    let fields = std::mem::take(access_chain);
    let mut args = vec![with_fields(build::taken(root), fields)];
    args.extend(subscripts.into_iter().flat_map(bounds));
    *expr = build::call(SLICES, args);
    Ok(())
}

/// Returns the first and the last place of a subscript that is a slice, or stands beside one.
fn bounds(access: AccessExpr) -> [Expr; 2] {
    let (lower, upper) = match access {
        AccessExpr::Subscript(Subscript::Slice {
            lower_bound,
            upper_bound,
            ..
        }) => (lower_bound, upper_bound),
        AccessExpr::Subscript(Subscript::Index { index }) => (None, Some(index)),
        AccessExpr::Dot(_) => (None, None),
    };
    [
        lower.unwrap_or_else(|| build::integer(1)),
        upper.unwrap_or_else(|| build::integer(i64::from(i32::MAX))),
    ]
}

/// Returns an expression with the fields behind it, which are names of a column and its table if all
/// are names.
fn with_fields(root: Expr, fields: Vec<AccessExpr>) -> Expr {
    if fields.is_empty() {
        return root;
    }
    let mut names = match &root {
        Expr::Identifier(name) => Some(vec![name.clone()]),
        Expr::CompoundIdentifier(names) => Some(names.clone()),
        _ => None,
    };
    for field in &fields {
        names = match (names, field) {
            (Some(mut names), AccessExpr::Dot(Expr::Identifier(name))) => {
                names.push(name.clone());
                Some(names)
            }
            _ => None,
        };
    }
    match names {
        Some(names) => Expr::CompoundIdentifier(names),
        None => Expr::CompoundFieldAccess {
            root: Box::new(root),
            access_chain: fields,
        },
    }
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
        (None, None) if is_text(pattern) => pattern.as_ref().clone(),
        (None, None) => return Ok(()),
    };
    *expr = first_match(text.as_ref().clone(), pattern);
    Ok(())
}

/// Returns whether an expression is a text by its form: texts that are joined, or a cast to a text.
fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_text(inner),
        Expr::BinaryOp {
            op: BinaryOperator::StringConcat,
            ..
        } => true,
        Expr::Cast { data_type, .. } => matches!(
            data_type,
            DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_)
        ),
        _ => false,
    }
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
