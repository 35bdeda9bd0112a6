//! The first step of an aggregation returns groups early where their rows are near each other.
//!
//! The lines of an order follow each other in a file, and so do the values that a device sent at a
//! time. DataFusion's first step (55.2) keeps all groups of its partition until the end, in tables
//! that no cache holds, and the second step makes the same tables again:
//!
//! ```text
//! order   1 1 1 2 2 3 3 3 3 4 …      groups: as many as before for each thousand rows
//! ```
//!
//! In a plan that is ready to run, [`ClusteredGroups`] gives the first step little memory. When that
//! is used up and each group took about as many rows as those before it, the step gets no more: it
//! returns its groups and starts anew, as DataFusion's does when the pool has no memory. The second
//! step merges what it gets, so that the result is the same. If groups are found again and again,
//! their number grows ever more slowly; then the step keeps all of them as before. So it does if what
//! it returned early was not much less than its input.
//!
//! ```text
//! progress.rs   what a partition has seen, and whether it returns its groups
//! pool.rs       the pool that says so
//! ```
//!
//! Plans, their properties and `EXPLAIN` do not change. Delete this when DataFusion bounds the tables
//! of the first step.

mod pool;
mod progress;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::TryStreamExt;
use parking_lot::Mutex;

use self::pool::SmallPool;
use self::progress::Progress;
use crate::finest_groups::is_merged;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Bytes of a table, from which on groups are returned early.
const MOST_BYTES: usize = 8 << 20;

/// Returns the same aggregation with little memory; `None` for other operators and aggregations.
///
/// # Errors
///
/// Returns an error if the aggregation cannot be rebuilt.
pub(crate) fn with_clustered_groups(plan: &Operator) -> Result<Option<Operator>> {
    clustered(plan, MOST_BYTES)
}

/// `most`: bytes of a table.
fn clustered(plan: &Operator, most: usize) -> Result<Option<Operator>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let is_possible = *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && aggregate.group_expr().is_single()
        && !aggregate.group_expr().is_empty()
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| is_merged(function));
    if !is_possible {
        return Ok(None);
    }
    let counted: Operator = Arc::new(Counted {
        input: Arc::clone(aggregate.input()),
    });
    let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    Ok(Some(Arc::new(ClusteredGroups {
        shown: Arc::clone(plan),
        aggregate: Arc::clone(plan).replace_children(vec![counted], keep)?,
        most,
    })))
}

/// The first step of an aggregation. In all else it behaves as that of DataFusion.
#[derive(Debug)]
struct ClusteredGroups {
    /// The aggregation as it was.
    shown: Operator,
    /// The aggregation of rows that are counted.
    aggregate: Operator,
    most: usize,
}

/// What the input of an aggregation runs with, as an extension of the session of the aggregation.
struct Given {
    context: Arc<TaskContext>,
    progress: Arc<Mutex<Progress>>,
}

impl DisplayAs for ClusteredGroups {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt_as(form, f)
    }
}

impl ExecutionPlan for ClusteredGroups {
    fn name(&self) -> &str {
        self.shown.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.shown.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.shown.properties()
    }

    fn children(&self) -> Vec<&Operator> {
        self.shown.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.shown.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Operator>) -> Result<Operator> {
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let shown = Arc::clone(&self.shown).replace_children(children, recompute)?;
        Ok(clustered(&shown, self.most)?.unwrap_or(shown))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size();
        let progress = Arc::new(Mutex::new(Progress::new(rows)));
        let pool: Arc<dyn MemoryPool> = Arc::new(SmallPool::new(
            Arc::clone(context.memory_pool()),
            self.most,
            Arc::clone(&progress),
        ));
        let runtime = RuntimeEnv {
            memory_pool: pool,
            ..RuntimeEnv::clone(&context.runtime_env())
        };
        let given = Given {
            context: Arc::clone(&context),
            progress: Arc::clone(&progress),
        };
        let config = context.session_config().clone();
        // The functions can stay empty: a plan holds those that it calls.
        let small = TaskContext::new(
            context.task_id(),
            context.session_id(),
            config.with_extension(Arc::new(given)),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            Arc::new(runtime),
        );
        let groups = self.aggregate.execute(partition, Arc::new(small))?;
        let schema = groups.schema();
        let groups = groups.inspect_ok(move |batch| progress.lock().returned(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, groups)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.aggregate.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.shown.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.shown.statistics_from_inputs(inputs, args)
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.shown.cardinality_effect()
    }
}

/// The input of an aggregation, whose rows are counted. It runs with the memory that the aggregation
/// was given.
#[derive(Debug)]
struct Counted {
    input: Operator,
}

impl DisplayAs for Counted {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt_as(form, f)
    }
}

impl ExecutionPlan for Counted {
    fn name(&self) -> &str {
        self.input.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Operator> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Operator>) -> Result<Operator> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("one input is counted".to_owned()))?;
        Ok(Arc::new(Self { input }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(given) = context.session_config().get_extension::<Given>() else {
            return self.input.execute(partition, context);
        };
        let progress = Arc::clone(&given.progress);
        let rows = self.input.execute(partition, Arc::clone(&given.context))?;
        let schema = rows.schema();
        let rows = rows.inspect_ok(move |batch| progress.lock().added(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

#[cfg(test)]
mod tests;
