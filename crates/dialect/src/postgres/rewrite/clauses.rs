//! Clauses of a SELECT in which PostgreSQL accepts more than the engine.
//!
//! ```text
//! SELECT DISTINCT ON (1) x, y      SELECT DISTINCT ON (x) x, y
//! GROUP BY (x, y), z               GROUP BY x, y, z
//! ```

use datafusion::sql::sqlparser::ast::{Distinct, Expr, GroupByExpr, Select, SelectItem, Value};

/// Rewrites the clauses of a SELECT.
pub(super) fn rewrite(select: &mut Select) {
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        for key in keys {
            if let Some(item) = numbered(key, &select.projection) {
                *key = item;
            }
        }
    }
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by
        && keys.iter().any(|key| matches!(key, Expr::Tuple(_)))
    {
        let rows = std::mem::take(keys).into_iter();
        *keys = rows
            .flat_map(|key| match key {
                Expr::Tuple(items) => items,
                key => vec![key],
            })
            .collect();
    }
}

/// Returns the item of a SELECT list that an ordinal refers to.
pub(super) fn numbered(key: &Expr, projection: &[SelectItem]) -> Option<Expr> {
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
    match before.last()? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } if counted => {
            Some(expr.clone())
        }
        _ => None,
    }
}
