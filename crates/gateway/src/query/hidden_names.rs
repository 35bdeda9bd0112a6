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
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_sql::walk::walk;
use sqlparser::ast::{self, Select, Visitor};

use crate::query::rewrites::twice_in_from::names_in;

/// A table, and a column of it.
type Name = (String, String);

/// Returns the columns that subqueries name with a table of theirs, where a query around has a table
/// of the same name.
pub(crate) fn hiding_names(statement: &ast::Statement) -> BTreeSet<Name> {
    let mut search = Search::default();
    let _ = walk(statement, &mut search);
    let Search {
        mut found, plain, ..
    } = search;
    found.retain(|(_, column)| !plain.contains(column));
    found
}

/// Checks the plan of a statement that has these names.
///
/// # Errors
///
/// The plan has a column of a query around for one of them.
pub(crate) fn check(plan: &LogicalPlan, names: &BTreeSet<Name>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut hidden = None;
    let walked = plan.apply_with_subqueries(|node| {
        hidden = hidden_in(node, names)?;
        Ok(match hidden {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    walked.map_err(from_engine)?;
    match hidden {
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
    let mut outer: BTreeSet<Name> = BTreeSet::new();
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            if let Expr::OuterReferenceColumn(_, column) = part
                && let Some(table) = &column.relation
            {
                outer.insert((table.table().to_owned(), column.name.clone()));
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    let inputs = node.inputs();
    let is_hidden = |(table, column): &Name| {
        let mut fields = inputs.iter().flat_map(|input| input.schema().iter());
        names.contains(&(table.to_lowercase(), column.to_lowercase()))
            && fields.any(|(of, _)| of.is_some_and(|of| of.table() == table))
    };
    Ok(outer.into_iter().find(is_hidden))
}

/// A SELECT that is being visited.
#[derive(Default)]
struct Open {
    /// The names of its tables.
    tables: Vec<String>,
    /// Its names with the qualifier of such a table.
    qualified: BTreeSet<Name>,
}

#[derive(Default)]
struct Search {
    /// The innermost last.
    open: Vec<Open>,
    found: BTreeSet<Name>,
    /// The names without a qualifier in SELECTs that are part of others.
    plain: BTreeSet<String>,
}

impl Visitor for Search {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut tables = Vec::new();
        for from in &select.from {
            names_in(from, &mut tables);
        }
        self.open.push(Open {
            tables,
            qualified: BTreeSet::new(),
        });
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        if let Some(select) = self.open.pop() {
            let is_twice = |(table, _): &Name| {
                let mut around = self.open.iter();
                around.any(|outer| outer.tables.contains(table))
            };
            let twice = select.qualified.into_iter().filter(is_twice);
            self.found.extend(twice);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
        let is_inner = self.open.len() > 1;
        let Some(select) = self.open.last_mut() else {
            return ControlFlow::Continue(());
        };
        match expr {
            ast::Expr::Identifier(name) if is_inner => {
                self.plain.insert(name.value.to_lowercase());
            }
            ast::Expr::CompoundIdentifier(parts) if is_inner => {
                if let [table, name] = parts.as_slice() {
                    let table = table.value.to_lowercase();
                    if select.tables.contains(&table) {
                        select.qualified.insert((table, name.value.to_lowercase()));
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::query::testing::statement;

    #[test]
    fn only_names_of_tables_that_are_twice_are_looked_at() {
        let found = |sql: &str| hiding_names(&statement(sql)).len();
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
            let names = hiding_names(&statement(&sql));
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
