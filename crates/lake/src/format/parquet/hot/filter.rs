//! Rows that are chosen of kept columns: by pages, and by conditions of a scan that are evaluated on
//! them.
//!
//! DataFusion's decoder evaluates one part of the condition after the other, and reads for each,
//! and at last for the projection, the columns that it has not read yet: as long as all rows pass
//! the whole columns, then, where there is an index of pages, the pages that have rows which pass
//! (`reader_builder/mod.rs` and `in_memory_row_group.rs` of `parquet`, 59.3). The query is charged
//! here in the same steps.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{BatchCoalescer, prep_null_mask_filter};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::error::Result;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::PhysicalExpr;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;

use super::column::{KeptColumn, batch};
use super::groups::Column;
use crate::meter::QueryMeter;

/// Batches that are tested before other tasks have their turn.
const BATCHES: usize = 16;

/// The condition of a scan.
pub(super) struct RowFilter {
    parts: Vec<Part>,
    /// For each column that is read: whether the projection reads it.
    is_projected: Vec<bool>,
}

/// A part of a conjunction.
struct Part {
    condition: Arc<dyn PhysicalExpr>,
    /// Of the columns that it reads.
    schema: SchemaRef,
    /// These, by their places among all columns that are read.
    columns: Vec<usize>,
}

impl RowFilter {
    /// `predicate`: of columns of the file, which has `file` as its schema. `roots`: the columns
    /// that are read, in ascending order; `projected`: those of the projection. `None`: a part is
    /// about no column.
    ///
    /// # Errors
    /// The predicate reads other columns.
    pub(super) fn of(
        predicate: &Arc<dyn PhysicalExpr>,
        file: &Schema,
        roots: &[usize],
        projected: &[usize],
    ) -> Result<Option<Self>> {
        let mut parts = Vec::new();
        for part in split_conjunction(predicate) {
            let read = collect_columns(part);
            let read: BTreeSet<usize> = read.iter().map(|column| column.index()).collect();
            let read: Vec<usize> = read.into_iter().collect();
            if read.is_empty() {
                return Ok(None);
            }
            let schema = Arc::new(file.project(&read)?);
            let places = read
                .iter()
                .filter_map(|root| roots.binary_search(root).ok());
            parts.push(Part {
                condition: reassign_expr_columns(Arc::clone(part), &schema)?,
                columns: places.collect(),
                schema,
            });
        }
        let is_projected = roots.iter().map(|root| projected.contains(root));
        Ok(Some(Self {
            parts,
            is_projected: is_projected.collect(),
        }))
    }

    /// Returns which of these rows of a row group pass, and charges what reading them takes. `None`:
    /// none passes. `columns`: those that are read; `kept`: their values.
    ///
    /// # Errors
    /// The cutoff.
    pub(super) async fn passing(
        &self,
        chunks: &Chunks<'_>,
        mut passing: BooleanArray,
        columns: &[Column],
        kept: &[Arc<KeptColumn>],
        batch_size: usize,
        meter: &QueryMeter,
    ) -> Result<Option<BooleanArray>> {
        let mut is_charged = vec![false; columns.len()];
        for part in &self.parts {
            let expanded = chunks.expanded(&passing, batch_size);
            let exact = chunks.selection(&passing);
            let mut bytes: u64 = 0;
            for place in &part.columns {
                let Some((column, is_charged)) =
                    columns.get(*place).zip(is_charged.get_mut(*place))
                else {
                    continue;
                };
                if std::mem::replace(is_charged, true) {
                    continue;
                }
                // The decoder keeps batches of columns that it returns as well.
                let is_projected = self.is_projected.get(*place).copied().unwrap_or(false);
                let selection = if is_projected { &expanded } else { &exact };
                bytes += chunks.bytes(column, selection.as_ref());
            }
            meter.reserve(bytes)?;
            passing = part.tested(kept, passing, batch_size).await?;
            if passing.true_count() == 0 {
                return Ok(None);
            }
        }
        let exact = chunks.selection(&passing);
        let left = columns.iter().zip(&is_charged).zip(&self.is_projected);
        let left = left.filter(|((_, is_charged), is_projected)| !**is_charged && **is_projected);
        let bytes = left.map(|((column, _), _)| chunks.bytes(column, exact.as_ref()));
        meter.reserve(bytes.sum())?;
        Ok(Some(passing))
    }
}

impl Part {
    /// Of the rows that pass other parts, those that pass this one too.
    async fn tested(
        &self,
        kept: &[Arc<KeptColumn>],
        passing: BooleanArray,
        batch_size: usize,
    ) -> Result<BooleanArray> {
        let rows = passing.len();
        let mut tested = BooleanBufferBuilder::new(rows);
        let mut batches = 0;
        while tested.len() < rows {
            let at = tested.len();
            let count = batch_size.max(1).min(rows - at);
            let before = passing.slice(at, count);
            if before.true_count() == 0 {
                tested.append_n(count, false);
                continue;
            }
            let columns = self.columns.iter().filter_map(|place| kept.get(*place));
            let batch = batch(columns, &self.schema, at, count)?;
            let result = self.condition.evaluate(&batch)?.into_array(count)?;
            let result = as_boolean_array(&result)?;
            let after = match result.null_count() {
                0 => before.values() & result.values(),
                _ => before.values() & prep_null_mask_filter(result).values(),
            };
            tested.append_buffer(&after);
            batches += 1;
            if batches % BATCHES == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(BooleanArray::from(tested.finish()))
    }
}

/// The columns of a row group, as they are in the file.
pub(super) struct Chunks<'a> {
    pub file: &'a ParquetMetaData,
    pub group: usize,
}

impl Chunks<'_> {
    /// A flag for each row of the row group: whether it is among these. `None`: all are.
    pub(super) fn chosen(&self, rows: Option<&RowSelection>) -> BooleanArray {
        let Some(rows) = rows else {
            let rows = self.file.row_group(self.group).num_rows();
            let rows = usize::try_from(rows).unwrap_or(0);
            return BooleanArray::from(BooleanBuffer::new_set(rows));
        };
        let mut chosen = BooleanBufferBuilder::new(rows.row_count());
        for run in rows.iter() {
            chosen.append_n(run.row_count, !run.skip);
        }
        BooleanArray::from(chosen.finish())
    }

    /// Whether pages are chosen by these rows.
    fn chooses_pages(&self, passing: &BooleanArray) -> bool {
        let index = self.file.offset_index();
        let index = index.and_then(|index| index.get(self.group));
        index.is_some() && passing.true_count() < passing.len()
    }

    /// Rows that pages are chosen by. `None`: all pages are read.
    fn selection(&self, passing: &BooleanArray) -> Option<RowSelection> {
        self.chooses_pages(passing)
            .then(|| RowSelection::from_filters(std::slice::from_ref(passing)))
    }

    /// As [`Chunks::selection`], of all rows of batches in which one passes.
    fn expanded(&self, passing: &BooleanArray, batch_size: usize) -> Option<RowSelection> {
        if !self.chooses_pages(passing) {
            return None;
        }
        let mut expanded = BooleanBufferBuilder::new(passing.len());
        while expanded.len() < passing.len() {
            let at = expanded.len();
            let count = batch_size.max(1).min(passing.len() - at);
            let passes = passing.slice(at, count).true_count() > 0;
            expanded.append_n(count, passes);
        }
        self.selection(&BooleanArray::from(expanded.finish()))
    }

    /// Bytes of the pages of a column that have rows which are selected, and of its dictionary.
    pub(super) fn bytes(&self, column: &Column, selection: Option<&RowSelection>) -> u64 {
        let leaves = column.leaves.iter();
        leaves
            .map(|leaf| self.bytes_of_leaf(*leaf, selection))
            .sum()
    }

    fn bytes_of_leaf(&self, leaf: usize, selection: Option<&RowSelection>) -> u64 {
        let (start, length) = self.file.row_group(self.group).column(leaf).byte_range();
        let index = self.file.offset_index();
        let pages = index.and_then(|index| index.get(self.group)?.get(leaf));
        let Some((selection, pages)) = selection.zip(pages) else {
            return length;
        };
        let pages = pages.page_locations();
        let first = pages
            .first()
            .and_then(|page| u64::try_from(page.offset).ok());
        let dictionary = first.map_or(0, |first| first.saturating_sub(start));
        let read = selection.scan_ranges(pages);
        let read = read
            .iter()
            .map(|range| range.end.saturating_sub(range.start));
        dictionary + read.sum::<u64>()
    }
}

/// The rows of a row group that pass, on their way out.
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
            let passing = self.passing.slice(self.at, count);
            if passing.true_count() > 0 {
                let batch = batch(self.kept.iter(), &self.schema, self.at, count)?;
                // Not copied where it can be helped.
                if passing.true_count() == count && self.merged.is_empty() {
                    self.at += count;
                    return Ok(Some(batch));
                }
                self.merged.push_batch_with_filter(batch, &passing)?;
            }
            self.at += count;
        }
    }
}
