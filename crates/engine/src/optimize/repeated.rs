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

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::dependencies;
use crate::expressions;

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
    plan.transform_data(|plan| dependencies::of_sorts(rule, plan, config))
}

fn repeats_a_key(expr: &Expr) -> bool {
    let Expr::AggregateFunction(call) = expr else {
        return false;
    };
    let mut keys = call.params.order_by.as_slice();
    while let [key, rest @ ..] = keys {
        if rest.iter().any(|later| later.expr == key.expr) {
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
