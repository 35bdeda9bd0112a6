//! Looks for common expressions only in plans where an operator may have some.
//!
//! DataFusion's rule takes all operators of a plan apart, numbers all parts of their expressions, and
//! puts the operators together again, in each pass (`common_subexpr_eliminate.rs` of
//! `datafusion-optimizer`, 55.2). An expression that an operator has twice has the same hash both
//! times, so a plan without equal hashes stays as it is.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::plans::expressions::until;

/// Leaves plans without common expressions to themselves.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match may_repeat(&plan)? {
        true => rule.rewrite(plan, config),
        false => Ok(Transformed::no(plan)),
    }
}

/// Returns whether an operator may have an expression twice.
fn may_repeat(plan: &LogicalPlan) -> Result<bool> {
    // Windows on top of each other are taken together.
    let mut of_windows = HashSet::new();
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        let mut own = HashSet::new();
        let seen = match node {
            LogicalPlan::Window(_) => &mut of_windows,
            LogicalPlan::Projection(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Aggregate(_) => &mut own,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        node.apply_expressions(|expr| {
            hash_of(expr, seen, &mut found)?;
            Ok(until(found))
        })?;
        Ok(until(found))
    })?;
    Ok(found)
}

/// Returns a hash of an expression. Equal expressions have equal ones, and so have those that differ
/// only in the order of operands, or in what is not hashed.
///
/// `seen`: gets the hashes of the parts that are worth to be computed once. `found`: is set if one
/// of them is there already.
fn hash_of(expr: &Expr, seen: &mut HashSet<u64>, found: &mut bool) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    mem::discriminant(expr).hash(&mut hasher);
    let mut is_cheap = false;
    match expr {
        Expr::Column(column) => {
            column.name.hash(&mut hasher);
            is_cheap = true;
        }
        Expr::Literal(value, _) => {
            value.hash(&mut hasher);
            is_cheap = true;
        }
        Expr::Alias(_) => is_cheap = true,
        Expr::BinaryExpr(binary) => binary.op.hash(&mut hasher),
        Expr::ScalarFunction(call) => call.func.name().hash(&mut hasher),
        Expr::AggregateFunction(call) => call.func.name().hash(&mut hasher),
        _ => {}
    }
    let mut hash = hasher.finish();
    expr.apply_children(|part| {
        hash = hash.wrapping_add(hash_of(part, seen, found)?.rotate_left(1));
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !is_cheap && !seen.insert(hash) {
        *found = true;
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;

    use super::*;

    /// Returns a plan after the rule without and with the guard.
    fn both(plan: &LogicalPlan) -> [LogicalPlan; 2] {
        let rule = CommonSubexprEliminate::new();
        let bare = rule
            .rewrite(plan.clone(), &OptimizerContext::new())
            .unwrap();
        let guarded = guard(&rule, plan.clone(), &OptimizerContext::new()).unwrap();
        [bare.data, guarded.data]
    }

    fn rows() -> LogicalPlanBuilder {
        let row = vec![lit(1_i64), lit(2_i64)];
        LogicalPlanBuilder::values(vec![row]).unwrap()
    }

    fn sum() -> Expr {
        col("column1") + col("column2")
    }

    fn turned() -> Expr {
        col("column2") + col("column1")
    }

    #[test]
    fn what_an_operator_has_twice_is_computed_once() {
        for plan in [
            rows().project([
                (sum() * lit(2_i64)).alias("x"),
                (sum() * lit(3_i64)).alias("y"),
            ]),
            rows().project([sum().alias("x"), turned().alias("y")]),
            rows().filter((sum() * lit(2_i64)).gt(sum())),
            rows().sort([
                (sum() * lit(2_i64)).sort(true, false),
                turned().sort(true, false),
            ]),
            rows().aggregate([sum().alias("x"), sum().is_null()], Vec::<Expr>::new()),
        ] {
            let plan = plan.unwrap().build().unwrap();
            let [bare, guarded] = both(&plan);
            assert_eq!(guarded, bare);
            assert_ne!(guarded, plan);
        }
    }

    #[test]
    fn plans_without_repetitions_stay_as_they_are() {
        let above = |list: Vec<Expr>| rows().project([sum().alias("x")]).unwrap().project(list);
        for plan in [
            rows().project([sum().alias("x"), (col("column1") * lit(2_i64)).alias("y")]),
            rows().project([col("column1"), col("column1").alias("again")]),
            rows().filter(
                col("column1")
                    .gt(lit(1_i64))
                    .and(col("column2").gt(lit(1_i64))),
            ),
            // Each of two operators has it once.
            above(vec![col("x"), (col("x") + lit(1_i64)).alias("y")]),
        ] {
            let plan = plan.unwrap().build().unwrap();
            assert!(!may_repeat(&plan).unwrap(), "{}", plan.display_indent());
            let [bare, guarded] = both(&plan);
            assert_eq!(guarded, bare);
            assert_eq!(guarded, plan);
        }
    }
}
