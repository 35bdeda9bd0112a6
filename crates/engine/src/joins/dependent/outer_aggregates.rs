//! Aggregate functions in a subquery that read columns of outer queries only. In PostgreSQL they
//! belong to the outer query:
//!
//! ```text
//! SELECT (SELECT max((SELECT y FROM u WHERE u.x = t.x))) FROM t      one row
//! ```

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Aggregate, Expr};

use super::{outer_columns, refused, subquery_of};

/// Refuses such functions, which the engine would evaluate for each outer row.
///
/// # Errors
///
/// An aggregate function reads outer columns and no others.
pub(super) fn refuse(aggregate: &Aggregate) -> Result<()> {
    for expr in &aggregate.aggr_expr {
        if expr.column_refs().is_empty() && reads_only_outer_columns(expr, aggregate)? {
            return refused(
                "an aggregate function over outer columns alone is not supported in a subquery: it is one of the outer query",
            );
        }
    }
    Ok(())
}

/// Returns whether an expression, which reads no column of the aggregate's input itself, reads outer
/// columns in it or in its subqueries, and no subquery reads a column of the input.
fn reads_only_outer_columns(expr: &Expr, aggregate: &Aggregate) -> Result<bool> {
    let (mut outer, mut own) = (expr.contains_outer(), false);
    expr.apply(|part| {
        if let Some(subquery) = subquery_of(part) {
            for column in outer_columns(&subquery.subquery)? {
                match aggregate.input.schema().has_column(&column) {
                    true => own = true,
                    false => outer = true,
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(outer && !own)
}
