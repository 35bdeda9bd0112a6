//! A row group on its way to a file: each column has an encoder, and columns are encoded side by
//! side.
//!
//! ```text
//!  batches ─▶ gathered, some MiB ─▶ a piece ─▶ for each column a task, after that of the piece before
//! ```
//!
//! Batches are gathered first, as they are: clients send small ones, and the cost of a task for
//! each column is then paid once for many. A column goes on with its next piece while another is
//! still busy with the one before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory,
    compute_leaves,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::dictionaries;
use crate::sizes::held_by;

/// Bytes of batches that are gathered.
const GATHERED: usize = 8 * 1024 * 1024;
/// Bytes of batches from which on columns are worth a task each. Several small files are encoded at
/// once, each in a task of its own.
const WORTH_TASKS: usize = 1024 * 1024;
/// Pieces that are encoded at once.
const PIECES: usize = 2;

/// Makes the encoders of a file's row groups.
#[derive(Debug, Clone)]
pub(super) struct Encoders {
    pub schema: SchemaRef,
    /// The root of the file's schema.
    pub columns: TypePtr,
    pub properties: WriterPropertiesPtr,
    /// Rows that a row group has at most.
    pub most_rows: usize,
}

impl Encoders {
    /// Returns an encoder for each leaf, which suits the first rows. `all_rows` is how many rows
    /// the row group will have, about.
    fn columns(&self, first: &[RecordBatch], all_rows: usize) -> Result<Vec<Column>> {
        let useless = dictionaries::useless(&self.schema, first, all_rows)?;
        let mut properties = (*self.properties).clone().into_builder();
        for name in useless {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        // The crate makes encoders with the properties of a file writer only. How a column is
        // encoded stands in its own chunk, and need not be as the file's properties say.
        let writer = SerializedFileWriter::new(
            std::io::sink(),
            Arc::clone(&self.columns),
            Arc::new(properties.build()),
        )?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&self.schema));
        // The number of the row group matters to encrypted files only.
        let columns = factory.create_column_writers(0)?.into_iter();
        Ok(columns
            .map(|column| Column::Idle(Box::new(column)))
            .collect())
    }
}

#[derive(Debug)]
pub(super) struct RowGroup {
    encoders: Encoders,
    /// One for each leaf of the schema, in its order; none before the first piece.
    columns: Vec<Column>,
    /// Of each column, as of its last piece.
    sizes: Vec<Arc<Size>>,
    gathered: Vec<RecordBatch>,
    gathered_bytes: usize,
    pieces: Arc<Semaphore>,
    /// Bytes of the pieces that are being encoded, as they came.
    encoding: Arc<AtomicUsize>,
    /// Of all that was written to it.
    rows: usize,
}

#[derive(Debug)]
enum Column {
    Idle(Box<ArrowColumnWriter>),
    Encoding(Task<Box<ArrowColumnWriter>>),
}

type Task<T> = SpawnedTask<Result<T>>;

/// Bytes of what a column has encoded.
#[derive(Debug, Default)]
struct Size {
    /// In the file, about.
    encoded: AtomicUsize,
    memory: AtomicUsize,
}

/// Counts as being encoded until the last column is done with it.
#[derive(Debug)]
struct Piece {
    bytes: usize,
    encoding: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.encoding.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl RowGroup {
    pub(super) fn begin(encoders: &Encoders) -> Self {
        Self {
            encoders: encoders.clone(),
            columns: Vec::new(),
            sizes: Vec::new(),
            gathered: Vec::new(),
            gathered_bytes: 0,
            pieces: Arc::new(Semaphore::new(PIECES)),
            encoding: Arc::default(),
            rows: 0,
        }
    }

    /// Dropped before its end, it leaves a row group that can only be given up.
    ///
    /// # Errors
    /// Values that have no Parquet form; a row group that was to be given up. Either may be returned by
    /// a later call.
    pub(super) async fn write(&mut self, rows: RecordBatch) -> Result<()> {
        self.rows += rows.num_rows();
        self.gathered_bytes += held_by(&rows);
        self.gathered.push(rows);
        if self.gathered_bytes >= GATHERED {
            self.begin_encoding(self.encoders.most_rows).await?;
        }
        Ok(())
    }

    /// Encodes what is gathered, to its end.
    ///
    /// # Errors
    /// As of [`RowGroup::write`].
    pub(super) async fn encode(&mut self) -> Result<()> {
        self.begin_encoding(self.encoders.most_rows).await?;
        for column in std::mem::take(&mut self.columns) {
            self.columns.push(Column::Idle(column.idle().await?));
        }
        Ok(())
    }

    /// Begins to encode what is gathered, once there is room for a piece. `all_rows` is how many
    /// rows the row group will have, about.
    async fn begin_encoding(&mut self, all_rows: usize) -> Result<()> {
        if self.columns.is_empty() {
            self.columns = self.encoders.columns(&self.gathered, all_rows)?;
            self.sizes = self.columns.iter().map(|_| Arc::default()).collect();
        }
        let leaves = self.leaves()?;
        let bytes = std::mem::take(&mut self.gathered_bytes);
        let columns = std::mem::take(&mut self.columns).into_iter();
        let columns = columns.zip(&self.sizes).zip(leaves);
        if bytes < WORTH_TASKS {
            for ((column, size), leaves) in columns {
                let column = encoded(column.idle().await?, &leaves, size)?;
                self.columns.push(Column::Idle(column));
            }
            return Ok(());
        }
        let permit = Arc::clone(&self.pieces).acquire_owned().await;
        self.encoding.fetch_add(bytes, Ordering::Relaxed);
        let piece = Arc::new(Piece {
            bytes,
            encoding: Arc::clone(&self.encoding),
            _permit: permit.map_err(|error| ParquetError::External(Box::new(error)))?,
        });
        for ((column, size), leaves) in columns {
            let (size, piece) = (Arc::clone(size), Arc::clone(&piece));
            // As the engine spawns, so that it is charged to the write.
            let task = SpawnedTask::spawn(async move {
                let column = encoded(column.idle().await?, &leaves, &size);
                drop((leaves, piece));
                column
            });
            self.columns.push(Column::Encoding(task));
        }
        Ok(())
    }

    /// What is gathered, by column.
    fn leaves(&mut self) -> Result<Vec<Vec<ArrowLeafColumn>>> {
        let schema: &Schema = &self.encoders.schema;
        let mut leaves: Vec<Vec<ArrowLeafColumn>> = Vec::new();
        leaves.resize_with(self.columns.len(), Vec::new);
        for batch in std::mem::take(&mut self.gathered) {
            let mut of_columns = leaves.iter_mut();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                for leaf in compute_leaves(field, column)? {
                    let of_column = of_columns.next();
                    of_column.ok_or_else(other_columns)?.push(leaf);
                }
            }
            if of_columns.next().is_some() {
                return Err(other_columns());
            }
        }
        Ok(leaves)
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that it will have in the file, about; of what is not encoded yet, as it came.
    pub(super) fn bytes(&self) -> usize {
        self.sum(|size| &size.encoded) + self.waiting()
    }

    /// Bytes that it holds in memory.
    pub(super) fn memory(&self) -> usize {
        self.sum(|size| &size.memory) + self.waiting()
    }

    fn sum(&self, of: impl Fn(&Size) -> &AtomicUsize) -> usize {
        let sizes = self.sizes.iter();
        sizes.map(|size| of(size).load(Ordering::Relaxed)).sum()
    }

    fn waiting(&self) -> usize {
        self.encoding.load(Ordering::Relaxed) + self.gathered_bytes
    }

    /// Begins to end the columns.
    ///
    /// # Errors
    /// As of [`RowGroup::write`].
    pub(super) async fn end(mut self) -> Result<Ending> {
        self.begin_encoding(self.rows).await?;
        let (bytes, memory) = (self.bytes(), self.memory());
        let columns = self.columns.into_iter().map(|column| match column {
            Column::Idle(column) if memory < WORTH_TASKS => Chunk::Ended(Box::new(column.close())),
            column => Chunk::Ending(SpawnedTask::spawn(
                async move { column.idle().await?.close() },
            )),
        });
        Ok(Ending {
            columns: columns.collect(),
            bytes,
            memory,
        })
    }
}

impl Column {
    /// Once what was begun is encoded.
    async fn idle(self) -> Result<Box<ArrowColumnWriter>> {
        match self {
            Self::Idle(column) => Ok(column),
            Self::Encoding(task) => joined(task.await),
        }
    }
}

/// A row group that gets no more rows.
#[derive(Debug)]
pub(super) struct Ending {
    /// In the order of the schema's leaves.
    pub columns: Vec<Chunk>,
    /// Bytes that it will have in the file, about.
    pub bytes: usize,
    /// Bytes that it holds in memory.
    pub memory: usize,
}

#[derive(Debug)]
pub(super) enum Chunk {
    Ended(Box<Result<ArrowColumnChunk>>),
    Ending(Task<ArrowColumnChunk>),
}

impl Chunk {
    /// What the file takes of a column.
    ///
    /// # Errors
    /// As of [`RowGroup::write`].
    pub(super) async fn ended(self) -> Result<ArrowColumnChunk> {
        match self {
            Self::Ended(chunk) => *chunk,
            Self::Ending(task) => joined(task.await),
        }
    }
}

fn encoded(
    mut column: Box<ArrowColumnWriter>,
    leaves: &[ArrowLeafColumn],
    size: &Size,
) -> Result<Box<ArrowColumnWriter>> {
    leaves.iter().try_for_each(|leaf| column.write(leaf))?;
    let bytes = column.get_estimated_total_bytes();
    size.encoded.store(bytes, Ordering::Relaxed);
    size.memory.store(column.memory_size(), Ordering::Relaxed);
    Ok(column)
}

fn joined<T>(ended: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    ended.map_err(|error| ParquetError::External(Box::new(error)))?
}

fn other_columns() -> ParquetError {
    ParquetError::General("a batch has other columns than its file".to_owned())
}
