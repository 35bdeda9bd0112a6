//! Subqueries that the engine joins correctly itself, which is faster than a domain.
//!
//! The engine moves conditions on outer columns out of filters into a join. The result is the same
//! if nothing between the filter and the top of the subquery counts, cuts, numbers or unites rows.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Distinct, Expr, JoinType, LogicalPlan, Operator};

use super::{outer_columns, single_value, subquery_of};

/// Returns whether the engine makes EXISTS or IN over `subquery` a semi, anti or mark join with
/// rows of `outer`.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(super) fn joins(subquery: &LogicalPlan, outer: &DFSchema) -> Result<bool> {
    Ok(is_of(subquery, outer)? && is_filtered(subquery, true)?)
}

/// Returns whether the engine makes a LATERAL subquery a join.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(super) fn joins_laterally(subquery: &LogicalPlan, outer: &DFSchema) -> Result<bool> {
    Ok(is_of(subquery, outer)? && is_filtered(subquery, false)?)
}

/// Returns whether the engine makes a scalar subquery a join with groups.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(super) fn groups(subquery: &LogicalPlan, outer: &DFSchema) -> Result<bool> {
    if !is_of(subquery, outer)? {
        return Ok(false);
    }
    let mut plan = subquery;
    loop {
        plan = match plan {
            LogicalPlan::Projection(list) if !list.expr.iter().any(reads_outer) => &list.input,
            LogicalPlan::Aggregate(aggregate) => {
                let exprs = &aggregate.aggr_expr;
                return Ok(aggregate.group_expr.is_empty()
                    && !exprs.is_empty()
                    && !exprs.iter().any(reads_outer)
                    && !exprs
                        .iter()
                        .any(|expr| single_value::argument(expr).is_some())
                    && is_filtered(&aggregate.input, false)?
                    && is_equated(&aggregate.input));
            }
            _ => return Ok(false),
        }
    }
}

/// Returns whether all outer columns are columns of these rows, and none of rows further out.
fn is_of(subquery: &LogicalPlan, outer: &DFSchema) -> Result<bool> {
    let columns = outer_columns(subquery)?;
    Ok(columns.iter().all(|column| outer.has_column(column)))
}

/// Returns whether outer columns are read in filters alone, above which no operator depends on the
/// rows that exist. With `as_set`, duplicate rows do not matter, so DISTINCT is allowed.
fn is_filtered(plan: &LogicalPlan, as_set: bool) -> Result<bool> {
    if outer_columns(plan)?.is_empty() {
        return Ok(true);
    }
    match plan {
        LogicalPlan::Filter(filter) => {
            let schema = filter.input.schema();
            for condition in split_conjunction(&filter.predicate) {
                let nested = condition.exists(|expr| Ok(subquery_of(expr).is_some()))?;
                if nested && (condition.contains_outer() || escapes(condition, schema)?) {
                    return Ok(false);
                }
            }
            is_filtered(&filter.input, as_set)
        }
        LogicalPlan::Projection(list) => {
            let simple = !list.expr.iter().any(|expr| {
                reads_outer(expr) || matches!(expr, Expr::Unnest(_)) || expr.is_volatile()
            });
            Ok(simple && is_filtered(&list.input, as_set)?)
        }
        LogicalPlan::Distinct(Distinct::All(input)) if as_set => is_filtered(input, as_set),
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            let on = join.on.iter().flat_map(|(left, right)| [left, right]);
            Ok(!on.chain(&join.filter).any(reads_outer)
                && is_filtered(&join.left, as_set)?
                && is_filtered(&join.right, as_set)?)
        }
        _ => Ok(false),
    }
}

/// Returns whether each condition on outer columns equates them with other columns, which the
/// engine then groups by. It groups by no other expressions (`can_pullup_over_aggregation` in
/// `decorrelate.rs` of `datafusion-optimizer`, 55.2).
fn is_equated(plan: &LogicalPlan) -> bool {
    let conditions = match plan {
        LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate),
        _ => vec![],
    };
    let mut conditions = conditions
        .into_iter()
        .filter(|condition| reads_outer(condition));
    conditions.all(equates) && plan.inputs().into_iter().all(is_equated)
}

fn equates(condition: &Expr) -> bool {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let outer = |expr: &Expr| reads_outer(expr) && expr.column_refs().is_empty();
            let own = |expr: &Expr| match expr {
                Expr::Cast(Cast { expr, .. }) => matches!(expr.as_ref(), Expr::Column(_)),
                expr => matches!(expr, Expr::Column(_)),
            };
            (outer(left) && own(right)) || (outer(right) && own(left))
        }
        // Both alternatives have the same condition.
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let of = |expr| -> Vec<Expr> {
                let conditions = split_conjunction(expr).into_iter();
                conditions
                    .filter(|part| reads_outer(part))
                    .cloned()
                    .collect()
            };
            let (left, right): (Vec<Expr>, Vec<Expr>) = (of(left), of(right));
            left == right && left.iter().all(equates)
        }
        _ => false,
    }
}

fn reads_outer(expr: &Expr) -> bool {
    let correlated = |expr: &Expr| {
        let subquery = subquery_of(expr);
        Ok(subquery.is_some_and(|subquery| !subquery.outer_ref_columns.is_empty()))
    };
    expr.contains_outer() || expr.exists(correlated).unwrap_or(true)
}

/// Returns whether a subquery of a condition reads columns of rows further out than those of the
/// condition.
fn escapes(condition: &Expr, schema: &DFSchema) -> Result<bool> {
    let mut found = false;
    condition.apply(|expr| {
        if let Some(subquery) = subquery_of(expr) {
            let columns = outer_columns(&subquery.subquery)?;
            found |= columns.iter().any(|column| !schema.has_column(column));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
