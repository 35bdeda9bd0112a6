//! A table that is in one FROM twice without different aliases.
//!
//! The engine reports a column that the two have in common; PostgreSQL, the table.

use std::ops::ControlFlow;

use lakegate_error::{Code, Error};
use lakegate_sql::ast::Statement;
use lakegate_sql::named_tables;
use lakegate_sql::walk::walk;
use sqlparser::ast::{self, ObjectNamePart, Select, TableFactor, TableWithJoins, Visitor};

/// Returns an error about a column that is there twice as the error about its table.
pub(crate) fn reported(error: Error, statement: &Statement) -> Error {
    if error.code() != Code::DuplicateColumn {
        return error;
    }
    let Some(query) = query_of(statement) else {
        return error;
    };
    match walk(query, &mut Selects) {
        ControlFlow::Break(table) => error.said_by(Error::new(
            Code::DuplicateAlias,
            format!("table name \"{table}\" specified more than once"),
        )),
        ControlFlow::Continue(()) => error,
    }
}

/// Returns whether one FROM of a query has two relations of the same name.
pub(crate) fn has_one_twice(query: &ast::Query) -> bool {
    walk(query, &mut Selects).is_break()
}

/// Returns the query of a statement, if it has one.
pub(super) fn query_of(statement: &Statement) -> Option<&ast::Query> {
    match statement {
        Statement::Query(query) => Some(query),
        Statement::Copy(copy) => Some(&copy.query),
        Statement::DeclareCursor(declare) => Some(&declare.query),
        Statement::Explain(explain) => query_of(&explain.statement),
        other => other.written_query(),
    }
}

/// Breaks with the first name that one FROM has twice.
struct Selects;

impl Visitor for Selects {
    type Break = String;

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        let mut names = Vec::new();
        for tables in &select.from {
            names_in(tables, &mut names);
        }
        names.sort_unstable();
        let twice = names.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(one.clone()),
            _ => None,
        });
        match twice {
            Some(name) => ControlFlow::Break(name),
            None => ControlFlow::Continue(()),
        }
    }
}

/// Adds the names that columns of these tables may be qualified with.
pub(crate) fn names_in(tables: &TableWithJoins, names: &mut Vec<String>) {
    for table in named_tables(std::slice::from_ref(tables)) {
        let (alias, name) = match table {
            TableFactor::Table { alias, name, .. } => (alias, name.0.last()),
            TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => (alias, None),
            _ => continue,
        };
        let name = match alias {
            Some(alias) => Some(&alias.name),
            None => name.and_then(ObjectNamePart::as_ident),
        };
        names.extend(name.map(|name| name.value.to_lowercase()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_table_without_another_alias_is_named() {
        let said = |sql: &str| {
            let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
            let error = Error::new(Code::DuplicateColumn, "column \"id\" is named twice");
            let error = reported(error, &parsed.statement);
            (error.code(), error.message().to_owned())
        };
        let twice = |name: &str| {
            let message = format!("table name \"{name}\" specified more than once");
            (Code::DuplicateAlias, message)
        };
        assert_eq!(said("SELECT * FROM d.a, a"), twice("a"));
        assert_eq!(said("SELECT 1 FROM a x JOIN b X ON true"), twice("x"));
        assert_eq!(
            said("EXPLAIN SELECT * FROM (SELECT * FROM (a CROSS JOIN a)) t"),
            twice("a")
        );
        for sql in [
            "SELECT * FROM a, a AS b",
            "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM a)",
            "SHOW TABLES",
        ] {
            assert_eq!(said(sql).0, Code::DuplicateColumn, "{sql}");
        }
    }
}
