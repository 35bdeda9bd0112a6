//! The rows of a write to a temporary table: kept in memory, which is counted before more of them
//! come.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::{Stream, StreamExt};
use lakegate_engine::HeldMemory;
use lakegate_error::{Error, Result};
use lakegate_lake::sizes::bytes_in;
use lakegate_lake::write::columns::Mapping;
use lakegate_policy::TemporaryPart;

use crate::query::life::Query;

/// Returns the rows of a stream as those of a table. `mapping`: `None` if there are none.
///
/// # Errors
/// The stream fails; a value does not fit its column; the rows take more memory than the session may
/// have, or than the workgroup lets a query write.
pub(super) async fn kept(
    mapping: Option<Mapping>,
    batches: impl Stream<Item = Result<RecordBatch>> + Send,
    memory: HeldMemory,
    query: Arc<Query>,
) -> Result<TemporaryPart> {
    let mut part = TemporaryPart {
        batches: Vec::new(),
        rows: 0,
        memory,
    };
    let mut batches = std::pin::pin!(batches);
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let Some(mapping) = &mapping else { continue };
        for piece in mapping.pieces(batch) {
            let rows = compact(mapping.apply(&piece)?)?;
            let bytes = rows.get_array_memory_size();
            let bytes = bytes.saturating_add(TemporaryPart::FIXED_BYTES);
            part.memory.grow(bytes)?;
            query.writes(part.memory.bytes() as u64)?;
            part.rows = part.rows.saturating_add(rows.num_rows());
            part.batches.push(rows);
        }
    }
    Ok(part)
}

/// Returns the batch with buffers of its own, if those that it has are of a larger one.
pub(super) fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let (held, needed) = (batch.get_array_memory_size(), bytes_in(&batch));
    if held <= needed.saturating_add(needed / 4).saturating_add(4096) {
        return Ok(batch);
    }
    let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    take_record_batch(&batch, &UInt32Array::from_iter_values(0..rows))
        .map_err(|error| Error::internal(format!("rows cannot be copied: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn a_few_rows_of_many_do_not_keep_the_others() {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let all = RecordBatch::try_from_iter([("n", values)]).unwrap();
        let few = compact(all.slice(50_000, 3)).unwrap();
        assert!(few.get_array_memory_size() < 1000);
        let expected: ArrayRef = Arc::new(Int64Array::from_iter_values(50_000..50_003));
        assert_eq!(few.column(0), &expected);
        let whole = compact(all.clone()).unwrap();
        assert_eq!(whole, all);
    }
}
