//! The operator.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::stream;

use super::stream::Run;
use super::{Operator, Windows, with_running_windows};
use crate::plans::operators::{as_the_inner, new_children_replace};

/// A window that is evaluated for many rows at once. In all but its run and its metrics it is the
/// window of the plan.
///
/// It is not found as that window, for which memory is counted (`limits/stop/window.rs`).
pub(super) struct RunningWindows {
    window: Operator,
    input: Operator,
    windows: Arc<Windows>,
    metrics: ExecutionPlanMetricsSet,
}

impl RunningWindows {
    /// `window`: the window of the plan, with this input.
    pub(super) fn new(window: Operator, input: Operator, windows: Windows) -> Self {
        Self {
            window,
            input,
            windows: Arc::new(windows),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl fmt::Debug for RunningWindows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningWindows")
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

impl DisplayAs for RunningWindows {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.window.fmt_as(form, f)
    }
}

impl ExecutionPlan for RunningWindows {
    fn name(&self) -> &str {
        self.window.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    as_the_inner!(window);

    fn children(&self) -> Vec<&Operator> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Operator>,
        options: ReplaceChildrenOptions,
    ) -> Result<Operator> {
        let window = Arc::clone(&self.window).replace_children(children, options)?;
        Ok(with_running_windows(&window)?.unwrap_or(window))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let batch_size = context.session_config().batch_size();
        let memory = MemoryConsumer::new(self.name()).register(context.memory_pool());
        let run = Run::new(
            Arc::clone(&self.windows),
            self.input.execute(partition, context)?,
            Arc::clone(&schema),
            batch_size,
            memory,
            BaselineMetrics::new(&self.metrics, partition),
        )?;
        let batches = stream::try_unfold(run, |mut run| async move {
            let next = run.next().await;
            next.map(|batch| batch.map(|batch| (batch, run)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.window.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.window.statistics_from_inputs(inputs, args)
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.window.cardinality_effect()
    }
}
