//! Row groups of which nothing is kept: the columns of conditions are decoded first, the others for the rows
//! that pass.
//!
//! ```text
//!  the bytes of all columns, read and charged at once
//!    columns of conditions ─▶ decoded ─▶ flags of the rows that pass ─▶ their values
//!    other columns ─▶ decoded where such rows are near ───────────────▶ their values
//! ```
//!
//! Pages without a row that passes are not unpacked. Rows between two that pass are decoded and left out if
//! they are few, because beginning anew costs more. Where the first rows show that many pass, all columns are
//! decoded side by side, and no row is left out.
//!
//! Which bytes are read does not depend on which rows pass. The operator above tests the rows again.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, RowSelection, RowSelectionPolicy, RowSelector,
};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;

use super::column::KeptColumn;
use super::early::{TRIED, WhileDecoded};
use super::filter::BATCHES;
use super::groups::{Current, Groups};
use super::narrow::Chunk;
use super::pruning::PlannedGroup;

/// The share of rows that pass, as a divisor, above which no row is left out: copying many costs more than it
/// spares.
const FEW: usize = 4;

/// Rows between two that pass, from which on skipping them is faster than decoding them.
const WORTH_SKIPPING: usize = 64;

/// Rows of a row group, at most: values of those that pass are held until the last one is tested. Writers make
/// groups of a million rows.
const MOST_ROWS: i64 = 2 << 20;

/// A row group of which columns of conditions are decoded before the others.
pub(super) struct Late {
    tested: Side,
    /// `None`: conditions read all columns.
    others: Option<Side>,
    /// For each column: whether a condition reads it.
    is_tested: Vec<bool>,
    /// Of all columns.
    schema: SchemaRef,
}

/// Some of the columns, with the rows that are returned, in batches that both sides cut alike.
struct Side {
    /// Batches that come before those of the decoder.
    ready: VecDeque<RecordBatch>,
    decoder: Option<ParquetRecordBatchReader>,
    /// `None`: all rows of the decoder are returned.
    choice: Option<Choice>,
}

/// Rows of a decoder that are returned.
struct Choice {
    /// A flag for each row that is decoded.
    passing: BooleanBuffer,
    /// Rows that were decoded.
    at: usize,
    merged: BatchCoalescer,
}

/// Columns of a row group as they are in the file.
struct Fetched {
    group: usize,
    /// The rows that are read; `None`: all.
    rows: Option<RowSelection>,
    ranges: Vec<Range<u64>>,
    bytes: Vec<Bytes>,
}

impl Groups {
    /// The conditions that are tested before other columns of a row group are decoded. `None`: columns of it
    /// are kept, or are to be kept, or nothing is spared.
    pub(super) fn tested_first(&self, planned: &PlannedGroup) -> Option<WhileDecoded> {
        let early = self.early.as_ref().filter(|_| self.is_late)?;
        let rows = self.metadata.metadata().row_group(planned.group).num_rows();
        if !(0..=MOST_ROWS).contains(&rows) {
            return None;
        }
        // Where rows are left out by pages, kept columns are not used, and none is kept.
        let uses_cache = planned.rows.is_none()
            && self.columns.iter().any(|column| {
                let key = column.key(&self.file, planned.group);
                let is_kept = || self.cache.has(&key);
                let may_be_kept = || column.is_hot && self.cache.room(&key).is_some();
                column.is_kept && (is_kept() || may_be_kept())
            });
        if uses_cache {
            return None;
        }
        let conditions = early.while_decoded()?;
        let spares = conditions.changes() || conditions.places().len() < self.columns.len();
        spares.then_some(conditions)
    }

    /// The rows of a row group that may pass, charged to the query. `None`: there are none.
    ///
    /// # Errors
    /// The cutoff, the store, a damaged file.
    pub(super) async fn late(
        // As a decoder cannot be shared by threads, neither can a reference to this.
        &mut self,
        planned: PlannedGroup,
        mut conditions: WhileDecoded,
    ) -> Result<Option<Current>> {
        let PlannedGroup { group, rows } = planned;
        let all_rows = self.metadata.metadata().row_group(group).num_rows();
        let count = match &rows {
            Some(rows) => rows.row_count(),
            None => usize::try_from(all_rows).unwrap_or(0),
        };
        let fetched = self.fetched_columns(group, rows).await?;
        let all = self.columns.len();
        let tested = conditions.places().to_vec();
        let others: Vec<usize> = (0..all).filter(|place| !tested.contains(place)).collect();
        let of_tested = Arc::new(self.output.read.project(&tested)?);
        let batch_size = self.batch_size.max(1);

        let unread = Arc::new(KeptColumn::new(Vec::new()));
        let mut decoder = self.decoder_of(&fetched, &tested, None)?;
        let mut passing = BooleanBufferBuilder::new(count);
        let mut passed = 0;
        let mut first: Vec<(RecordBatch, BooleanArray)> = Vec::new();
        let mut merged: Option<BatchCoalescer> = None;
        let mut batches = 0;
        let mut is_end = false;
        while !is_end {
            match decoder.next().transpose()? {
                Some(decoded) => {
                    let end = passing.len() + decoded.num_rows();
                    if end > count {
                        return Err(other_rows(group, end, count));
                    }
                    let mut read = vec![Arc::clone(&unread); all];
                    for (place, array) in tested.iter().zip(decoded.columns()) {
                        if let Some(column) = read.get_mut(*place) {
                            let chunk = Chunk::Plain(Arc::clone(array));
                            *column = Arc::new(KeptColumn::new(vec![chunk]));
                        }
                    }
                    let flags = conditions.passing(&read, decoded.num_rows());
                    passed += flags.count_set_bits();
                    passing.append_buffer(&flags);
                    let flags = BooleanArray::new(flags, None);
                    match &mut merged {
                        Some(merged) => merged.push_batch_with_filter(decoded, &flags)?,
                        None => first.push((decoded, flags)),
                    }
                }
                None => is_end = true,
            }
            if merged.is_none() && (is_end || passing.len() >= TRIED) {
                if passed > passing.len() / FEW {
                    self.is_late = false;
                    let ready = first.into_iter().map(|(batch, _)| batch);
                    let side = Side {
                        ready: ready.collect(),
                        decoder: Some(decoder).filter(|_| !is_end),
                        choice: None,
                    };
                    let others = self.side_of_others(&fetched, &others, None)?;
                    return Ok(Some(self.late_of(side, others, &tested)));
                }
                let mut begun = BatchCoalescer::new(Arc::clone(&of_tested), batch_size);
                for (batch, flags) in std::mem::take(&mut first) {
                    begun.push_batch_with_filter(batch, &flags)?;
                }
                merged = Some(begun);
            }
            batches += 1;
            if batches % BATCHES == 0 {
                tokio::task::yield_now().await;
            }
        }
        if passing.len() < count {
            return Err(other_rows(group, passing.len(), count));
        }
        self.metrics.pushdown_rows_matched.add(passed);
        self.metrics.pushdown_rows_pruned.add(count - passed);
        if passed == 0 {
            return Ok(None);
        }
        let mut ready = VecDeque::new();
        if let Some(mut merged) = merged {
            merged.finish_buffered_batch()?;
            ready.extend(std::iter::from_fn(|| merged.next_completed_batch()));
        }
        let side = Side {
            ready,
            decoder: None,
            choice: None,
        };
        let passing = passing.finish();
        let others = self.side_of_others(&fetched, &others, Some(&passing))?;
        Ok(Some(self.late_of(side, others, &tested)))
    }

    /// The bytes of all columns of a row group, charged to the query. `rows`: those that are read; `None`: all.
    async fn fetched_columns(
        &mut self,
        group: usize,
        rows: Option<RowSelection>,
    ) -> Result<Fetched> {
        let mut fetched = Fetched {
            group,
            rows,
            ranges: Vec::new(),
            bytes: Vec::new(),
        };
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let asked = self.push_decoder(&fetched, &all, None)?.try_next_reader()?;
        let DecodeResult::NeedsData(ranges) = asked else {
            return Err(no_rows(group));
        };
        let bytes = ranges
            .iter()
            .map(|range| range.end.saturating_sub(range.start));
        self.meter.reserve(bytes.sum())?;
        fetched.bytes = self.read(ranges.clone()).await?;
        fetched.ranges = ranges;
        Ok(fetched)
    }

    /// A decoder of the columns at these places that has no bytes yet. `rows`: those of the rows that are read
    /// which are decoded; `None`: all.
    fn push_decoder(
        &self,
        fetched: &Fetched,
        places: &[usize],
        rows: Option<&RowSelection>,
    ) -> Result<ParquetPushDecoder> {
        // What rows a page has is its own to say, where no pages are left out.
        let metadata = match &fetched.rows {
            Some(_) => &self.metadata,
            None => &self.plain,
        };
        let columns = places.iter().filter_map(|place| self.columns.get(*place));
        let roots = columns.map(|column| column.root);
        let projected = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(metadata.clone())
            .with_projection(projected)
            .with_batch_size(self.batch_size)
            .with_row_groups(vec![fetched.group]);
        if rows.is_some() {
            builder = builder.with_row_selection_policy(RowSelectionPolicy::Selectors);
        }
        let selection = match (&fetched.rows, rows) {
            (Some(all), Some(rows)) => Some(all.and_then(rows)),
            (Some(rows), None) | (None, Some(rows)) => Some(rows.clone()),
            (None, None) => None,
        };
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        Ok(builder.build()?)
    }

    /// A decoder of the columns at these places. `rows`: as of [`Groups::push_decoder`].
    fn decoder_of(
        &self,
        fetched: &Fetched,
        places: &[usize],
        rows: Option<&RowSelection>,
    ) -> Result<ParquetRecordBatchReader> {
        let mut decoder = self.push_decoder(fetched, places, rows)?;
        decoder.push_ranges(fetched.ranges.clone(), fetched.bytes.clone())?;
        match decoder.try_next_reader()? {
            DecodeResult::Data(reader) => Ok(reader),
            DecodeResult::NeedsData(_) => {
                let group = fetched.group;
                let what = format!("an index of pages points out of a column of row group {group}");
                Err(ParquetError::General(what).into())
            }
            DecodeResult::Finished => Err(no_rows(fetched.group)),
        }
    }

    /// The columns at these places. `passing`: a flag for each row that is read; `None`: all are returned.
    fn side_of_others(
        &self,
        fetched: &Fetched,
        places: &[usize],
        passing: Option<&BooleanBuffer>,
    ) -> Result<Option<Side>> {
        if places.is_empty() {
            return Ok(None);
        }
        let ready = VecDeque::new();
        let Some(passing) = passing else {
            return Ok(Some(Side {
                ready,
                decoder: Some(self.decoder_of(fetched, places, None)?),
                choice: None,
            }));
        };
        let runs = runs(passing);
        let (rows, passing) = decoded(&runs, passing);
        let decoder = self.decoder_of(fetched, places, Some(&rows))?;
        let schema = Arc::new(self.output.read.project(places)?);
        Ok(Some(Side {
            ready,
            decoder: Some(decoder),
            choice: Some(Choice {
                passing,
                at: 0,
                merged: BatchCoalescer::new(schema, self.batch_size.max(1)),
            }),
        }))
    }

    /// `places`: of the columns that are tested.
    fn late_of(&self, tested: Side, others: Option<Side>, places: &[usize]) -> Current {
        let is_tested = (0..self.columns.len()).map(|place| places.contains(&place));
        Current::Late(Box::new(Late {
            tested,
            others,
            is_tested: is_tested.collect(),
            schema: Arc::clone(&self.output.read),
        }))
    }
}

impl Late {
    /// The next rows. `None`: the end.
    ///
    /// # Errors
    /// Those of the decoders. The columns have different numbers of rows.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let tested = self.tested.next()?;
        let Some(others) = &mut self.others else {
            return tested
                .map(|tested| self.returned(tested.columns().to_vec()))
                .transpose();
        };
        let (tested, others) = match (tested, others.next()?) {
            (None, None) => return Ok(None),
            (Some(tested), Some(others)) if tested.num_rows() == others.num_rows() => {
                (tested, others)
            }
            _ => {
                let what = "columns of a row group have different numbers of rows".to_owned();
                return Err(ParquetError::General(what).into());
            }
        };
        let (mut tested, mut others) = (tested.columns().iter(), others.columns().iter());
        let arrays = self.is_tested.iter().filter_map(|is_tested| {
            let column = match *is_tested {
                true => tested.next(),
                false => others.next(),
            };
            column.map(Arc::clone)
        });
        let arrays: Vec<ArrayRef> = arrays.collect();
        self.returned(arrays).map(Some)
    }

    fn returned(&self, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

impl Side {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        let Some(decoder) = &mut self.decoder else {
            return Ok(None);
        };
        let Some(choice) = &mut self.choice else {
            return Ok(decoder.next().transpose()?);
        };
        loop {
            if let Some(batch) = choice.merged.next_completed_batch() {
                return Ok(Some(batch));
            }
            let Some(decoded) = decoder.next().transpose()? else {
                choice.merged.finish_buffered_batch()?;
                return Ok(choice.merged.next_completed_batch());
            };
            choice.add(decoded)?;
        }
    }
}

impl Choice {
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
fn runs(passing: &BooleanBuffer) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (start, end) in passing.set_slices() {
        match runs.last_mut() {
            Some(last) if start - last.end < WORTH_SKIPPING => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

/// The rows of these runs as the decoder is told them, and which of them pass.
fn decoded(runs: &[Range<usize>], passing: &BooleanBuffer) -> (RowSelection, BooleanBuffer) {
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

fn other_rows(group: usize, at: usize, rows: usize) -> DataFusionError {
    let what = format!("row group {group} has {at} rows, the footer claims {rows}");
    ParquetError::General(what).into()
}

fn no_rows(group: usize) -> DataFusionError {
    let what = format!("row group {group} has no rows, other than the footer says");
    ParquetError::General(what).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_that_are_near_each_other_are_decoded_together() {
        let near = WORTH_SKIPPING - 1;
        let passing = |rows: &[usize], count: usize| {
            BooleanBuffer::collect_bool(count, |row| rows.contains(&row))
        };
        assert!(runs(&passing(&[], 100)).is_empty());
        assert_eq!(runs(&passing(&[0, 1], 2)), std::slice::from_ref(&(0..2)));
        let together = passing(&[5, 6 + near], 200);
        assert_eq!(runs(&together), std::slice::from_ref(&(5..7 + near)));
        let apart = passing(&[5, 6 + WORTH_SKIPPING], 200);
        assert_eq!(runs(&apart), [5..6, 6 + WORTH_SKIPPING..7 + WORTH_SKIPPING]);
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
