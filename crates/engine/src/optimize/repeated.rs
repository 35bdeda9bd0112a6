//! Removes the keys of aggregate functions that repeat an earlier key.
//!
//! DataFusion compares rows by the first of equal keys, but keeps the values of all of them for it
//! (`LexOrdering::new` of `datafusion-physical-expr-common`, which `first_last.rs` and
//! `array_agg.rs` of `datafusion-functions-aggregate` use, 55.2). So the values are not those of
//! the keys:
//!
//! ```text
//! SELECT DISTINCT ON (a) b FROM t ORDER BY a, a DESC     a panic
//! array_agg(x ORDER BY a, a, b)                          sorted by a and a
//! ```
//!
//! This runs before the rule that removes repeated keys of ORDER BY and GROUP BY. Delete it when
//! that rule removes these too.
//!
//! The rule computes the columns of each aggregate again, in each pass. It only runs where a key is
//! repeated.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::dependencies;
use crate::plans::expressions;

/// The maximum number of keys that are compared with each other before the rule runs.
const MAX_KEYS: usize = 32;

/// Removes repeated keys of aggregate functions, and then those that the rule removes.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let plan = match plan {
        LogicalPlan::Aggregate(_) => {
            expressions::of_node(plan, repeats_a_key, |expr, _| without_repeated_keys(expr))?
        }
        plan => Transformed::no(plan),
    };
    plan.transform_data(|plan| match may_repeat_keys(&plan) {
        true => dependencies::of_sorts(rule, plan, config),
        false => Ok(Transformed::no(plan)),
    })
}

/// Returns whether the rule may find a key twice.
fn may_repeat_keys(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(sort) => {
            sort.expr.len() > MAX_KEYS || repeats(&sort.expr, |key| &key.expr)
        }
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.len() > MAX_KEYS || repeats(&aggregate.group_expr, |key| key)
        }
        _ => false,
    }
}

fn repeats_a_key(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(call) => repeats(&call.params.order_by, |key| &key.expr),
        _ => false,
    }
}

/// Returns whether two keys have the same value.
fn repeats<K>(keys: &[K], value: impl Fn(&K) -> &Expr) -> bool {
    let mut keys = keys;
    while let [key, rest @ ..] = keys {
        if rest.iter().any(|later| value(later) == value(key)) {
            return true;
        }
        keys = rest;
    }
    false
}

fn without_repeated_keys(expr: Expr) -> Transformed<Expr> {
    if !repeats_a_key(&expr) {
        return Transformed::no(expr);
    }
    let Expr::AggregateFunction(mut call) = expr else {
        return Transformed::no(expr);
    };
    let mut kept: Vec<Sort> = Vec::new();
    for key in std::mem::take(&mut call.params.order_by) {
        if kept.iter().all(|earlier| earlier.expr != key.expr) {
            kept.push(key);
        }
    }
    call.params.order_by = kept;
    Transformed::yes(Expr::AggregateFunction(call))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;

    use super::*;

    /// Returns a plan after the rule, with and without the guard.
    fn both(plan: &LogicalPlan) -> [Transformed<LogicalPlan>; 2] {
        let (rule, config) = (EliminateDuplicatedExpr::new(), OptimizerContext::new());
        let guarded = guard(&rule, plan.clone(), &config).unwrap();
        let bare = rule.rewrite(plan.clone(), &config).unwrap();
        [guarded, bare]
    }

    fn rows() -> LogicalPlanBuilder {
        LogicalPlanBuilder::values(vec![vec![lit(1_i64), lit(2_i64)]]).unwrap()
    }

    #[test]
    fn keys_are_removed_where_they_repeat_and_other_operators_stay() {
        let up = |name: &str| col(name).sort(true, false);
        let down = |name: &str| col(name).sort(false, false);
        let many = (0..40_i64).map(|added| (col("column1") + lit(added)).sort(true, false));
        let many = many.chain([up("column2"), up("column2")]);
        for (plan, repeats) in [
            (rows().sort([up("column1"), up("column2")]), false),
            (rows().sort([up("column1"), down("column1")]), true),
            (rows().sort(many.collect::<Vec<_>>()), true),
            (rows().sort([up("column1")]), false),
            (
                rows().aggregate([col("column1"), col("column2")], Vec::<Expr>::new()),
                false,
            ),
            (rows().filter(col("column1").gt(lit(0_i64))), false),
        ] {
            let plan = plan.unwrap().build().unwrap();
            let [guarded, bare] = both(&plan);
            assert_eq!(guarded.data, bare.data);
            assert_eq!(guarded.transformed, bare.transformed);
            assert_eq!(guarded.transformed, repeats);
        }
    }

    #[test]
    fn repeated_keys_of_groups_are_removed() {
        let plan = rows().aggregate([col("column1")], Vec::<Expr>::new());
        let LogicalPlan::Aggregate(mut aggregate) = plan.unwrap().build().unwrap() else {
            return;
        };
        aggregate.group_expr.push(col("column1"));
        let [guarded, bare] = both(&LogicalPlan::Aggregate(aggregate));
        assert!(guarded.transformed && bare.transformed);
        assert_eq!(guarded.data, bare.data);
    }
}
