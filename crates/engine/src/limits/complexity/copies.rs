//! Limits on what a rule writes several times while it analyzes a plan: if such expressions or
//! subqueries are nested, each level multiplies those within it, and a short statement becomes a
//! tree that no memory holds.

use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::too_complex;
use crate::plans::expressions::{subquery_of, until};

/// Parts that all copies of an expression may have together.
const MAX_PARTS: usize = 10_000;
/// Nodes that a plan may have of which a rule makes copies, or which it made of copies.
const MAX_NODES: usize = 20_000;

/// Checks that a rule may write an expression `copies` times.
///
/// # Errors
///
/// Returns [`Code::TooComplex`](lakegate_error::Code::TooComplex) if the copies have too many parts
/// together.
pub fn check_copies(expr: &Expr, copies: usize) -> Result<()> {
    // A list of many items is tested for a column.
    if copies < 2 || matches!(expr, Expr::Column(_) | Expr::Literal(..)) {
        return Ok(());
    }
    let most = MAX_PARTS / copies;
    let mut parts = 0usize;
    expr.apply(|_| {
        parts += 1;
        Ok(until(parts > most))
    })?;
    match parts > most {
        false => Ok(()),
        true => Err(too_complex(
            format!(
                "an expression has more than {MAX_PARTS} parts when it is written out for each of its uses"
            ),
            "compute its operands in a subquery, and use fewer subqueries in one another",
        )),
    }
}

/// Checks the size of a plan of which a rule makes copies. A node that is used twice counts twice.
///
/// # Errors
///
/// Returns [`Code::TooComplex`](lakegate_error::Code::TooComplex) if the plan has too many nodes.
pub(crate) fn check_nodes(plan: &LogicalPlan) -> Result<()> {
    let mut nodes = 0;
    count(plan, &mut nodes)?;
    bounded(nodes)
}

/// Checks the size of an expression that a rule made of copies, with the plans of its subqueries.
///
/// # Errors
///
/// Returns [`Code::TooComplex`](lakegate_error::Code::TooComplex) if it has too many parts and nodes.
pub(crate) fn check_made(expr: &Expr) -> Result<()> {
    let mut nodes = 0;
    expr.apply(|part| {
        nodes += 1;
        if let Some(subquery) = subquery_of(part) {
            count(&subquery.subquery, &mut nodes)?;
        }
        Ok(until(nodes > MAX_NODES))
    })?;
    bounded(nodes)
}

/// Adds the nodes of a plan, until they are too many.
fn count(plan: &LogicalPlan, nodes: &mut usize) -> Result<()> {
    plan.apply_with_subqueries(|_| {
        *nodes += 1;
        Ok(until(*nodes > MAX_NODES))
    })?;
    Ok(())
}

fn bounded(nodes: usize) -> Result<()> {
    match nodes > MAX_NODES {
        false => Ok(()),
        true => Err(too_complex(
            format!(
                "the query has more than {MAX_NODES} steps when its subqueries are joined to the rows that they are evaluated for"
            ),
            "use fewer subqueries in one another, or join the tables that they read",
        )),
    }
}
