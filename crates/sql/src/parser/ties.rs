//! `FETCH FIRST n ROWS WITH TIES`: the rows whose rank in the query's order is at most n.
//!
//! ```text
//! SELECT a FROM t ORDER BY b OFFSET 2 FETCH FIRST 3 ROWS WITH TIES
//! SELECT a FROM t QUALIFY rank() OVER (ORDER BY b) <= 2 + 3
//!                     AND row_number() OVER (ORDER BY b) > 2 ORDER BY b
//! ```
//!
//! A query with DISTINCT and a set operation become subqueries, whose rows are ranked.

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, Value,
    ValueWithSpan, WindowType,
};
use sqlparser::parser::Parser;

use super::query::of_text;
use crate::ast::Unsupported;
use crate::dialect::AthenaDialect;

/// The function whose argument is a number of rows in parentheses, which sqlparser does not parse in
/// FETCH.
pub(super) const COUNT: &str = "/with ties";

/// Takes the number of rows out of the clause; `None` if the query has no such clause.
fn taken_count(query: &mut Query) -> Result<Option<Expr>, Unsupported> {
    if let Some(fetch) = query.fetch.take_if(|fetch| fetch.with_ties) {
        if fetch.percent {
            return Err(refused("FETCH FIRST n PERCENT"));
        }
        let one = || Expr::Value(Value::Number("1".to_owned(), false).with_empty_span());
        return Ok(Some(fetch.quantity.unwrap_or_else(one)));
    }
    let Some(LimitClause::LimitOffset { limit, .. }) = &mut query.limit_clause else {
        return Ok(None);
    };
    let Some(Expr::Function(function)) = limit else {
        return Ok(None);
    };
    let is_count = function.name.0.last().and_then(|part| part.as_ident());
    if is_count.is_none_or(|name| name.value != COUNT) {
        return Ok(None);
    }
    let count = match &mut function.args {
        FunctionArguments::List(list) => list.args.pop(),
        _ => None,
    };
    *limit = None;
    match count {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(count))) => Ok(Some(count)),
        _ => Err(refused("FETCH FIRST WITH TIES of this number of rows")),
    }
}

/// Replaces the clause by a condition on the rank.
///
/// # Errors
///
/// The query has no order, or one by columns that have no name.
pub(super) fn expand(query: &mut Query) -> Result<(), Unsupported> {
    let Some(count) = taken_count(query)? else {
        return Ok(());
    };
    let keys = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(keys)) if !keys.is_empty() => keys,
        _ => return Err(refused("FETCH FIRST WITH TIES without ORDER BY")),
    };
    let offset = match query.limit_clause.take() {
        None => None,
        Some(LimitClause::LimitOffset {
            limit: None,
            offset,
            limit_by,
        }) if limit_by.is_empty() => offset.map(|offset| offset.value),
        Some(_) => return Err(refused("FETCH FIRST WITH TIES with LIMIT")),
    };
    let keys = keys.clone();
    let keys = match query.body.as_ref() {
        SetExpr::Select(select) if select.distinct.is_none() => keys
            .iter()
            .map(|key| underlying(key, select))
            .collect::<Result<Vec<_>, _>>()?,
        _ => enclosed(query, &keys)?,
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(refused("FETCH FIRST WITH TIES of this query"));
    };
    let nested = |expr: Expr| Box::new(Expr::Nested(Box::new(expr)));
    let binary = |left: Box<Expr>, op: BinaryOperator, right: Box<Expr>| {
        Box::new(Expr::BinaryOp { left, op, right })
    };
    let rank = Box::new(over("rank() OVER ()", keys.clone())?);
    let mut condition = match offset {
        None => binary(rank, BinaryOperator::LtEq, nested(count)),
        Some(offset) => {
            let last = binary(nested(offset.clone()), BinaryOperator::Plus, nested(count));
            let row = Box::new(over("row_number() OVER ()", keys)?);
            binary(
                binary(rank, BinaryOperator::LtEq, last),
                BinaryOperator::And,
                binary(row, BinaryOperator::Gt, nested(offset)),
            )
        }
    };
    if let Some(written) = select.qualify.take() {
        condition = binary(nested(written), BinaryOperator::And, condition);
    }
    select.qualify = Some(*condition);
    Ok(())
}

/// Makes the query a SELECT from itself. Returns its keys as names of columns.
fn enclosed(query: &mut Query, keys: &[OrderByExpr]) -> Result<Vec<OrderByExpr>, Unsupported> {
    let mut first = query.body.as_ref();
    while let SetExpr::SetOperation { left, .. } = first {
        first = left;
    }
    let items = match first {
        SetExpr::Select(select) => select.projection.as_slice(),
        _ => &[],
    };
    let keys = keys
        .iter()
        .map(|key| named(key, items))
        .collect::<Result<Vec<_>, _>>()?;
    let mut outer = of_text("SELECT * FROM (SELECT 1) AS \"ties\"")
        .map_err(|_| refused("FETCH FIRST WITH TIES"))?;
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(TableFactor::Derived { subquery, .. }) =
            select.from.first_mut().map(|from| &mut from.relation)
    {
        std::mem::swap(&mut subquery.body, &mut query.body);
    }
    query.body = outer.body;
    if let Some(order) = &mut query.order_by {
        order.kind = OrderByKind::Expressions(keys.clone());
    }
    Ok(keys)
}

/// A key as the name of a column of the result.
fn named(key: &OrderByExpr, items: &[SelectItem]) -> Result<OrderByExpr, Unsupported> {
    let item = match &key.expr {
        Expr::Identifier(_) => return Ok(key.clone()),
        Expr::Value(ValueWithSpan {
            value: Value::Number(number, _),
            ..
        }) => number.parse::<usize>().ok().and_then(|place| {
            let before = items.get(..place.checked_sub(1)?)?;
            let plain = before.iter().all(|item| {
                matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
            });
            items.get(place - 1).filter(|_| plain)
        }),
        expr => items.iter().find(|item| match item {
            SelectItem::UnnamedExpr(of) | SelectItem::ExprWithAlias { expr: of, .. } => of == expr,
            _ => false,
        }),
    };
    let name = match item {
        Some(SelectItem::ExprWithAlias { alias, .. }) => alias.clone(),
        Some(SelectItem::UnnamedExpr(Expr::Identifier(name))) => name.clone(),
        Some(SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts))) if !parts.is_empty() => {
            parts.last().cloned().unwrap_or_else(|| "".into())
        }
        _ => {
            return Err(refused(
                "FETCH FIRST WITH TIES of DISTINCT or of a set operation, ordered by a column \
                 without a name",
            ));
        }
    };
    Ok(OrderByExpr {
        expr: Expr::Identifier(name),
        ..key.clone()
    })
}

/// A call of a window function, such as `rank() OVER ()`, with an order.
fn over(call: &str, keys: Vec<OrderByExpr>) -> Result<Expr, Unsupported> {
    let dialect = AthenaDialect::default();
    let parsed = Parser::new(&dialect)
        .try_with_sql(call)
        .and_then(|mut parser| parser.parse_expr());
    let Ok(Expr::Function(mut function)) = parsed else {
        return Err(refused("FETCH FIRST WITH TIES"));
    };
    if let Some(WindowType::WindowSpec(window)) = &mut function.over {
        window.order_by = keys;
    }
    Ok(Expr::Function(function))
}

/// A key of ORDER BY, with the expression that an alias or a number stands for.
fn underlying(key: &OrderByExpr, select: &Select) -> Result<OrderByExpr, Unsupported> {
    let mut key = key.clone();
    match &key.expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(number, _),
            ..
        }) => {
            let stars = select.projection.iter().any(|item| {
                !matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
            });
            let place = number.parse::<usize>().ok().filter(|_| !stars);
            let item = place
                .and_then(|place| place.checked_sub(1))
                .and_then(|place| select.projection.get(place));
            match item {
                Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
                    key.expr = expr.clone();
                }
                _ => {
                    return Err(refused(
                        "FETCH FIRST WITH TIES, ordered by a number beside *",
                    ));
                }
            }
        }
        Expr::Identifier(name) => {
            let named = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value == name.value => {
                    Some(expr)
                }
                _ => None,
            });
            if let Some(expr) = named {
                key.expr = expr.clone();
            }
        }
        _ => {}
    }
    Ok(key)
}

fn refused(what: &str) -> Unsupported {
    Unsupported {
        what: what.to_owned(),
        nearest: Some("ORDER BY and a condition on rank() OVER (ORDER BY …) in QUALIFY".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    #[test]
    fn ties_are_conditions_on_ranks() {
        for (sql, expected) in [
            (
                "SELECT a AS x FROM t ORDER BY x, 1 FETCH FIRST ROW WITH TIES",
                "SELECT a AS x FROM t QUALIFY rank() OVER (ORDER BY a, a) <= (1) ORDER BY x, 1",
            ),
            (
                "SELECT a FROM t ORDER BY b OFFSET 2 ROWS FETCH NEXT 3 ROWS WITH TIES",
                "SELECT a FROM t QUALIFY rank() OVER (ORDER BY b) <= (2) + (3) AND \
                 row_number() OVER (ORDER BY b) > (2) ORDER BY b",
            ),
            (
                "SELECT a FROM t ORDER BY b OFFSET 1 FETCH FIRST (1 + 1) ROWS WITH TIES",
                "SELECT a FROM t QUALIFY rank() OVER (ORDER BY b) <= (1) + (1 + 1) AND \
                 row_number() OVER (ORDER BY b) > (1) ORDER BY b",
            ),
            (
                "SELECT DISTINCT t.a, b + 1 AS c FROM t ORDER BY b + 1, 1 DESC FETCH FIRST 2 ROWS WITH TIES",
                "SELECT * FROM (SELECT DISTINCT t.a, b + 1 AS c FROM t) AS \"ties\" QUALIFY \
                 rank() OVER (ORDER BY c, a DESC) <= (2) ORDER BY c, a DESC",
            ),
            (
                "SELECT a FROM t UNION SELECT 2 ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES",
                "SELECT * FROM (SELECT a FROM t UNION SELECT 2) AS \"ties\" QUALIFY \
                 rank() OVER (ORDER BY a) <= (2) ORDER BY a",
            ),
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Query(query) => assert_eq!(query.to_string(), expected),
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn an_order_by_what_has_no_name_is_refused() {
        for sql in [
            "SELECT DISTINCT *, a FROM t ORDER BY 2 FETCH FIRST 2 ROWS WITH TIES",
            "SELECT 1 UNION SELECT 2 ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES",
            "SELECT a FROM t FETCH FIRST 2 ROWS WITH TIES",
        ] {
            let parsed = crate::parse(sql).unwrap().remove(0).statement;
            assert!(matches!(parsed, Statement::Unsupported(_)), "{sql}");
        }
    }
}
