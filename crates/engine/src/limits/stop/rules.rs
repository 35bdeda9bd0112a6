//! Wraps the rules of planning, so that each checks first whether the query is still wanted.

use std::fmt;
use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::optimizer::{AnalyzerRule, ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::{PhysicalOptimizerContext, PhysicalOptimizerRule};
use datafusion::physical_plan::ExecutionPlan;

use super::check;

/// Returns rules that fail if the thread that runs them must stop.
pub fn stoppable_analysis(
    rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let asking = rules.into_iter().map(|rule| Arc::new(Asking(rule)) as _);
    asking.collect()
}

/// Returns the same session with rules that fail if the thread that runs them must stop. Call it
/// after all rules are added.
pub fn stoppable_rules(state: SessionState) -> SessionState {
    let analyzer = stoppable_analysis(state.analyzer().rules.clone());
    let optimizer = state.optimizer().rules.iter().map(|rule| {
        let rule: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(Asking(Arc::clone(rule)));
        rule
    });
    let physical = state.physical_optimizers().iter().map(|rule| {
        let rule: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(Asking(Arc::clone(rule)));
        rule
    });
    let rewrites = state.analyzer().function_rewrites().to_vec();
    let (optimizer, physical) = (optimizer.collect(), physical.collect());
    let mut builder = SessionStateBuilder::new_from_existing(state)
        .with_analyzer_rules(analyzer)
        .with_optimizer_rules(optimizer)
        .with_physical_optimizer_rules(physical);
    if let Some(planners) = builder.expr_planners() {
        planners.insert(0, Arc::new(AskingPlanner));
    }
    if let Some(analyzer) = builder.analyzer() {
        for rewrite in rewrites {
            analyzer.add_function_rewrite(rewrite);
        }
    }
    builder.build()
}

/// Checks at each operator of a statement, of which a long statement has many, and leaves its
/// planning to other planners.
#[derive(Debug)]
struct AskingPlanner;

impl ExprPlanner for AskingPlanner {
    fn plan_binary_op(
        &self,
        operation: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        check()?;
        Ok(PlannerResult::Original(operation))
    }
}

struct Asking<R: ?Sized>(Arc<R>);

impl<R: fmt::Debug + ?Sized> fmt::Debug for Asking<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AnalyzerRule for Asking<dyn AnalyzerRule + Send + Sync> {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        check()?;
        self.0.analyze(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

impl OptimizerRule for Asking<dyn OptimizerRule + Send + Sync> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        check()?;
        self.0.rewrite(plan, config)
    }
}

impl PhysicalOptimizerRule for Asking<dyn PhysicalOptimizerRule + Send + Sync> {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        check()?;
        self.0.optimize(plan, config)
    }

    fn optimize_with_context(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &dyn PhysicalOptimizerContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        check()?;
        self.0.optimize_with_context(plan, context)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}
