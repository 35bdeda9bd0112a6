//! Groups are not kept in a heap of floating-point numbers.
//!
//! For `GROUP BY … ORDER BY … LIMIT n` the engine keeps the first groups in a heap, which panics where NaN is among the numbers
//! that it orders (`aggregates/topk/heap.rs` of `datafusion-physical-plan`, 55.2). Plans that group by such numbers, or aggregate
//! them, are left as they are. Delete this when the heap orders NaN.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

#[derive(Debug)]
pub struct Guarded {
    pub inner: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
}

impl PhysicalOptimizerRule for Guarded {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if groups_floats(&plan)? {
            return Ok(plan);
        }
        self.inner.optimize(plan, config)
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_check(&self) -> bool {
        self.inner.schema_check()
    }
}

/// Whether floating-point numbers are in the output of an aggregate.
fn groups_floats(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= node.is::<AggregateExec>()
            && (node.schema().fields().iter()).any(|field| field.data_type().is_floating());
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}
