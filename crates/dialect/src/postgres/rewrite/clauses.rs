//! Clauses of a query in which PostgreSQL accepts more than the engine.
//!
//! ```text
//! SELECT DISTINCT ON (1) x, y      SELECT DISTINCT ON (x) x, y
//! GROUP BY (x, y), z               GROUP BY x, y, z
//! LIMIT '10'                       LIMIT 10
//! ```

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, Query, Select, SelectItem, Value,
};

use super::build;

/// Rewrites the numbers of LIMIT and OFFSET that are written as texts.
pub(super) fn rewrite_counts(query: &mut Query) {
    let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause else {
        return;
    };
    let offset = offset.iter_mut().map(|offset| &mut offset.value);
    for count in limit.iter_mut().chain(offset) {
        if let Expr::Value(value) = &*count
            && let Value::SingleQuotedString(text) = &value.value
            && let Ok(number) = text.trim().parse::<i64>()
        {
            *count = build::integer(number);
        }
    }
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn counts_may_be_written_as_texts() {
        for (clause, expected) in [
            ("LIMIT '10' OFFSET ' 5'", "LIMIT 10 OFFSET 5"),
            ("LIMIT 'ten'", "LIMIT 'ten'"),
            ("LIMIT NULL OFFSET 3", "LIMIT NULL OFFSET 3"),
        ] {
            let sql = format!("SELECT 1 {clause}");
            let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap();
            let Statement::Query(mut query) = statements.remove(0) else {
                panic!("{sql}")
            };
            rewrite_counts(&mut query);
            assert_eq!(query.to_string(), format!("SELECT 1 {expected}"));
        }
    }
}
