//! Writing a table: batches become Parquet files in the folders of its partitions, of a good size.
//!
//! ```text
//!  batch ─ columns ─▶ the table's columns ─ partitions ─▶ a batch a partition ─ file ─▶ lakegate-<write>-00001.parquet
//!          by name,      in their types      by key values                    rolled at the target size
//!          cast
//! ```
//!
//! Files carry the number of their write, so that listings leave them out until it is committed
//! ([`lakegate_catalog::store::OpenWrites`]). What never happens: a file is written over, a row is dropped silently, more memory
//! is used than the query pool gave.

pub mod columns;
mod file;
mod partitions;
mod row_group;
pub mod sweep;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::memory_pool::MemoryReservation;
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::{PartitionInput, PartitionKey, Partitions, default_location};
use lakegate_catalog::store::{WriteId, WriteLog};
use lakegate_error::{Code, Error, Result};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tokio::task::JoinSet;

use self::columns::Mapping;
use self::file::OpenFile;
use self::partitions::Splitter;
use super::format::TableFormat;
use super::roots::{Location, Roots};

/// A file is ended when it has so many bytes: large enough to read well, small enough to be read side by side.
pub const TARGET_FILE_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of a row group, as far as they can be told before it is ended.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;
/// Values of all columns that are made the table's at once: 64 MiB of NULLs.
const PIECE_VALUES: usize = 8 * 1024 * 1024;
/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1024 * 1024;
/// Bytes that the files of one write may hold in memory together, before the largest is sent on.
const MEMORY: usize = 512 * 1024 * 1024;
/// Files of one write that are open at once.
const MAX_OPEN: usize = 1_000;
/// Partitions that one write may write to.
const MAX_PARTITIONS: usize = 10_000;

/// The table that a write goes to, which the catalog may not have yet.
#[derive(Debug, Clone)]
pub struct Target {
    pub table: Arc<Table>,
    /// Those that are registered; `None` for a table without keys, and for one that is yet to be made.
    pub partitions: Option<Arc<Partitions>>,
    pub roots: Arc<Roots>,
    /// Records folders outside of the table's own before they have a file of the write.
    pub write_log: Arc<dyn WriteLog>,
}

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
    location: Location,
    /// `None`: of a table without keys.
    partition: Option<PartitionInput>,
    open: Option<OpenFile>,
    /// Of the last batch that it took.
    used: u64,
}

/// Writes batches to a table. Dropped without [`TableWriter::finish`], it leaves files behind that [`sweep::remove_write`] removes.
#[derive(Debug)]
pub struct TableWriter {
    target: Target,
    write: WriteId,
    mapping: Mapping,
    splitter: Splitter,
    /// The columns of the files.
    schema: SchemaRef,
    properties: WriterProperties,
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

impl TableWriter {
    /// `mapping`: of the batches to the table's columns. `memory`: what the files hold until they are sent on.
    ///
    /// Errors: a partition key of no known type, a compression that there is not.
    pub fn new(
        target: Target,
        write: WriteId,
        mapping: Mapping,
        memory: MemoryReservation,
    ) -> Result<Self> {
        let table = &target.table;
        let keys = PartitionKey::of_table(table)?;
        let data: Vec<_> = mapping
            .schema()
            .fields()
            .iter()
            .take(table.storage_descriptor.columns.len())
            .cloned()
            .collect();
        let properties = WriterProperties::builder()
            .set_compression(compression(table)?)
            .set_coerce_types(true)
            .set_created_by(format!("lakegate version {}", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            splitter: Splitter::new(keys, data.len()),
            schema: Arc::new(Schema::new(data)),
            properties,
            target,
            write,
            mapping,
            folders: HashMap::new(),
            memory,
            batches: 0,
            files: 0,
            rows: 0,
            persisting: JoinSet::new(),
        })
    }

    /// Errors: a value that does not fit its column, which is named; too many partitions; the store.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let (rows, piece) = (batch.num_rows(), self.rows_of_piece());
        for start in (0..rows).step_by(piece) {
            let piece = batch.slice(start, piece.min(rows - start));
            self.write_piece(&piece).await?;
        }
        Ok(())
    }

    /// Rows that are made the table's at once: a column that is not sent, or sent as NULLs, takes memory only then.
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
            let folder = self.folder(&values)?;
            if let Some(outside) = self.outside(&folder)? {
                // Should the process die, nothing of the write stays there.
                let write_log = Arc::clone(&self.target.write_log);
                write_log.extend_write(self.write, vec![outside]).await?;
            }
            self.folders.insert(values.clone(), folder);
        }
        let Some(folder) = self.folders.get_mut(&values) else {
            return Err(Error::internal("a partition's folder is gone"));
        };
        folder.used = self.batches;
        let open = match &mut folder.open {
            Some(open) => open,
            None => {
                let name = self.write.file_name(self.files as u64);
                self.files += 1;
                folder.open.insert(OpenFile::create(
                    &folder.location,
                    &name,
                    Arc::clone(&self.schema),
                    self.properties.clone(),
                )?)
            }
        };
        open.write(rows, ROW_GROUP_BYTES, ROW_GROUP_ROWS).await?;
        self.rows += rows.num_rows() as u64;
        if open.bytes() >= TARGET_FILE_BYTES {
            self.end(&values).await?;
        }
        Ok(())
    }

    /// Where the rows with these values of the keys go.
    ///
    /// Errors: the partition's folder is under no lake root, its files are not of Parquet, there are too many.
    fn folder(&self, values: &[String]) -> Result<Folder> {
        let table = &self.target.table;
        if values.is_empty() {
            return Ok(Folder {
                location: self.target.roots.locate(location(table)?)?,
                partition: None,
                open: None,
                used: 0,
            });
        }
        if self.folders.len() >= MAX_PARTITIONS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!(
                    "the rows are of more than {MAX_PARTITIONS} partitions of table {}; write them in several parts",
                    table.full_name()
                ),
            ));
        }
        let registered = match &self.target.partitions {
            Some(partitions) => partitions.find(values)?.map(|found| (partitions, found)),
            None => None,
        };
        // A partition that is there keeps the spelling of its values.
        let (values, url) = match registered {
            Some((partitions, partition)) => {
                let format = TableFormat::detect(&partition.storage_descriptor, &table.parameters)?;
                if format != TableFormat::Parquet {
                    return Err(not_parquet(&format!(
                        "partition {} of table {}",
                        partition.name(&partitions.keys),
                        table.full_name()
                    )));
                }
                let spelled = partition.values.iter().map(ToString::to_string).collect();
                (spelled, partition.location(&partitions.keys))
            }
            None => {
                let url = default_location(location(table)?, self.splitter.keys(), values);
                (values.to_vec(), url)
            }
        };
        let found = self.target.roots.locate(&url)?;
        let home = self.target.roots.locate(location(table)?)?;
        if Arc::ptr_eq(&home.root, &found.root) && found.path.prefix_matches(&home.path) {
            home.check_below(std::iter::once(&found.path))?;
        }
        Ok(Folder {
            location: found,
            partition: Some(PartitionInput::at(values, url)),
            open: None,
            used: 0,
        })
    }

    /// The location of a partition that lies outside of its table's folder.
    fn outside(&self, folder: &Folder) -> Result<Option<String>> {
        let home = location(&self.target.table)?.trim_end_matches('/');
        let partition = folder.partition.as_ref();
        let url = partition.and_then(|partition| partition.location.as_ref());
        Ok(url
            .filter(|url| !url.starts_with(&format!("{home}/")))
            .cloned())
    }

    /// Sends on what is more than the write may hold in memory.
    ///
    /// Errors: the store.
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

    /// Whether the pool gives the write what its files hold, and that is not too much.
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
    pub async fn finish(mut self) -> Result<Written> {
        let folders: Vec<Box<[String]>> = self.folders.keys().cloned().collect();
        for values in &folders {
            self.end(values).await?;
        }
        while let Some(persisted) = self.persisting.join_next().await {
            persisted.map_err(|error| Error::internal(format!("a file task died: {error}")))??;
        }
        let folders = self.folders.into_values();
        let mut partitions: Vec<PartitionInput> =
            folders.filter_map(|folder| folder.partition).collect();
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
        self.open.as_ref().map_or(0, OpenFile::memory)
    }
}

/// The folder of a table. Errors: it has none.
pub fn location(table: &Table) -> Result<&str> {
    table.storage_descriptor.location.as_deref().ok_or_else(|| {
        Error::invalid(format!(
            "table {} has no location; ALTER TABLE … SET LOCATION gives it one",
            table.full_name()
        ))
    })
}

/// Errors: files of this table are not written.
pub fn check_format(table: &Table) -> Result<()> {
    match TableFormat::detect(&table.storage_descriptor, &table.parameters)? {
        TableFormat::Parquet => Ok(()),
        TableFormat::Text(_) => Err(not_parquet(&format!("table {}", table.full_name()))),
    }
}

fn not_parquet(what: &str) -> Error {
    Error::not_supported(format!(
        "{what} is not stored as Parquet, and only Parquet is written"
    ))
    .with_hint("write to a table that is STORED AS PARQUET")
}

/// As the table's properties say, in the words of Hive and of Athena; Snappy unless they do.
fn compression(table: &Table) -> Result<Compression> {
    let asked = [
        "parquet.compression",
        "parquet.compress",
        "write.compression",
    ]
    .iter()
    .find_map(|name| table.parameters.get(*name));
    let Some(asked) = asked else {
        return Ok(Compression::SNAPPY);
    };
    Ok(match asked.to_ascii_uppercase().as_str() {
        "SNAPPY" => Compression::SNAPPY,
        "NONE" | "UNCOMPRESSED" => Compression::UNCOMPRESSED,
        "GZIP" => Compression::GZIP(Default::default()),
        "ZSTD" => Compression::ZSTD(Default::default()),
        "LZ4" => Compression::LZ4_RAW,
        "BROTLI" => Compression::BROTLI(Default::default()),
        _ => {
            return Err(Error::new(
                Code::InvalidTable,
                format!(
                    "table {} asks for Parquet compression '{asked}'; it can be SNAPPY, GZIP, ZSTD, LZ4, BROTLI or NONE",
                    table.full_name()
                ),
            ));
        }
    })
}
