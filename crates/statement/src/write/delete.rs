//! The query of a DELETE: it counts the rows that go, by partition.
//!
//! The condition is evaluated over a relation that has the partition keys and no other column, so
//! that it is true for all rows of a partition or for none.

use std::fmt::Write;
use std::ops::ControlFlow;

use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::model::Table;
use lakegate_engine::CATALOG;
use lakegate_error::{Error, Result};
use lakegate_sql::Statement;
use lakegate_sql::ast::Delete;
use lakegate_sql::sqlparser::ast::{Expr, Ident, Query, Select, VisitorMut};
use lakegate_sql::walk::walk_mut;

use crate::StatementContext;
use crate::analyze::quoted;

impl StatementContext {
    /// The query of a DELETE: of a temporary table, the rows that stay. Of a table of the catalog,
    /// its last column counts rows. If the table is partitioned and the
    /// statement has a condition, it has a row for each partition with rows that go, and the values
    /// of the keys come first.
    ///
    /// # Errors
    ///
    /// The table does not exist; the right is missing; the condition names a column that
    /// is no partition key.
    pub fn delete_query<'a>(&'a self, delete: &'a Delete) -> BoxFuture<'a, Result<Query>> {
        async move {
            let found = self.table(&delete.table).await?;
            self.require_removal("DELETE", &found)?;
            match found.is_temporary() {
                true => query_of_others(&found.table, delete),
                false => query_of(&found.table, delete),
            }
        }
        .boxed()
    }
}

/// The rows of a table that a DELETE leaves: those for which its condition is not true.
fn query_of_others(table: &Table, delete: &Delete) -> Result<Query> {
    let name = format!("{}.{}", quoted(&table.database_name), quoted(&table.name));
    let alias = quoted(delete.alias.as_deref().unwrap_or(&table.name));
    let mut query = parsed(&format!("SELECT * FROM {name} AS {alias} WHERE false"))?;
    if let Some(condition) = delete.condition() {
        let condition = Expr::Nested(Box::new(condition.clone()));
        let others = Expr::IsNotTrue(Box::new(condition));
        let _: ControlFlow<()> = walk_mut(&mut query, &mut Placed(&others));
    }
    Ok(query)
}

fn query_of(table: &Table, delete: &Delete) -> Result<Query> {
    let name = format!("{}.{}", quoted(&table.database_name), quoted(&table.name));
    let Some(condition) = delete.condition() else {
        return parsed(&format!("SELECT count(*) AS n FROM {name}"));
    };
    let mut condition = condition.clone();
    let mut names = Names {
        table,
        alias: delete.alias.as_deref(),
        parameters: Vec::new(),
    };
    if let ControlFlow::Break(column) = walk_mut(&mut condition, &mut names) {
        return Err(no_key(table, &column));
    }
    // `WHERE true` is where the condition goes.
    let mut query = match table.partition_keys.is_empty() {
        true => parsed(&format!(
            "SELECT count(*) AS n FROM (SELECT 1 AS one WHERE true) AS c CROSS JOIN {name}"
        ))?,
        false => parsed(&by_partition(table, delete, &name))?,
    };
    let _: ControlFlow<()> = walk_mut(&mut query, &mut Placed(&condition));
    Ok(query)
}

/// `SELECT k0, k1, count(*) AS n FROM (SELECT "day" AS k0, "city" AS k1 FROM (SELECT "day", "city"
/// FROM "d"."t") AS "t" WHERE true) AS found GROUP BY k0, k1`.
fn by_partition(table: &Table, delete: &Delete, name: &str) -> String {
    let (mut places, mut named, mut keys) = (String::new(), String::new(), String::new());
    for (place, key) in table.partition_keys.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        let key = quoted(&key.name);
        let _ = write!(places, "{comma}k{place}");
        let _ = write!(named, "{comma}{key} AS k{place}");
        let _ = write!(keys, "{comma}{key}");
    }
    let alias = quoted(delete.alias.as_deref().unwrap_or(&table.name));
    format!(
        "SELECT {places}, count(*) AS n FROM (SELECT {named} FROM (SELECT {keys} FROM {name}) AS {alias} WHERE true) AS found GROUP BY {places}"
    )
}

fn parsed(text: &str) -> Result<Query> {
    let parsed = lakegate_sql::parse(text);
    let mut parsed = parsed.map_err(|error| Error::internal(error.message))?;
    match parsed.pop().map(|parsed| parsed.statement) {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(Error::internal("DELETE makes no query")),
    }
}

/// Puts a condition in the place of others.
struct Placed<'a>(&'a Expr);

impl VisitorMut for Placed<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if let Some(condition) = &mut select.selection {
            condition.clone_from(self.0);
        }
        ControlFlow::Continue(())
    }
}

/// Takes the table's name from those of its partition keys. Breaks with the name of the first other
/// column; what the table does not have is left for the planner to refuse.
struct Names<'a> {
    table: &'a Table,
    alias: Option<&'a str>,
    /// The parameters of the lambda expressions around.
    parameters: Vec<Vec<String>>,
}

impl Names<'_> {
    fn is_parameter(&self, name: &str) -> bool {
        let mut parameters = self.parameters.iter().flatten();
        parameters.any(|parameter| parameter == name)
    }

    fn is_key(&self, name: &str) -> bool {
        self.table.partition_keys.iter().any(|key| key.name == name)
    }

    /// Breaks if the name is that of a column, or of a hidden column, that is not a partition key.
    fn check(&self, name: String) -> ControlFlow<String> {
        let is_column = || self.table.columns().any(|column| column.name == name);
        match !self.is_key(&name) && (name.starts_with('$') || is_column()) {
            true => ControlFlow::Break(name),
            false => ControlFlow::Continue(()),
        }
    }

    /// Whether the words before a column's name are those of the table.
    fn is_table(&self, words: &[String]) -> bool {
        if let Some(alias) = self.alias {
            return words == [alias];
        }
        let (database, name) = (&self.table.database_name, &self.table.name);
        let table = [CATALOG, database.as_str(), name.as_str()];
        let own = table.len().checked_sub(words.len());
        own.and_then(|start| table.get(start..))
            .is_some_and(|own| !own.is_empty() && words.iter().eq(own))
    }
}

impl VisitorMut for Names<'_> {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match expr {
            Expr::Lambda(lambda) => {
                let parameters = lambda
                    .params
                    .iter()
                    .map(|parameter| folded(&parameter.name));
                self.parameters.push(parameters.collect());
                ControlFlow::Continue(())
            }
            Expr::Identifier(name) => {
                let name = folded(name);
                match self.is_parameter(&name) {
                    true => ControlFlow::Continue(()),
                    false => self.check(name),
                }
            }
            Expr::CompoundIdentifier(parts) => {
                let words: Vec<String> = parts.iter().map(folded).collect();
                let (Some(first), Some((column, before))) = (words.first(), words.split_last())
                else {
                    return ControlFlow::Continue(());
                };
                if self.is_parameter(first) {
                    return ControlFlow::Continue(());
                }
                if !self.is_table(before) {
                    // A field of a column.
                    return self.check(first.clone());
                }
                self.check(column.clone())?;
                if self.is_key(column)
                    && let Some(key) = parts.pop()
                {
                    *expr = Expr::Identifier(key);
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Expr::Lambda(_) = expr {
            self.parameters.pop();
        }
        ControlFlow::Continue(())
    }
}

fn folded(name: &Ident) -> String {
    name.value.to_lowercase()
}

fn no_key(table: &Table, column: &str) -> Error {
    let name = table.full_name();
    let keys: Vec<&str> = table
        .partition_keys
        .iter()
        .map(|key| key.name.as_str())
        .collect();
    let (why, remedy) = match keys.is_empty() {
        true => (
            "and the table has no partition keys".to_owned(),
            "remove all rows with DELETE without a condition",
        ),
        false => (
            format!("and the partition keys are {}", keys.join(", ")),
            "name partition keys only",
        ),
    };
    Error::not_supported(format!(
        "DELETE removes whole partitions only: its condition names column \"{column}\" of table {name}, {why}; {remedy}, or replace the rows: CREATE OR REPLACE TABLE .. AS SELECT .. WHERE NOT (condition)"
    ))
}

#[cfg(test)]
mod tests;
