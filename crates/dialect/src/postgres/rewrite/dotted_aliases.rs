//! Aliases with a period, which the engine takes for the name of a column with its table.
//!
//! ```text
//! SELECT t.a AS "t.a" FROM t                               nothing to do: both are one column
//! SELECT max(t.a) AS "t.a" FROM t                          … AS "t.a" with a mark
//! SELECT q."t.a" FROM (SELECT max(t.a) AS "t.a" FROM t) q  both, with the mark
//! ```
//!
//! The result shows names without marks. Go's jet names all columns so.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, Statement, TableAlias, TableFactor, Visitor, VisitorMut,
};
use lakegate_engine::apart;
use lakegate_sql::walk::{walk, walk_mut};

/// Marks such aliases, and the columns that have their names.
pub(super) fn mark(statement: &mut Statement) {
    let mut found = Aliases::default();
    // The visitors never break.
    let _ = walk(&*statement, &mut found);
    if !found.names.is_empty() {
        let _ = walk_mut(statement, &mut Mark { names: found.names });
    }
}

/// The names with a period that a statement gives to other expressions than a column of this name.
#[derive(Default)]
struct Aliases {
    names: BTreeSet<String>,
}

impl Aliases {
    fn add(&mut self, alias: &Ident) {
        if alias.quote_style.is_some() && alias.value.contains('.') {
            self.names.insert(alias.value.clone());
        }
    }
}

impl Visitor for Aliases {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item
                && name(expr).is_none_or(|name| name.value != alias.value)
            {
                self.add(alias);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns the name of a column, without its table; `None` for other expressions.
fn name(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    }
}

struct Mark {
    names: BTreeSet<String>,
}

impl Mark {
    fn ident(&self, ident: &mut Ident) {
        if ident.quote_style.is_some() && self.names.contains(&ident.value) {
            ident.value = apart(&ident.value, 0);
        }
    }

    fn columns(&self, alias: &mut TableAlias) {
        let columns = alias.columns.iter_mut();
        columns.for_each(|column| self.ident(&mut column.name));
    }
}

impl VisitorMut for Mark {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let with = query.with.iter_mut();
        for table in with.flat_map(|with| &mut with.cte_tables) {
            self.columns(&mut table.alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.ident(alias);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived {
            alias: Some(alias), ..
        }
        | TableFactor::Table {
            alias: Some(alias), ..
        } = factor
        {
            self.columns(alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => self.ident(name),
            Expr::CompoundIdentifier(parts) => {
                if let Some(name) = parts.last_mut() {
                    self.ident(name);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::mark;
    use crate::postgres::rewrite::testing::with_statement;

    fn marked(sql: &str) -> String {
        with_statement(sql, mark)
    }

    #[test]
    fn aliases_and_their_columns_get_marks() {
        assert_eq!(
            marked(
                "SELECT q.\"t.a\" AS \"t.a\", \"q\".b FROM (SELECT max(t.a) AS \"t.a\" FROM t) q ORDER BY \"t.a\""
            ),
            "SELECT q.\"t.a\u{2063}:0\" AS \"t.a\u{2063}:0\", \"q\".b FROM \
             (SELECT max(t.a) AS \"t.a\u{2063}:0\" FROM t) q ORDER BY \"t.a\u{2063}:0\""
        );
    }

    #[test]
    fn columns_of_tables_keep_their_names() {
        for sql in [
            "SELECT \"t.a\" AS \"t.a\", t.\"t.a\" FROM t",
            "SELECT t.a AS a, 'x.y' AS b FROM t",
        ] {
            assert_eq!(marked(sql), sql);
        }
    }
}
