//! A rule that only saves work, and fails: then the plan is run without it.
//!
//! The engine moves the reading of structs' fields down to the files. Beside a correlated subquery it gives two columns one name
//! and refuses its own plan (`push_down_leaf_projections` of `datafusion-optimizer`, 55.2). Delete this when it does not.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub struct Guarded {
    pub inner: Arc<dyn OptimizerRule + Send + Sync>,
}

impl OptimizerRule for Guarded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.inner.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let before = plan.clone();
        Ok(self
            .inner
            .rewrite(plan, config)
            .unwrap_or_else(|_| Transformed::no(before)))
    }
}
