//! A row group on its way to a file: each column has an encoder, and large batches are encoded column beside column.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory,
    compute_leaves,
};
use parquet::errors::{ParquetError, Result};

/// Bytes of a batch from which on its columns are worth a task each.
const WORTH_TASKS: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct RowGroup {
    /// One for each leaf of the schema, in its order.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl RowGroup {
    /// The row group number `index` of a file.
    pub fn begin(factory: &ArrowRowGroupWriterFactory, index: usize) -> Result<Self> {
        Ok(Self {
            columns: factory.create_column_writers(index)?,
            rows: 0,
        })
    }

    /// Dropped before its end, it leaves a row group that can only be given up.
    ///
    /// Errors: values that have no Parquet form; a row group that was to be given up.
    pub async fn write(&mut self, schema: &Schema, rows: &RecordBatch) -> Result<()> {
        let mut leaves = Vec::with_capacity(self.columns.len());
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            leaves.extend(compute_leaves(field, column)?);
        }
        if leaves.len() != self.columns.len() {
            return Err(ParquetError::General(format!(
                "a batch has {} columns, {} are written",
                leaves.len(),
                self.columns.len()
            )));
        }
        self.rows += rows.num_rows();
        if leaves.len() == 1 || rows.get_array_memory_size() < WORTH_TASKS {
            let mut columns = self.columns.iter_mut().zip(&leaves);
            return columns.try_for_each(|(column, leaf)| column.write(leaf));
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

    /// Bytes that it will have in the file, about.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter();
        columns
            .map(ArrowColumnWriter::get_estimated_total_bytes)
            .sum()
    }

    /// Bytes that it holds in memory.
    pub fn memory(&self) -> usize {
        self.columns
            .iter()
            .map(ArrowColumnWriter::memory_size)
            .sum()
    }

    /// What the file takes, column by column.
    pub fn end(self) -> Result<Vec<ArrowColumnChunk>> {
        let columns = self.columns.into_iter();
        columns.map(ArrowColumnWriter::close).collect()
    }
}

type Encoding = tokio::task::JoinHandle<Result<ArrowColumnWriter>>;

fn spawned((mut column, leaf): (ArrowColumnWriter, ArrowLeafColumn)) -> Encoding {
    tokio::spawn(async move { column.write(&leaf).map(|()| column) })
}

fn joined(
    ended: std::result::Result<Result<ArrowColumnWriter>, tokio::task::JoinError>,
) -> Result<ArrowColumnWriter> {
    ended.map_err(|error| ParquetError::External(Box::new(error)))?
}
