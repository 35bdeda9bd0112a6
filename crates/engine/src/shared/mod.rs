//! Equal parts of a plan are computed once.
//!
//! DataFusion puts the query of a WITH or of a view in each place that names it, so a plan may have
//! the same joins and aggregates several times:
//!
//! ```text
//! WITH r AS (SELECT supplier, sum(price) AS total FROM sales GROUP BY supplier)
//! SELECT supplier FROM r WHERE total = (SELECT max(total) FROM r)
//!
//!   Filter: total = <subquery>                  Filter: total = <subquery>
//!     Aggregate: supplier, sum(price)   ──▶       SharedExec: part=1
//!       TableScan: sales                            Aggregate: supplier, sum(price)
//!   <subquery> Aggregate: max(total)                  TableScan: sales
//!     Aggregate: supplier, sum(price)           <subquery> Aggregate: max(total)
//!       TableScan: sales                          SharedExec: part=1
//! ```
//!
//! ```text
//! survey.rs      the nodes of an optimised logical plan
//! similar.rs     aggregates that differ in their conditions, made equal
//! numbered.rs    names that are generated, for all of them
//! fusion.rs      one plan instead of several
//! totals.rs      one aggregate without keys instead of several
//! conditions.rs  what their conditions have in common
//! find.rs        equal parts
//! once.rs        rows that must be computed once
//! part.rs        a part: its physical plan, its readers, its runs
//! exec.rs        the operator that reads it
//! log.rs         the rows of a partition, for readers that are apart
//! kept.rs        what is kept of them
//! waiting.rs     the tasks of readers that wait
//! ```
//!
//! Aggregates that differ only in conditions on their keys are made equal before, while tables are not
//! bound to files: one has the rows of all of them, and each reader keeps its own (Bruno et al.,
//! "Computation Reuse via Fusion in Amazon Athena", ICDE 2022).
//!
//! ```text
//!   Aggregate: item, year, sum(price)           Filter: year = 2001
//!     Filter: year = 2001              ──▶        SharedExec: part=1
//!       TableScan: sales                            Aggregate: item, year, sum(price)
//!   Aggregate: item, year, sum(price)                 Filter: year = 2001 OR year = 2002
//!     Filter: year = 2002                               TableScan: sales
//!       TableScan: sales                        Filter: year = 2002
//!                                                 SharedExec: part=1
//! ```
//!
//! Aggregates without keys, over the same joins, become one whose functions have the conditions
//! ([`totals`]).
//!
//! Parts are equal if they are the same operators over the same tables with the same filters, grants
//! included, after filters and columns were pushed into each place. Each part gets a physical plan of
//! its own, before the plan that reads it: what the physical optimizer pushes down, such as the
//! filters that joins make while they run, does not cross a reader. A part has a join, an aggregate,
//! a window or a DISTINCT, because scans cost less than keeping their rows. It is not a part of several
//! inner joins, which [`join_order`](crate::joins::join_order) puts into the best order for each place.
//! Nothing is shared that may differ between two readings, or that a recursive query runs again. A plan
//! with rows that must be computed once ([`mod@once`]) shares these alone.

mod conditions;
mod exec;
mod find;
mod fusion;
mod kept;
mod log;
mod numbered;
mod once;
mod part;
mod similar;
mod survey;
#[cfg(test)]
mod tests;
mod totals;
mod waiting;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use self::exec::SharedExec;
use self::find::Divided;
pub(crate) use self::once::{filters_once, is_once, once, rows_of_once};
use self::part::Part;
pub use self::similar::with_equal_parts;
use crate::limits::stop::stoppable;

/// Bytes of rows that the parts of one statement keep in memory. What is beyond goes to files.
pub(crate) const BOUND: usize = 64 << 20;

/// Creates the physical plan of an optimised plan, in which equal parts are computed once. The parts
/// can be stopped; the plan that reads them is for [`stoppable`], and then for [`show`].
///
/// `bound`: bytes of rows that the parts keep in memory.
///
/// # Errors
///
/// Returns an error if DataFusion cannot run the plan, or if the planning thread must stop.
pub(crate) async fn planned(
    plan: &LogicalPlan,
    state: &SessionState,
    bound: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(divided) = once::divided(plan, bound)? {
        let planned = with_parts(&divided, state).await?;
        return planned.ok_or_else(once::refused);
    }
    if let Some(divided) = find::divided(plan, bound)?
        && let Some(physical) = with_parts(&divided, state).await?
    {
        return Ok(physical);
    }
    state
        .query_planner()
        .create_physical_plan(plan, state)
        .await
}

/// Creates the physical plans of parts, and of the plan that reads them; `None` if a part's physical
/// plan has other names than its columns.
async fn with_parts(
    divided: &Divided,
    state: &SessionState,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let planner = state.query_planner();
    for (part, plan_of_part) in &divided.parts {
        let physical = planner.create_physical_plan(plan_of_part, state).await?;
        if !part.planned(stoppable(physical)?) {
            return Ok(None);
        }
    }
    let physical = planner.create_physical_plan(&divided.plan, state).await?;
    Ok(Some(physical))
}

/// Shows the plan of each part as the input of one of its readers, in a plan that will run.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn show(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    plan.apply(|node| {
        if let Some(reader) = node.downcast_ref::<SharedExec>() {
            reader.counted();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Returns the number of the part that an operator reads, from 1. One of a part's readers has the
/// part's plan as its input, and the others have no input.
pub fn shared_part(plan: &dyn ExecutionPlan) -> Option<usize> {
    plan.downcast_ref::<SharedExec>().map(SharedExec::part)
}

/// Returns a node that reads a part.
fn standing_for(part: &Arc<Part>) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(Shared(Arc::clone(part))),
    })
}

/// A reader of a part. Readers of one part are equal, so that subqueries that are equal stay so.
#[derive(Debug)]
struct Shared(Arc<Part>);

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

impl Eq for Shared {}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl PartialOrd for Shared {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.number.partial_cmp(&other.0.number)
    }
}

impl UserDefinedLogicalNodeCore for Shared {
    fn name(&self) -> &str {
        "Shared"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.0.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared: part={}", self.0.number)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }
}

/// Plans the readers of parts.
pub(crate) struct SharedPlanner;

#[async_trait]
impl ExtensionPlanner for SharedPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        _: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(Shared(part)) = node.as_any().downcast_ref::<Shared>() else {
            return Ok(None);
        };
        Ok(Some(Arc::new(SharedExec::of(part)?)))
    }
}
