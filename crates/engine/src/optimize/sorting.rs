//! Sorts the inputs of operators as they require.
//!
//! Below a union with columns that are equal to each other, DataFusion moves a parallel sort to a
//! place where it does not sort by all required keys, and its last check refuses the plan
//! (`EnsureRequirements` with `repartition_sorts`, 55.2). Such a plan is made [again](guard) with
//! fewer parallel sorts.
//!
//! DataFusion also drops sorts that follow from what it knows about the rows below, and later
//! builds a plan of which it knows less. The last check refuses that too. This happens for a key
//! that is constant, or of a single row, below a join:
//!
//! ```text
//! SELECT min(u.b) OVER (ORDER BY t.c) FROM (SELECT a, 0 AS c FROM t) t JOIN u ON u.a = t.a
//! ```
//!
//! A rule that runs after all others [sorts](SORT_INPUTS) what is not known to be sorted. If a sort
//! below has a limit, the plan is still refused, because the limit may apply to other keys. A merge
//! of the first rows of partitions, however, is of those that are the first by its own keys:
//!
//! ```text
//! SELECT a, grouping(a, b) AS g FROM t GROUP BY ROLLUP (a, b) HAVING count(*) > 1 AND grouping(a, b) = 1
//! ORDER BY g, a LIMIT 5
//! ```
//!
//! Delete these when the plans of the tests pass without them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlanProperties, ReplaceChildrenOptions,
};

use super::projections::of_input;
use super::remembered;
use super::rules::{EachOperator, Operator};

/// Makes a plan again that the last check would refuse.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    let made = remembered::guard(rule, Arc::clone(&plan), config)?;
    if SanityCheckPlan::new()
        .optimize(Arc::clone(&made), config)
        .is_ok()
    {
        return Ok(made);
    }
    let mut config = config.clone();
    config.optimizer.repartition_sorts = false;
    rule.optimize(plan, &config)
}

/// Sorts inputs that are not known to be sorted as the operator requires.
pub(super) const SORT_INPUTS: EachOperator = EachOperator {
    name: "sort_inputs",
    rewrite: with_sorted_inputs,
};

fn with_sorted_inputs(plan: Operator) -> Result<Transformed<Operator>> {
    let mut inputs = Vec::new();
    let mut changed = false;
    for (input, order) in plan
        .children()
        .into_iter()
        .zip(plan.required_input_ordering())
    {
        let mut input = Arc::clone(input);
        if let Some(order) = order.map(|order| order.into_single())
            && !input
                .equivalence_properties()
                .ordering_satisfy_requirement(order.clone())?
        {
            let merge = plan.downcast_ref::<SortPreservingMergeExec>();
            let merged = match merge.and_then(SortPreservingMergeExec::fetch) {
                Some(rows) => first_rows(&input, order.clone().into(), rows)?,
                None => None,
            };
            if let Some(first) = merged {
                input = first;
                changed = true;
            } else if !sorts_with_limit(&input)? {
                let is_parallel = input.output_partitioning().partition_count() > 1;
                let sort = SortExec::new(LexOrdering::from(order), input);
                input = Arc::new(sort.with_preserve_partitioning(is_parallel));
                changed = true;
            }
        }
        inputs.push(input);
    }
    match changed {
        true => {
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            plan.replace_children(inputs, options).map(Transformed::yes)
        }
        false => Ok(Transformed::no(plan)),
    }
}

/// Returns an input of a merge that has the first rows of each partition, with the first ones by the
/// merge's own keys instead; `None` if it is another input.
///
/// `rows`: how many the merge returns.
fn first_rows(input: &Operator, order: LexOrdering, rows: usize) -> Result<Option<Operator>> {
    if let Some(sort) = input.downcast_ref::<SortExec>() {
        // The first rows of one partition may be those of a LIMIT.
        let is_divided = sort.input().output_partitioning().partition_count() > 1;
        if !is_divided || sort.fetch().is_none_or(|fetch| fetch < rows) {
            return Ok(None);
        }
        let sorted = SortExec::new(order, Arc::clone(sort.input()))
            .with_fetch(sort.fetch())
            .with_preserve_partitioning(sort.preserve_partitioning());
        return Ok(Some(Arc::new(sorted)));
    }
    let Some(projection) = input.downcast_ref::<ProjectionExec>() else {
        return Ok(None);
    };
    let mut keys = Vec::with_capacity(order.len());
    for key in order {
        let Some(expr) = of_input(&key.expr, projection.expr())? else {
            return Ok(None);
        };
        keys.push(PhysicalSortExpr::new(expr, key.options));
    }
    let Some(below) = LexOrdering::new(keys) else {
        return Ok(None);
    };
    let Some(first) = first_rows(projection.input(), below, rows)? else {
        return Ok(None);
    };
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    let projected = Arc::clone(input).replace_children(vec![first], options)?;
    Ok(Some(projected))
}

fn sorts_with_limit(plan: &Operator) -> Result<bool> {
    plan.exists(|node| {
        let sorts = node.is::<SortExec>() || node.is::<SortPreservingMergeExec>();
        Ok(sorts && node.fetch().is_some())
    })
}
