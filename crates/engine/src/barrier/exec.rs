//! The operator of a barrier.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::TryStreamExt;
use lakegate_error::from_engine;

use crate::plans::operators::new_children_replace;

/// Passes batches on, and nothing else. It keeps what the traits do not pass by themselves: no
/// filters, limits, projections or statistics.
#[derive(Debug)]
pub(super) struct BarrierExec {
    view: Arc<str>,
    input: Arc<dyn ExecutionPlan>,
}

impl BarrierExec {
    pub(super) fn new(view: Arc<str>, input: Arc<dyn ExecutionPlan>) -> Self {
        Self { view, input }
    }

    pub(super) fn view(&self) -> &str {
        &self.view
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ViewExec: {}", self.view)
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &str {
        "ViewExec"
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

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
        let input = children.into_iter().next().ok_or_else(super::no_input)?;
        Ok(Arc::new(Self::new(Arc::clone(&self.view), input)))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let view = Arc::clone(&self.view);
        let hidden =
            move |error: DataFusionError| DataFusionError::from(from_engine(error).of_view(&view));
        let input = self.input.execute(partition, context).map_err(&hidden)?;
        let schema = input.schema();
        let stream = input.map_err(hidden);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}
