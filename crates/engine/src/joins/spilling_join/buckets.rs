//! Rows that are divided by their keys, in files.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take_record_batch;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::spill_file::SpillFile;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::spill::SpillManager;
use futures::TryStreamExt;
use parking_lot::Mutex;

use super::gate::empty;
use super::side::Side;
use crate::limits::stop;

/// The hashes of this level, and of those that follow it, are independent of those that DataFusion
/// partitions and joins rows by.
const SEED: u64 = 0x6c61_6b65_6761_7465;

/// Rows in a file.
#[derive(Clone)]
pub(super) struct Bucket {
    file: Option<Arc<dyn SpillFile>>,
    pub rows: u64,
}

impl Bucket {
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Reads the rows, in batches of the usual size. They can be read any number of times.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub(super) fn read(&self, side: &Side) -> Result<SendableRecordBatchStream> {
        let Some(file) = &self.file else {
            return Ok(empty(side.schema()));
        };
        let batches = side
            .files()
            .read_spill_as_stream_unbuffered(Arc::clone(file), None)?;
        Ok(side.coalesced(batches))
    }
}

/// Returns whether rows of the other side are needed beside these, for a join of which these are the
/// build side.
pub(super) fn needs_other(rows: &Bucket, join: JoinType) -> bool {
    !(rows.is_empty() && join.empty_build_side_produces_empty_result())
}

/// Divides the rows of a side.
pub(super) struct Divider {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    null_equality: NullEquality,
    state: RandomState,
    buckets: usize,
    hashes: Vec<u64>,
    /// The bucket of the last row that matches nothing.
    last: usize,
}

impl Divider {
    /// `level`: how often the rows have been divided before. `buckets`: at least one.
    pub(super) fn new(
        keys: Vec<Arc<dyn PhysicalExpr>>,
        null_equality: NullEquality,
        level: usize,
        buckets: usize,
    ) -> Self {
        Self {
            keys,
            null_equality,
            state: RandomState::with_seed(SEED.wrapping_add(level as u64)),
            buckets,
            hashes: Vec::new(),
            last: 0,
        }
    }

    /// Returns the rows of each bucket that gets some. Rows with equal keys get to one bucket; those
    /// whose keys equal nothing are spread evenly.
    ///
    /// # Errors
    ///
    /// Returns the errors of the keys.
    pub(super) fn divide(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        let rows = batch.num_rows();
        let keys = self.keys.iter();
        let keys = keys.map(|key| key.evaluate(batch)?.into_array(rows));
        let keys: Vec<ArrayRef> = keys.collect::<Result<_>>()?;
        self.hashes.clear();
        self.hashes.resize(rows, 0);
        create_hashes(&keys, &self.state, &mut self.hashes)?;
        let known = match self.null_equality {
            NullEquality::NullEqualsNull => None,
            NullEquality::NullEqualsNothing => keys.iter().fold(None, |known, key| {
                NullBuffer::union(known.as_ref(), key.logical_nulls().as_ref())
            }),
        };
        let mut places: Vec<Vec<u64>> = vec![Vec::new(); self.buckets];
        for (row, hash) in self.hashes.iter().enumerate() {
            let bucket = match &known {
                Some(known) if known.is_null(row) => {
                    self.last = (self.last + 1) % self.buckets;
                    self.last
                }
                _ => bucket_of(*hash, self.buckets),
            };
            if let Some(places) = places.get_mut(bucket) {
                places.push(row as u64);
            }
        }
        let mut parts = Vec::with_capacity(self.buckets);
        for (bucket, places) in places.into_iter().enumerate() {
            if !places.is_empty() {
                let part = take_record_batch(batch, &UInt64Array::from(places))?;
                parts.push((bucket, part));
            }
        }
        Ok(parts)
    }
}

/// Returns the bucket of a hash, all bits of which count.
fn bucket_of(hash: u64, buckets: usize) -> usize {
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (mixed % buckets as u64) as usize
}

/// Writes a batch to a file, or for `None` returns the file. DataFusion does not export the type of
/// a file that is being written.
type Append = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send>;

/// The files of a side while they are written.
pub(super) struct Writers {
    files: SpillManager,
    writers: Vec<Writer>,
}

struct Writer {
    append: Option<Append>,
    rows: u64,
    /// Whether the rows are needed.
    is_kept: bool,
}

impl Writers {
    /// `is_kept`: whether the rows of each bucket are needed.
    fn new(files: SpillManager, is_kept: impl Iterator<Item = bool>) -> Self {
        let writer = |is_kept| Writer {
            append: None,
            rows: 0,
            is_kept,
        };
        Self {
            files,
            writers: is_kept.map(writer).collect(),
        }
    }

    /// Creates files for the rows of a build side.
    pub(super) fn of_build(side: &Side) -> Self {
        let is_kept = std::iter::repeat_n(true, side.buckets());
        Self::new(side.files().clone(), is_kept)
    }

    /// Creates files for the rows of a probe side. `build`: the buckets of the other side.
    pub(super) fn of_probe(side: &Side, build: &[Bucket], join: JoinType) -> Self {
        let is_kept = build.iter().map(|build| needs_other(build, join));
        Self::new(side.files().clone(), is_kept)
    }

    fn append(&mut self, parts: &[(usize, RecordBatch)]) -> Result<()> {
        for (bucket, part) in parts {
            let writer = self.writers.get_mut(*bucket);
            let Some(writer) = writer.filter(|writer| writer.is_kept) else {
                continue;
            };
            if writer.append.is_none() {
                writer.append = Some(appended(&self.files)?);
            }
            if let Some(append) = &mut writer.append {
                append(Some(part))?;
                writer.rows += part.num_rows() as u64;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Bucket>> {
        let writers = self.writers.drain(..);
        let finished = writers.map(|mut writer| {
            let file = match &mut writer.append {
                Some(append) => append(None)?,
                None => None,
            };
            Ok(Bucket {
                file,
                rows: writer.rows,
            })
        });
        finished.collect()
    }
}

fn appended(files: &SpillManager) -> Result<Append> {
    let mut file = files.create_in_progress_file("rows of a join")?;
    Ok(Box::new(move |batch: Option<&RecordBatch>| match batch {
        Some(batch) => file.append_batch(batch).map(|_| None),
        None => file.finish(),
    }))
}

/// Divides rows into files, which several partitions may write.
pub(super) struct Dividing {
    divider: Divider,
    writers: Arc<Mutex<Writers>>,
}

impl Dividing {
    pub(super) fn new(divider: Divider, writers: Arc<Mutex<Writers>>) -> Self {
        Self { divider, writers }
    }

    /// Writes the rows of a batch, and lets other tasks run.
    ///
    /// # Errors
    ///
    /// Returns an error if the query must stop, or if the disk has no room.
    pub(super) async fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        stop::check()?;
        let parts = self.divider.divide(batch)?;
        self.writers.lock().append(&parts)?;
        drop(parts);
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Writes all rows of a stream.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream, and those of [`add`](Self::add).
    pub(super) async fn add_all(&mut self, mut rows: SendableRecordBatchStream) -> Result<()> {
        while let Some(batch) = rows.try_next().await? {
            self.add(&batch).await?;
        }
        Ok(())
    }

    /// Returns the buckets.
    ///
    /// # Errors
    ///
    /// Returns an error if the disk has no room.
    pub(super) fn finish(self) -> Result<Vec<Bucket>> {
        self.writers.lock().finish()
    }
}
