//! Writing rows: batches become files in the folders of their partitions, of a good size.
//!
//! ```text
//!  batch ─ columns ─▶ the columns of ─ partitions ─▶ a batch a partition ─ FileWriter ─▶ lakegate-<write>-00001.parquet
//!          by name,   the rows         by key values                       rolled at the target size
//!          cast
//! ```
//!
//! A [`Destination`] says where: the folder of a table ([`Target::destination`]), or any other.
//! Files carry the number of their write, so that listings leave them out until it is committed
//! ([`lakegate_catalog::store::OpenWrites`]). What never happens: a file is written over, a row is
//! dropped silently, a write holds more memory than its reservation of the query pool.

pub mod columns;
mod destination;
mod partitions;
pub mod sweep;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::memory_pool::MemoryReservation;
use lakegate_catalog::partition::PartitionInput;
use lakegate_error::{Code, Error, Result};
use tokio::task::JoinSet;

use self::columns::Mapping;
use self::destination::PartitionFolder;
pub use self::destination::{Destination, TableFolders, Target, check_format, location};
use self::partitions::Splitter;
use crate::format::{FileWriter, NewFile};

/// A file is ended when it has so many bytes: large enough to read well, small enough to be read
/// side by side.
pub const TARGET_FILE_BYTES: usize = 256 * 1024 * 1024;
/// Values of all columns that are made the table's at once: 64 MiB of NULLs.
const PIECE_VALUES: usize = 8 * 1024 * 1024;
/// Bytes that the files of one write may hold in memory together, before the largest is sent on.
const MEMORY: usize = 512 * 1024 * 1024;
/// Files of one write that are open at once.
const MAX_OPEN: usize = 1_000;
/// Partitions that one write may write to.
const MAX_PARTITIONS: usize = 10_000;

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    pub rows: u64,
    /// Files that were begun, each of which has the next name of its write.
    pub files: u64,
    /// Every partition that has new files, with its location.
    pub partitions: Vec<PartitionInput>,
}

/// A folder that files are written to.
#[derive(Debug)]
struct Folder {
    place: PartitionFolder,
    open: Option<Box<dyn FileWriter>>,
    /// The number of the last batch that it took.
    used: u64,
}

/// Writes batches to a destination, a file at a time in each partition. Dropped without
/// [`PartitionedWriter::finish`], it leaves files behind that [`sweep::remove_write`] removes.
#[derive(Debug)]
pub struct PartitionedWriter {
    destination: Destination,
    mapping: Mapping,
    splitter: Splitter,
    /// The columns of the files.
    schema: SchemaRef,
    folders: HashMap<Box<[String]>, Folder>,
    memory: MemoryReservation,
    batches: u64,
    /// Files that were begun, and so the number of the next one.
    files: usize,
    /// Rows that were taken.
    rows: u64,
    /// Files that are ended and on their way to the disk.
    persisting: JoinSet<Result<()>>,
}

impl PartitionedWriter {
    /// `mapping`: of the batches to the columns of the destination, its keys last. `memory`: the
    /// reservation for what the files hold until it is sent.
    ///
    /// # Errors
    /// Files of the destination's format are not written.
    pub fn new(
        destination: Destination,
        mapping: Mapping,
        memory: MemoryReservation,
    ) -> Result<Self> {
        destination.check()?;
        let columns = mapping.schema().fields();
        let width = columns.len().saturating_sub(destination.keys.len());
        let data: Vec<_> = columns.iter().take(width).cloned().collect();
        Ok(Self {
            splitter: Splitter::new(Arc::clone(&destination.keys), width),
            schema: Arc::new(Schema::new(data)),
            destination,
            mapping,
            folders: HashMap::new(),
            memory,
            batches: 0,
            files: 0,
            rows: 0,
            persisting: JoinSet::new(),
        })
    }

    /// Appends rows to the files of their partitions.
    ///
    /// # Errors
    /// A value that does not fit its column, which is named; too many partitions; the store.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let (rows, piece) = (batch.num_rows(), self.rows_of_piece());
        for start in (0..rows).step_by(piece) {
            let piece = batch.slice(start, piece.min(rows - start));
            self.write_piece(&piece).await?;
        }
        Ok(())
    }

    /// Rows that are mapped at once: columns that are not sent, or sent as NULLs, take memory only
    /// then.
    fn rows_of_piece(&self) -> usize {
        (PIECE_VALUES / self.mapping.values_of_row().max(1)).max(1)
    }

    async fn write_piece(&mut self, batch: &RecordBatch) -> Result<()> {
        let mapped = self.mapping.apply(batch)?;
        for (values, rows) in self.splitter.split(&mapped)? {
            self.batches += 1;
            self.append(values, &rows).await?;
        }
        self.bound().await
    }

    async fn append(&mut self, values: Box<[String]>, rows: &RecordBatch) -> Result<()> {
        if !self.folders.contains_key(&values) {
            let folder = self.folder(&values).await?;
            self.folders.insert(values.clone(), folder);
        }
        let Some(folder) = self.folders.get_mut(&values) else {
            return Err(Error::internal("a partition's folder is gone"));
        };
        folder.used = self.batches;
        let open = match &mut folder.open {
            Some(open) => open,
            None => {
                let name = self.destination.write.file_name(self.files as u64);
                self.files += 1;
                let file = NewFile {
                    folder: &folder.place.location,
                    name: &name,
                    schema: Arc::clone(&self.schema),
                    codec: self.destination.codec,
                };
                let format = self.destination.format.file_format();
                folder.open.insert(format.create(file)?)
            }
        };
        open.write(rows).await?;
        self.rows += rows.num_rows() as u64;
        if open.bytes() >= TARGET_FILE_BYTES {
            self.end(&values).await?;
        }
        Ok(())
    }

    /// The folder of the rows with these values of the keys.
    ///
    /// # Errors
    /// There are too many partitions; the partition's folder cannot be written to; the catalog.
    async fn folder(&mut self, values: &[String]) -> Result<Folder> {
        if !values.is_empty() && self.folders.len() >= MAX_PARTITIONS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!(
                    "the rows are of more than {MAX_PARTITIONS} partitions of {}; write them in several parts",
                    self.destination.label
                ),
            ));
        }
        let place = self.destination.folder(values)?;
        self.destination.announce(&place).await?;
        Ok(Folder {
            place,
            open: None,
            used: 0,
        })
    }

    /// Ends files until the others are within the write's bounds of memory and of open files.
    ///
    /// # Errors
    /// The store.
    async fn bound(&mut self) -> Result<()> {
        let open = self.folders.values().filter(|f| f.open.is_some()).count();
        if open > MAX_OPEN {
            let mut by_use: Vec<(u64, Box<[String]>)> = self
                .folders
                .iter()
                .filter(|(_, folder)| folder.open.is_some())
                .map(|(values, folder)| (folder.used, values.clone()))
                .collect();
            by_use.sort_unstable();
            for (_, values) in by_use.into_iter().take(open - MAX_OPEN / 2) {
                self.end(&values).await?;
            }
        }
        if self.fits() {
            return Ok(());
        }
        // Encoded rows are a fraction of what was sent: files need not become small for them.
        for file in self.folders.values_mut().filter_map(|f| f.open.as_mut()) {
            file.encode().await?;
        }
        while !self.fits() {
            let largest = self
                .folders
                .iter()
                .filter(|(_, folder)| folder.memory() > 0)
                .max_by_key(|(_, folder)| folder.memory())
                .map(|(values, _)| values.clone());
            let Some(values) = largest else {
                return Ok(());
            };
            self.end(&values).await?;
        }
        Ok(())
    }

    /// Whether the files' memory is within the write's bound and the pool has room for it.
    fn fits(&mut self) -> bool {
        let held: usize = self.folders.values().map(Folder::memory).sum();
        held <= MEMORY && self.memory.try_resize(held).is_ok()
    }

    /// Ends the file of a folder: the next rows go to another.
    async fn end(&mut self, values: &[String]) -> Result<()> {
        if let Some(folder) = self.folders.get_mut(values)
            && let Some(open) = folder.open.take()
        {
            let file = open.close().await?;
            self.persisting
                .spawn(async move { file.root.persist(file.path).await });
        }
        Ok(())
    }

    /// Ends all files, and waits until they are on disk.
    ///
    /// # Errors
    /// The store; values that the format cannot hold.
    pub async fn finish(mut self) -> Result<Written> {
        let folders: Vec<Box<[String]>> = self.folders.keys().cloned().collect();
        for values in &folders {
            self.end(values).await?;
        }
        while let Some(persisted) = self.persisting.join_next().await {
            persisted.map_err(|error| Error::internal(format!("a file task died: {error}")))??;
        }
        let folders = self.folders.into_values();
        let mut partitions: Vec<PartitionInput> = folders
            .filter_map(|folder| folder.place.partition)
            .collect();
        partitions.sort_unstable_by(|one, other| one.values.cmp(&other.values));
        Ok(Written {
            rows: self.rows,
            files: self.files as u64,
            partitions,
        })
    }

    /// Stops what is under way to the store. Files that are there stay for [`sweep::remove_write`].
    pub async fn abort(mut self) {
        for folder in self.folders.values_mut() {
            if let Some(open) = folder.open.take() {
                open.abort().await;
            }
        }
    }
}

impl Folder {
    fn memory(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.memory())
    }
}
