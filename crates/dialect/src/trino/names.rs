//! Names as in Trino: words that are functions in PostgreSQL are plain names, and fields in a SELECT
//! list are named after themselves.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Select, Statement, VisitorMut};
use lakegate_sql::walk::walk_mut;

use super::{field_names, keywords};

/// Rewrites the names of a statement.
pub(crate) fn plain(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Names);
}

struct Names;

impl VisitorMut for Names {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        keywords::as_name(expr);
        ControlFlow::Continue(())
    }

    /// After the expressions of the SELECT.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        field_names::name(select);
        ControlFlow::Continue(())
    }
}
