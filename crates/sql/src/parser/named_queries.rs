//! A bound on the queries of WITH, which the planner takes up again wherever they are named.
//!
//! ```text
//! WITH a AS (SELECT 1), b AS (SELECT * FROM a, a), c AS (SELECT * FROM b, b), …
//! ```
//!
//! Each query doubles what the one before has. Planning fifty of them ends when no memory is left.

use std::ops::ControlFlow;

use sqlparser::ast::{ObjectNamePart, Query, Select, TableFactor, Visitor};

use super::cursor::{Cursor, Result};
use crate::walk::walk;

/// Relations and SELECTs of a query, those of a WITH counted wherever it is named. The engine refuses plans of
/// fewer operators.
const MAX_PARTS: usize = 100_000;

/// Checks a query whose queries of WITH are each behind those that they name.
///
/// # Errors
///
/// The queries of WITH have too many relations and SELECTs, counted wherever they are named.
pub(super) fn check(cursor: &Cursor<'_>, query: &Query) -> Result<()> {
    match walk(query, &mut Taken::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let mut error = cursor.error(format!(
                "a query has more than {MAX_PARTS} tables and subqueries when those of WITH are written out wherever they are named"
            ));
            error.hint = Some("keep the rows in a temporary table".to_owned());
            Err(error)
        }
    }
}

/// A query that is being visited.
#[derive(Default)]
struct Open {
    /// The names of its WITH, in lower case. Queries of these are visited first, in order.
    names: Vec<String>,
    /// The parts of the queries of the first names.
    known: Vec<usize>,
    /// Its own parts so far.
    parts: usize,
}

/// Counts parts of a query, with those of the queries that it names.
#[derive(Default)]
struct Taken {
    /// The innermost last.
    open: Vec<Open>,
}

impl Taken {
    fn add(&mut self, parts: usize) -> ControlFlow<()> {
        if let Some(query) = self.open.last_mut() {
            query.parts = query.parts.saturating_add(parts);
            if query.parts > MAX_PARTS {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns the parts of a query of WITH; 0 of other names.
    fn of(&self, name: &str) -> usize {
        let name = name.to_lowercase();
        let known = self.open.iter().rev().find_map(|query| {
            let mut known = query.names.iter().zip(&query.known);
            known.find(|(known, _)| **known == name)
        });
        known.map_or(0, |(_, parts)| *parts)
    }
}

impl Visitor for Taken {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = tables.map(|table| table.alias.name.value.to_lowercase());
        self.open.push(Open {
            names: names.collect(),
            ..Open::default()
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        let Some(ended) = self.open.pop() else {
            return ControlFlow::Continue(());
        };
        match self.open.last_mut() {
            Some(outer) if outer.known.len() < outer.names.len() => {
                outer.known.push(ended.parts);
                ControlFlow::Continue(())
            }
            _ => self.add(ended.parts),
        }
    }

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.add(1)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let named = match factor {
            TableFactor::Table { name, .. } => match name.0.as_slice() {
                [ObjectNamePart::Identifier(name)] => self.of(&name.value),
                _ => 0,
            },
            _ => 0,
        };
        self.add(named.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    /// Returns queries of which each names the one before twice, in their order or the other way round.
    fn doubled(count: usize, is_reversed: bool) -> String {
        let mut queries = vec!["c0 AS (SELECT 1 AS x)".to_owned()];
        for number in 1..=count {
            let before = number - 1;
            queries.push(format!(
                "c{number} AS (SELECT x FROM c{before} UNION ALL SELECT x FROM (SELECT x FROM C{before}) q)"
            ));
        }
        if is_reversed {
            queries.reverse();
        }
        format!(
            "WITH RECURSIVE {} SELECT * FROM c{count}",
            queries.join(", ")
        )
    }

    #[test]
    fn queries_that_multiply_are_refused() {
        for is_reversed in [false, true] {
            crate::parse(&doubled(8, is_reversed)).unwrap();
            let error = crate::parse(&doubled(60, is_reversed)).unwrap_err();
            let expected = "a query has more than 100000 tables and subqueries";
            assert!(error.message.starts_with(expected), "{}", error.message);
        }
    }

    #[test]
    fn names_are_those_of_the_innermost_with() {
        let many = doubled(13, false);
        crate::parse(&format!("{many}, c13 AS q")).unwrap_err();
        for sql in [
            // The table of the inner WITH is small.
            format!("{many} WHERE x IN (WITH c13 AS (SELECT 1 AS x) SELECT a.x FROM c13 a, c13 b, c13 c)"),
            // A table of a schema is not a query of WITH.
            format!("{many}, s.c13"),
            // A query that reads itself.
            "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t"
                .to_owned(),
        ] {
            crate::parse(&sql).unwrap();
        }
    }
}
