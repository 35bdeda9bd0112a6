//! The operator.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};

use super::gate::{Gated, Ticket};
use super::run::{Current, Member, Partition, Run};
use super::side::Side;
use crate::plans::operators::{new_children_replace, stands_for};

/// Returns the same join, which spills; `None` for other operators, and for joins that cannot.
/// `is_ordered`: whether the order of the rows matters, if the join has one.
///
/// # Errors
///
/// Returns an error if the join cannot be rebuilt.
pub(crate) fn with_spilling(
    plan: &dyn ExecutionPlan,
    is_ordered: bool,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(join) = plan.downcast_ref::<HashJoinExec>() else {
        return Ok(None);
    };
    // A join keeps the order of its probe side, and a limit counts its first rows.
    let keeps_order = join.properties().output_ordering().is_some();
    let is_bound = keeps_order && (is_ordered || join.fetch().is_some());
    let spills = match join.partition_mode() {
        PartitionMode::CollectLeft => true,
        // One NULL decides all partitions.
        PartitionMode::Partitioned => !join.null_aware,
        PartitionMode::Auto => false,
    };
    if is_bound || !spills {
        return Ok(None);
    }
    Ok(Some(Arc::new(SpillingJoinExec {
        gated: Arc::new(Gated::of(join)?),
        join: Arc::new(join.builder().build()?),
        current: Arc::default(),
        is_crowded: Arc::default(),
        is_ordered,
        metrics: ExecutionPlanMetricsSet::new(),
    })))
}

/// A hash join that spills. In all else it is the join.
struct SpillingJoinExec {
    join: Arc<HashJoinExec>,
    /// What runs where the build side fits into memory.
    gated: Arc<Gated>,
    /// The run of the partitions that share a build side.
    current: Current,
    /// Whether the build side of a partition did not fit into memory.
    is_crowded: Arc<AtomicBool>,
    /// Whether the order of the rows would matter, if the join had one.
    is_ordered: bool,
    /// What is counted where it does not fit.
    metrics: ExecutionPlanMetricsSet,
}

impl SpillingJoinExec {
    /// Returns the run of a partition, for which the build side is started.
    fn run(&self, partition: usize, context: &Arc<TaskContext>) -> Result<Arc<Run>> {
        let started = |of_build: usize| -> Result<Arc<Run>> {
            let input = self.join.left().execute(of_build, Arc::clone(context))?;
            let side = Side::of(&self.join, true, partition, context, &self.metrics);
            let is_crowded = Arc::clone(&self.is_crowded);
            let keys = self.gated.keys();
            Ok(Arc::new(Run::new(
                &self.join, input, side, is_crowded, keys,
            )))
        };
        if *self.join.partition_mode() != PartitionMode::CollectLeft {
            return started(partition);
        }
        let mut current = self.current.lock();
        if let Some(run) = &*current {
            return Ok(Arc::clone(run));
        }
        let run = started(0)?;
        *current = Some(Arc::clone(&run));
        Ok(run)
    }
}

impl fmt::Debug for SpillingJoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillingJoinExec")
            .field("join", &self.join)
            .finish_non_exhaustive()
    }
}

impl DisplayAs for SpillingJoinExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.join.fmt_as(t, f)
    }
}

impl ExecutionPlan for SpillingJoinExec {
    stands_for!(join);

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let join = Arc::clone(&self.join).replace_children(children, options)?;
        Ok(with_spilling(join.as_ref(), self.is_ordered)?.unwrap_or(join))
    }

    new_children_replace!();

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let join = Arc::clone(&self.join).reset_state()?;
        Ok(with_spilling(join.as_ref(), self.is_ordered)?.unwrap_or(join))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let run = self.run(partition, &context)?;
        let member = Member::of(run, &self.current);
        let started = Partition {
            join: Arc::clone(&self.join),
            member,
            ticket: Ticket::new(&self.gated, partition, &context),
            right: self.join.right().execute(partition, Arc::clone(&context))?,
            side: Side::of(&self.join, false, partition, &context, &self.metrics),
        };
        let batches = stream::once(started.joined()).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            batches,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.join.metrics().unwrap_or_default();
        for metric in self.metrics.clone_inner().iter() {
            metrics.push(Arc::clone(metric));
        }
        Some(metrics)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.join.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.join.statistics_from_inputs(inputs, args)
    }

    fn fetch(&self) -> Option<usize> {
        self.join.fetch()
    }
}
