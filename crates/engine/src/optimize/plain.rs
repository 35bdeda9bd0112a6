//! Simplifies only expressions that are more than a column, with or without an alias, or a constant.
//!
//! DataFusion sets up its simplifier for each expression of each operator, in each pass, with the
//! columns of all inputs and the names of the results (`simplify_exprs.rs` of
//! `datafusion-optimizer`, 55.2). Most expressions of a plan are columns, which it returns as they
//! are:
//!
//! ```text
//! Projection: t.c_1, t.c_2, …, t.c_2000, t.a + 0 AS s     only the last is simplified
//!   SubqueryAlias: t                                      has none
//!     TableScan: t                                        has none, unless it has filters
//! ```

use std::mem;

use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::plans::expressions::until;

/// Leaves columns and constants to themselves.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        // The rule also restores the form of aggregates, whose functions are more than columns.
        LogicalPlan::Aggregate(_) | LogicalPlan::Dml(_) => rule.rewrite(plan, config),
        LogicalPlan::Projection(list) if list.expr.iter().any(is_plain) => {
            others_of(rule, list, config)
        }
        plan => match has_others(&plan)? {
            true => rule.rewrite(plan, config),
            false => Ok(Transformed::no(plan)),
        },
    }
}

/// Returns whether the simplifier returns an expression as it is.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        // A constant takes the metadata of its alias.
        Expr::Alias(alias) => matches!(alias.expr.as_ref(), Expr::Column(_)),
        _ => false,
    }
}

fn has_others(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found = !is_plain(expr);
        Ok(until(found))
    })?;
    Ok(found)
}

/// Runs the rule over a list without its plain expressions, and puts the others back in their
/// places.
fn others_of(
    rule: &dyn OptimizerRule,
    mut list: Projection,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let mut all = mem::take(&mut list.expr);
    let mut places = Vec::new();
    for (place, expr) in all.iter_mut().enumerate() {
        if !is_plain(expr) {
            places.push(place);
            list.expr.push(mem::take(expr));
        }
    }
    if places.is_empty() {
        list.expr = all;
        return Ok(Transformed::no(LogicalPlan::Projection(list)));
    }
    let Transformed {
        data,
        transformed,
        tnr,
    } = rule.rewrite(LogicalPlan::Projection(list), config)?;
    let mut list = match data {
        LogicalPlan::Projection(list) if list.expr.len() == places.len() => list,
        other => {
            return Err(DataFusionError::Internal(format!(
                "the simplifier made a list of columns {}",
                other.display()
            )));
        }
    };
    for (place, expr) in places.into_iter().zip(mem::take(&mut list.expr)) {
        if let Some(simplified) = all.get_mut(place) {
            *simplified = expr;
        }
    }
    list.expr = all;
    Ok(Transformed::new(
        LogicalPlan::Projection(list),
        transformed,
        tnr,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::optimizer::simplify_expressions::SimplifyExpressions;

    use super::*;

    /// Returns a plan after the rule without and with the guard.
    fn both(plan: &LogicalPlan) -> [LogicalPlan; 2] {
        let (rule, config) = (SimplifyExpressions::new(), OptimizerContext::new());
        let bare = rule.rewrite(plan.clone(), &config).unwrap();
        let guarded = guard(&rule, plan.clone(), &config).unwrap();
        [bare.data, guarded.data]
    }

    fn rows() -> LogicalPlanBuilder {
        LogicalPlanBuilder::values(vec![vec![lit("a"), lit("b")]]).unwrap()
    }

    #[test]
    fn columns_stay_and_what_is_between_them_is_simplified() {
        let longer = || col("column1").gt(lit("a")).and(lit(true));
        let changed = [
            rows().project([col("column2"), longer(), lit(1_i64), col("column1")]),
            rows().project([longer(), longer().is_null()]),
            rows().project([col("column1").alias("x"), longer().alias("y")]),
            rows().filter(longer()),
            rows().sort([longer().sort(true, false)]),
        ];
        for plan in changed {
            let plan = plan.unwrap().build().unwrap();
            let [bare, guarded] = both(&plan);
            assert_eq!(guarded, bare);
            assert_ne!(guarded, plan);
        }
    }

    #[test]
    fn plans_of_columns_only_stay_as_they_are() {
        let same = [
            rows().project([col("column2"), lit(1_i64), col("column1")]),
            rows().project([col("column2").alias("x"), col("column1")]),
            rows().sort([col("column2").sort(true, false)]),
            rows().alias("t"),
            rows().aggregate([col("column1")], Vec::<Expr>::new()),
            rows().limit(0, Some(1)),
            rows().distinct(),
        ];
        for plan in same {
            let plan = plan.unwrap().build().unwrap();
            let [bare, guarded] = both(&plan);
            assert_eq!(guarded, bare);
            assert_eq!(guarded, plan);
        }
    }
}
