//! `FETCH FIRST n ROWS WITH TIES`: the rows whose rank in the query's order is at most n.
//!
//! ```text
//! SELECT a FROM t ORDER BY b FETCH FIRST 3 ROWS WITH TIES
//! SELECT a FROM t QUALIFY rank() OVER (ORDER BY b) <= 3 ORDER BY b
//! ```

use sqlparser::ast::{
    BinaryOperator, Expr, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
    ValueWithSpan, WindowType,
};
use sqlparser::parser::Parser;

use crate::ast::Unsupported;
use crate::dialect::AthenaDialect;

/// Replaces the clause by a condition on the rank.
///
/// # Errors
///
/// The query has no order, or is of a form in which the clause is not supported.
pub(super) fn expand(query: &mut Query) -> Result<(), Unsupported> {
    let Some(fetch) = query.fetch.take_if(|fetch| fetch.with_ties) else {
        return Ok(());
    };
    if fetch.percent {
        return Err(refused("FETCH FIRST n PERCENT"));
    }
    let keys = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(keys)) if !keys.is_empty() => keys,
        _ => return Err(refused("FETCH FIRST WITH TIES without ORDER BY")),
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(refused(
            "FETCH FIRST WITH TIES of a set operation or of VALUES",
        ));
    };
    if query.limit_clause.is_some() {
        return Err(refused("FETCH FIRST WITH TIES with OFFSET"));
    }
    if select.distinct.is_some() {
        return Err(refused("FETCH FIRST WITH TIES with DISTINCT"));
    }
    let keys = keys
        .iter()
        .map(|key| underlying(key, select))
        .collect::<Result<Vec<_>, _>>()?;
    let count = fetch
        .quantity
        .unwrap_or_else(|| Expr::Value(Value::Number("1".to_owned(), false).with_empty_span()));
    let ranked = Expr::BinaryOp {
        left: Box::new(rank(keys)?),
        op: BinaryOperator::LtEq,
        right: Box::new(Expr::Nested(Box::new(count))),
    };
    select.qualify = Some(match select.qualify.take() {
        None => ranked,
        Some(condition) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(condition))),
            op: BinaryOperator::And,
            right: Box::new(ranked),
        },
    });
    Ok(())
}

/// `rank() OVER (ORDER BY keys)`.
fn rank(keys: Vec<OrderByExpr>) -> Result<Expr, Unsupported> {
    let dialect = AthenaDialect::default();
    let parsed = Parser::new(&dialect)
        .try_with_sql("rank() OVER ()")
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
