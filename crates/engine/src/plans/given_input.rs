//! Inputs of which the first rows are looked at before it is known what reads them.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};
use parking_lot::Mutex;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Reads the first rows of a partition, at least as many as `least` if there are. Returns them, and the
/// others.
///
/// # Errors
///
/// Returns those of the input.
pub(crate) async fn begun(
    mut rows: SendableRecordBatchStream,
    least: usize,
) -> Result<(Vec<RecordBatch>, SendableRecordBatchStream)> {
    let (mut first, mut count) = (Vec::new(), 0);
    while count < least
        && let Some(batch) = rows.next().await
    {
        let batch = batch?;
        if batch.num_rows() > 0 {
            count += batch.num_rows();
            first.push(batch);
        }
    }
    Ok((first, rows))
}

/// Returns the first rows, and after them the others.
pub(crate) fn again(
    first: Vec<RecordBatch>,
    rows: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let first = stream::iter(first.into_iter().map(Ok));
    Box::pin(RecordBatchStreamAdapter::new(schema, first.chain(rows)))
}

/// Returns the metrics of operators as those of one.
pub(crate) fn metrics_of(made: &[Operator]) -> MetricsSet {
    let mut all = MetricsSet::new();
    for made in made {
        for metric in made.metrics().unwrap_or_default().iter() {
            all.push(Arc::clone(metric));
        }
    }
    all
}

/// Rows that are read already.
pub(crate) struct Given {
    properties: Arc<PlanProperties>,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl Given {
    /// `input`: what reads them. `claimed`: what is said of their order, if it is other than that.
    pub(crate) fn new(
        input: &Operator,
        claimed: Option<EquivalenceProperties>,
        rows: Option<SendableRecordBatchStream>,
    ) -> Self {
        let known = input.properties();
        let properties = match claimed {
            None => Arc::clone(known),
            Some(claimed) => Arc::new(PlanProperties::clone(known).with_eq_properties(claimed)),
        };
        Self {
            properties,
            rows: Mutex::new(rows),
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}

impl DisplayAs for Given {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

impl ExecutionPlan for Given {
    fn name(&self) -> &str {
        "Given"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Operator> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Operator>) -> Result<Operator> {
        Ok(self)
    }

    /// The rows of any partition, once.
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let again = || DataFusionError::Internal("rows are read again".to_owned());
        self.rows.lock().take().ok_or_else(again)
    }
}
