//! Rows of a row group that were chosen, on their way out.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;

use super::column::{KeptColumn, batch, chosen_batch};

/// The share of rows, as a divisor, below which the others are not made of what is kept.
const FEW: usize = 4;

/// Rows that pass, of kept columns.
pub(super) struct Chosen {
    kept: Vec<Arc<KeptColumn>>,
    passing: BooleanArray,
    /// Rows that were looked at.
    at: usize,
    /// Of the kept columns.
    schema: SchemaRef,
    /// Few rows of each batch pass.
    merged: BatchCoalescer,
}

impl Chosen {
    /// `kept`: columns with this schema, at least one.
    pub(super) fn new(
        kept: Vec<Arc<KeptColumn>>,
        passing: BooleanArray,
        schema: &SchemaRef,
        batch_size: usize,
    ) -> Self {
        Self {
            kept,
            passing,
            at: 0,
            schema: Arc::clone(schema),
            merged: BatchCoalescer::new(Arc::clone(schema), batch_size.max(1)),
        }
    }

    /// The next rows that pass. `None`: the end.
    ///
    /// # Errors
    /// A column has fewer rows.
    pub(super) fn next(&mut self, batch_size: usize) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.merged.next_completed_batch() {
                return Ok(Some(batch));
            }
            let count = batch_size.max(1).min(self.passing.len() - self.at);
            if count == 0 {
                self.merged.finish_buffered_batch()?;
                return Ok(self.merged.next_completed_batch());
            }
            let at = self.at;
            self.at += count;
            let passing = self.passing.slice(at, count);
            let left = passing.true_count();
            if left == 0 {
                continue;
            }
            if left < count / FEW {
                let batch = chosen_batch(self.kept.iter(), &self.schema, at, &passing)?;
                self.merged.push_batch(batch)?;
                continue;
            }
            let batch = batch(self.kept.iter(), &self.schema, at, count)?;
            // Not copied where it can be helped.
            if left == count && self.merged.is_empty() {
                return Ok(Some(batch));
            }
            self.merged.push_batch_with_filter(batch, &passing)?;
        }
    }
}

/// Rows that pass, of columns some of which are decoded.
pub(super) struct Beside {
    /// The kept columns. `None`: all columns are decoded.
    kept: Option<Chosen>,
    /// The other columns, of the same rows.
    decoder: ParquetRecordBatchReader,
    /// For each column: whether it is decoded.
    is_decoded: Vec<bool>,
    /// Of all columns.
    schema: SchemaRef,
    /// Rows that the other side has not had yet.
    left_of_kept: Option<RecordBatch>,
    left_of_decoded: Option<RecordBatch>,
}

impl Beside {
    /// `decoder`: of the columns that are decoded, in the order of the schema, with the rows that
    /// `kept` has.
    pub(super) fn new(
        kept: Option<Chosen>,
        decoder: ParquetRecordBatchReader,
        is_decoded: Vec<bool>,
        schema: &SchemaRef,
    ) -> Self {
        Self {
            kept,
            decoder,
            is_decoded,
            schema: Arc::clone(schema),
            left_of_kept: None,
            left_of_decoded: None,
        }
    }

    /// The next rows that pass. `None`: the end.
    ///
    /// # Errors
    /// Those of the decoder. The columns have different numbers of rows.
    pub(super) fn next(&mut self, batch_size: usize) -> Result<Option<RecordBatch>> {
        let mut decoded = self.left_of_decoded.take();
        if decoded.is_none() {
            decoded = self.decoder.next().transpose()?;
        }
        let Some(chosen) = &mut self.kept else {
            return decoded
                .map(|decoded| self.returned(decoded.columns().to_vec()))
                .transpose();
        };
        let mut kept = self.left_of_kept.take();
        if kept.is_none() {
            kept = chosen.next(batch_size)?;
        }
        let (kept, decoded) = match (kept, decoded) {
            (Some(kept), Some(decoded)) => (kept, decoded),
            (None, None) => return Ok(None),
            _ => {
                let what = "columns of a row group have different numbers of rows".to_owned();
                return Err(ParquetError::General(what).into());
            }
        };
        let count = kept.num_rows().min(decoded.num_rows());
        self.left_of_kept = rest(&kept, count);
        self.left_of_decoded = rest(&decoded, count);
        let mut kept = kept.columns().iter();
        let mut decoded = decoded.columns().iter();
        let arrays = self.is_decoded.iter().filter_map(|is_decoded| {
            let column = match *is_decoded {
                true => decoded.next(),
                false => kept.next(),
            };
            column.map(|column| column.slice(0, count))
        });
        let arrays: Vec<ArrayRef> = arrays.collect();
        self.returned(arrays).map(Some)
    }

    fn returned(&self, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

/// The rows of a batch from this one on; `None`: there are none.
fn rest(batch: &RecordBatch, from: usize) -> Option<RecordBatch> {
    let left = batch.num_rows().saturating_sub(from);
    (left > 0).then(|| batch.slice(from, left))
}
