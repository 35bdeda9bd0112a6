//! A plan whose sorts do not fit together is made again, with less parallel ones.
//!
//! Below a union with columns that are equal to each other, the engine moves a parallel sort to where it does not sort by all
//! that is asked for, and its last check refuses the plan (`EnsureRequirements` with `repartition_sorts`, 55.2). Delete this
//! when the plan of the test passes without it.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::ExecutionPlan;

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
        let made = self.inner.optimize(Arc::clone(&plan), config)?;
        if SanityCheckPlan::new()
            .optimize(Arc::clone(&made), config)
            .is_ok()
        {
            return Ok(made);
        }
        let mut config = config.clone();
        config.optimizer.repartition_sorts = false;
        self.inner.optimize(plan, &config)
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_check(&self) -> bool {
        self.inner.schema_check()
    }
}
