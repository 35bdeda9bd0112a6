//! Constants in LIMIT and OFFSET. The value of a parameter comes within a cast, and it is the
//! optimizer, which runs later, that computes constants.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Limit, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::plans::expressions::subquery_of;

/// Computes the constants in LIMIT and OFFSET, also those of subqueries.
///
/// # Errors
///
/// Returns an error if computing one fails, as it does for `LIMIT 1 / 0`.
pub(super) fn computed(plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found = found || matches!(node, LogicalPlan::Limit(limit) if is_computed(limit));
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if !found {
        return Ok(plan);
    }
    let context = SimplifyContext::builder()
        .with_config_options(Arc::new(options.clone()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let count = |expr: Option<Box<Expr>>| -> Result<Option<Box<Expr>>> {
        match expr {
            Some(expr) if is_constant(&expr)? => Ok(Some(Box::new(simplifier.simplify(*expr)?))),
            other => Ok(other),
        }
    };
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Limit(limit) if is_computed(&limit) => {
            Ok(Transformed::yes(LogicalPlan::Limit(Limit {
                skip: count(limit.skip)?,
                fetch: count(limit.fetch)?,
                input: limit.input,
            })))
        }
        other => Ok(Transformed::no(other)),
    })
    .data()
}

/// Returns whether a parameter of the statement, which has no value yet, is part of the counts.
pub(super) fn has_parameter(limit: &Limit) -> Result<bool> {
    for count in counts(limit) {
        if count.exists(|part| Ok(matches!(part, Expr::Placeholder(_))))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn counts(limit: &Limit) -> impl Iterator<Item = &Expr> {
    let counts = [&limit.skip, &limit.fetch];
    counts.into_iter().flatten().map(AsRef::as_ref)
}

fn is_computed(limit: &Limit) -> bool {
    counts(limit).any(|count| !matches!(count, Expr::Literal(..)))
}

fn is_constant(expr: &Expr) -> Result<bool> {
    let varies = expr.exists(|part| {
        let reads = matches!(
            part,
            Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::Placeholder(_)
        );
        Ok(reads || subquery_of(part).is_some())
    })?;
    Ok(!varies)
}
