//! Wrappers shared by the rules of this module: a guard around a DataFusion rule, and a rule that
//! rewrites each operator.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// A logical rule.
pub(super) type Logical = Arc<dyn OptimizerRule + Send + Sync>;
/// A physical rule.
pub(super) type Physical = Arc<dyn PhysicalOptimizerRule + Send + Sync>;
/// An operator of a physical plan.
pub(super) type Operator = Arc<dyn ExecutionPlan>;

/// Runs in place of a logical rule, which it gets as its first argument.
pub(super) type LogicalGuard =
    fn(&dyn OptimizerRule, LogicalPlan, &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>>;

/// Runs in place of a physical rule, which it gets as its first argument.
pub(super) type PhysicalGuard =
    fn(&dyn PhysicalOptimizerRule, Operator, &ConfigOptions) -> Result<Operator>;

/// One of DataFusion's logical rules with its guard.
#[derive(Debug)]
pub(super) struct GuardedLogical {
    pub inner: Logical,
    pub guard: LogicalGuard,
}

impl OptimizerRule for GuardedLogical {
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
        (self.guard)(self.inner.as_ref(), plan, config)
    }
}

/// One of DataFusion's physical rules with its guard.
#[derive(Debug)]
pub(super) struct GuardedPhysical {
    pub inner: Physical,
    pub guard: PhysicalGuard,
}

impl PhysicalOptimizerRule for GuardedPhysical {
    fn optimize(&self, plan: Operator, config: &ConfigOptions) -> Result<Operator> {
        (self.guard)(self.inner.as_ref(), plan, config)
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_check(&self) -> bool {
        self.inner.schema_check()
    }
}

/// A physical rule that rewrites each operator, from the inputs up.
#[derive(Debug)]
pub(super) struct EachOperator {
    pub name: &'static str,
    pub rewrite: fn(Operator) -> Result<Transformed<Operator>>,
}

impl PhysicalOptimizerRule for EachOperator {
    fn optimize(&self, plan: Operator, _: &ConfigOptions) -> Result<Operator> {
        plan.transform_up(self.rewrite).data()
    }

    fn name(&self) -> &str {
        self.name
    }

    fn schema_check(&self) -> bool {
        true
    }
}
