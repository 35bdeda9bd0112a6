//! Columns of a table that a subquery hides by a table of the same name. The engine's planner takes
//! the column of the query around, if the table of the subquery has none of this name. In PostgreSQL
//! and Trino, there is no such column.
//!
//! ```text
//! SELECT … FROM t AS x WHERE EXISTS (SELECT 1 FROM u AS x WHERE x.b = 1)    t has b, u has not
//! ```
//!
//! A plan does not say whether a column had a qualifier. So columns that have none anywhere in a
//! subquery of the statement are not checked. Delete this when the planner reports such names.

use std::collections::BTreeSet;

use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::LogicalPlan;
use lakegate_error::{Code, Error, Result};

use crate::query::subquery_names::{NamedSelect, first_in, outer_columns};

/// A table, and a column of it.
type Name = (String, String);

/// Returns the columns that the subqueries among the SELECTs of a statement name with a table of
/// theirs, where a query around has a table of the same name.
pub(super) fn hiding_names(selects: &[NamedSelect]) -> BTreeSet<Name> {
    let inner = || selects.iter().filter(|select| select.is_inner);
    let plain: BTreeSet<&String> = inner().flat_map(|select| &select.plain).collect();
    let hiding = inner().flat_map(|select| &select.hiding);
    let hiding = hiding.filter(|(_, column)| !plain.contains(column));
    hiding.cloned().collect()
}

/// Checks the plan of a statement that has these names.
///
/// # Errors
///
/// The plan has a column of a query around for one of them.
pub(super) fn check(plan: &LogicalPlan, names: &BTreeSet<Name>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    match first_in(plan, |node| hidden_in(node, names))? {
        Some((table, column)) => Err(Error::new(
            Code::ColumnNotFound,
            format!("column \"{table}.{column}\" does not exist"),
        )
        .with_hint(format!(
            "There is a column named \"{column}\" in table \"{table}\", but it cannot be referenced from this part of the query."
        ))),
        None => Ok(()),
    }
}

/// Returns the name of an outer column whose table is hidden by one that an operator reads.
fn hidden_in(node: &LogicalPlan, names: &BTreeSet<Name>) -> EngineResult<Option<Name>> {
    let columns = outer_columns(node)?;
    let outer = columns.into_iter().filter_map(|column| {
        let table = column.relation.as_ref()?.table().to_owned();
        Some((table, column.name))
    });
    let outer: BTreeSet<Name> = outer.collect();
    let inputs = node.inputs();
    let is_hidden = |(table, column): &Name| {
        let mut fields = inputs.iter().flat_map(|input| input.schema().iter());
        names.contains(&(table.to_lowercase(), column.to_lowercase()))
            && fields.any(|(of, _)| of.is_some_and(|of| of.table() == table))
    };
    Ok(outer.into_iter().find(is_hidden))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::query::subquery_names::named_selects;
    use crate::query::testing::statement;

    #[test]
    fn only_names_of_tables_that_are_twice_are_looked_at() {
        let found = |sql: &str| hiding_names(&named_selects(&statement(sql))).len();
        assert_eq!(found("SELECT x.a FROM t x WHERE x.b = 1"), 0);
        assert_eq!(
            found("SELECT x.a FROM t x WHERE EXISTS (SELECT 1 FROM u y WHERE y.a = x.a)"),
            0
        );
        assert_eq!(
            found("SELECT x.a FROM t x WHERE EXISTS (SELECT 1 FROM u x WHERE x.a = x.b)"),
            2
        );
        assert_eq!(
            found("SELECT x.a FROM t x WHERE EXISTS (SELECT 1 FROM u x WHERE x.a = b AND x.b = 1)"),
            1
        );
    }

    #[tokio::test]
    async fn a_table_of_the_same_name_hides_columns() {
        let context = SessionContext::new();
        for sql in [
            "CREATE TABLE t AS SELECT 1 AS a, 2 AS b",
            "CREATE TABLE u AS SELECT 1 AS a, 3 AS e",
        ] {
            context.sql(sql).await.unwrap().collect().await.unwrap();
        }
        for (condition, is_hidden) in [
            ("EXISTS (SELECT 1 FROM u x WHERE x.b = x.a)", true),
            ("EXISTS (SELECT 1 FROM u x WHERE b = x.a)", false),
            ("EXISTS (SELECT 1 FROM u x WHERE x.e = x.a)", false),
            ("EXISTS (SELECT 1 FROM u y WHERE y.a = x.b)", false),
            ("x.a IN (SELECT x.e FROM u x)", false),
            ("x.a IN (SELECT x.e FROM u x WHERE x.b > 1)", true),
        ] {
            let sql = format!("SELECT x.a FROM t x WHERE {condition}");
            let names = hiding_names(&named_selects(&statement(&sql)));
            let plan = context.state().create_logical_plan(&sql).await.unwrap();
            let checked = check(&plan, &names).map_err(|error| error.code());
            let expected = match is_hidden {
                true => Err(Code::ColumnNotFound),
                false => Ok(()),
            };
            assert_eq!(checked, expected, "{sql}");
        }
    }
}
