//! Names in a subquery that several of its tables have. The engine's planner takes the column of a
//! query around, if there is one (`sql_identifier_to_expr` of `datafusion-sql`, 55.2). In PostgreSQL
//! and Trino, such a name is ambiguous.
//!
//! ```text
//! SELECT … FROM t WHERE EXISTS (SELECT 1 FROM u JOIN v ON u.k = v.k WHERE x > 1)    t, u and v have x
//! ```
//!
//! A plan does not say whether a column had a qualifier, so the statement is looked at, too. Names
//! that have the qualifier of a query around anywhere in it are not checked. Delete this when the
//! planner reports such names.

use std::collections::BTreeSet;

use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::LogicalPlan;
use lakegate_error::{Code, Error, Result};

use crate::query::subquery_names::{NamedSelect, first_in, outer_columns};

/// A SELECT of several tables within a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inner {
    /// The names of its tables.
    tables: Vec<String>,
    /// The names in its expressions that have no qualifier.
    names: BTreeSet<String>,
}

/// Returns the SELECTs of several tables within the queries of a statement that have names without a
/// qualifier, and nowhere that of a table outside its SELECT. `selects`: all of the statement.
pub(super) fn inner_selects(selects: Vec<NamedSelect>) -> Vec<Inner> {
    let of_others = selects.iter().flat_map(|select| &select.of_others);
    let of_others: BTreeSet<String> = of_others.cloned().collect();
    let several = selects
        .into_iter()
        .filter(|select| select.is_inner && select.tables.len() > 1);
    let named = several.map(|select| {
        let mut names = select.plain;
        names.retain(|name| !of_others.contains(name));
        let tables = select.tables;
        Inner { tables, names }
    });
    named.filter(|select| !select.names.is_empty()).collect()
}

/// Checks the plan of a statement with these SELECTs.
///
/// # Errors
///
/// A name in one of them is that of columns of several of its tables, and the plan has a column of a
/// query around for it.
pub(super) fn check(plan: &LogicalPlan, selects: &[Inner]) -> Result<()> {
    if selects.is_empty() {
        return Ok(());
    }
    match first_in(plan, |node| ambiguous_in(node, selects))? {
        Some(name) => Err(Error::new(
            Code::AmbiguousColumn,
            format!("column reference \"{name}\" is ambiguous"),
        )),
        None => Ok(()),
    }
}

/// Returns the name of an outer column that several tables of one of the SELECTs have, too.
fn ambiguous_in(node: &LogicalPlan, selects: &[Inner]) -> EngineResult<Option<String>> {
    let columns = outer_columns(node)?;
    let outer: BTreeSet<String> = columns.into_iter().map(|column| column.name).collect();
    let inputs = node.inputs();
    let is_ambiguous = |name: &String| {
        let columns = inputs.iter().flat_map(|input| input.schema().iter());
        let same = columns.filter(|(_, field)| field.name() == name);
        let tables: Vec<&str> = same.filter_map(|(table, _)| Some(table?.table())).collect();
        let has = |select: &Inner, table: &&&str| select.tables.iter().any(|own| own == **table);
        selects.iter().any(|select| {
            select.names.contains(name)
                && tables.iter().filter(|table| has(select, table)).count() > 1
        })
    };
    Ok(outer.into_iter().find(is_ambiguous))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::query::subquery_names::named_selects;
    use crate::query::testing::statement;

    #[test]
    fn only_selects_of_several_tables_within_others_are_looked_at() {
        let found = |sql: &str| inner_selects(named_selects(&statement(sql))).len();
        assert_eq!(found("SELECT x FROM a JOIN b ON a.k = b.k"), 0);
        assert_eq!(found("SELECT x FROM a WHERE x IN (SELECT y FROM b)"), 0);
        assert_eq!(
            found("SELECT x FROM a WHERE x IN (SELECT b.y FROM b, c WHERE b.k = c.k)"),
            0
        );
        assert_eq!(
            found("SELECT x FROM a WHERE x IN (SELECT Y FROM d.b, c WHERE b.k = c.k)"),
            1
        );
        assert_eq!(
            found("SELECT x FROM a WHERE x IN (SELECT y FROM b, c WHERE a.y = 1)"),
            0
        );
        let inner = inner_selects(named_selects(&statement(
            "SELECT (SELECT Y FROM d.b, (SELECT 1) AS C) FROM a",
        )));
        let names = ["y".to_owned()].into();
        let tables = vec!["b".to_owned(), "c".to_owned()];
        assert_eq!(inner, [Inner { tables, names }]);
    }

    #[tokio::test]
    async fn a_column_of_a_query_around_does_not_decide() {
        let context = SessionContext::new();
        for table in ["t", "u", "v"] {
            let sql = format!("CREATE TABLE {table} AS SELECT 1 AS k, true AS b");
            context.sql(&sql).await.unwrap().collect().await.unwrap();
        }
        context
            .sql("CREATE TABLE w AS SELECT 1 AS k")
            .await
            .unwrap();
        for (condition, is_ambiguous) in [
            ("EXISTS (SELECT 1 FROM u JOIN v ON u.k = v.k WHERE b)", true),
            ("k IN (SELECT u.k FROM u JOIN v ON u.k = v.k AND b)", true),
            (
                "EXISTS (SELECT 1 FROM u JOIN v ON u.k = v.k WHERE t.b)",
                false,
            ),
            (
                "EXISTS (SELECT 1 FROM u JOIN w ON u.k = w.k WHERE b AND t.k = u.k)",
                false,
            ),
            ("EXISTS (SELECT 1 FROM u WHERE b AND t.b)", false),
        ] {
            let sql = format!("SELECT k FROM t WHERE {condition}");
            let selects = inner_selects(named_selects(&statement(&sql)));
            let plan = context.state().create_logical_plan(&sql).await.unwrap();
            let checked = check(&plan, &selects).map_err(|error| error.code());
            let expected = match is_ambiguous {
                true => Err(Code::AmbiguousColumn),
                false => Ok(()),
            };
            assert_eq!(checked, expected, "{sql}");
        }
    }
}
