//! Conditions of a scan that are evaluated on the columns of a row group, and what the query is
//! charged for them.
//!
//! DataFusion's decoder evaluates one part of the condition after the other, and reads for each,
//! and at last for the projection, the columns that it has not read yet: as long as all rows pass
//! the whole columns, then, where there is an index of pages, the pages that have rows which pass
//! (`reader_builder/mod.rs` and `in_memory_row_group.rs` of `parquet`, 59.3). The query is charged
//! here in the same steps.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::PhysicalExpr;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::offset_index::PageLocation;

use super::column::KeptColumn;
use super::condition::{Condition, are_few, is_true, those_of};
use super::groups::Column;
use crate::key_set::without_bounds;

/// Batches that are tested before other tasks have their turn.
pub(super) const BATCHES: usize = 16;

/// The condition of a scan.
pub(super) struct RowFilter {
    parts: Vec<Part>,
}

/// A part of a conjunction.
pub(super) struct Part {
    condition: Arc<dyn PhysicalExpr>,
    /// The same, for kept columns.
    of_kept: Condition,
    /// Of the columns that it reads.
    schema: SchemaRef,
    /// These, by their places among all columns that are read, in ascending order.
    columns: Vec<usize>,
}

impl RowFilter {
    /// `predicate`: of columns of the file, which has `file` as its schema. `roots`: the columns
    /// that are read, in ascending order. `None`: a part is about no column.
    ///
    /// # Errors
    /// The predicate reads other columns.
    pub(super) fn of(
        predicate: &Arc<dyn PhysicalExpr>,
        file: &Schema,
        roots: &[usize],
    ) -> Result<Option<Self>> {
        let mut parts = Vec::new();
        for part in split_conjunction(predicate) {
            let part = without_bounds(part).unwrap_or_else(|| Arc::clone(part));
            let read = collect_columns(&part);
            let read: BTreeSet<usize> = read.iter().map(|column| column.index()).collect();
            let read: Vec<usize> = read.into_iter().collect();
            if read.is_empty() {
                return Ok(None);
            }
            let schema = Arc::new(file.project(&read)?);
            let places = read
                .iter()
                .filter_map(|root| roots.binary_search(root).ok());
            let condition = reassign_expr_columns(part, &schema)?;
            parts.push(Part {
                of_kept: Condition::of(&condition, &schema)?,
                condition,
                columns: places.collect(),
                schema,
            });
        }
        Ok(Some(Self { parts }))
    }

    /// In the order in which they are evaluated.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether a part reads the column at this place.
    pub(super) fn reads(&self, place: usize) -> bool {
        self.parts.iter().any(|part| part.columns.contains(&place))
    }
}

impl Part {
    /// The columns that it reads, by their places among all columns that are read.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The schema of its columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Of the rows that pass other parts, those that pass this one too. `kept`: its columns.
    ///
    /// # Errors
    /// A column has fewer rows.
    pub(super) async fn tested(
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
            let before = passing.values().slice(at, count);
            if !before.has_true() {
                tested.append_n(count, false);
                continue;
            }
            tested.append_buffer(&self.of_kept.passing(kept, at, &before)?);
            batches += 1;
            if batches % BATCHES == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(BooleanArray::from(tested.finish()))
    }

    /// Of the rows of a batch that pass other parts, those that pass this one too.
    ///
    /// # Errors
    /// Those of the condition.
    pub(super) fn passing_of(
        &self,
        batch: &RecordBatch,
        before: &BooleanArray,
    ) -> Result<BooleanBuffer> {
        if are_few(before.values()) {
            let few = filter_record_batch(batch, before)?;
            return Ok(those_of(before.values(), &is_true(&self.condition, &few)?));
        }
        Ok(before.values() & &is_true(&self.condition, batch)?)
    }
}

/// The columns of a row group that a query was charged for.
pub(super) struct Charged {
    /// For each column that is read.
    is_charged: Vec<bool>,
}

impl Charged {
    /// None of so many columns.
    pub(super) fn none_of(columns: usize) -> Self {
        Self {
            is_charged: vec![false; columns],
        }
    }

    /// Bytes that it takes to read the columns of a part of the condition. `passing`: the rows that
    /// passed the parts before; `columns`: all that are read.
    pub(super) fn bytes_of_part(
        &mut self,
        part: &Part,
        chunks: &Chunks<'_>,
        passing: &BooleanArray,
        columns: &[Column],
        batch_size: usize,
    ) -> u64 {
        let expanded = chunks.expanded(passing, batch_size);
        let exact = chunks.choosing(passing);
        let mut bytes: u64 = 0;
        for place in &part.columns {
            let charged = self.is_charged.get_mut(*place);
            let Some((column, is_charged)) = columns.get(*place).zip(charged) else {
                continue;
            };
            if std::mem::replace(is_charged, true) {
                continue;
            }
            // The decoder keeps batches of columns that it returns as well.
            let rows = if column.is_projected {
                expanded.as_ref()
            } else {
                exact
            };
            bytes = bytes.saturating_add(chunks.bytes(column, rows));
        }
        bytes
    }

    /// Bytes that it takes to read the columns that are returned, of the rows that pass.
    pub(super) fn bytes_left(
        &self,
        chunks: &Chunks<'_>,
        passing: &BooleanArray,
        columns: &[Column],
    ) -> u64 {
        let exact = chunks.choosing(passing);
        let left = columns.iter().zip(&self.is_charged);
        let left = left.filter(|(column, is_charged)| !**is_charged && column.is_projected);
        let bytes = left.map(|(column, _)| chunks.bytes(column, exact));
        bytes.sum()
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
    pub(super) fn choosing<'b>(&self, passing: &'b BooleanArray) -> Option<&'b BooleanBuffer> {
        self.chooses_pages(passing).then(|| passing.values())
    }

    /// As [`Chunks::choosing`], all rows of batches in which one passes.
    fn expanded(&self, passing: &BooleanArray, batch_size: usize) -> Option<BooleanBuffer> {
        if !self.chooses_pages(passing) {
            return None;
        }
        let mut expanded = BooleanBufferBuilder::new(passing.len());
        while expanded.len() < passing.len() {
            let at = expanded.len();
            let count = batch_size.max(1).min(passing.len() - at);
            let passes = passing.values().slice(at, count).has_true();
            expanded.append_n(count, passes);
        }
        let expanded = expanded.finish();
        expanded.has_false().then_some(expanded)
    }

    /// Bytes of the pages of a column that have rows which are set, and of its dictionary. `None`:
    /// all pages.
    pub(super) fn bytes(&self, column: &Column, rows: Option<&BooleanBuffer>) -> u64 {
        let leaves = column.leaves.iter();
        leaves.map(|leaf| self.bytes_of_leaf(*leaf, rows)).sum()
    }

    fn bytes_of_leaf(&self, leaf: usize, rows: Option<&BooleanBuffer>) -> u64 {
        let (start, length) = self.file.row_group(self.group).column(leaf).byte_range();
        let index = self.file.offset_index();
        let pages = index.and_then(|index| index.get(self.group)?.get(leaf));
        let Some((rows, pages)) = rows.zip(pages) else {
            return length;
        };
        let pages = pages.page_locations();
        let first = pages
            .first()
            .and_then(|page| u64::try_from(page.offset).ok());
        let dictionary = first.map_or(0, |first| first.saturating_sub(start));
        let read = with_rows(pages, rows).map(|page| page.compressed_page_size);
        let read = read.map(|bytes| u64::try_from(bytes).unwrap_or(0));
        read.fold(dictionary, u64::saturating_add)
    }
}

/// The pages that have a row which is set, as `RowSelection::scan_ranges` of `parquet`, 59.3, finds
/// them in a list of runs of rows: one of many short runs takes longer to make than all conditions.
fn with_rows<'a>(
    pages: &'a [PageLocation],
    rows: &'a BooleanBuffer,
) -> impl Iterator<Item = &'a PageLocation> {
    let first_rows = pages.iter().skip(1);
    let first_rows = first_rows.map(|page| usize::try_from(page.first_row_index).unwrap_or(0));
    let ends = first_rows.chain([rows.len()]);
    let mut at = 0;
    pages.iter().zip(ends).filter_map(move |(page, end)| {
        let end = end.clamp(at, rows.len());
        let of_page = rows.slice(at, end - at);
        at = end;
        of_page.has_true().then_some(page)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::{DataType, Field};
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{Column as Value, binary, lit};

    use super::super::narrow::Chunk;
    use super::*;

    #[tokio::test]
    async fn few_and_many_rows_are_tested_alike() {
        // Every third is NULL.
        let values: Int64Array = (0..1000_i64)
            .map(|n| (n % 3 != 0).then_some(n % 100))
            .collect();
        let chunk: ArrayRef = Arc::new(values.clone());
        let chunk = Chunk::of(&chunk).unwrap();
        let kept = [Arc::new(KeptColumn::new(vec![chunk]))];
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let column: Arc<dyn PhysicalExpr> = Arc::new(Value::new("n", 0));
        let less = binary(column, Operator::Lt, lit(50_i64), &schema).unwrap();
        let filter = RowFilter::of(&less, &schema, &[0]).unwrap().unwrap();
        for step in [1, 2, 7, 8, 9, 500] {
            let before: Vec<bool> = (0..1000).map(|row| row % step == 1 % step).collect();
            for batch_size in [1, 10, 64, 2000] {
                let passing = BooleanArray::from(before.clone());
                let tested = filter.parts()[0].tested(&kept, passing, batch_size).await;
                let expected = before.iter().zip(&values);
                let expected = expected.map(|(before, n)| *before && n.is_some_and(|n| n < 50));
                let expected: Vec<bool> = expected.collect();
                let tested = tested.unwrap();
                assert_eq!(tested, BooleanArray::from(expected), "{step}, {batch_size}");
            }
        }
    }

    #[test]
    fn pages_are_those_of_a_list_of_runs() {
        let firsts = [0, 3, 4, 11, 12];
        let pages = firsts
            .iter()
            .enumerate()
            .map(|(number, first)| PageLocation {
                offset: 100 + 10 * number as i64,
                compressed_page_size: 10,
                first_row_index: *first,
            });
        let pages: Vec<PageLocation> = pages.collect();
        for bits in 0..1_u32 << 14 {
            let rows = BooleanBuffer::collect_bool(14, |row| (bits >> row) & 1 == 1);
            let runs = RowSelection::from_filters(&[BooleanArray::from(rows.clone())]);
            let expected = runs
                .scan_ranges(&pages)
                .into_iter()
                .map(|range| range.start);
            let found = with_rows(&pages, &rows).map(|page| page.offset as u64);
            assert!(found.eq(expected), "{bits:b}");
        }
    }

    #[test]
    fn index_that_does_not_go_with_the_rows_is_no_error() {
        let at = |first_row_index| PageLocation {
            offset: 0,
            compressed_page_size: 1,
            first_row_index,
        };
        let rows = BooleanBuffer::new_set(5);
        for firsts in [[0, 9], [7, 2], [0, -1], [i64::MAX, i64::MIN]] {
            let pages = firsts.map(at);
            assert!(with_rows(&pages, &rows).count() >= 1, "{firsts:?}");
            assert_eq!(with_rows(&pages, &BooleanBuffer::new_unset(0)).count(), 0);
        }
        assert_eq!(with_rows(&[], &rows).count(), 0);
    }
}
