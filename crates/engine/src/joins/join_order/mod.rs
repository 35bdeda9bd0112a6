//! The order of inner, semi and anti joins.
//!
//! DataFusion joins tables in the order of the query, and chooses the build side of each join only
//! (55.2). This physical rule looks at all orders of a *region*, which is such joins with
//! column-only projections between them, and takes the cheapest by estimates:
//!
//! ```text
//! region.rs       joins, keys and conditions of a region; what it joins are its leaves
//! keys.rs         classes of equal columns
//! model.rs        rows and costs of a part, by the engine's estimates
//! graph.rs        what can be joined without a cross join
//! search.rs       the cheapest order
//! plan.rs         its plan
//! ```
//!
//! Outer joins, aggregates and computed columns are leaves, or above a region, and stay where they
//! are. So is what a semi or an anti join looks rows up in, and `NOT IN` with NULLs. A region stays
//! as it is if the rows of one of its leaves are not known, or if no order is clearly cheaper:
//! estimates are rough, and a plan should not change with each file. Statistics decide the order
//! only: each order gives the same rows.
//!
//! It is a physical rule, because the scans of a physical plan have statistics, with partitions and
//! files pruned. It runs before `JoinSelection`, which then chooses build sides and partitioning by
//! DataFusion's own estimates, as in other plans; `datafusion.optimizer.join_reordering` switches
//! both off. Delete this when DataFusion orders joins (apache/datafusion#24456).

mod graph;
mod keys;
mod model;
mod plan;
mod region;
mod search;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};

use self::graph::Graph;
use self::model::Model;
use self::region::{Region, Step, step};
use crate::limits::stop::check;
use crate::plans::estimates::Leaves;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// A new order has to cost less than this share of the old one.
const CLEARLY_LESS: f64 = 0.8;

/// The physical rule.
#[derive(Debug)]
pub(crate) struct JoinOrder;

impl PhysicalOptimizerRule for JoinOrder {
    fn optimize(&self, plan: Operator, config: &ConfigOptions) -> Result<Operator> {
        if !config.optimizer.join_reordering {
            return Ok(plan);
        }
        each_region(plan, reordered)
    }

    fn name(&self) -> &str {
        "join_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Replaces each region by what a function returns for it, from the leaves of the plan up: the
/// statistics of a leaf are those of its final plan.
fn each_region(
    plan: Operator,
    replacement: impl Fn(&Operator) -> Result<Option<Operator>>,
) -> Result<Operator> {
    let plan = plan
        .transform_up(|node| {
            let mut is_changed = false;
            let mut inputs = Vec::new();
            for (place, input) in node.children().into_iter().enumerate() {
                let changed = match is_inner(input) && !continues(&node, place) {
                    true => replacement(input)?,
                    false => None,
                };
                is_changed |= changed.is_some();
                inputs.push(changed.unwrap_or_else(|| Arc::clone(input)));
            }
            if !is_changed {
                return Ok(Transformed::no(node));
            }
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(node.replace_children(inputs, options)?))
        })
        .data()?;
    if !is_inner(&plan) {
        return Ok(plan);
    }
    Ok(replacement(&plan)?.unwrap_or(plan))
}

/// Returns whether an operator is in a region.
fn is_inner(plan: &Operator) -> bool {
    !matches!(step(plan), Step::Leaf)
}

/// Returns whether the region of an operator goes on in one of its inputs.
fn continues(plan: &Operator, input: usize) -> bool {
    match step(plan) {
        Step::Join(join) => join.is_inner() || input == 0,
        Step::Columns { .. } => true,
        Step::Leaf => false,
    }
}

/// Returns the region of an operator in a clearly cheaper order; `None` if there is none.
fn reordered(plan: &Operator) -> Result<Option<Operator>> {
    let Some(region) = Region::of(plan)? else {
        return Ok(None);
    };
    let classes = keys::classes(&region);
    let Some(model) = Model::of(&region, &classes) else {
        return Ok(None);
    };
    let graph = Graph::of(&region, &classes);
    let best = search::best(&model, &graph);
    check()?;
    let table = best.unwrap_or_else(|| search::greedy(&model, &graph));
    let all = Leaves::first(model.count());
    let (Some(tree), Some(new)) = (table.tree(&model, all), table.part(all)) else {
        return Ok(None);
    };
    let old = model.of_tree(&region.tree);
    // Not a number is not less, too.
    let is_cheaper = new.cost < old.cost * CLEARLY_LESS;
    if !is_cheaper {
        return Ok(None);
    }
    let plan = plan::built(&region, &classes, &tree)?;
    Ok((plan.schema() == region.schema).then_some(plan))
}

#[cfg(test)]
mod tests;
