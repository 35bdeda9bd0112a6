//! `NOT IN` of values that may be NULL, in files.
//!
//! One NULL among the values of the probe side makes the condition unknown for all rows of the build
//! side. Any value makes it unknown for a row whose own value is NULL. Otherwise the join is an
//! anti join.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

/// What is known of the values of all partitions of a probe side.
pub(super) struct Values {
    key: Arc<dyn PhysicalExpr>,
    are_some: AtomicBool,
    have_null: AtomicBool,
}

impl Values {
    /// Returns `None` for a join to which NULLs are no matter.
    pub(super) fn of(join: &HashJoinExec) -> Option<Self> {
        let (_, key) = join.on().first().filter(|_| join.null_aware)?;
        Some(Self {
            key: Arc::clone(key),
            are_some: AtomicBool::new(false),
            have_null: AtomicBool::new(false),
        })
    }

    /// Counts rows of the probe side. Returns whether they decide anything: none does beside a NULL.
    ///
    /// # Errors
    ///
    /// Returns the errors of the key.
    pub(super) fn add(&self, batch: &RecordBatch) -> Result<bool> {
        if batch.num_rows() > 0 {
            self.are_some.store(true, Ordering::Relaxed);
        }
        if is_known(&self.key, batch)?.is_some() {
            self.have_null.store(true, Ordering::Relaxed);
        }
        Ok(!self.have_null())
    }

    /// Returns whether one of the values so far is NULL.
    pub(super) fn have_null(&self) -> bool {
        self.have_null.load(Ordering::Relaxed)
    }

    /// Returns whether there was a value so far.
    pub(super) fn are_some(&self) -> bool {
        self.are_some.load(Ordering::Relaxed)
    }
}

/// Returns the rows whose key is not NULL.
pub(super) fn known(
    key: Arc<dyn PhysicalExpr>,
    rows: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.and_then(move |batch| {
        let known: Result<RecordBatch> = match is_known(&key, &batch) {
            Ok(Some(known)) => filter_record_batch(&batch, &known).map_err(Into::into),
            Ok(None) => Ok(batch),
            Err(error) => Err(error),
        };
        std::future::ready(known)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// Returns which rows of a batch have a key; `None` if all have one.
fn is_known(key: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
    let keys = key.evaluate(batch)?.into_array(batch.num_rows())?;
    let nulls = keys.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    Ok(nulls.map(|nulls| BooleanArray::new(nulls.into_inner(), None)))
}
