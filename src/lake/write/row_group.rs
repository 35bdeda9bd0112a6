//! A row group on its way to a file: each column has an encoder, and columns are encoded side by side.
//!
//! Batches are gathered first, as they are: clients send small ones, and what it takes to give every column a task is then paid once
//! for many.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory,
    compute_leaves,
};
use parquet::errors::{ParquetError, Result};
use tokio::task::{JoinError, JoinHandle};

/// Bytes of batches that are gathered.
const GATHERED: usize = 8 * 1024 * 1024;
/// Bytes of batches from which on columns are worth a task each.
const WORTH_TASKS: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct RowGroup {
    /// One for each leaf of the schema, in its order.
    columns: Vec<ArrowColumnWriter>,
    gathered: Vec<RecordBatch>,
    /// Bytes.
    gathered_size: usize,
    /// The gathered ones too.
    rows: usize,
}

impl RowGroup {
    /// The row group number `index` of a file.
    pub fn begin(factory: &ArrowRowGroupWriterFactory, index: usize) -> Result<Self> {
        Ok(Self {
            columns: factory.create_column_writers(index)?,
            gathered: Vec::new(),
            gathered_size: 0,
            rows: 0,
        })
    }

    /// Dropped before its end, it leaves a row group that can only be given up.
    ///
    /// Errors: values that have no Parquet form; a row group that was to be given up.
    pub async fn write(&mut self, schema: &Schema, rows: RecordBatch) -> Result<()> {
        self.rows += rows.num_rows();
        self.gathered_size += size(&rows);
        self.gathered.push(rows);
        if self.gathered_size >= GATHERED {
            self.encode(schema).await?;
        }
        Ok(())
    }

    /// Encodes what is gathered. Errors: as of [`RowGroup::write`].
    pub async fn encode(&mut self, schema: &Schema) -> Result<()> {
        let batches = std::mem::take(&mut self.gathered);
        let bytes = std::mem::take(&mut self.gathered_size);
        let mut leaves: Vec<Vec<ArrowLeafColumn>> = Vec::new();
        leaves.resize_with(self.columns.len(), Vec::new);
        for batch in &batches {
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
        if bytes < WORTH_TASKS {
            let mut columns = self.columns.iter_mut().zip(&leaves);
            return columns.try_for_each(|(column, leaves)| encode(column, leaves));
        }
        let columns = std::mem::take(&mut self.columns);
        let tasks: Vec<_> = columns.into_iter().zip(leaves).map(spawned).collect();
        for task in tasks {
            self.columns.push(joined(task.await)?);
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that it will have in the file, about; the gathered ones as they are.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter();
        let encoded: usize = columns
            .map(ArrowColumnWriter::get_estimated_total_bytes)
            .sum();
        encoded + self.gathered_size
    }

    /// Bytes that it holds in memory.
    pub fn memory(&self) -> usize {
        let columns = self.columns.iter().map(ArrowColumnWriter::memory_size);
        columns.sum::<usize>() + self.gathered_size
    }

    /// What the file takes, column by column.
    pub async fn end(mut self, schema: &Schema) -> Result<Vec<ArrowColumnChunk>> {
        self.encode(schema).await?;
        let columns = self.columns.into_iter();
        columns.map(ArrowColumnWriter::close).collect()
    }
}

fn encode(column: &mut ArrowColumnWriter, leaves: &[ArrowLeafColumn]) -> Result<()> {
    leaves.iter().try_for_each(|leaf| column.write(leaf))
}

type Encoding = JoinHandle<Result<ArrowColumnWriter>>;

fn spawned((mut column, leaves): (ArrowColumnWriter, Vec<ArrowLeafColumn>)) -> Encoding {
    tokio::spawn(async move { encode(&mut column, &leaves).map(|()| column) })
}

fn joined(
    ended: std::result::Result<Result<ArrowColumnWriter>, JoinError>,
) -> Result<ArrowColumnWriter> {
    ended.map_err(|error| ParquetError::External(Box::new(error)))?
}

fn other_columns() -> ParquetError {
    ParquetError::General("a batch has other columns than its file".to_owned())
}

/// Bytes of the values themselves: what a batch is a slice of may be shared by many.
fn size(rows: &RecordBatch) -> usize {
    let sizes = rows.columns().iter().map(|column| {
        let sliced = column.to_data().get_slice_memory_size();
        sliced.unwrap_or_else(|_| column.get_buffer_memory_size())
    });
    sizes.sum()
}
