//! The operator.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    apply_expression_roots,
};
use futures::{StreamExt, stream};

use super::best::Best;
use super::{First, Operator};
use crate::plans::operators::new_children_replace;

/// Rows after which it is known whether enough of them are dropped.
const TRIED: usize = 1 << 16;

/// Passes on the rows that may be among the first ones of their partition, in the same order.
#[derive(Debug)]
pub(super) struct FirstRanksExec {
    input: Operator,
    first: Arc<First>,
    metrics: ExecutionPlanMetricsSet,
}

impl FirstRanksExec {
    pub(super) fn new(input: Operator, first: Arc<First>) -> Self {
        Self {
            input,
            first,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for FirstRanksExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let First {
            most,
            partition_by,
            order_by,
        } = &*self.first;
        let keys = partition_by.iter().map(ToString::to_string);
        let keys: Vec<String> = keys.collect();
        let order: Vec<String> = order_by.iter().map(ToString::to_string).collect();
        write!(
            f,
            "FirstRanksExec: most={most}, partition_by=[{}], order_by=[{}]",
            keys.join(", "),
            order.join(", ")
        )
    }
}

impl ExecutionPlan for FirstRanksExec {
    fn name(&self) -> &str {
        "FirstRanksExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Operator> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let order = self.first.order_by.iter().map(|key| &key.expr);
        apply_expression_roots(self.first.partition_by.iter().chain(order), f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Operator>,
        _: ReplaceChildrenOptions,
    ) -> Result<Operator> {
        let what = || DataFusionError::Internal("rows to number have no input".to_owned());
        let input = children.into_iter().next().ok_or_else(what)?;
        Ok(Arc::new(Self::new(input, Arc::clone(&self.first))))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let batch_size = context.session_config().batch_size().max(1);
        let name = format!("FirstRanksExec[{partition}]");
        let memory = MemoryConsumer::new(name).register(context.memory_pool());
        let run = Run {
            best: Some(Best::new(&self.first, &schema)?),
            first: Arc::clone(&self.first),
            input: Some(self.input.execute(partition, context)?),
            merged: BatchCoalescer::new(Arc::clone(&schema), batch_size),
            seen: 0,
            passed: 0,
            memory,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = stream::try_unfold(run, |mut run| async move {
            let next = run.next().await;
            next.map(|batch| batch.map(|batch| (batch, run)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }
}

/// The rows of one partition of the plan.
struct Run {
    first: Arc<First>,
    /// `None`: all rows are passed on.
    best: Option<Best>,
    /// `None` after the end.
    input: Option<SendableRecordBatchStream>,
    /// Rows that are passed on.
    merged: BatchCoalescer,
    /// Rows of the input since it was last known whether enough are dropped, and those passed on.
    seen: usize,
    passed: usize,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

impl Run {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.merged.next_completed_batch() {
                return Ok(Some(batch.record_output(&self.metrics)));
            }
            let Some(input) = &mut self.input else {
                return Ok(None);
            };
            match input.next().await {
                Some(batch) if self.best.is_none() => {
                    return Ok(Some(batch?.record_output(&self.metrics)));
                }
                Some(batch) => self.take(batch?)?,
                None => {
                    self.input = None;
                    self.merged.finish_buffered_batch()?;
                    self.pass_all();
                }
            }
        }
    }

    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let Some(best) = &mut self.best else {
            return Ok(());
        };
        let Some(kept) = best.kept(&self.first, &batch)? else {
            self.merged.push_batch(batch)?;
            self.merged.finish_buffered_batch()?;
            self.pass_all();
            return Ok(());
        };
        self.seen += batch.num_rows();
        self.passed += kept.true_count();
        self.merged.push_batch_with_filter(batch, &kept)?;
        let bytes = best.size() + self.merged.size();
        let is_tried = self.seen >= TRIED;
        let drops_few = is_tried && self.passed > self.seen / 4 * 3;
        if drops_few || self.memory.try_resize(bytes).is_err() {
            self.merged.finish_buffered_batch()?;
            self.pass_all();
        }
        if is_tried {
            (self.seen, self.passed) = (0, 0);
        }
        Ok(())
    }

    /// Forgets the first rows. All that come are passed on.
    fn pass_all(&mut self) {
        self.best = None;
        self.memory.free();
    }
}
