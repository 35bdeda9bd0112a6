//! Recursive queries whose WITH and constants the engine does not plan.
//!
//! ```text
//! WITH RECURSIVE r AS (WITH t AS (…) SELECT … FROM t UNION SELECT … FROM r)
//! WITH RECURSIVE r AS ((WITH t AS (…) SELECT … FROM t) UNION SELECT … FROM r)
//!
//! WITH RECURSIVE r AS (SELECT NULL AS x UNION SELECT … FROM r)
//! WITH RECURSIVE r AS (SELECT NULL::text AS x UNION SELECT … FROM r)
//! ```

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Query, Select, SelectItem, SetExpr, SetOperator, Value, With,
};
use lakegate_engine::Names;
use lakegate_error::Error;

use super::outputs::reads;
use super::{build, folded};

/// Rewrites a query that reads its own rows.
///
/// # Errors
///
/// A query cannot be built.
pub(super) fn rewrite(query: &mut Query, dialect: Names) -> Result<(), Error> {
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        left,
        right,
        ..
    } = query.body.as_mut()
    else {
        return Ok(());
    };
    if dialect == Names::Postgres
        && let SetExpr::Select(select) = left.as_mut()
    {
        type_nulls(select);
    }
    if let Some(with) = query.with.take() {
        for part in [left, right] {
            give_tables(part, &with)?;
        }
    }
    Ok(())
}

/// Makes columns of NULL texts, which they are in PostgreSQL, too. The engine gives the columns of the
/// first part no other type.
fn type_nulls(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
            && matches!(expr, Expr::Value(value) if value.value == Value::Null)
        {
            *expr = build::cast(build::null(), DataType::Text);
        }
    }
}

/// Gives a part of a UNION the tables of WITH that it reads. The engine forgets those of the UNION.
fn give_tables(part: &mut SetExpr, with: &With) -> Result<(), Error> {
    let mut query = build::select(Vec::new())?;
    std::mem::swap(part, query.body.as_mut());
    let mut tables = with.cte_tables.iter();
    if tables.any(|table| reads(&query, &folded(&table.alias.name))) {
        query.with = Some(with.clone());
        *part = SetExpr::Query(Box::new(query));
    } else {
        std::mem::swap(part, query.body.as_mut());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::Statement;

    use super::super::testing::with_statement;
    use super::*;

    #[test]
    fn parts_have_their_tables_and_types() {
        for (sql, expected) in [
            (
                "WITH t AS (SELECT 1 AS x) SELECT x FROM t UNION ALL SELECT x + 1 FROM r",
                "(WITH t AS (SELECT 1 AS x) SELECT x FROM t) UNION ALL SELECT x + 1 FROM r",
            ),
            (
                "SELECT NULL AS a, NULL, 1 UNION SELECT a, NULL, n FROM r",
                "SELECT NULL::TEXT AS a, NULL::TEXT, 1 UNION SELECT a, NULL, n FROM r",
            ),
            ("SELECT NULL AS a", "SELECT NULL AS a"),
        ] {
            let text = with_statement(sql, |statement| {
                let Statement::Query(query) = statement else {
                    panic!("{sql}")
                };
                rewrite(query, Names::Postgres).unwrap();
            });
            assert_eq!(text, expected);
        }
    }
}
