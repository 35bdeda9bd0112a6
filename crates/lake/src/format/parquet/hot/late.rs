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
//! decoded side by side, and no row is left out. Where values of those that pass take much memory, the rows that
//! come after them are not left out either.
//!
//! Decimals of 32 or 64 bits in the file are made as wide as the column once rows are left out (`decoded.rs`).
//!
//! Which bytes are read does not depend on which rows pass. The operator above tests the rows again.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection,
    RowSelectionPolicy,
};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;

use super::column::KeptColumn;
use super::decoded::{Decoded, narrow_type};
use super::early::{TRIED, WhileDecoded};
use super::filter::BATCHES;
use super::groups::{Column, Current, Groups};
use super::narrow::Chunk;
use super::pruning::PlannedGroup;
use super::sides::{Choice, Late, Side, batch_of, decoded, runs};

/// The share of rows that pass, as a divisor, above which no row is left out: copying many costs more than it
/// spares.
const FEW: usize = 4;

/// Rows of a row group, at most: values of those that pass are held until the last one is tested. Writers make
/// groups of a million rows.
const MOST_ROWS: i64 = 2 << 20;

/// Bytes of values that are held, at most, and of the first rows, which a page may unpack to a thousand times
/// its bytes. The rows that are left then are not tested.
const MOST_HELD: usize = 64 << 20;

/// Whether a row group of so many rows may be decoded late: it has more than a batch.
pub(super) fn is_worth(rows: i64, batch_size: usize) -> bool {
    rows <= MOST_ROWS && usize::try_from(rows).is_ok_and(|rows| rows > batch_size)
}

/// A file as it is decoded late.
pub(super) struct LateFile {
    /// Without the index of pages: where none is left out, what rows a page has is its own to say.
    plain: ArrowReaderMetadata,
    indexed: ArrowReaderMetadata,
    /// The columns that are read, as they are decoded.
    schema: SchemaRef,
}

impl LateFile {
    /// `indexed`: with the index of pages, if it is used. `columns`: those that are read, in the order of the
    /// file.
    ///
    /// # Errors
    /// The file has fewer columns.
    pub(super) fn of(
        plain: ArrowReaderMetadata,
        indexed: ArrowReaderMetadata,
        columns: &[Column],
    ) -> Result<Self> {
        let file = plain.schema();
        let mut fields: Vec<FieldRef> = file.fields().iter().cloned().collect();
        let mut are_narrow = false;
        for column in columns {
            let leaf = match column.leaves[..] {
                [leaf] => plain.parquet_schema().column(leaf),
                _ => continue,
            };
            let data_type = narrow_type(&column.data_type, leaf.physical_type());
            if let (Some(field), Some(data_type)) = (fields.get_mut(column.root), data_type) {
                *field = Arc::new(field.as_ref().clone().with_data_type(data_type));
                are_narrow = true;
            }
        }
        let schema = Schema::new_with_metadata(fields, file.metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        let again = |known: &ArrowReaderMetadata| {
            let known = Arc::clone(known.metadata());
            ArrowReaderMetadata::try_new(known, options.clone())
        };
        let narrow = match are_narrow {
            true => again(&plain).ok().zip(again(&indexed).ok()),
            false => None,
        };
        let (plain, indexed) = narrow.unwrap_or((plain, indexed));
        let roots: Vec<usize> = columns.iter().map(|column| column.root).collect();
        Ok(Self {
            schema: Arc::new(plain.schema().project(&roots)?),
            plain,
            indexed,
        })
    }
}

/// Columns of a row group as they are in the file.
struct Fetched {
    file: Arc<LateFile>,
    group: usize,
    /// The rows that are read; `None`: all.
    rows: Option<RowSelection>,
    ranges: Vec<Range<u64>>,
    bytes: Vec<Bytes>,
}

impl Groups {
    /// The conditions that are tested before other columns of a row group are decoded. `None`: columns of it
    /// are kept, or are to be kept, or nothing is spared.
    pub(super) fn tested_first(
        &self,
        planned: &PlannedGroup,
    ) -> Option<(Arc<LateFile>, WhileDecoded)> {
        let (early, file) = self.early.as_ref().zip(self.late.as_ref())?;
        let rows = self.metadata.metadata().row_group(planned.group).num_rows();
        if !is_worth(rows, self.batch_size) {
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
        spares.then(|| (Arc::clone(file), conditions))
    }

    /// The rows of a row group that may pass, charged to the query. `None`: there are none.
    ///
    /// # Errors
    /// The cutoff, the store, a damaged file.
    pub(super) async fn decoded_late(
        // As a decoder cannot be shared by threads, neither can a reference to this.
        &mut self,
        planned: PlannedGroup,
        file: Arc<LateFile>,
        mut conditions: WhileDecoded,
    ) -> Result<Option<Current>> {
        let PlannedGroup { group, rows } = planned;
        let all_rows = self.metadata.metadata().row_group(group).num_rows();
        let count = match &rows {
            Some(rows) => rows.row_count(),
            None => usize::try_from(all_rows).unwrap_or(0),
        };
        let columns = Arc::clone(&self.columns);
        let all = columns.len();
        let tested = conditions.places().to_vec();
        let others: Vec<usize> = (0..all).filter(|place| !tested.contains(place)).collect();
        let of_tested = Arc::new(file.schema.project(&tested)?);
        let fetched = self.fetched_columns(file, group, rows).await?;
        let batch_size = self.batch_size.max(1);

        let unread = Arc::new(KeptColumn::new(Vec::new()));
        let mut decoder = self.decoder_of(&fetched, &tested, None)?;
        let mut passing = BooleanBufferBuilder::new(count);
        let mut passed = 0;
        let mut first: Vec<(RecordBatch, BooleanArray)> = Vec::new();
        let mut merged: Option<BatchCoalescer> = None;
        let mut ready = VecDeque::new();
        let (mut bytes, mut held): (usize, usize) = (0, 0);
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
                        if let (Some(read), Some(column)) =
                            (read.get_mut(*place), columns.get(*place))
                        {
                            let data_type = column.data_type.clone();
                            let decoded = Decoded::new(Arc::clone(array), data_type);
                            *read = Arc::new(KeptColumn::new(vec![Chunk::Decoded(decoded)]));
                        }
                    }
                    let flags = conditions.passing(&read, decoded.num_rows());
                    passed += flags.count_set_bits();
                    passing.append_buffer(&flags);
                    let flags = BooleanArray::new(flags, None);
                    match &mut merged {
                        Some(merged) => merged.push_batch_with_filter(decoded, &flags)?,
                        None => {
                            bytes = bytes.saturating_add(bytes_of(&decoded));
                            first.push((decoded, flags));
                        }
                    }
                }
                None => is_end = true,
            }
            let is_tried = passing.len() >= TRIED || bytes > MOST_HELD;
            if merged.is_none() && (is_end || is_tried) {
                if passed > passing.len() / FEW {
                    self.late = None;
                    let side = Side {
                        ready: first.into_iter().map(|(batch, _)| batch).collect(),
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
            while let Some(batch) = merged.as_mut().and_then(|all| all.next_completed_batch()) {
                held = held.saturating_add(bytes_of(&batch));
                ready.push_back(batch);
            }
            if held > MOST_HELD {
                break;
            }
            batches += 1;
            if batches % BATCHES == 0 {
                tokio::task::yield_now().await;
            }
        }
        let at = passing.len();
        if is_end && at < count {
            return Err(other_rows(group, at, count));
        }
        passing.append_n(count - at, true);
        self.metrics.pushdown_rows_matched.add(passed);
        self.metrics.pushdown_rows_pruned.add(at - passed);
        if passed == 0 {
            return Ok(None);
        }
        if let Some(mut merged) = merged {
            merged.finish_buffered_batch()?;
            ready.extend(std::iter::from_fn(|| merged.next_completed_batch()));
        }
        let side = Side {
            ready,
            decoder: Some(decoder).filter(|_| !is_end),
            choice: None,
        };
        let passing = passing.finish();
        let others = self.side_of_others(&fetched, &others, Some(&passing))?;
        Ok(Some(self.late_of(side, others, &tested)))
    }

    /// The bytes of all columns of a row group, charged to the query. `rows`: those that are read; `None`: all.
    async fn fetched_columns(
        &mut self,
        file: Arc<LateFile>,
        group: usize,
        rows: Option<RowSelection>,
    ) -> Result<Fetched> {
        let mut fetched = Fetched {
            file,
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
        let metadata = match &fetched.rows {
            Some(_) => &fetched.file.indexed,
            None => &fetched.file.plain,
        };
        let columns = places.iter().filter_map(|place| self.columns.get(*place));
        let roots = columns.map(|column| column.root);
        let projected = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(metadata.clone())
            .with_projection(projected)
            .with_batch_size(rows.map_or(self.batch_size, |rows| batch_of(rows, self.batch_size)))
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
        let schema = Arc::new(fetched.file.schema.project(places)?);
        Ok(Some(Side {
            ready,
            decoder: Some(decoder),
            choice: Some(Choice::new(passing, schema, self.batch_size.max(1))),
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

/// Memory that a batch holds, in bytes, about. Texts of several batches may be in the same memory, of which each
/// has its own.
fn bytes_of(batch: &RecordBatch) -> usize {
    let bytes = batch.columns().iter().map(|column| {
        let texts = match column.data_type() {
            DataType::Utf8View => column.as_string_view().total_buffer_bytes_used(),
            DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used(),
            _ => return column.get_array_memory_size(),
        };
        texts.saturating_add(column.len() * size_of::<u128>())
    });
    bytes.fold(0, usize::saturating_add)
}

fn other_rows(group: usize, at: usize, rows: usize) -> DataFusionError {
    let what = format!("row group {group} has {at} rows, the footer claims {rows}");
    ParquetError::General(what).into()
}

fn no_rows(group: usize) -> DataFusionError {
    let what = format!("row group {group} has no rows, other than the footer says");
    ParquetError::General(what).into()
}
