//! Words that are not names without quotes.
//!
//! `sqlparser` takes any word for a table's name and most for a column's, so that `SELECT FROM WHERE`
//! would be a query of the table `where`. The words here are reserved in PostgreSQL, Athena and
//! Trino alike: none of them allows a table or a column to be named so without quotes. What follows
//! a period, and the name of a column of the result, may be any word.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, Expr, Ident, ObjectName, ObjectNamePart, Query, TableFactor, Visitor,
};
use sqlparser::tokenizer::Location;

use crate::walk::walk;

const RESERVED: [&str; 29] = [
    "AND",
    "AS",
    "CASE",
    "CAST",
    "CONSTRAINT",
    "CREATE",
    "ELSE",
    "END",
    "EXCEPT",
    "FOR",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INTERSECT",
    "INTO",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "SELECT",
    "TABLE",
    "THEN",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Returns the place of the first such word that names a table, its alias or a column.
pub(super) fn first(query: &Query) -> Option<Location> {
    let mut names = Names { fields: Vec::new() };
    walk(query, &mut names).break_value()
}

struct Names {
    /// Places of names after a period, which are visited as expressions of their own.
    fields: Vec<Location>,
}

impl Names {
    fn check(&self, name: &Ident) -> ControlFlow<Location> {
        let place = name.span.start;
        // Words that this crate puts in have no place.
        let is_written = name.quote_style.is_none() && place.line > 0;
        let is_reserved = || {
            RESERVED
                .iter()
                .any(|word| word.eq_ignore_ascii_case(&name.value))
        };
        match is_written && is_reserved() && !self.fields.contains(&place) {
            true => ControlFlow::Break(place),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Names {
    type Break = Location;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Location> {
        match relation.0.first().and_then(ObjectNamePart::as_ident) {
            Some(name) => self.check(name),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Location> {
        let alias = match table {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
            _ => None,
        };
        match alias {
            Some(alias) => self.check(&alias.name),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Location> {
        match expr {
            Expr::Identifier(name) => self.check(name),
            Expr::CompoundIdentifier(parts) => match parts.first() {
                Some(name) => self.check(name),
                None => ControlFlow::Continue(()),
            },
            Expr::CompoundFieldAccess { access_chain, .. } => {
                for access in access_chain {
                    if let AccessExpr::Dot(Expr::Identifier(field)) = access {
                        self.fields.push(field.span.start);
                    }
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
