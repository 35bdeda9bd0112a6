//! What operators of the engine share: delegation for those that stand in the place of another one,
//! how all of them get other inputs, and the memory of operators that they run.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionConfig;

/// The context of a plan, of which operators of it run in another one.
struct OfPlan(Arc<TaskContext>);

/// Returns the context of the plan that an operator belongs to. It is one for all operators of a run.
pub(crate) fn of_plan(context: &Arc<TaskContext>) -> Arc<TaskContext> {
    match context.session_config().get_extension::<OfPlan>() {
        Some(of_plan) => Arc::clone(&of_plan.0),
        None => Arc::clone(context),
    }
}

/// Returns the same context with another pool for memory.
pub(crate) fn with_pool(
    context: &Arc<TaskContext>,
    memory_pool: Arc<dyn MemoryPool>,
) -> Arc<TaskContext> {
    let runtime = RuntimeEnv {
        memory_pool,
        ..RuntimeEnv::clone(&context.runtime_env())
    };
    made_of(context, context.session_config().clone(), Arc::new(runtime))
}

/// Returns the same context with other settings.
pub(crate) fn with_config(context: &Arc<TaskContext>, config: SessionConfig) -> Arc<TaskContext> {
    made_of(context, config, context.runtime_env())
}

fn made_of(
    context: &Arc<TaskContext>,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
) -> Arc<TaskContext> {
    let config = config.with_extension(Arc::new(OfPlan(of_plan(context))));
    // A plan holds the functions that it calls.
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        runtime,
    ))
}

/// Implements methods of [`ExecutionPlan`](datafusion::physical_plan::ExecutionPlan) by asking the
/// operator in a field: what it requires of its inputs, and what it does to them. The types are those
/// that the calling module imports.
macro_rules! as_the_inner {
    ($inner:ident) => {
        fn check_invariants(
            &self,
            check: datafusion::physical_plan::execution_plan::InvariantLevel,
        ) -> Result<()> {
            ExecutionPlan::check_invariants(&*self.$inner, check)
        }

        fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
            ExecutionPlan::dynamic_expressions_produced(&*self.$inner)
        }

        fn input_distribution_requirements(
            &self,
        ) -> datafusion::physical_plan::InputDistributionRequirements {
            ExecutionPlan::input_distribution_requirements(&*self.$inner)
        }

        fn required_input_ordering(
            &self,
        ) -> Vec<Option<datafusion::physical_expr::OrderingRequirements>> {
            ExecutionPlan::required_input_ordering(&*self.$inner)
        }

        fn maintains_input_order(&self) -> Vec<bool> {
            ExecutionPlan::maintains_input_order(&*self.$inner)
        }

        fn benefits_from_input_partitioning(&self) -> Vec<bool> {
            ExecutionPlan::benefits_from_input_partitioning(&*self.$inner)
        }

        fn apply_expressions(
            &self,
            f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
        ) -> Result<TreeNodeRecursion> {
            ExecutionPlan::apply_expressions(&*self.$inner, f)
        }
    };
}
pub(crate) use as_the_inner;

/// Implements methods of [`ExecutionPlan`](datafusion::physical_plan::ExecutionPlan) for an operator that
/// runs in the place of the one in a field: its name, properties and inputs, what it is looked at as, and
/// those of [`as_the_inner`].
macro_rules! stands_for {
    ($inner:ident) => {
        fn name(&self) -> &str {
            self.$inner.name()
        }

        fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
            Some(&*self.$inner)
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            self.$inner.properties()
        }

        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            self.$inner.children()
        }

        crate::plans::operators::as_the_inner!($inner);
    };
}
pub(crate) use stands_for;

/// Implements `with_new_children`, which is deprecated but required, by `replace_children`. The types
/// are those that the calling module imports.
macro_rules! new_children_replace {
    () => {
        fn with_new_children(
            self: Arc<Self>,
            children: Vec<Arc<dyn ExecutionPlan>>,
        ) -> Result<Arc<dyn ExecutionPlan>> {
            let recompute = ReplaceChildrenOptions::new(
                datafusion::physical_plan::ChildrenPropertiesMode::Recompute,
            );
            self.replace_children(children, recompute)
        }
    };
}
pub(crate) use new_children_replace;
