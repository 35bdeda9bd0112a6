//! A row group on its way to a file: each column has an encoder, and columns are encoded side by
//! side.
//!
//! Batches are gathered first, as they are: clients send small ones, and the cost of a task for
//! each column is then paid once for many. While they are encoded, the next are gathered.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::runtime::SpawnedTask;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory,
    compute_leaves,
};
use parquet::errors::{ParquetError, Result};
use tokio::task::JoinError;

use crate::sizes::bytes_in;

/// Bytes of batches that are gathered.
const GATHERED: usize = 8 * 1024 * 1024;
/// Bytes of batches from which on columns are worth a task each.
const WORTH_TASKS: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct RowGroup {
    /// One for each leaf of the schema, in its order; none while they encode.
    columns: Vec<ArrowColumnWriter>,
    encoding: Vec<Encoding>,
    gathered: Vec<RecordBatch>,
    size: Size,
    /// Of all that was written to it.
    rows: usize,
}

/// Bytes.
#[derive(Debug, Default)]
struct Size {
    gathered: usize,
    /// Of the batches that are being encoded, as they came.
    encoding: usize,
    /// In the file, about, and in memory, of what was encoded before.
    encoded: usize,
    encoders: usize,
}

impl RowGroup {
    /// The row group number `index` of a file.
    pub(super) fn begin(factory: &ArrowRowGroupWriterFactory, index: usize) -> Result<Self> {
        Ok(Self {
            columns: factory.create_column_writers(index)?,
            encoding: Vec::new(),
            gathered: Vec::new(),
            size: Size::default(),
            rows: 0,
        })
    }

    /// Dropped before its end, it leaves a row group that can only be given up.
    ///
    /// # Errors
    /// Values that have no Parquet form; a row group that was to be given up.
    pub(super) async fn write(&mut self, schema: &Schema, rows: RecordBatch) -> Result<()> {
        self.rows += rows.num_rows();
        self.size.gathered += bytes_in(&rows);
        self.gathered.push(rows);
        if self.size.gathered >= GATHERED {
            self.begin_encoding(schema).await?;
        }
        Ok(())
    }

    /// Encodes what is gathered, to its end.
    ///
    /// # Errors
    /// As of [`RowGroup::write`].
    pub(super) async fn encode(&mut self, schema: &Schema) -> Result<()> {
        self.begin_encoding(schema).await?;
        self.encoded().await
    }

    /// Has encoded what was gathered before, and begins with what is now.
    async fn begin_encoding(&mut self, schema: &Schema) -> Result<()> {
        self.encoded().await?;
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
        self.size.encoding = std::mem::take(&mut self.size.gathered);
        if self.size.encoding >= WORTH_TASKS {
            let columns = std::mem::take(&mut self.columns);
            self.encoding = columns.into_iter().zip(leaves).map(spawned).collect();
            return Ok(());
        }
        let mut columns = self.columns.iter_mut().zip(&leaves);
        columns.try_for_each(|(column, leaves)| encode(column, leaves))?;
        self.measure();
        Ok(())
    }

    /// Waits for what is being encoded.
    async fn encoded(&mut self) -> Result<()> {
        if self.encoding.is_empty() {
            return Ok(());
        }
        for task in std::mem::take(&mut self.encoding) {
            self.columns.push(joined(task.await)?);
        }
        self.measure();
        Ok(())
    }

    fn measure(&mut self) {
        let columns = || self.columns.iter();
        let bytes = columns().map(ArrowColumnWriter::get_estimated_total_bytes);
        self.size.encoded = bytes.sum();
        self.size.encoders = columns().map(ArrowColumnWriter::memory_size).sum();
        self.size.encoding = 0;
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that it will have in the file, about; of what is not encoded yet, as it came.
    pub(super) fn bytes(&self) -> usize {
        self.size.encoded + self.size.encoding + self.size.gathered
    }

    /// Bytes that it holds in memory.
    pub(super) fn memory(&self) -> usize {
        self.size.encoders + self.size.encoding + self.size.gathered
    }

    /// What the file takes, column by column.
    pub(super) async fn end(mut self, schema: &Schema) -> Result<Vec<ArrowColumnChunk>> {
        self.encode(schema).await?;
        let columns = self.columns.into_iter();
        columns.map(ArrowColumnWriter::close).collect()
    }
}

fn encode(column: &mut ArrowColumnWriter, leaves: &[ArrowLeafColumn]) -> Result<()> {
    leaves.iter().try_for_each(|leaf| column.write(leaf))
}

type Encoding = SpawnedTask<Result<ArrowColumnWriter>>;

fn spawned((mut column, leaves): (ArrowColumnWriter, Vec<ArrowLeafColumn>)) -> Encoding {
    // As the engine spawns, so that it is charged to the write.
    SpawnedTask::spawn(async move { encode(&mut column, &leaves).map(|()| column) })
}

fn joined(
    ended: std::result::Result<Result<ArrowColumnWriter>, JoinError>,
) -> Result<ArrowColumnWriter> {
    ended.map_err(|error| ParquetError::External(Box::new(error)))?
}

fn other_columns() -> ParquetError {
    ParquetError::General("a batch has other columns than its file".to_owned())
}
