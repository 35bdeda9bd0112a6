//! Casts that are columns of a recursive term are written twice, so that they differ from the casts that
//! the planner puts there: see `functions/recursive_types.rs`.
//!
//! ```text
//! … UNION ALL SELECT (x * 1.5)::int FROM t      … SELECT ((x * 1.5)::int)::int FROM t
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, Expr, Query, SelectItem, SetExpr, Statement, VisitorMut,
};
use lakegate_sql::walk::walk_mut;

use super::build;

/// Rewrites a statement.
pub(super) fn doubled(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Terms);
}

struct Terms;

impl VisitorMut for Terms {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = query.with.as_mut().filter(|with| with.recursive) {
            for table in &mut with.cte_tables {
                if let SetExpr::SetOperation { right, .. } = table.query.body.as_mut() {
                    columns(right);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    column(expr);
                }
            }
        }
        SetExpr::Query(query) => columns(&mut query.body),
        _ => {}
    }
}

fn column(expr: &mut Expr) {
    let mut inner = &*expr;
    while let Expr::Nested(nested) = inner {
        inner = nested;
    }
    if let Expr::Cast {
        kind: CastKind::Cast | CastKind::DoubleColon,
        data_type,
        ..
    } = inner
    {
        let data_type = data_type.clone();
        let cast = build::taken(expr);
        *expr = build::cast(build::nested(cast), data_type);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn casts_of_recursive_terms_are_written_twice() {
        let sql = "WITH RECURSIVE t (x) AS (SELECT 1::INT UNION ALL SELECT x::INT FROM t) SELECT x::INT FROM t";
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let mut statement = statements.remove(0);
        doubled(&mut statement);
        assert_eq!(
            statement.to_string(),
            "WITH RECURSIVE t (x) AS (SELECT 1::INT UNION ALL SELECT (x::INT)::INT FROM t) SELECT x::INT FROM t"
        );
    }
}
