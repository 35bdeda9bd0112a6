//! Grouping sets have no order of their input's.
//!
//! A grouping set has NULL where it leaves a key out. The engine takes a key that is constant or sorted in the input for constant
//! or sorted in the output all the same, and leaves it out of the sort for ORDER BY (`AggregateExec::compute_properties` of
//! `datafusion-physical-plan`, 55.2):
//!
//! ```text
//! SELECT x, y FROM (SELECT 7 AS x, y FROM t) GROUP BY CUBE (x, y) ORDER BY x, y      was sorted by y alone
//! ```
//!
//! So nothing is said of the order below such an aggregate. Delete this when the aggregate says nothing of it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};

use super::restated::{Order, Restated};

/// Puts [`Restated`] below aggregates with grouping sets.
#[derive(Debug)]
pub struct ForgetOrder;

impl PhysicalOptimizerRule for ForgetOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let has_sets = node.downcast_ref::<AggregateExec>().is_some_and(leaves_out);
            if !has_sets {
                return Ok(Transformed::no(node));
            }
            let inputs = node.children().into_iter();
            let inputs = inputs
                .map(|input| Arc::new(Restated::new(Arc::clone(input), Order::Unknown)) as _)
                .collect();
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(node.replace_children(inputs, options)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "forget_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a set leaves a key out.
fn leaves_out(aggregate: &AggregateExec) -> bool {
    let sets = aggregate.group_expr().groups();
    sets.iter()
        .any(|keys_are_null| keys_are_null.contains(&true))
}
