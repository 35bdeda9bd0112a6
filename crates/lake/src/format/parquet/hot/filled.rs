//! Row groups whose rows are filtered: conditions are evaluated on kept columns, and columns that
//! are not kept are decoded.
//!
//! ```text
//!  conditions   columns that are kept ──────────────────────▶ flags of the rows that pass
//!               others, decoded whole ─▶ ColumnCache               │
//!  projection   columns that are kept, and those with most rows ◀──┤
//!               others, decoded: the rows that pass            ◀──┘
//! ```
//!
//! So the columns of a condition are decoded once, and not for each query. The query is charged as
//! if DataFusion read them ([`Charged`]), which reads no pages without rows that pass: more may be
//! fetched once, of a column that is read again and again.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use datafusion::error::{DataFusionError, Result};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::errors::ParquetError;

use super::chosen::{Beside, Chosen};
use super::column::KeptColumn;
use super::filter::{BATCHES, Charged, Chunks, Part, RowFilter};
use super::groups::{Column, Current, Filling, Groups};
use super::pruning::PlannedGroup;

/// The share of rows that passes, as a divisor, from which on a column of texts is decoded whole to
/// be kept: copying its values costs more than decoding some.
const MANY: usize = 4;

/// A column of a row group; `None`: it is not kept.
type MaybeKept = Option<Arc<KeptColumn>>;

impl Groups {
    /// The rows of a row group that pass, charged to the query. `None`: there are none.
    ///
    /// # Errors
    /// The cutoff, the store, a damaged file.
    pub(super) async fn filtered(
        // As a decoder cannot be shared by threads, neither can a reference to this.
        &mut self,
        filter: &RowFilter,
        planned: PlannedGroup,
    ) -> Result<Option<Current>> {
        let file = Arc::clone(self.metadata.metadata());
        let columns = Arc::clone(&self.columns);
        let group = planned.group;
        let chunks = Chunks { file: &file, group };
        let mut kept: Vec<MaybeKept> = Vec::with_capacity(columns.len());
        for column in columns.iter() {
            kept.push(self.cache.get(&column.key(&self.file, group)));
        }
        let mut passing = chunks.chosen(planned.rows.as_ref());
        let before = passing.true_count();
        let mut charged = Charged::none_of(columns.len());
        for part in filter.parts() {
            let size = self.batch_size;
            let bytes = charged.bytes_of_part(part, &chunks, &passing, &columns, size);
            self.meter.reserve(bytes)?;
            let of_part = part.columns().iter();
            let of_part = of_part.map(|place| kept.get(*place).cloned().flatten());
            let of_part: Option<Vec<Arc<KeptColumn>>> = of_part.collect();
            passing = match of_part {
                Some(of_part) => part.tested(&of_part, passing, size).await?,
                None => {
                    self.tested_while_decoded(part, group, &mut kept, &passing)
                        .await?
                }
            };
            if passing.true_count() == 0 {
                break;
            }
        }
        let left = passing.true_count();
        self.metrics.pushdown_rows_matched.add(left);
        let failing = before.saturating_sub(left);
        self.metrics.pushdown_rows_pruned.add(failing);
        if left == 0 {
            return Ok(None);
        }
        let bytes = charged.bytes_left(&chunks, &passing, &columns);
        self.meter.reserve(bytes)?;
        let places = self.worth_keeping(&chunks, &passing, &kept);
        self.fill(group, &places, &mut kept).await?;
        self.returned(group, passing, kept).await.map(Some)
    }

    /// Of the rows that pass other parts of a condition, those that pass this one, whose columns are
    /// not all kept: the others are decoded, and kept if they are hot.
    async fn tested_while_decoded(
        &mut self,
        part: &Part,
        group: usize,
        kept: &mut [MaybeKept],
        passing: &BooleanArray,
    ) -> Result<BooleanArray> {
        let columns = Arc::clone(&self.columns);
        let missing = part.columns().iter().copied();
        let missing = missing.filter(|place| matches!(kept.get(*place), Some(None)));
        let missing: Vec<usize> = missing.collect();
        let mut fillings = self.fillings(group, &missing);
        let decoder = self
            .decoder(group, roots(&columns, &missing), None, None)
            .await?;
        let rows = passing.len();
        let mut tested = BooleanBufferBuilder::new(rows);
        for (number, decoded) in decoder.enumerate() {
            let decoded = decoded?;
            let (at, count) = (tested.len(), decoded.num_rows());
            if count > rows - at {
                return Err(other_rows(group, at + count, rows));
            }
            add(&mut fillings, decoded.columns());
            let before = passing.slice(at, count);
            if before.true_count() == 0 {
                tested.append_n(count, false);
            } else {
                let mut decoded = decoded.columns().iter();
                let mut arrays: Vec<ArrayRef> = Vec::with_capacity(part.columns().len());
                for place in part.columns() {
                    match kept.get(*place) {
                        Some(Some(kept)) => arrays.push(kept.rows(at, count)?),
                        _ => arrays.extend(decoded.next().cloned()),
                    }
                }
                let batch = RecordBatch::try_new(Arc::clone(part.schema()), arrays)?;
                tested.append_buffer(&part.passing_of(&batch, &before)?);
            }
            if number % BATCHES == BATCHES - 1 {
                tokio::task::yield_now().await;
            }
        }
        if tested.len() < rows {
            return Err(other_rows(group, tested.len(), rows));
        }
        self.keep_filled(group, &missing, fillings, kept);
        Ok(BooleanArray::from(tested.finish()))
    }

    /// Columns that are returned and hot, of which almost all is read, by their places.
    fn worth_keeping(
        &self,
        chunks: &Chunks<'_>,
        passing: &BooleanArray,
        kept: &[MaybeKept],
    ) -> Vec<usize> {
        let are_many = passing.true_count() >= passing.len() / MANY;
        let rows = chunks.choosing(passing);
        let columns = self.columns.iter().enumerate().zip(kept);
        let worth = columns.filter(|((_, column), kept)| {
            let may_be = kept.is_none() && column.is_projected && column.is_hot;
            // At least three quarters of the column.
            may_be && (are_many || column.data_type.is_primitive()) && {
                let read = chunks.bytes(column, rows);
                read.saturating_mul(4) >= chunks.bytes(column, None).saturating_mul(3)
            }
        });
        let worth = worth.filter(|((_, column), _)| {
            let key = column.key(&self.file, chunks.group);
            self.cache.room(&key).is_some()
        });
        worth.map(|((place, _), _)| place).collect()
    }

    /// Decodes the columns at these places, to be kept.
    async fn fill(&mut self, group: usize, places: &[usize], kept: &mut [MaybeKept]) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let columns = Arc::clone(&self.columns);
        let rows = self.metadata.metadata().row_group(group).num_rows();
        let rows = usize::try_from(rows).unwrap_or(0);
        let mut fillings = self.fillings(group, places);
        let decoder = self
            .decoder(group, roots(&columns, places), None, None)
            .await?;
        let mut at: usize = 0;
        for (number, decoded) in decoder.enumerate() {
            let decoded = decoded?;
            at += decoded.num_rows();
            add(&mut fillings, decoded.columns());
            if fillings.iter().all(Option::is_none) {
                return Ok(());
            }
            if number % BATCHES == BATCHES - 1 {
                tokio::task::yield_now().await;
            }
        }
        if at != rows {
            return Err(other_rows(group, at, rows));
        }
        self.keep_filled(group, places, fillings, kept);
        Ok(())
    }

    /// The rows that pass, of the columns that are returned.
    async fn returned(
        &mut self,
        group: usize,
        passing: BooleanArray,
        kept: Vec<MaybeKept>,
    ) -> Result<Current> {
        let columns = Arc::clone(&self.columns);
        let returned = columns.iter().zip(kept).enumerate();
        let returned = returned.filter(|(_, (column, _))| column.is_projected);
        let (mut of_kept, mut missing, mut is_decoded) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (_, kept)) in returned {
            is_decoded.push(kept.is_none());
            match kept {
                Some(kept) => of_kept.push(kept),
                None => missing.push(place),
            }
        }
        let schema = Arc::clone(&self.output.read);
        if missing.is_empty() {
            let chosen = Chosen::new(of_kept, passing, &schema, self.batch_size);
            return Ok(Current::Chosen(chosen));
        }
        let is_all = passing.true_count() == passing.len();
        let rows = (!is_all).then(|| RowSelection::from_filters(std::slice::from_ref(&passing)));
        let decoder = self
            .decoder(group, roots(&columns, &missing), rows, None)
            .await?;
        let chosen = if of_kept.is_empty() {
            None
        } else {
            let places = is_decoded.iter().enumerate();
            let places = places.filter(|(_, is_decoded)| !**is_decoded);
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            let schema = Arc::new(schema.project(&places)?);
            Some(Chosen::new(of_kept, passing, &schema, self.batch_size))
        };
        let beside = Beside::new(chosen, decoder, is_decoded, &schema);
        Ok(Current::Beside(Box::new(beside)))
    }

    /// For each of these columns: what is to be kept of it while it is decoded.
    fn fillings(&self, group: usize, places: &[usize]) -> Vec<Option<Filling>> {
        let columns = places.iter().map(|place| self.columns.get(*place));
        columns
            .map(|column| column.and_then(|column| self.filling(column, group)))
            .collect()
    }

    /// Keeps columns that were decoded whole, as far as they have a place.
    fn keep_filled(
        &self,
        group: usize,
        places: &[usize],
        fillings: Vec<Option<Filling>>,
        kept: &mut [MaybeKept],
    ) {
        for (place, filling) in places.iter().zip(fillings) {
            if let (Some(filling), Some(column), Some(kept)) =
                (filling, self.columns.get(*place), kept.get_mut(*place))
            {
                let key = column.key(&self.file, group);
                let filled = KeptColumn::new(filling.chunks);
                *kept = Some(self.cache.keep(key, filled, filling.room));
            }
        }
    }
}

/// The columns at these places, by their numbers among the roots of the file.
fn roots(columns: &[Column], places: &[usize]) -> Vec<usize> {
    let columns = places.iter().filter_map(|place| columns.get(*place));
    columns.map(|column| column.root).collect()
}

/// Adds decoded arrays to what is kept of their columns, as long as there is room.
fn add(fillings: &mut [Option<Filling>], decoded: &[ArrayRef]) {
    for (filling, array) in fillings.iter_mut().zip(decoded) {
        if !filling.as_mut().is_some_and(|filling| filling.add(array)) {
            *filling = None;
        }
    }
}

fn other_rows(group: usize, at: usize, rows: usize) -> DataFusionError {
    let what = format!("row group {group} has {at} rows, the footer claims {rows}");
    ParquetError::General(what).into()
}
