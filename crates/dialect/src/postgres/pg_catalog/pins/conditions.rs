//! Reads filters: which column they restrict, and to which values.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};

/// Returns the whole number that a value is, or that a text shows.
pub(in crate::postgres::pg_catalog) fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(*v),
        ScalarValue::UInt8(Some(v)) => Some(i64::from(*v)),
        ScalarValue::UInt16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::UInt32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::UInt64(Some(v)) => i64::try_from(*v).ok(),
        other => text(other)?.trim().parse().ok(),
    }
}

/// Returns whether the value is a whole number.
pub(super) fn is_whole(value: &ScalarValue) -> bool {
    value.data_type().is_integer()
}

/// Returns whether the value is text, or NULL, which equals nothing.
pub(super) fn is_text(value: &ScalarValue) -> bool {
    value.is_null() || value.try_as_str().is_some()
}

fn text(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

pub(super) fn texts(values: &[ScalarValue]) -> BTreeSet<String> {
    values.iter().filter_map(text).map(str::to_owned).collect()
}

pub(in crate::postgres::pg_catalog) fn without_casts(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => without_casts(&cast.expr),
        Expr::TryCast(cast) => without_casts(&cast.expr),
        other => cast_to_oid(other).map_or(other, without_casts),
    }
}

/// Returns the operand of a cast to `oid`, which keeps the number.
pub(in crate::postgres::pg_catalog) fn cast_to_oid(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == "$oid_in" => call.args.first(),
        _ => None,
    }
}

fn column_and_literal(left: &Expr, right: &Expr) -> Option<(String, ScalarValue)> {
    match (without_casts(left), without_casts(right)) {
        (Expr::Column(column), Expr::Literal(value, _))
        | (Expr::Literal(value, _), Expr::Column(column)) => {
            Some((column.name.clone(), value.clone()))
        }
        _ => None,
    }
}

/// Returns the column that a filter restricts to the texts that match a pattern, and the pattern.
pub(super) fn likeness(filter: &Expr) -> Option<(String, String)> {
    let Expr::Like(Like {
        negated: false,
        expr,
        pattern,
        escape_char: None | Some('\\'),
        case_insensitive: false,
    }) = filter
    else {
        return None;
    };
    match (without_casts(expr), without_casts(pattern)) {
        (Expr::Column(column), Expr::Literal(pattern, _)) => {
            Some((column.name.clone(), text(pattern)?.to_owned()))
        }
        _ => None,
    }
}

/// Returns the column that a filter restricts to a set of values: `c = 1`, `c IN (1, 2)`, `c = 1 OR
/// c = 2`.
pub(super) fn equalities(filter: &Expr, depth: usize) -> Option<(String, Vec<ScalarValue>)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => column_and_literal(left, right).map(|(column, value)| (column, vec![value])),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) if depth < 64 => {
            let (column, mut values) = equalities(left, depth + 1)?;
            let (other, more) = equalities(right, depth + 1)?;
            values.extend(more);
            (column == other).then_some((column, values))
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let Expr::Column(column) = without_casts(expr) else {
                return None;
            };
            let values = list.iter().map(|item| match without_casts(item) {
                Expr::Literal(value, _) => Some(value.clone()),
                _ => None,
            });
            Some((column.name.clone(), values.collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}
