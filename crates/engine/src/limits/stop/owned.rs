//! Rows in memory of their own, for operators that keep them.
//!
//! The last step of an aggregation makes all of its groups at once, and returns slices of them. Sorts and
//! exchanges count each slice with all that is behind it: of TPC-DS 67 at scale 5, 336 slices of 270 MB,
//! which a pool of 14 GB had no room for. So they get copies of what is a small part of something large.

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use lakegate_lake::sizes::bytes_in;

use super::pace::copied;

/// Bytes up to which a batch is not looked at: some times as many as those of most batches.
const LARGE: usize = 8 << 20;

/// Returns whether an operator keeps rows of its inputs, and counts the memory that they hold.
pub(super) fn keeps_rows(plan: &dyn ExecutionPlan) -> bool {
    match plan.downcast_ref::<SortExec>() {
        // One that returns the first rows only copies them itself.
        Some(sort) => sort.fetch().is_none(),
        None => plan.is::<RepartitionExec>(),
    }
}

/// Returns the same rows, in batches that hold little more than their rows.
pub(super) fn owned(stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let owned = stream.map(|batch| {
        let batch = batch?;
        match batch.get_array_memory_size() > LARGE {
            true => compact(&batch),
            false => Ok(batch),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, owned))
}

/// Returns the batch with buffers of its own, if it is a small part of those that it has.
///
/// # Errors
///
/// Returns an error if the rows cannot be copied.
pub(crate) fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let needed = bytes_in(batch).saturating_mul(2).saturating_add(4096);
    match batch.get_array_memory_size() > needed {
        true => copied(batch),
        false => Ok(batch.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::compute::concat_batches;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::{TryStreamExt, stream};

    use super::*;
    use crate::limits::stop::stoppable;

    fn groups(rows: i64) -> RecordBatch {
        let text = |row| format!("a text that is longer than a view, number {row}");
        let texts = StringViewArray::from_iter_values((0..rows).map(text));
        let numbers = Int64Array::from_iter_values(0..rows);
        let columns: [(&str, ArrayRef); 2] = [("t", Arc::new(texts)), ("n", Arc::new(numbers))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[tokio::test]
    async fn slices_of_something_large_become_rows_of_their_own() {
        let whole = groups(150_000);
        let bytes = whole.get_array_memory_size();
        assert!(bytes > LARGE);
        let slices = (0..150_000).step_by(10_000);
        let slices: Vec<_> = slices.map(|from| whole.slice(from, 10_000)).collect();
        assert!(slices.iter().all(|it| it.get_array_memory_size() > LARGE));
        let given = stream::iter(slices.into_iter().map(Ok));
        let given = Box::pin(RecordBatchStreamAdapter::new(whole.schema(), given));
        let batches: Vec<RecordBatch> = owned(given).try_collect().await.unwrap();
        let held: usize = batches.iter().map(|it| it.get_array_memory_size()).sum();
        assert!(held < 2 * bytes, "{held} of {bytes}");
        assert_eq!(concat_batches(&whole.schema(), &batches).unwrap(), whole);
    }

    #[tokio::test]
    async fn batches_that_share_little_stay_as_they_are() {
        let whole = groups(150_000);
        let given = stream::iter([Ok(whole.clone()), Ok(whole.slice(0, 0))]);
        let given = Box::pin(RecordBatchStreamAdapter::new(whole.schema(), given));
        let batches: Vec<RecordBatch> = owned(given).try_collect().await.unwrap();
        let numbers = |batch: &RecordBatch| batch.column(1).to_data().buffers()[0].as_ptr();
        assert_eq!(numbers(&batches[0]), numbers(&whole));
        assert_eq!(batches[1].num_rows(), 0);
    }

    #[tokio::test]
    async fn sorted_groups_are_counted_once() {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(256 << 20, 1.0);
        let runtime = runtime.build_arc().unwrap();
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config_rt(config, runtime);
        let sql = "SELECT t, count(*) AS n FROM (SELECT 'a text that is longer than a view, number ' || v AS t \
                   FROM generate_series(1, 200000) s(v)) q GROUP BY t ORDER BY t DESC";
        let frame = context.sql(sql).await.unwrap();
        let plan = stoppable(frame.create_physical_plan().await.unwrap()).unwrap();
        let rows = datafusion::physical_plan::collect(Arc::clone(&plan), context.task_ctx());
        let rows: usize = rows.await.unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 200_000);
        let mut spilled = 0;
        let mut left = vec![plan];
        while let Some(plan) = left.pop() {
            spilled += plan.metrics().and_then(|it| it.spill_count()).unwrap_or(0);
            left.extend(plan.children().into_iter().cloned());
        }
        assert_eq!(spilled, 0);
    }
}
