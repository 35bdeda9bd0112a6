//! Named joins in parentheses are tables of their own: their columns are those of `*`, each once.
//!
//! ```text
//! FROM (a JOIN b USING (k)) AS x        FROM (SELECT * FROM a JOIN b USING (k)) AS x
//! ```

use lakegate_sql::walk::walk_mut;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{SetExpr, Statement, TableFactor, VisitorMut};
use lakegate_error::Error;

use crate::postgres::rewrite::build;

/// Converts named joins to subqueries.
///
/// # Errors
///
/// None that depend on the statement.
pub fn enclose_joins(statement: &mut Statement) -> Result<(), Error> {
    match walk_mut(statement, &mut Enclose) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Enclose;

impl VisitorMut for Enclose {
    type Break = Error;

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::NestedJoin {
            table_with_joins,
            alias: alias @ Some(_),
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let mut query = match build::everything() {
            Ok(query) => query,
            Err(error) => return ControlFlow::Break(error),
        };
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.from.push(table_with_joins.as_ref().clone());
        }
        *factor = TableFactor::Derived {
            lateral: false,
            subquery: Box::new(query),
            alias: alias.take(),
            sample: None,
        };
        ControlFlow::Continue(())
    }
}
