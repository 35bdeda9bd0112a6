//! Drops the sorts whose order nothing shows.
//!
//! DataFusion's physical optimizer would drop them too, but until then they would keep its logical
//! rules from moving filters and joins.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, Window};

use crate::limits::stop::check;
use crate::plans::expressions::until;

/// Returns the plan without such sorts.
///
/// # Errors
///
/// Returns an error if the planning is stopped.
pub(super) fn removed(plan: LogicalPlan) -> Result<LogicalPlan> {
    match are_within(&plan, true)? {
        true => within(plan, true).data(),
        false => Ok(plan),
    }
}

/// Returns whether there are such sorts. `is_shown`: as for [`within`].
fn are_within(node: &LogicalPlan, is_shown: bool) -> Result<bool> {
    check()?;
    if matches!(node, LogicalPlan::Sort(sort) if !is_shown && sort.fetch.is_none()) {
        return Ok(true);
    }
    let shows = shows(node, is_shown);
    for input in node.inputs() {
        if are_within(input, shows)? {
            return Ok(true);
        }
    }
    let mut found = false;
    node.apply_subqueries(|subquery| {
        found = are_within(subquery, false)?;
        Ok(until(found))
    })?;
    Ok(found)
}

/// `is_shown`: whether the order of the node's rows matters.
fn within(node: LogicalPlan, is_shown: bool) -> Result<Transformed<LogicalPlan>> {
    check()?;
    let node = match node {
        LogicalPlan::Sort(sort) if !is_shown && sort.fetch.is_none() => {
            let input = Arc::unwrap_or_clone(sort.input);
            return within(input, false).map(|plan| Transformed::yes(plan.data));
        }
        node => node,
    };
    let shows = shows(&node, is_shown);
    node.map_children(|input| within(input, shows))?
        .transform_sibling(|node| node.map_subqueries(|subquery| within(subquery, false)))
}

/// Returns whether the order of the rows below a node matters.
fn shows(node: &LogicalPlan, is_shown: bool) -> bool {
    match node {
        LogicalPlan::Limit(_) => true,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Copy(_) => is_shown,
        LogicalPlan::Window(window) => is_shown && !has_partitions(window),
        _ => false,
    }
}

/// Returns whether a window sorts its rows by partitions. Without them, its keys may be those of the
/// sort below it, whose order stays if no column of the window is used.
fn has_partitions(window: &Window) -> bool {
    window.window_expr.iter().any(|expr| {
        let partitions = expr.exists(|part| {
            Ok(match part {
                Expr::WindowFunction(call) => !call.params.partition_by.is_empty(),
                _ => false,
            })
        });
        partitions.unwrap_or(true)
    })
}
