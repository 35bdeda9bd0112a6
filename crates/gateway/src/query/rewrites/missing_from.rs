//! A column of a table that is in no FROM.
//!
//! The engine reports a column that does not exist; PostgreSQL, the table.

use std::ops::ControlFlow;

use lakegate_error::{Code, Error};
use lakegate_sql::ast::Statement;
use lakegate_sql::named_tables;
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
        written: None,
        renamed: Vec::new(),
        may_exist: false,
    };
    let _ = walk(query, &mut tables);
    let Some(written) = tables.written.filter(|_| !tables.may_exist) else {
        return error;
    };
    let renamed = tables.renamed.iter().find(|(name, _)| *name == written);
    error.said_by(match renamed {
        Some((_, alias)) => Error::new(
            Code::TableNotFound,
            format!("invalid reference to FROM-clause entry for table \"{table}\""),
        )
        .with_hint(format!(
            "Perhaps you meant to reference the table alias \"{alias}\"."
        )),
        None => Error::new(
            Code::TableNotFound,
            format!("missing FROM-clause entry for table \"{table}\""),
        ),
    })
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
    /// The parts of its name before a column.
    written: Option<Vec<String>>,
    /// The names of tables of this name that have aliases, and these.
    renamed: Vec<(Vec<String>, String)>,
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
            let before = parts.split_last().map_or(&[][..], |(_, before)| before);
            if self.written.is_none() && before.last().is_some_and(|part| self.is_wanted(part)) {
                self.written = Some(before.iter().map(lower).collect());
            }
        }
        ControlFlow::Continue(())
    }
}

impl Tables<'_> {
    fn is_wanted(&self, name: &Ident) -> bool {
        lower(name) == self.wanted
    }

    fn add(&mut self, tables: &TableWithJoins) {
        for table in named_tables(std::slice::from_ref(tables)) {
            let (alias, name) = match table {
                TableFactor::Table { alias, name, .. }
                | TableFactor::Function { alias, name, .. } => (alias, Some(name)),
                TableFactor::Derived {
                    alias: Some(alias), ..
                } => {
                    self.may_exist |= self.is_wanted(&alias.name);
                    continue;
                }
                TableFactor::NestedJoin { alias, .. } => (alias, None),
                _ => {
                    self.may_exist = true;
                    continue;
                }
            };
            let last = name.and_then(|name| name.0.last()?.as_ident());
            if let (Some(alias), Some(name)) = (alias, name)
                && last.is_some_and(|last| self.is_wanted(last))
            {
                let parts = name.0.iter().filter_map(ObjectNamePart::as_ident);
                let renamed = (parts.map(lower).collect(), alias.name.value.clone());
                self.renamed.push(renamed);
            }
            let name = alias.as_ref().map(|alias| &alias.name).or(last);
            self.may_exist |= name.is_none_or(|name| self.is_wanted(name));
        }
    }
}

fn lower(name: &Ident) -> String {
    name.value.to_lowercase()
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
            ("SELECT d.c.id FROM c x", "d.c.id"),
            ("EXPLAIN SELECT 1 FROM a, (SELECT 2) b WHERE c.x = 1", "c.x"),
            ("SELECT (SELECT c.x FROM b JOIN d ON true) FROM a", "c.x"),
            ("INSERT INTO c SELECT c.x FROM a", "c.x"),
        ] {
            let missing = "missing FROM-clause entry for table \"c\"";
            assert_eq!(said(sql, column).as_deref(), Some(missing), "{sql}");
        }
        for (sql, column) in [
            ("SELECT c.id FROM C x", "c.id"),
            ("SELECT d.c.id FROM a JOIN d.c AS x ON true", "d.c.id"),
        ] {
            let renamed = "invalid reference to FROM-clause entry for table \"c\"";
            assert_eq!(said(sql, column).as_deref(), Some(renamed), "{sql}");
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
