//! Columns of outer queries, which a subquery names by their relation.
//!
//! ```text
//! SELECT (SELECT max(c) FROM u WHERE u.a = t.a) FROM t
//!     SELECT (SELECT max(c) FROM u WHERE u.a = "/outer".t.a) FROM t
//! SELECT (SELECT max(c) FROM u WHERE u.a = t.a) FROM d.t
//!     SELECT (SELECT max(c) FROM u WHERE u.a = d.t.a) FROM d.t
//! ```
//!
//! In PostgreSQL, the `t` of `t.a` is a relation, the one of the nearest query that has one of this
//! name. For the engine it is a column `t` of `u` first, and `a` one of its fields. With a schema
//! before it, it can only be a relation: the engine compares schemas if both names have one.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, Query, Select, SetExpr, Statement, VisitorMut,
};
use lakegate_error::OUTER;
use lakegate_sql::named_tables;
use lakegate_sql::walk::walk_mut;

use super::folded;
use super::using::relation;

/// Writes a schema before the relations of outer queries.
pub(super) fn qualify(statement: &mut Statement) {
    let mut scopes = Scopes::default();
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut scopes);
}

/// The relations of the queries around an expression, by the names before their columns.
#[derive(Default)]
struct Scopes {
    /// Those of a query, whose ORDER BY is outside of its SELECT, and those of the SELECT; the
    /// outermost first.
    relations: Vec<Vec<Vec<Ident>>>,
}

impl Scopes {
    /// Returns a name with a schema for a relation that an outer query has, and not the innermost
    /// one.
    fn outer(&self, name: &Ident) -> Option<Vec<Ident>> {
        let wanted = folded(name);
        let (innermost, outer) = self.relations.split_last()?;
        let found = |relations: &&Vec<Vec<Ident>>| of_name(relations, &wanted).is_some();
        if found(&innermost) {
            return None;
        }
        let nearest = outer.iter().rev().find(found)?;
        let parts = of_name(nearest, &wanted)?;
        Some(match parts.len() {
            1 => vec![Ident::with_quote('"', OUTER), name.clone()],
            _ => parts.to_vec(),
        })
    }
}

fn of_name<'a>(relations: &'a [Vec<Ident>], wanted: &str) -> Option<&'a [Ident]> {
    let is_wanted = |parts: &&Vec<Ident>| parts.last().is_some_and(|name| folded(name) == wanted);
    relations.iter().find(is_wanted).map(Vec::as_slice)
}

/// Returns the names of the relations in FROM.
fn relations(select: &Select) -> Vec<Vec<Ident>> {
    let tables = named_tables(&select.from).into_iter();
    tables.filter_map(relation).collect()
}

impl VisitorMut for Scopes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.relations.push(match query.body.as_ref() {
            SetExpr::Select(select) => relations(select),
            _ => Vec::new(),
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.relations.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.relations.push(relations(select));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<()> {
        self.relations.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                if let [qualifier, column] = parts.as_slice()
                    && let Some(mut named) = self.outer(qualifier)
                {
                    named.push(column.clone());
                    *parts = named;
                }
            }
            // An item of an array, such as `t.items[1]`.
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Expr::Identifier(qualifier) = root.as_ref()
                    && let [AccessExpr::Dot(Expr::Identifier(_)), ..] = access_chain.as_slice()
                    && let Some(named) = self.outer(qualifier)
                {
                    let mut parts = named.into_iter().map(Expr::Identifier);
                    if let Some(first) = parts.next() {
                        **root = first;
                        access_chain.splice(0..0, parts.map(AccessExpr::Dot));
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
    use super::super::testing::with_statement;
    use super::*;

    fn qualified(sql: &str) -> String {
        with_statement(sql, qualify)
    }

    #[test]
    fn relation_of_an_outer_query_has_a_schema() {
        for (sql, expected) in [
            (
                "SELECT (SELECT u.b FROM u WHERE u.a = T.a) FROM t",
                "SELECT (SELECT u.b FROM u WHERE u.a = \"/outer\".T.a) FROM t",
            ),
            (
                "SELECT t.a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE EXISTS (SELECT t.a + u.a FROM v))",
                "SELECT t.a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE EXISTS (SELECT \"/outer\".t.a + \"/outer\".u.a FROM v))",
            ),
            (
                "SELECT t.a FROM d.t ORDER BY (SELECT max(u.b) FROM u WHERE u.a = t.a), t.a",
                "SELECT t.a FROM d.t ORDER BY (SELECT max(u.b) FROM u WHERE u.a = d.t.a), t.a",
            ),
            (
                "SELECT 1 FROM (t JOIN d.u AS x ON t.a = x.a), LATERAL (SELECT t.b[1], x.c) AS s",
                "SELECT 1 FROM (t JOIN d.u AS x ON t.a = x.a), LATERAL (SELECT \"/outer\".t.b[1], \"/outer\".x.c) AS s",
            ),
        ] {
            assert_eq!(qualified(sql), expected);
        }
    }

    #[test]
    fn relation_of_the_innermost_query_stays() {
        for sql in [
            "SELECT t.a FROM t JOIN u ON t.a = u.a WHERE u.b = 1 ORDER BY t.b",
            "SELECT (SELECT max(t.a) FROM u AS t) FROM t",
            "SELECT (SELECT max(u.a) FROM d.u WHERE d.t.a = 1 AND x.a = 2) FROM d.t",
            "SELECT t.a FROM t UNION SELECT u.a FROM u ORDER BY 1",
        ] {
            assert_eq!(qualified(sql), sql);
        }
    }
}
