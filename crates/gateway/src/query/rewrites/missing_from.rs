//! A column of a table that is in no FROM.
//!
//! The engine reports a column that does not exist; PostgreSQL, the table.

use std::ops::ControlFlow;

use lakegate_error::{Code, Error};
use lakegate_sql::ast::Statement;
use lakegate_sql::walk::walk;
use sqlparser::ast::{Expr, Ident, ObjectNamePart, Select, TableFactor, TableWithJoins, Visitor};

use super::twice_in_from::query_of;

/// Returns an error about a missing column as the error about its table, if the statement has no
/// table of this name.
pub(crate) fn reported(error: Error, statement: &Statement) -> Error {
    let Some(table) = error.missing_column().and_then(qualifier) else {
        return error;
    };
    let Some(query) = query_of(statement) else {
        return error;
    };
    let mut tables = Tables {
        wanted: &table,
        is_written: false,
        may_exist: false,
    };
    let _ = walk(query, &mut tables);
    if !tables.is_written || tables.may_exist {
        return error;
    }
    let message = format!("missing FROM-clause entry for table \"{table}\"");
    error.said_by(Error::new(Code::TableNotFound, message))
}

/// Returns the table of a qualified column: `a` of `d.a.x`.
fn qualifier(column: &str) -> Option<String> {
    let (tables, _) = column.rsplit_once('.')?;
    let table = tables.rsplit('.').next()?;
    Some(table.to_lowercase())
}

/// Whether a statement names a table before a column, and whether it has one of this name.
struct Tables<'a> {
    wanted: &'a str,
    is_written: bool,
    /// It has the table, or one of which the name is not known.
    may_exist: bool,
}

impl Visitor for Tables<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for tables in &select.from {
            self.add(tables);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr {
            let mut parts = parts.iter().rev().skip(1);
            self.is_written |= parts.next().is_some_and(|part| self.is_wanted(part));
        }
        ControlFlow::Continue(())
    }
}

impl Tables<'_> {
    fn is_wanted(&self, name: &Ident) -> bool {
        name.value.to_lowercase() == self.wanted
    }

    fn add(&mut self, tables: &TableWithJoins) {
        let joined = tables.joins.iter().map(|join| &join.relation);
        for table in std::iter::once(&tables.relation).chain(joined) {
            let (alias, name) = match table {
                TableFactor::Table { alias, name, .. }
                | TableFactor::Function { alias, name, .. } => (alias, name.0.last()),
                TableFactor::Derived {
                    alias: Some(alias), ..
                } => {
                    self.may_exist |= self.is_wanted(&alias.name);
                    continue;
                }
                TableFactor::NestedJoin {
                    table_with_joins,
                    alias: None,
                } => {
                    self.add(table_with_joins);
                    continue;
                }
                TableFactor::NestedJoin { alias, .. } => (alias, None),
                _ => {
                    self.may_exist = true;
                    continue;
                }
            };
            let name = match alias {
                Some(alias) => Some(&alias.name),
                None => name.and_then(ObjectNamePart::as_ident),
            };
            self.may_exist |= name.is_none_or(|name| self.is_wanted(name));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_table_that_is_in_no_from_is_missing() {
        let said = |sql: &str, column: &str| {
            let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
            let error = lakegate_error::column_not_found(column).with_position(8);
            let error = reported(error, &parsed.statement);
            assert_eq!(error.position(), Some(8), "{sql}");
            (error.code() == Code::TableNotFound).then(|| error.message().to_owned())
        };
        for (sql, column) in [
            ("SELECT c.id FROM d.a", "c.id"),
            ("SELECT d.C.id FROM d.a", "d.c.id"),
            ("SELECT c.id FROM d.c x", "c.id"),
            ("EXPLAIN SELECT 1 FROM a, (SELECT 2) b WHERE c.x = 1", "c.x"),
            ("SELECT (SELECT c.x FROM b JOIN d ON true) FROM a", "c.x"),
            ("INSERT INTO c SELECT c.x FROM a", "c.x"),
        ] {
            let missing = "missing FROM-clause entry for table \"c\"";
            assert_eq!(said(sql, column).as_deref(), Some(missing), "{sql}");
        }
        for (sql, column) in [
            ("SELECT c.id FROM d.c", "c.id"),
            ("SELECT (SELECT c.x FROM b) FROM a AS C", "c.x"),
            ("SELECT c.x FROM f(1) c", "c.x"),
            ("SELECT c.x FROM (a CROSS JOIN (SELECT 1) c)", "c.x"),
            ("SELECT id FROM a", "a.id"),
            ("SELECT id FROM a", "id"),
            ("SHOW TABLES", "c.x"),
        ] {
            assert_eq!(said(sql, column), None, "{sql}");
        }
    }
}
