//! The rows of a row group whose columns of conditions were decoded before the others, on their way out.
//!
//! Both sides have the same rows. Where rows are left out, each side puts those that are left into batches of
//! the same size.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::errors::ParquetError;

use super::decoded::widened;
use super::filter::BATCHES;

/// Rows between two that pass, from which on skipping them is faster than decoding them.
const WORTH_SKIPPING: usize = 64;

/// Rows of a batch that is decoded, at least.
const LEAST_ROWS: usize = 64;

/// A row group of which columns of conditions are decoded before the others.
pub(super) struct Late {
    pub tested: Side,
    /// `None`: conditions read all columns.
    pub others: Option<Side>,
    /// For each column: whether a condition reads it.
    pub is_tested: Vec<bool>,
    /// Of all columns.
    pub schema: SchemaRef,
}

/// Some of the columns, with the rows that are returned.
pub(super) struct Side {
    /// Batches that come before those of the decoder.
    pub ready: VecDeque<RecordBatch>,
    pub decoder: Option<ParquetRecordBatchReader>,
    /// `None`: all rows of the decoder are returned.
    pub choice: Option<Choice>,
}

/// Rows of a decoder that are returned.
pub(super) struct Choice {
    /// A flag for each row that is decoded.
    passing: BooleanBuffer,
    /// Rows that were decoded.
    at: usize,
    merged: BatchCoalescer,
}

impl Late {
    /// Decodes until rows are ready, or none is left. Comes before [`Late::next`].
    ///
    /// # Errors
    /// Those of the decoder.
    pub(super) async fn decode(&mut self) -> Result<()> {
        match &mut self.others {
            Some(others) => others.decode().await,
            None => Ok(()),
        }
    }

    /// The next rows. `None`: the end.
    ///
    /// # Errors
    /// Those of the decoders. The columns have different numbers of rows.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let tested = self.tested.next()?;
        let Some(others) = &mut self.others else {
            return tested
                .map(|tested| self.returned(tested.columns()))
                .transpose();
        };
        let (of_tested, of_others) = match (tested, others.next()?) {
            (None, None) => return Ok(None),
            (Some(of_tested), Some(of_others)) => (of_tested, of_others),
            _ => {
                let what = "columns of a row group have different numbers of rows".to_owned();
                return Err(ParquetError::General(what).into());
            }
        };
        let count = of_tested.num_rows().min(of_others.num_rows());
        let of_tested = self.tested.first(of_tested, count);
        let of_others = others.first(of_others, count);
        let (mut tested, mut others) = (of_tested.columns().iter(), of_others.columns().iter());
        let arrays = self.is_tested.iter().filter_map(|is_tested| {
            let column = match *is_tested {
                true => tested.next(),
                false => others.next(),
            };
            column.map(Arc::clone)
        });
        let arrays: Vec<ArrayRef> = arrays.collect();
        self.returned(&arrays).map(Some)
    }

    fn returned(&self, arrays: &[ArrayRef]) -> Result<RecordBatch> {
        let columns = arrays.iter().zip(self.schema.fields());
        let columns = columns.map(|(array, field)| widened(array, field.data_type()));
        let columns = columns.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Side {
    /// Decodes until rows that are chosen are ready, or none is left. Other tasks run in between.
    async fn decode(&mut self) -> Result<()> {
        let mut batches = 0;
        while self.ready.is_empty() && self.add_decoded()? {
            batches += 1;
            if batches % BATCHES == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Decodes a batch from which rows are chosen. `false`: there is none.
    fn add_decoded(&mut self) -> Result<bool> {
        let (Some(decoder), Some(choice)) = (&mut self.decoder, &mut self.choice) else {
            return Ok(false);
        };
        match decoder.next().transpose()? {
            Some(decoded) => choice.add(decoded)?,
            None => {
                choice.merged.finish_buffered_batch()?;
                self.decoder = None;
            }
        }
        while let Some(batch) = choice.merged.next_completed_batch() {
            self.ready.push_back(batch);
        }
        Ok(true)
    }

    /// The next rows. Where some are chosen, those that are ready.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        match (&mut self.decoder, &self.choice) {
            (Some(decoder), None) => Ok(decoder.next().transpose()?),
            _ => Ok(None),
        }
    }

    /// The first rows of a batch that came next. The others come next then.
    fn first(&mut self, batch: RecordBatch, count: usize) -> RecordBatch {
        let left = batch.num_rows().saturating_sub(count);
        if left == 0 {
            return batch;
        }
        self.ready.push_front(batch.slice(count, left));
        batch.slice(0, count)
    }
}

impl Choice {
    /// `passing`: a flag for each row of a decoder of columns with this schema.
    pub(super) fn new(passing: BooleanBuffer, schema: SchemaRef, batch_size: usize) -> Self {
        Self {
            passing,
            at: 0,
            merged: BatchCoalescer::new(schema, batch_size),
        }
    }

    fn add(&mut self, decoded: RecordBatch) -> Result<()> {
        let count = decoded.num_rows();
        if count > self.passing.len() - self.at {
            let what = "a column of a row group has more rows than others".to_owned();
            return Err(ParquetError::General(what).into());
        }
        let flags = self.passing.slice(self.at, count);
        self.at += count;
        let flags = BooleanArray::new(flags, None);
        Ok(self.merged.push_batch_with_filter(decoded, &flags)?)
    }
}

/// The runs of rows that are decoded so that these are among them.
pub(super) fn runs(passing: &BooleanBuffer) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (start, end) in passing.set_slices() {
        match runs.last_mut() {
            Some(last) if start - last.end < WORTH_SKIPPING => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

/// The rows of these runs as the decoder takes them, and which of them pass.
pub(super) fn decoded(
    runs: &[Range<usize>],
    passing: &BooleanBuffer,
) -> (RowSelection, BooleanBuffer) {
    let mut selectors = Vec::with_capacity(2 * runs.len() + 1);
    let mut flags = BooleanBufferBuilder::new(passing.len());
    let mut at = 0;
    for run in runs {
        selectors.push(RowSelector::skip(run.start - at));
        selectors.push(RowSelector::select(run.len()));
        flags.append_buffer(&passing.slice(run.start, run.len()));
        at = run.end;
    }
    selectors.push(RowSelector::skip(passing.len() - at));
    (RowSelection::from(selectors), flags.finish())
}

/// Rows of a batch of which the decoder skips others: it takes about as long as one of all rows.
pub(super) fn batch_of(rows: &RowSelection, batch_size: usize) -> usize {
    let decoded = rows.row_count();
    let all = decoded.saturating_add(rows.skipped_row_count()).max(1);
    let rows = batch_size.saturating_mul(decoded) / all;
    rows.clamp(LEAST_ROWS.min(batch_size), batch_size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_that_are_near_each_other_are_decoded_together() {
        let near = WORTH_SKIPPING - 1;
        let ends = |rows: &[usize], count: usize| -> Vec<(usize, usize)> {
            let passing = BooleanBuffer::collect_bool(count, |row| rows.contains(&row));
            let runs = runs(&passing).into_iter();
            runs.map(|run| (run.start, run.end)).collect()
        };
        assert!(ends(&[], 100).is_empty());
        assert_eq!(ends(&[0, 1], 2), [(0, 2)]);
        assert_eq!(ends(&[5, 6 + near], 200), [(5, 7 + near)]);
        let apart = 6 + WORTH_SKIPPING;
        assert_eq!(ends(&[5, apart], 200), [(5, 6), (apart, apart + 1)]);
    }

    #[test]
    fn batches_are_small_where_few_rows_are_decoded() {
        let rows = |decoded: usize, skipped: usize| {
            let rows = vec![RowSelector::skip(skipped), RowSelector::select(decoded)];
            batch_of(&RowSelection::from(rows), 8192)
        };
        assert_eq!(rows(1000, 0), 8192);
        assert_eq!(rows(1000, 3000), 2048);
        assert_eq!(rows(1, 1 << 20), LEAST_ROWS);
        assert_eq!(batch_of(&RowSelection::default(), 8), 8);
    }

    #[test]
    fn flags_are_those_of_the_rows_that_are_decoded() {
        for step in [1, 2, 3, 63, 64, 65, 66, 300] {
            for count in [1, 64, 65, 1000] {
                let passing = BooleanBuffer::collect_bool(count, |row| row % step == step / 2);
                let runs = runs(&passing);
                let (rows, flags) = decoded(&runs, &passing);
                assert_eq!(rows.row_count(), flags.len());
                assert_eq!(flags.count_set_bits(), passing.count_set_bits());
                let decoded = runs.iter().cloned().flatten();
                let of_runs = flags.set_indices().collect::<Vec<_>>();
                let decoded: Vec<usize> = decoded.collect();
                let found = of_runs.iter().map(|row| decoded[*row]);
                assert!(found.eq(passing.set_indices()), "{step}, {count}");
            }
        }
    }
}
