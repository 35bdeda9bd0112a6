//! Clauses of a query in which PostgreSQL accepts more than the engine.
//!
//! ```text
//! SELECT DISTINCT ON (1) x, y      SELECT DISTINCT ON (x) x, y
//! SELECT DISTINCT ON (x, x) x      SELECT DISTINCT ON (x) x
//! GROUP BY (x, y), z               GROUP BY x, y, z
//! SELECT 1 FROM t GROUP BY ()      SELECT 1 FROM t HAVING (true) AND count(1) >= 0
//! LIMIT '1' OFFSET 'x'             LIMIT 1 OFFSET 'x'::bigint
//! LIMIT 1.5                        LIMIT 1.5::bigint
//! SELECT 1 FROM t HAVING 1 < 2     SELECT 1 FROM t HAVING (1 < 2) AND count(1) >= 0
//! (SELECT x FROM t ORDER BY t.x)   SELECT x FROM t ORDER BY t.x
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Distinct, Expr, GroupByExpr, LimitClause, Query, Select, SelectItem,
    SetExpr, Value,
};

use lakegate_sql::walk::walk_expressions;

use super::build;
use super::order_keys::{are_one_column, plain};

/// Rewrites the clauses of a SELECT.
pub(super) fn rewrite(select: &mut Select) {
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        for key in keys {
            if let Some(item) = numbered(key, &select.projection) {
                *key = item;
            }
        }
    }
    name_once(select);
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by
        && keys.iter().any(|key| row(key).is_some())
    {
        let rows = std::mem::take(keys);
        rows.into_iter().for_each(|key| add_columns(key, keys));
        // One group of all rows, of no rows too.
        if keys.is_empty() {
            let always = || Expr::Value(Value::Boolean(true).into());
            select.having.get_or_insert_with(always);
        }
    }
    group_for_having(select);
}

/// Returns the columns of a row in a GROUP BY, which may be in parentheses.
fn row(key: &Expr) -> Option<&Vec<Expr>> {
    match key {
        Expr::Tuple(columns) => Some(columns),
        Expr::Nested(inner) => row(inner),
        _ => None,
    }
}

/// Adds the key of a GROUP BY, or the columns of the row that it is.
fn add_columns(key: Expr, keys: &mut Vec<Expr>) {
    match row(&key) {
        Some(columns) => {
            let columns = columns.iter().cloned();
            columns.for_each(|column| add_columns(column, keys));
        }
        None => keys.push(key),
    }
}

/// Takes a query out of parentheses around all of it: `(SELECT x FROM t ORDER BY t.x)`.
pub(super) fn take_out(query: &mut Query) {
    while let SetExpr::Query(inner) = query.body.as_ref()
        && is_all(query)
    {
        *query = inner.as_ref().clone();
    }
}

/// Returns whether a query has nothing but its body.
fn is_all(query: &Query) -> bool {
    let is_ordered = query.order_by.is_some() || query.limit_clause.is_some();
    let is_read = query.fetch.is_some() || !query.locks.is_empty();
    query.with.is_none() && !is_ordered && !is_read
}

/// Leaves each key of DISTINCT ON once.
fn name_once(select: &mut Select) {
    let Some(Distinct::On(keys)) = &select.distinct else {
        return;
    };
    let known: Vec<Expr> = keys.iter().map(|key| plain(key, select)).collect();
    let is_first = |(place, key): (usize, &Expr)| {
        let mut before = known.iter().take(place);
        !before.any(|other| other == key || are_one_column(other, key))
    };
    let first: Vec<bool> = known.iter().enumerate().map(is_first).collect();
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        let mut first = first.into_iter();
        keys.retain(|_| first.next().unwrap_or(true));
    }
}

/// HAVING makes the rows one group, but the engine sees no group without an aggregate function.
fn group_for_having(select: &mut Select) {
    let is_ungrouped =
        matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let Some(having) = select
        .having
        .take_if(|having| is_ungrouped && is_constant(having))
    else {
        return;
    };
    let count = build::call("count", vec![build::integer(1)]);
    let is_counted = build::binary(count, BinaryOperator::GtEq, build::integer(0));
    let having = build::nested(having);
    select.having = Some(build::binary(having, BinaryOperator::And, is_counted));
}

/// Returns whether an expression has neither names nor calls.
fn is_constant(expr: &Expr) -> bool {
    let walked = walk_expressions(expr, |part| match part {
        Expr::Function(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    walked.is_continue()
}

/// Reads texts in LIMIT, OFFSET and FETCH as numbers, as PostgreSQL does: gorm and the simple
/// protocol of pgx write all values as texts. `rounds`: whether numbers with fractions are rounded.
pub(super) fn read_counts(query: &mut Query, rounds: bool) {
    if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
        let offset = offset.as_mut().map(|offset| &mut offset.value);
        let counts = limit.iter_mut().chain(offset);
        counts.for_each(|count| read_count(count, rounds));
    }
    let fetch = query.fetch.as_mut();
    if let Some(quantity) = fetch.and_then(|fetch| fetch.quantity.as_mut()) {
        read_count(quantity, rounds);
    }
}

fn read_count(count: &mut Expr, rounds: bool) {
    if rounds && has_fraction(count) {
        let number = build::taken(count);
        *count = build::cast(number, DataType::BigInt(None));
        return;
    }
    let Expr::Value(value) = &*count else { return };
    let Value::SingleQuotedString(text) = &value.value else {
        return;
    };
    *count = match text.trim().parse::<i64>() {
        Ok(number) => build::integer(number),
        // Fails with the error of the cast.
        Err(_) => build::cast(count.clone(), DataType::BigInt(None)),
    };
}

/// Returns whether a number may have a fraction by its form: it is written with one, or as a power of
/// ten, or is cast to such a type.
fn has_fraction(number: &Expr) -> bool {
    match number {
        Expr::Nested(inner) => has_fraction(inner),
        Expr::Value(value) => {
            matches!(&value.value, Value::Number(digits, _) if digits.contains(['.', 'e', 'E']))
        }
        Expr::Cast { data_type, .. } => matches!(
            data_type,
            DataType::Numeric(_)
                | DataType::Decimal(_)
                | DataType::Dec(_)
                | DataType::Real
                | DataType::Float4
                | DataType::Float8
                | DataType::Float(_)
                | DataType::DoublePrecision
        ),
        _ => false,
    }
}

/// Returns the item of a SELECT list that an ordinal refers to.
pub(super) fn numbered(key: &Expr, projection: &[SelectItem]) -> Option<Expr> {
    match projection.get(ordinal(key, projection)?)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    }
}

/// Returns the place of the item of a SELECT list that an ordinal refers to.
pub(super) fn ordinal(key: &Expr, projection: &[SelectItem]) -> Option<usize> {
    let Expr::Value(value) = key else { return None };
    let Value::Number(number, _) = &value.value else {
        return None;
    };
    let place = number.parse::<usize>().ok()?.checked_sub(1)?;
    let before = projection.get(..=place)?;
    let counted = before.iter().all(|item| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    });
    counted.then_some(place)
}
