//! The operator that reads a shared part.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use super::log::{Next, Stored};
use super::once::refused;
use super::part::{Member, Part};
use crate::plans::operators::new_children_replace;

/// Reads the rows of a shared part.
///
/// While a plan is optimised, it has no input: the part's plan is ready, and what holds for one
/// reader, such as a filter or a limit, does not hold for the others. In the plan that runs, one of
/// a part's readers has the part's plan as its input, which EXPLAIN and the like then find once.
#[derive(Debug)]
pub(super) struct SharedExec {
    part: Arc<Part>,
    input: Arc<dyn ExecutionPlan>,
    /// The number of this reader of the part.
    reader: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl SharedExec {
    /// Creates a new reader.
    ///
    /// # Errors
    ///
    /// Returns an error if the part has no plan yet.
    pub(super) fn of(part: &Arc<Part>) -> Result<Self> {
        let (input, reader) = part.read()?;
        Ok(Self {
            part: Arc::clone(part),
            input,
            reader,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// Returns the number of the part.
    pub(super) fn part(&self) -> usize {
        self.part.number
    }

    /// Counts this reader in the plan that runs.
    pub(super) fn counted(&self) {
        self.part.count(self.reader);
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedExec: part={}", self.part.number)
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &str {
        "SharedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.children().len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.children().len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        match self.part.is_shown_by(self.reader) {
            true => vec![&self.input],
            false => Vec::new(),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(input) = children.into_iter().next()
            && !Arc::ptr_eq(&input, &self.input)
        {
            if self.part.has_one_run() {
                return Err(refused());
            }
            // Another input is not shared.
            return Ok(input);
        }
        Ok(self)
    }

    new_children_replace!();

    /// Returns operators that share nothing: what is run again, alone, does not find the others.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        if self.part.has_one_run() {
            return Err(refused());
        }
        reset_plan_states(Arc::clone(&self.input))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let member = self
            .part
            .join(&self.input, partition, &context, &self.metrics)?;
        Ok(Box::pin(SharedStream {
            schema: self.schema(),
            member,
            stored: None,
            is_done: false,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.part.statistics(self.input.as_ref(), args)
    }

    /// Refuses all filters: those of one reader do not hold for the others.
    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::all_unsupported(result))
    }
}

/// The rows of one partition for one reader.
struct SharedStream {
    schema: SchemaRef,
    member: Member,
    /// The file that is being read.
    stored: Option<Stored>,
    is_done: bool,
    metrics: BaselineMetrics,
}

impl SharedStream {
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        let (log, reader) = (&self.member.log, self.member.reader);
        loop {
            if let Some(stored) = &mut self.stored {
                let batch = match ready!(stored.batches.poll_next_unpin(cx)) {
                    Some(Ok(batch)) => batch,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        let short = "a file of shared rows is too short".to_owned();
                        return Poll::Ready(Some(Err(DataFusionError::Internal(short))));
                    }
                };
                if stored.skipped > 0 {
                    stored.skipped -= 1;
                    continue;
                }
                stored.left = stored.left.saturating_sub(1);
                if stored.left == 0 {
                    self.stored = None;
                }
                log.passed(reader);
                return Poll::Ready(Some(Ok(batch)));
            }
            match ready!(log.poll(reader, cx)) {
                Ok(Next::Batch(batch)) => return Poll::Ready(Some(Ok(batch))),
                Ok(Next::File(stored)) => self.stored = Some(stored),
                Ok(Next::End) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Stream for SharedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let next = self.poll_batch(cx);
        self.is_done = matches!(next, Poll::Ready(None | Some(Err(_))));
        self.metrics.record_poll(next)
    }
}

impl RecordBatchStream for SharedStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
