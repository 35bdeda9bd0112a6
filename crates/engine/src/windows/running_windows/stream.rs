//! The rows of one partition of the plan, with the values of the window's functions.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr_common::utils::evaluate_expressions_to_arrays;
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use futures::StreamExt;

use super::values::{Chunk, Running};
use super::{Frame, Windows};
use crate::limits::gathered::Pinned;
use crate::limits::stop::copied;

/// Bytes that say of a row what begins with it.
const FLAGS: usize = 2;

/// Bytes of the widest value of most functions, and of its place.
const VALUE: usize = 24;

/// A window that is being evaluated.
pub(super) struct Run {
    windows: Arc<Windows>,
    functions: Vec<Box<dyn Running>>,
    /// `None` after the end.
    input: Option<SendableRecordBatchStream>,
    input_schema: SchemaRef,
    schema: SchemaRef,
    /// Rows of a part of many rows.
    batch_size: usize,
    /// The keys of the last row.
    last: Option<Keys>,
    pending: Pending,
    large: Option<Large>,
    /// What is pending, once more for the copy in one batch, its values, and what is large.
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

/// The columns of the keys.
struct Keys {
    partition: Vec<ArrayRef>,
    order: Vec<ArrayRef>,
}

/// Rows whose widest frame has not ended.
#[derive(Default)]
struct Pending {
    batches: Vec<RecordBatch>,
    /// Whether a partition begins with the row.
    partitions: Vec<bool>,
    /// Whether a group of peers begins with the row.
    peers: Vec<bool>,
    pinned: Pinned,
}

/// Rows that are returned in parts.
struct Large {
    batch: RecordBatch,
    returned: usize,
}

impl Run {
    /// `schema`: the columns of the input, and those of the functions.
    ///
    /// # Errors
    ///
    /// Returns an error if a function has no accumulator.
    pub(super) fn new(
        windows: Arc<Windows>,
        input: SendableRecordBatchStream,
        schema: SchemaRef,
        batch_size: usize,
        memory: MemoryReservation,
        metrics: BaselineMetrics,
    ) -> Result<Self> {
        let input_schema = input.schema();
        let functions = windows.functions.iter();
        let functions = functions.map(|function| function.start(&input_schema));
        Ok(Self {
            functions: functions.collect::<Result<_>>()?,
            windows,
            input: Some(input),
            input_schema,
            schema,
            batch_size: batch_size.max(1),
            last: None,
            pending: Pending::default(),
            large: None,
            memory,
            metrics,
        })
    }

    /// Returns the next rows; `None` after the last ones.
    ///
    /// # Errors
    ///
    /// Returns an error of the input or of a function, or if the pool has no memory for the rows
    /// that have no values yet.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(part) = self.part()? {
                return Ok(Some(part.record_output(&self.metrics)));
            }
            let Some(input) = &mut self.input else {
                return Ok(None);
            };
            let next = input.next().await;
            let rows = match next {
                Some(batch) => self.take(batch?)?,
                None => {
                    self.input = None;
                    self.pending.partitions.len()
                }
            };
            if rows == 0 {
                continue;
            }
            let batch = self.evaluated(rows)?;
            // The rows of one batch, with a few of the ones before it, are not cut.
            let is_small = batch.num_rows() / 2 < self.batch_size;
            if is_small || self.windows.widest == Frame::Row {
                return Ok(Some(batch.record_output(&self.metrics)));
            }
            self.large = Some(Large { batch, returned: 0 });
            self.reserve()?;
        }
    }

    /// Takes rows of the input. Returns of how many rows the widest frames have ended.
    fn take(&mut self, batch: RecordBatch) -> Result<usize> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(0);
        }
        let keys = Keys {
            partition: evaluate_expressions_to_arrays(&self.windows.partition_by, &batch)?,
            order: evaluate_expressions_to_arrays(&self.windows.order_by, &batch)?,
        };
        let last = self.last.as_ref();
        let last_partition = last.map(|last| last.partition.as_slice());
        let partitions = begins(&keys.partition, last_partition, rows)?;
        let mut peers = begins(&keys.order, last.map(|last| last.order.as_slice()), rows)?;
        for (peer, partition) in peers.iter_mut().zip(&partitions) {
            *peer |= *partition;
        }
        let last_row = |columns: Vec<ArrayRef>| -> Vec<ArrayRef> {
            let columns = columns.iter();
            columns.map(|column| column.slice(rows - 1, 1)).collect()
        };
        self.last = Some(Keys {
            partition: last_row(keys.partition),
            order: last_row(keys.order),
        });
        let open = match self.windows.widest {
            Frame::Row => Some(rows),
            Frame::Peers => peers.iter().rposition(|begins| *begins),
            Frame::Partition => partitions.iter().rposition(|begins| *begins),
        };
        let ended = open.map_or(0, |row| self.pending.partitions.len() + row);
        self.pending.partitions.extend(partitions);
        self.pending.peers.extend(peers);
        if self.windows.widest != Frame::Row {
            self.pending.pin(&batch);
        }
        self.pending.batches.push(batch);
        self.reserve()?;
        Ok(ended)
    }

    /// Returns the first pending rows with their values.
    fn evaluated(&mut self, rows: usize) -> Result<RecordBatch> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let (batch, partitions, peers) = self.pending.first(rows, &self.input_schema)?;
        let mut columns = batch.columns().to_vec();
        for (function, running) in self.windows.functions.iter().zip(&mut self.functions) {
            let arguments = evaluate_expressions_to_arrays(&function.arguments, &batch)?;
            let ends = match function.frame {
                Frame::Row => vec![true; rows],
                Frame::Peers => ends(&peers),
                Frame::Partition => ends(&partitions),
            };
            let chunk = Chunk {
                partitions: &partitions,
                peers: &peers,
                ends: &ends,
            };
            columns.push(running.values(&chunk, &arguments)?);
        }
        self.reserve()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Returns the next part of the rows that are returned in parts.
    fn part(&mut self) -> Result<Option<RecordBatch>> {
        let Some(large) = &mut self.large else {
            return Ok(None);
        };
        let rows = large.batch.num_rows() - large.returned;
        let part = large.batch.slice(large.returned, rows.min(self.batch_size));
        // What keeps one of the parts must not keep all rows.
        let part = copied(&part)?;
        large.returned += part.num_rows();
        if rows == part.num_rows() {
            self.large = None;
            self.reserve()?;
        }
        Ok(Some(part))
    }

    fn reserve(&mut self) -> Result<()> {
        if self.windows.widest == Frame::Row {
            return Ok(());
        }
        let mut pinned = Pinned::default();
        for column in self.large.iter().flat_map(|large| large.batch.columns()) {
            pinned.add(column.as_ref());
        }
        let pending = self.pending.pinned.bytes().saturating_mul(2);
        let of_row = FLAGS + VALUE * self.functions.len();
        let made = self.pending.partitions.len().saturating_mul(of_row);
        let bytes = pending.saturating_add(made);
        self.memory.try_resize(bytes.saturating_add(pinned.bytes()))
    }
}

impl Pending {
    fn pin(&mut self, batch: &RecordBatch) {
        for column in batch.columns() {
            self.pinned.add(column.as_ref());
        }
    }

    /// Removes the first rows, at least one. Returns them, and where partitions and groups of peers
    /// begin.
    fn first(
        &mut self,
        rows: usize,
        schema: &SchemaRef,
    ) -> Result<(RecordBatch, Vec<bool>, Vec<bool>)> {
        let mut left = rows;
        let mut first = Vec::new();
        let batches = std::mem::take(&mut self.batches);
        self.pinned = Pinned::default();
        for batch in batches {
            let of_batch = left.min(batch.num_rows());
            left -= of_batch;
            if of_batch == batch.num_rows() {
                first.push(batch);
                continue;
            }
            if of_batch > 0 {
                first.push(batch.slice(0, of_batch));
            }
            let rest = batch.slice(of_batch, batch.num_rows() - of_batch);
            self.pin(&rest);
            self.batches.push(rest);
        }
        let batch = match first.as_slice() {
            [one] => one.clone(),
            several => concat_batches(schema, several)?,
        };
        let partitions = self.partitions.split_off(rows.min(self.partitions.len()));
        let partitions = std::mem::replace(&mut self.partitions, partitions);
        let peers = self.peers.split_off(rows.min(self.peers.len()));
        let peers = std::mem::replace(&mut self.peers, peers);
        Ok((batch, partitions, peers))
    }
}

/// Returns for each row whether a key differs from the row before it. The first row of the input
/// does.
///
/// `last`: the keys of the row before the first one. `rows`: at least 1.
fn begins(keys: &[ArrayRef], last: Option<&[ArrayRef]>, rows: usize) -> Result<Vec<bool>> {
    let mut begins = vec![false; rows];
    for key in keys.iter().filter(|_| rows > 1) {
        let differs = distinct(&key.slice(0, rows - 1), &key.slice(1, rows - 1))?;
        let following = begins.iter_mut().skip(1);
        for (begins, differs) in following.zip(differs.values().iter()) {
            *begins |= differs;
        }
    }
    let mut is_first = last.is_none();
    for (last, key) in last.into_iter().flatten().zip(keys) {
        is_first |= distinct(last, &key.slice(0, 1))?.value(0);
    }
    if let Some(first) = begins.first_mut() {
        *first = is_first;
    }
    Ok(begins)
}

/// Returns for each row whether the next one begins, which the last one does too.
fn ends(begins: &[bool]) -> Vec<bool> {
    let next = begins.iter().skip(1).copied();
    next.chain([true]).collect()
}
