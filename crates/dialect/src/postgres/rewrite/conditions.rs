//! A bare name in WHERE that is a column of two tables.
//!
//! The engine assumes that the columns in a condition come from one USING: if the condition
//! contains all columns of the name, it resolves the name to the first (`datafusion-sql`,
//! `plan_selection`, 55.2):
//!
//! ```text
//! FROM a, b WHERE m = 2 OR a.m = b.m      took m for a.m
//! ```
//!
//! Common columns of USING and NATURAL have been written out before this check.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Select, TableFactor, TableWithJoins};
use lakegate_error::{Code, Error};
use lakegate_sql::named_tables;
use lakegate_sql::walk::walk_own_expressions;

use super::{folded, last_part};

/// Rejects such a name.
///
/// # Errors
///
/// The name is ambiguous.
pub(super) fn check(select: &Select) -> Result<(), Error> {
    let Some(selection) = &select.selection else {
        return Ok(());
    };
    let tables = names(&select.from);
    if tables.len() < 2 {
        return Ok(());
    }
    let references = ColumnReferences::of(selection);
    let is_of_two = |name: &&String| {
        let qualifiers = references.qualified.get(*name);
        qualifiers.is_some_and(|of| of.intersection(&tables).nth(1).is_some())
    };
    match references.bare.iter().find(is_of_two) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Code::AmbiguousColumn,
            format!("column reference \"{name}\" is ambiguous"),
        )
        .with_hint("write the table's name or alias before it")),
    }
}

/// Returns the names of the tables of a FROM.
pub(super) fn names(from: &[TableWithJoins]) -> BTreeSet<String> {
    named_tables(from).into_iter().filter_map(name).collect()
}

/// Returns the name of a table in FROM, by which its columns are qualified.
pub(super) fn name(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table {
            alias: None, name, ..
        } => last_part(name),
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref().map(|alias| folded(&alias.name)),
        _ => None,
    }
}

/// The columns mentioned in an expression, without those in its subqueries.
#[derive(Default)]
struct ColumnReferences {
    bare: BTreeSet<String>,
    /// Names of tables, by the name of the column that they qualify.
    qualified: BTreeMap<String, BTreeSet<String>>,
}

impl ColumnReferences {
    fn of(expr: &Expr) -> Self {
        let mut references = Self::default();
        let _ = walk_own_expressions(expr, |part| {
            references.add(part);
            ControlFlow::<()>::Continue(())
        });
        references
    }

    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::Identifier(name) => {
                self.bare.insert(folded(name));
            }
            Expr::CompoundIdentifier(parts) => {
                if let [.., table, column] = parts.as_slice() {
                    let tables = self.qualified.entry(folded(column)).or_default();
                    tables.insert(folded(table));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::{SetExpr, Statement};
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn is_refused(sql: &str) -> bool {
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let Some(Statement::Query(query)) = statements.first() else {
            panic!("{sql}: no query")
        };
        let SetExpr::Select(select) = query.body.as_ref() else {
            panic!("{sql}: no SELECT")
        };
        check(select).is_err()
    }

    #[test]
    fn name_of_two_tables_is_ambiguous() {
        for sql in [
            "SELECT 1 FROM a, b WHERE m = 2 OR a.m = b.m",
            "SELECT 1 FROM s.a JOIN (SELECT 1) AS b ON true WHERE a.m + b.M > m",
            "SELECT 1 FROM (a CROSS JOIN c b) WHERE m IN (a.m, b.m)",
        ] {
            assert!(is_refused(sql), "{sql}");
        }
        for sql in [
            "SELECT 1 FROM a, b WHERE m = 2 OR a.m = b.n",
            "SELECT 1 FROM a, b WHERE a.m = b.m",
            // `m` belongs to the outer query.
            "SELECT 1 FROM b, c WHERE m = 2 AND a.m = b.m",
            "SELECT 1 FROM a, b WHERE a.m = b.m AND EXISTS (SELECT 1 FROM c WHERE m = 2)",
            "SELECT 1 FROM a, b WHERE m = 2 AND a.m IN (SELECT b.m FROM c b)",
        ] {
            assert!(!is_refused(sql), "{sql}");
        }
    }
}
