//! Returns the rows of window operators in batches, and counts what they keep.
//!
//! An operator that evaluates whole partitions gathers all of its input, and returns all of its
//! output in one batch. Its functions check whether they are still wanted (`gathered`).

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use futures::{StreamExt, stream};

use super::pace::copied;
use crate::limits::gathered::Kept;

/// Tracks what a stream of this operator keeps; `None` if the operator is not a window.
pub(super) fn kept(plan: &dyn ExecutionPlan, pool: &Arc<dyn MemoryPool>) -> Option<Arc<Kept>> {
    let (whole, functions) = if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        (true, window.window_expr())
    } else {
        let window = plan.downcast_ref::<BoundedWindowAggExec>()?;
        (false, window.window_expr())
    };
    let arguments = functions.iter().flat_map(|function| function.expressions());
    let constants = arguments.filter_map(|argument| {
        let value = argument.downcast_ref::<Literal>()?.value();
        (!value.data_type().is_primitive()).then(|| value.size())
    });
    let constants = constants.sum();
    Some(Kept::new(
        plan.name(),
        whole,
        functions.len(),
        constants,
        pool,
    ))
}

/// Returns the same rows in batches of at most `rows`.
pub(super) fn in_batches(
    rows: usize,
    stream: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let cut = stream.flat_map(move |batch| match batch {
        Ok(batch) if batch.num_rows() > rows => {
            let parts = (0..batch.num_rows()).step_by(rows);
            let parts = parts.map(move |first| {
                let rows = rows.min(batch.num_rows() - first);
                copied(&batch.slice(first, rows))
            });
            stream::iter(parts).left_stream()
        }
        other => stream::iter([other]).right_stream(),
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, cut))
}
