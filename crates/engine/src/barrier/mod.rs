//! The barrier between the query of a view and the query that names the view.
//!
//! A view may show rows and columns of tables that its reader cannot read. What the reader writes
//! must not be evaluated on rows that the view leaves out, or the reader could learn of them from
//! errors, from the time that an expression takes, or from EXPLAIN.
//!
//! ```text
//! Filter: CAST(name AS int) > 0      the reader's
//!   Barrier: sales.v
//!     Filter: region = 'EU'          the view's
//! ```
//!
//! Across a barrier there are no filters but those of `pushdown.rs`, no projected expressions, no
//! limits, no dynamic filters and no statistics, and errors from below lose their texts. Columns
//! that are not used are pruned below it.

mod exec;
mod pushdown;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
pub(crate) use pushdown::{SafeFilters, compares, filters_a_barrier};

use self::exec::BarrierExec;
use crate::shared::SharedPlanner;

/// Puts a barrier above the query of a view. `view`: `database.view`, for messages.
pub fn barrier(view: &str, input: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(Barrier {
            view: view.into(),
            input,
        }),
    })
}

/// Returns the view that a node is the barrier of.
pub fn view_of(plan: &LogicalPlan) -> Option<&str> {
    Barrier::of(plan).map(|barrier| barrier.view.as_ref())
}

/// Returns the view that an operator is the barrier of.
pub fn view_of_operator(plan: &dyn ExecutionPlan) -> Option<&str> {
    plan.downcast_ref::<BarrierExec>().map(BarrierExec::view)
}

/// Returns the plan without what is below its barriers, as its reader may see it.
pub fn sealed(plan: &LogicalPlan) -> LogicalPlan {
    let sealed = plan.clone().transform_down_with_subqueries(|node| {
        Ok(match Barrier::of(&node) {
            Some(barrier) => {
                let node = Arc::new(Sealed {
                    view: Arc::clone(&barrier.view),
                    schema: Arc::clone(barrier.input.schema()),
                });
                Transformed::yes(LogicalPlan::Extension(Extension { node }))
            }
            None => Transformed::no(node),
        })
    });
    // It can only fail with an error of the closure, which returns none.
    sealed.data().unwrap_or_else(|_| {
        LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation {
            produce_one_row: false,
            schema: Arc::clone(plan.schema()),
        })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Barrier {
    view: Arc<str>,
    input: LogicalPlan,
}

impl Barrier {
    fn of(plan: &LogicalPlan) -> Option<&Self> {
        let LogicalPlan::Extension(extension) = plan else {
            return None;
        };
        extension.node.as_any().downcast_ref()
    }
}

impl PartialOrd for Barrier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.view.partial_cmp(&other.view) {
            Some(Ordering::Equal) => self.input.partial_cmp(&other.input),
            unequal => unequal,
        }
    }
}

impl UserDefinedLogicalNodeCore for Barrier {
    fn name(&self) -> &str {
        "Barrier"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View: {}", self.view)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.into_iter().next().ok_or_else(no_input)?;
        Ok(Self {
            view: Arc::clone(&self.view),
            input,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}

fn no_input() -> DataFusionError {
    DataFusionError::Internal("a barrier has one input".to_owned())
}

/// A barrier in a plan that is shown, without its input.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sealed {
    view: Arc<str>,
    schema: DFSchemaRef,
}

impl PartialOrd for Sealed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.view.partial_cmp(&other.view)
    }
}

impl UserDefinedLogicalNodeCore for Sealed {
    fn name(&self) -> &str {
        "View"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View: {}", self.view)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self {
            view: Arc::clone(&self.view),
            schema: Arc::clone(&self.schema),
        })
    }
}

/// DataFusion's planner, with operators for barriers and for the readers of shared parts.
#[derive(Debug)]
pub(crate) struct BarrierPlanner;

#[async_trait]
impl QueryPlanner for BarrierPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planners: Vec<Arc<dyn ExtensionPlanner + Send + Sync>> =
            vec![Arc::new(Self), Arc::new(SharedPlanner)];
        let planner = DefaultPhysicalPlanner::with_extension_planners(planners);
        planner.create_physical_plan(plan, state).await
    }
}

#[async_trait]
impl ExtensionPlanner for BarrierPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(barrier) = node.as_any().downcast_ref::<Barrier>() else {
            return Ok(None);
        };
        let input = inputs.first().ok_or_else(no_input)?;
        let exec = BarrierExec::new(Arc::clone(&barrier.view), Arc::clone(input));
        Ok(Some(Arc::new(exec)))
    }
}

#[cfg(test)]
mod tests;
