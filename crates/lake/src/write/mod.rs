//! Writing rows: batches become files in the folders of their partitions, of a good size.
//!
//! ```text
//!  batches ─ columns ─▶ staged ─ partitions ─▶ waiting rows ─ FileWriter ─▶ lakegate-<write>-00001.parquet
//!            by name,   some MiB  by key values  of each partition           rolled at the target size
//!            cast                 and buckets
//! ```
//!
//! Rows of a partition wait in memory until they are worth a file that is open: a partition of few
//! rows gets one file at the end, however its rows come, and ten thousand of them are not open at
//! once. Where memory is short, the partitions that hold the most are written first.
//!
//! The rows of a table with buckets, or with sort columns, come in the order of its files
//! ([`RowOrder`]): each bucket of a partition has one file, which is not rolled.
//!
//! A [`Destination`] says where: the folder of a table ([`Target::destination`]), or any other.
//! Files carry the number of their write, so that listings leave them out until it is committed
//! ([`lakegate_catalog::store::OpenWrites`]). What never happens: a file is written over, a row is
//! dropped silently, a write holds more memory than its reservation of the query pool.

pub mod assignable;
mod bounds;
pub(crate) mod buckets;
mod closing;
pub mod columns;
mod destination;
mod folders;
mod gather;
mod layout;
mod partitions;
mod room;
pub mod sweep;
#[cfg(test)]
mod tests;
mod views;
mod waiting;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::partition::PartitionInput;
use lakegate_error::{Error, Result};

use self::closing::Closing;
use self::columns::Mapping;
pub use self::destination::{
    Destination, TableFolders, Target, check_append, check_format, codec, location,
};
use self::folders::Folders;
pub use self::layout::{Layout, RowOrder};
use self::partitions::{Part, Splitter};
use self::waiting::{Charge, Charged};
use crate::format::{FileWriter, NewFile};
use crate::sizes::held_by;

/// A file is ended when it has so many bytes: large enough to read well, small enough to be read
/// side by side.
pub(crate) const TARGET_FILE_BYTES: usize = 256 * 1024 * 1024;

/// Bounds of one write.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Bytes that it may hold in memory, before the partitions of most are written.
    memory: usize,
    /// Bytes and rows that are split by partition at once: each batch may have a row of every
    /// partition.
    staged: usize,
    staged_rows: usize,
    /// Bytes of waiting rows from which on a partition has an open file. An open Parquet file takes
    /// some 80 KiB a column before it has a row.
    open_from: usize,
    /// Files that are open at once.
    open: usize,
}

/// Bytes that one write may hold in memory in any case, the pool having room.
const LEAST_MEMORY: usize = 512 * 1024 * 1024;

/// Open files of a write that is given up, whose uploads are stopped at once.
const STOPPED_AT_ONCE: usize = 32;

const LIMITS: Limits = Limits {
    memory: LEAST_MEMORY,
    staged: 64 * 1024 * 1024,
    staged_rows: 1024 * 1024,
    open_from: 8 * 1024 * 1024,
    open: 1_000,
};

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    pub rows: u64,
    /// Files that were begun, each of which has the next number of its write.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Every partition that has new files, with its location.
    pub partitions: Vec<PartitionInput>,
}

/// Rows that are not split by partition and bucket yet.
#[derive(Debug, Default)]
struct Staged {
    batches: Vec<RecordBatch>,
    bytes: usize,
    rows: usize,
}

/// Rows that a task splits by partition, while the next are staged.
#[derive(Debug)]
struct Splitting {
    bytes: usize,
    task: SpawnedTask<Result<Vec<Part>>>,
}

/// Writes batches to a destination. Dropped without [`PartitionedWriter::finish`], it leaves files
/// behind that [`sweep::remove_write`] removes.
#[derive(Debug)]
pub struct PartitionedWriter {
    destination: Destination,
    mapping: Mapping,
    splitter: Arc<Splitter>,
    /// The columns of the files.
    schema: SchemaRef,
    /// As of [`NewFile::declared`].
    declared: Vec<Option<HiveType>>,
    folders: Folders,
    /// The rows come in the order of the layout.
    is_ordered: bool,
    /// Of sorted rows: the folder of the last one.
    current: Option<usize>,
    staged: Staged,
    /// What was staged before.
    splitting: Option<Splitting>,
    /// The rows of all folders that wait.
    waiting: Charged,
    closing: Closing,
    memory: MemoryReservation,
    limits: Limits,
    batches: u64,
    /// Files that were begun, and so the number of the next one.
    files: usize,
    /// Rows that were taken.
    rows: u64,
}

impl PartitionedWriter {
    /// `mapping`: of the batches to the columns of the destination, its keys last. `memory`: the
    /// reservation for what is held until it is sent.
    ///
    /// # Errors
    /// Files of the destination's format, or with its codec, are not written.
    pub fn new(
        destination: Destination,
        mapping: Mapping,
        memory: MemoryReservation,
    ) -> Result<Self> {
        destination.check()?;
        let columns = mapping.schema().fields().len();
        let width = columns.saturating_sub(destination.keys.len());
        let mapping = match destination.format.file_format().takes_all_forms() {
            true => mapping.with_views(width)?,
            false => mapping,
        };
        let columns = mapping.schema().fields();
        let data: Vec<_> = columns.iter().take(width).cloned().collect();
        let declared = destination.declared(&data);
        let buckets = destination.layout.buckets.clone();
        let splitter = Splitter::new(Arc::clone(&destination.keys), width, buckets)
            .narrow(destination.format.file_format().takes_all_forms());
        let schema = match splitter.is_whole() {
            true => Schema::new(data),
            false => splitter.schema(mapping.schema()),
        };
        Ok(Self {
            splitter: Arc::new(splitter),
            declared,
            schema: Arc::new(schema),
            destination,
            mapping,
            folders: Folders::default(),
            is_ordered: false,
            current: None,
            staged: Staged::default(),
            splitting: None,
            waiting: Charged::default(),
            closing: Closing::default(),
            memory,
            limits: LIMITS,
            batches: 0,
            files: 0,
            rows: 0,
        })
    }

    /// Lets the write hold `bytes` in memory, if they are more than it may hold anyway: with more of
    /// it, rows in random order make fewer files.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        self.limits.memory = bytes.max(LEAST_MEMORY);
        self
    }

    /// For rows of [`RowOrder::above`], sorted by the partition keys and the buckets: a partition's
    /// files are ended when the next one begins, so that one is in memory at a time and each has as
    /// few files as its size asks for, and a bucket one. Files say that they are sorted by the
    /// table's sort columns.
    ///
    /// Without it, rows in random order make about as many files in each partition as they take the
    /// room of, which is some three quarters of what [`PartitionedWriter::within`] allows, the pool
    /// having it: a sort (which spills) pays once they take several times as much and there are more
    /// than some 64 partitions. With fewer partitions each has an open file.
    #[must_use]
    pub fn ordered(self) -> Self {
        Self {
            is_ordered: true,
            mapping: self.mapping.applied(),
            ..self
        }
    }

    /// Bytes of the files so far, with an estimate for what is not sent yet. Rows that wait for a
    /// file count once it is begun.
    pub fn bytes_written(&self) -> u64 {
        let open = self.folders.open();
        self.closing.bytes() + open.map(|file| file.bytes() as u64).sum::<u64>()
    }

    /// Appends rows to the files of their partitions.
    ///
    /// # Errors
    /// A value that does not fit its column, which is named; too many partitions; the store. An
    /// error may be of rows that were appended before.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for piece in self.mapping.pieces(batch.clone()) {
            self.write_piece(&piece).await?;
        }
        Ok(())
    }

    async fn write_piece(&mut self, batch: &RecordBatch) -> Result<()> {
        let mapped = self.mapping.apply(batch)?;
        if self.splitter.is_whole() {
            let (folders, destination) = (&mut self.folders, &self.destination);
            let folder = folders.number(destination, Box::default(), None).await?;
            self.append_whole(folder, &mapped).await?;
            return self.bound().await;
        }
        let bytes = held_by(&mapped);
        if self.staged.bytes + bytes > self.limits.staged {
            self.split_staged().await?;
        }
        self.staged.bytes += bytes;
        self.staged.rows += mapped.num_rows();
        self.staged.batches.push(mapped);
        let is_full =
            self.staged.bytes >= self.limits.staged || self.staged.rows >= self.limits.staged_rows;
        if is_full {
            self.split_staged().await?;
        }
        if !self.fits() {
            self.split_all().await?;
        }
        Ok(())
    }

    /// Begins to split the staged rows, and gives those that were split before to their partitions
    /// and buckets.
    async fn split_staged(&mut self) -> Result<()> {
        let Staged { batches, bytes, .. } = std::mem::take(&mut self.staged);
        let next = (!batches.is_empty()).then(|| {
            let splitter = Arc::clone(&self.splitter);
            // As the engine spawns, so that it is charged to the write.
            let task = SpawnedTask::spawn(async move { splitter.split(&batches) });
            Splitting { bytes, task }
        });
        let Some(before) = std::mem::replace(&mut self.splitting, next) else {
            return Ok(());
        };
        let parts = before.task.await.map_err(|error| {
            Error::internal(format!(
                "the task that splits rows by partition died: {error}"
            ))
        })?;
        let parts = parts?;
        let charge = self
            .waiting
            .charge(parts.iter().map(|part| part.bytes).sum());
        for Part {
            values,
            bucket,
            rows,
            bytes,
        } in parts
        {
            let (folders, destination) = (&mut self.folders, &self.destination);
            let folder = folders.number(destination, values, bucket).await?;
            if let Some(before) = self.current.replace(folder)
                && self.is_ordered
                && before != folder
            {
                self.end(before).await?;
            }
            self.append(folder, rows, bytes, Arc::clone(&charge))
                .await?;
        }
        drop(charge);
        self.bound().await
    }

    /// Gives all rows that were taken to their partitions.
    async fn split_all(&mut self) -> Result<()> {
        self.split_staged().await?;
        self.split_staged().await
    }

    /// Appends rows to the file of the only folder.
    async fn append_whole(&mut self, index: usize, rows: &RecordBatch) -> Result<()> {
        self.took(index, rows)?;
        self.opened(index)?.write(rows).await?;
        self.end_if_large(index).await
    }

    /// Appends rows to the file of their folder, or to those that wait for one. `bytes`: of the
    /// rows, which `charge` counts with those that they share columns with.
    async fn append(
        &mut self,
        index: usize,
        rows: RecordBatch,
        bytes: usize,
        charge: Arc<Charge>,
    ) -> Result<()> {
        self.took(index, &rows)?;
        let folder = self.folders.get(index)?;
        if let Some(open) = &mut folder.open {
            // The file gathers rows, in which those of others would stay in memory uncounted.
            let rows = gather::copied(&[rows]).map_err(not_copied)?;
            open.write(&rows).await?;
        } else {
            folder.waiting.push(rows, bytes, charge)?;
            if folder.waiting.bytes() < self.limits.open_from {
                return Ok(());
            }
            folder.waiting.detach(&self.waiting)?;
            let waiting = folder.waiting.take();
            let open = self.opened(index)?;
            for rows in &waiting.batches {
                open.write(rows).await?;
            }
        }
        self.end_if_large(index).await
    }

    /// Counts rows that a folder takes.
    fn took(&mut self, index: usize, rows: &RecordBatch) -> Result<()> {
        self.batches += 1;
        self.rows += rows.num_rows() as u64;
        self.folders.get(index)?.used = self.batches;
        Ok(())
    }

    /// Ends a file of the target size. A bucket has one file of any size.
    async fn end_if_large(&mut self, index: usize) -> Result<()> {
        let folder = self.folders.get(index)?;
        let open = folder.open.as_ref();
        if folder.bucket.is_none() && open.is_some_and(|open| open.bytes() >= TARGET_FILE_BYTES) {
            self.end(index).await?;
        }
        Ok(())
    }

    /// The open file of a folder, which is begun if there is none.
    fn opened(&mut self, index: usize) -> Result<&mut Box<dyn FileWriter>> {
        let file = match self.folders.get(index)?.open.take() {
            Some(file) => file,
            None => self.create(index)?,
        };
        Ok(self.folders.get(index)?.open.insert(file))
    }

    /// Begins the next file, in a folder.
    fn create(&mut self, index: usize) -> Result<Box<dyn FileWriter>> {
        let Destination {
            format,
            codec,
            write,
            layout,
            ..
        } = &self.destination;
        let format = format.file_format();
        let (number, extension) = (self.files as u64, format.extension(*codec));
        let (folder, bucket) = self.folders.location(index)?;
        let name = match bucket {
            Some(bucket) => write.bucket_file_name(bucket, number, &extension),
            None => write.file_name_of(number, &extension),
        };
        self.files += 1;
        format.create(NewFile {
            folder,
            name: &name,
            schema: Arc::clone(&self.schema),
            declared: &self.declared,
            codec: *codec,
            sorted_by: match self.is_ordered {
                true => &layout.sorted_by,
                false => &[],
            },
        })
    }

    /// Ends the file of a folder, which waiting rows are written to first: the next rows go to
    /// another.
    async fn end(&mut self, index: usize) -> Result<()> {
        let folder = self.folders.get(index)?;
        let rows = folder.waiting.take();
        let file = match folder.open.take() {
            Some(open) => open,
            None if rows.batches.is_empty() => return Ok(()),
            None => self.create(index)?,
        };
        let memory = file.memory();
        self.closing.add(file, rows, memory).await
    }

    /// Ends all files, and waits until they are on disk.
    ///
    /// # Errors
    /// The store; values that the format cannot hold; a partition that cannot be written to.
    pub async fn finish(self) -> Result<Written> {
        self.finish_unless(std::future::pending()).await
    }

    /// As [`PartitionedWriter::finish`], until `stopped` returns: thousands of files may still have
    /// to be begun.
    ///
    /// # Errors
    /// As of [`PartitionedWriter::finish`]; that of `stopped`.
    pub async fn finish_unless(mut self, stopped: impl Future<Output = Error>) -> Result<Written> {
        let ended = tokio::select! {
            biased;
            error = stopped => Err(error),
            ended = self.finish_files() => ended,
        };
        if let Err(error) = ended {
            self.abort().await;
            return Err(error);
        }
        Ok(Written {
            rows: self.rows,
            files: self.files as u64,
            bytes: self.closing.bytes(),
            partitions: self.folders.into_partitions(),
        })
    }

    async fn finish_files(&mut self) -> Result<()> {
        self.split_all().await?;
        for index in 0..self.folders.len() {
            self.end(index).await?;
        }
        self.closing.persisted().await
    }

    /// Stops what is under way to the store, and waits for what cannot be stopped. Files that are
    /// there stay for [`sweep::remove_write`].
    pub async fn abort(mut self) {
        let folders = self.folders.iter_mut();
        let open: Vec<Box<dyn FileWriter>> =
            folders.filter_map(|folder| folder.open.take()).collect();
        // Each may be a request to the store.
        let stopped = futures::stream::iter(open);
        stopped
            .for_each_concurrent(STOPPED_AT_ONCE, |open| open.abort())
            .await;
        self.closing.stop().await;
    }
}

fn not_copied(error: ArrowError) -> Error {
    Error::internal(format!("rows are not copied: {error}"))
}
