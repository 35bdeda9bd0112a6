//! Reading a build side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::utils::memory::{RecordBatchMemoryCounter, estimate_memory_size};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::buckets::{Bucket, Dividing, Writers};
use super::handed::Handed;
use super::side::Side;
use super::whole::whole;
use crate::limits::stop;

/// Bytes of a build side that is not divided because another partition was.
const SMALL: usize = 256 << 10;

/// Rows of a build side in memory, which is taken from the pool with that for a table of their keys.
pub(super) struct Rows {
    batches: Vec<RecordBatch>,
    /// Bytes of the batches.
    bytes: usize,
    memory: MemoryReservation,
}

impl Rows {
    pub(super) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Returns the rows, and the memory for the join that keeps them.
    pub(super) fn into_stream(self, schema: SchemaRef) -> (SendableRecordBatchStream, Arc<Handed>) {
        let Self {
            batches,
            bytes,
            memory,
        } = self;
        let of_batches = Arc::clone(&schema);
        let batches = stream::once(async move {
            let batches = whole(batches, bytes, &of_batches)?.into_iter();
            Ok::<_, DataFusionError>(stream::iter(batches).map(|batch| {
                stop::check()?;
                Ok::<_, DataFusionError>(batch)
            }))
        });
        let rows: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(schema, batches.try_flatten()));
        (rows, Handed::new(memory))
    }
}

/// What is done with a build side that does not fit into memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// Its rows are divided. `level`: how often they have been divided before.
    Divided {
        level: usize,
    },
    /// As many rows as fit are joined, and then the next ones.
    InParts,
    Refused,
}

/// A build side that was read.
pub(super) enum Gathered {
    Rows(Rows),
    Divided(Vec<Bucket>),
    /// As many rows as fit, and the next ones.
    Part(Rows, SendableRecordBatchStream),
}

/// Reads a build side. `is_crowded`: whether another one that is read at the same time did not fit
/// into memory. This one then leaves it what there is.
///
/// # Errors
///
/// Returns the errors of the input and of the pool, and an error if the disk has no room.
pub(super) async fn gathered(
    mut input: SendableRecordBatchStream,
    side: &Side,
    excess: Excess,
    is_crowded: Option<&AtomicBool>,
) -> Result<Gathered> {
    let memory = side.memory();
    let part = side.part();
    let mut counter = RecordBatchMemoryCounter::new();
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut rows: usize = 0;
    while let Some(batch) = input.try_next().await? {
        stop::check()?;
        counter.count_batch(&batch);
        rows = rows.saturating_add(batch.num_rows());
        let needed = counter.memory_usage().saturating_add(table_bytes(rows)?);
        let granted = memory.try_resize(needed);
        if let Excess::Divided { level } = excess {
            let is_to_yield = is_crowded.is_some_and(|crowded| crowded.load(Ordering::Relaxed));
            let is_too_large = match level {
                0 => is_to_yield && needed > SMALL,
                _ => needed > part,
            };
            batches.push(batch);
            if granted.is_err() || is_too_large {
                if let Some(crowded) = is_crowded {
                    crowded.store(true, Ordering::Relaxed);
                }
                let rows = Rows {
                    batches,
                    bytes: counter.memory_usage(),
                    memory,
                };
                drop(counter);
                let buckets = divided(rows, input, side, level).await?;
                return Ok(Gathered::Divided(buckets));
            }
            continue;
        }
        let is_full = granted.is_err() || needed > part;
        if excess == Excess::InParts && is_full && !batches.is_empty() {
            let next = stream::once(async move { Ok::<_, DataFusionError>(batch) });
            let rest = RecordBatchStreamAdapter::new(side.schema(), next.chain(input));
            // The batch that is not among them is counted, too.
            let bytes = counter.memory_usage();
            let rows = Rows {
                batches,
                bytes,
                memory,
            };
            return Ok(Gathered::Part(rows, Box::pin(rest)));
        }
        granted?;
        batches.push(batch);
    }
    let bytes = counter.memory_usage();
    Ok(Gathered::Rows(Rows {
        batches,
        bytes,
        memory,
    }))
}

/// Divides rows that were read, and those that follow them.
async fn divided(
    rows: Rows,
    rest: SendableRecordBatchStream,
    side: &Side,
    level: usize,
) -> Result<Vec<Bucket>> {
    let writers = Arc::new(Mutex::new(Writers::of_build(side)));
    let mut dividing = Dividing::new(side.divider(level), writers);
    let Rows {
        batches, memory, ..
    } = rows;
    for batch in batches {
        dividing.add(&batch).await?;
    }
    drop(memory);
    dividing.add_all(rest).await?;
    dividing.finish()
}

/// Returns the bytes that DataFusion's join takes from the pool for the table of as many keys, and
/// for the marks of rows that have matched: for a hash table (`estimate_memory_size`), or an array
/// over keys of which more than 15 % exist (`ArrayMap`, of two arrays of 32 bits).
fn table_bytes(rows: usize) -> Result<usize> {
    let hashed = estimate_memory_size::<(u32, u64)>(rows, 1024)?;
    let listed = rows.saturating_mul(31).saturating_add(8192);
    Ok(hashed.max(listed).saturating_add(rows / 8 + 1))
}
