//! The row groups of a file, one after the other: columns that are kept are sliced, others are
//! decoded beside them, and kept if they are hot.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::datasource::physical_plan::ParquetFileMetrics;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::physical_optimizer::pruning::FilePruner;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::StreamExt;
use futures::stream::BoxStream;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::errors::ParquetError;

use super::super::reader::LakeReader;
use super::cache::{ColumnCache, ColumnKey, FileState, Room};
use super::chosen::{Beside, Chosen};
use super::column::KeptColumn;
use super::early::EarlyFilter;
use super::filter::{Chunks, RowFilter};
use super::late::LateFile;
use super::narrow::Chunk;
use super::pruning::{LivePruning, PlannedGroup};
use super::sides::Late;
use crate::meter::QueryMeter;

/// The share of rows, as a divisor, above which all rows are returned although some fail a condition.
const MANY: usize = 2;

/// A file that is being read.
pub(super) struct Groups {
    pub cache: ColumnCache,
    pub file: Arc<FileState>,
    /// What is read, in the order of the file.
    pub columns: Arc<[Column]>,
    pub output: Output,
    /// Leaves out rows.
    pub filter: Option<Arc<RowFilter>>,
    /// Leaves out rows of columns that are all kept, or none of which is.
    pub early: Option<Arc<EarlyFilter>>,
    /// For the row groups of which columns of conditions are decoded before the others.
    pub late: Option<Arc<LateFile>>,
    pub reader: LakeReader,
    /// Counts what the reader fetches. The query is charged here.
    pub fetched: Arc<QueryMeter>,
    pub meter: Arc<QueryMeter>,
    pub metadata: ArrowReaderMetadata,
    pub batch_size: usize,
    pub left: VecDeque<PlannedGroup>,
    pub current: Option<Current>,
    /// Of a condition that may rule out the file while it is read.
    pub pruner: Option<FilePruner>,
    /// As of the pruner, row groups.
    pub live: Option<LivePruning>,
    pub baseline: BaselineMetrics,
    pub metrics: ParquetFileMetrics,
}

/// A column of the file.
#[derive(Debug)]
pub(super) struct Column {
    /// Its number among the roots of the file's schema.
    pub root: usize,
    pub data_type: DataType,
    /// Its leaves, by their numbers in the file's schema.
    pub leaves: Vec<usize>,
    /// Whether columns of the type are kept.
    pub is_kept: bool,
    /// Whether it is kept now that it is read.
    pub is_hot: bool,
    /// Whether it is returned, and not only read by a condition.
    pub is_projected: bool,
}

impl Column {
    /// The column in a row group of a file.
    pub(super) fn key(&self, file: &Arc<FileState>, group: usize) -> ColumnKey {
        ColumnKey {
            file: Arc::clone(file),
            group,
            root: self.root,
            data_type: self.data_type.clone(),
        }
    }
}

/// A row group that is being read.
pub(super) enum Current {
    Decoded(Group),
    /// Some rows, of columns that are all kept.
    Chosen(Chosen),
    /// Some rows, of columns some of which are kept.
    Beside(Box<Beside>),
    /// Columns none of which is kept.
    Late(Box<Late>),
}

/// A row group of which columns are decoded, or all rows are read.
pub(super) struct Group {
    index: usize,
    /// Rows that are read of it.
    rows: usize,
    /// Rows that were read.
    at: usize,
    /// One for each column.
    sources: Vec<Source>,
    /// Of the columns that are not kept.
    decoder: Option<ParquetRecordBatchReader>,
}

enum Source {
    Kept(Arc<KeptColumn>),
    Decoded(Option<Filling>),
}

/// A column that is decoded to be kept.
pub(super) struct Filling {
    pub chunks: Vec<Chunk>,
    pub room: Room,
}

impl Groups {
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        futures::stream::try_unfold(self, |mut groups| async move {
            let batch = groups.next().await?;
            Ok::<_, DataFusionError>(batch.map(|batch| (batch, groups)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(pruner) = &mut self.pruner
                && pruner.should_prune()?
            {
                let pruned = &self.metrics.files_ranges_pruned_statistics;
                pruned.add_pruned(1);
                return Ok(None);
            }
            if let Some(Current::Late(late)) = &mut self.current {
                late.decode().await?;
            }
            if let Some(batch) = self.next_of_current()? {
                return Ok(Some(batch));
            }
            if let Some(Current::Decoded(group)) = self.current.take() {
                self.keep(group)?;
            }
            let Some(planned) = self.left.pop_front() else {
                return Ok(None);
            };
            if let Some(live) = &mut self.live
                && live.rules_out(planned.group, &self.metadata)
            {
                self.metrics.row_groups_pruned_dynamic_filter.add(1);
                continue;
            }
            self.current = if let Some(filter) = self.filter.clone() {
                Box::pin(self.filtered(&filter, planned)).await?
            } else if let Some(kept) = self.kept_to_choose(&planned) {
                Box::pin(self.chosen(&planned, kept)).await?
            } else if let Some((file, conditions)) = self.tested_first(&planned) {
                Box::pin(self.decoded_late(planned, file, conditions)).await?
            } else if let Some(rows) = planned.rows {
                let group = self.begin_of_rows(planned.group, rows).await?;
                Some(Current::Decoded(group))
            } else {
                Some(Current::Decoded(self.begin(planned.group).await?))
            };
        }
    }

    /// The next batch of the row group that is being read. `None`: its end.
    fn next_of_current(&mut self) -> Result<Option<RecordBatch>> {
        let _timer = self.baseline.elapsed_compute().timer();
        let read = match &mut self.current {
            Some(Current::Decoded(group)) => group.next(&self.output.read, self.batch_size)?,
            Some(Current::Chosen(chosen)) => chosen.next(self.batch_size)?,
            Some(Current::Beside(beside)) => beside.next(self.batch_size)?,
            Some(Current::Late(late)) => late.next()?,
            None => None,
        };
        read.map(|read| self.output.of(&read)).transpose()
    }

    /// The columns of a row group of which some rows may be read, if all are kept.
    fn kept_to_choose(&self, planned: &PlannedGroup) -> Option<Vec<Arc<KeptColumn>>> {
        if planned.rows.is_none() && self.early.is_none() {
            return None;
        }
        let group = self.metadata.metadata().row_group(planned.group);
        let rows = usize::try_from(group.num_rows()).ok()?;
        let key = |column: &Column| column.key(&self.file, planned.group);
        let mut columns = self.columns.iter();
        if !columns.all(|column| column.is_kept && self.cache.has(&key(column))) {
            return None;
        }
        let columns = self.columns.iter();
        let kept = columns.map(|column| self.cache.get(&key(column)));
        // A footer may claim any number of rows.
        kept.map(|kept| kept.filter(|kept| kept.len() == rows))
            .collect()
    }

    /// The rows of a row group that are read, charged to the query. `None`: there are none.
    async fn chosen(
        // As a decoder cannot be shared by threads, neither can a reference to this.
        &mut self,
        planned: &PlannedGroup,
        kept: Vec<Arc<KeptColumn>>,
    ) -> Result<Option<Current>> {
        let file = Arc::clone(self.metadata.metadata());
        let chunks = Chunks {
            file: &file,
            group: planned.group,
        };
        let rows = chunks.chosen(planned.rows.as_ref());
        let by_pages = planned.rows.as_ref().map(|_| rows.values());
        let columns = self.columns.iter();
        let bytes = columns.map(|column| chunks.bytes(column, by_pages));
        self.meter.reserve(bytes.sum())?;
        let passing = match self.early.clone() {
            Some(early) => {
                let passing = early.passing(&kept, rows.values(), self.batch_size).await;
                BooleanArray::new(passing, None)
            }
            None => rows.clone(),
        };
        let (before, left) = (rows.true_count(), passing.true_count());
        // The operator above copies the rows that pass; where most do, they are not copied twice.
        if planned.rows.is_none() && left > before / MANY {
            return Ok(Some(Current::Decoded(Group {
                index: planned.group,
                rows: rows.len(),
                at: 0,
                sources: kept.into_iter().map(Source::Kept).collect(),
                decoder: None,
            })));
        }
        if self.early.is_some() {
            self.metrics.pushdown_rows_matched.add(left);
            self.metrics.pushdown_rows_pruned.add(before - left);
        }
        if left == 0 {
            return Ok(None);
        }
        let read = &self.output.read;
        let chosen = Chosen::new(kept, passing, read, self.batch_size);
        Ok(Some(Current::Chosen(chosen)))
    }

    /// What is to be kept of a column that is decoded whole. `None`: nothing.
    pub(super) fn filling(&self, column: &Column, group: usize) -> Option<Filling> {
        if !column.is_hot {
            return None;
        }
        let room = self.cache.room(&column.key(&self.file, group))?;
        Some(Filling {
            chunks: Vec::new(),
            room,
        })
    }

    /// Begins a row group of which these rows are decoded. Nothing of it is kept.
    async fn begin_of_rows(&mut self, index: usize, rows: RowSelection) -> Result<Group> {
        let count = rows.row_count();
        let roots = self.columns.iter().map(|column| column.root).collect();
        let sources = self.columns.iter().map(|_| Source::Decoded(None)).collect();
        let decoder = self.decoder(index, roots, Some(rows), Some(0)).await?;
        Ok(Group {
            index,
            rows: count,
            at: 0,
            sources,
            decoder: Some(decoder),
        })
    }

    /// Begins a row group, which is charged to the query.
    async fn begin(&mut self, index: usize) -> Result<Group> {
        let file = Arc::clone(self.metadata.metadata());
        let group = file.row_group(index);
        let chunks = Chunks {
            file: &file,
            group: index,
        };
        let mut kept_bytes: u64 = 0;
        let mut missing = Vec::new();
        let mut sources = Vec::with_capacity(self.columns.len());
        for column in self.columns.iter() {
            let key = column.key(&self.file, index);
            let kept = column.is_kept.then(|| self.cache.get(&key)).flatten();
            sources.push(match kept {
                Some(kept) => {
                    kept_bytes += chunks.bytes(column, None);
                    Source::Kept(kept)
                }
                None => {
                    missing.push(column.root);
                    Source::Decoded(self.filling(column, index))
                }
            });
        }
        let decoder = if missing.is_empty() {
            self.meter.reserve(kept_bytes)?;
            None
        } else {
            let decoder = self.decoder(index, missing, None, Some(kept_bytes));
            Some(decoder.await?)
        };
        Ok(Group {
            index,
            rows: usize::try_from(group.num_rows()).unwrap_or(0),
            at: 0,
            sources,
            decoder,
        })
    }

    /// Reads columns of a row group. `rows`: `None` if all are read. `kept_bytes`: bytes of the other
    /// columns, charged with them; `None` if the query was charged for all columns.
    pub(super) async fn decoder(
        &mut self,
        group: usize,
        roots: Vec<usize>,
        rows: Option<RowSelection>,
        mut kept_bytes: Option<u64>,
    ) -> Result<ParquetRecordBatchReader> {
        let columns = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone())
            .with_projection(columns)
            .with_batch_size(self.batch_size)
            .with_row_groups(vec![group]);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        let mut decoder = builder.build()?;
        loop {
            match decoder.try_next_reader()? {
                DecodeResult::Data(reader) => return Ok(reader),
                DecodeResult::NeedsData(ranges) => {
                    let asked = ranges
                        .iter()
                        .map(|range| range.end.saturating_sub(range.start));
                    let asked: u64 = asked.sum();
                    if let Some(kept_bytes) = &mut kept_bytes {
                        self.meter.reserve(asked + std::mem::take(kept_bytes))?;
                    }
                    let read = self.read(ranges.clone()).await?;
                    decoder.push_ranges(ranges, read)?;
                }
                DecodeResult::Finished => {
                    let what = format!("row group {group} has no rows, other than the footer says");
                    return Err(ParquetError::General(what).into());
                }
            }
        }
    }

    pub(super) async fn read(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let before = self.fetched.fetched();
        let read = self.reader.get_byte_ranges(ranges).await;
        let after = self.fetched.fetched();
        self.meter.add_fetched(after.saturating_sub(before));
        Ok(read?)
    }

    /// Keeps the columns of a row group that was read to its end.
    fn keep(&self, group: Group) -> Result<()> {
        let (rows, at) = (group.rows, group.at);
        let is_whole = rows == at;
        for (column, source) in self.columns.iter().zip(group.sources) {
            match source {
                Source::Kept(_) if !is_whole => {
                    let index = group.index;
                    let what = format!("row group {index} has {at} rows, the footer claims {rows}");
                    return Err(ParquetError::General(what).into());
                }
                Source::Decoded(Some(filling)) if is_whole => {
                    let key = column.key(&self.file, group.index);
                    let kept = KeptColumn::new(filling.chunks);
                    self.cache.keep(key, kept, filling.room);
                }
                Source::Kept(_) | Source::Decoded(_) => {}
            }
        }
        Ok(())
    }
}

impl Group {
    /// The next rows, of columns with this schema; there is at least one. `None`: the end.
    fn next(&mut self, schema: &SchemaRef, batch_size: usize) -> Result<Option<RecordBatch>> {
        let decoded = match &mut self.decoder {
            Some(decoder) => match decoder.next() {
                Some(decoded) => Some(decoded?),
                None => return Ok(None),
            },
            None if self.at >= self.rows => return Ok(None),
            None => None,
        };
        let rows = match &decoded {
            Some(decoded) => decoded.num_rows(),
            None => batch_size.min(self.rows - self.at),
        };
        let mut decoded = decoded.iter().flat_map(RecordBatch::columns);
        let mut arrays = Vec::with_capacity(self.sources.len());
        for source in &mut self.sources {
            arrays.push(match source {
                Source::Kept(kept) => kept.rows(self.at, rows)?,
                Source::Decoded(filling) => {
                    let Some(array) = decoded.next() else {
                        let what = "a column was asked for and not decoded".to_owned();
                        return Err(DataFusionError::Internal(what));
                    };
                    let is_kept = filling.as_mut().is_some_and(|filling| filling.add(array));
                    if !is_kept {
                        *filling = None;
                    }
                    Arc::clone(array)
                }
            });
        }
        self.at += rows;
        Ok(Some(RecordBatch::try_new(Arc::clone(schema), arrays)?))
    }
}

impl Filling {
    /// `false`: the column is not to be kept.
    pub(super) fn add(&mut self, array: &ArrayRef) -> bool {
        let Ok(chunk) = Chunk::of(array) else {
            return false;
        };
        let fits = self.room.take(chunk.bytes());
        if fits {
            self.chunks.push(chunk);
        }
        fits
    }
}

/// Makes the scan's batches of the columns that were read, as `decoder_projection.rs` of
/// `datafusion-datasource-parquet`, 55.2, does.
pub(super) struct Output {
    /// The columns that are read for it.
    pub read: SchemaRef,
    projector: Projector,
    /// The schema of the scan, if that differs in nullability or metadata.
    schema: Option<SchemaRef>,
}

impl Output {
    /// `projection`: of columns of the file, which has `file` as its schema; of these `roots` are
    /// read. `schema`: that of the scan.
    ///
    /// # Errors
    /// The projection reads other columns.
    pub(super) fn new(
        projection: &ProjectionExprs,
        file: &Schema,
        roots: &[usize],
        schema: &SchemaRef,
    ) -> Result<Self> {
        let read = Arc::new(file.project(roots)?);
        let projection = projection.clone();
        let projection = projection.try_map_exprs(|expr| reassign_expr_columns(expr, &read))?;
        let projector = projection.make_projector(&read)?;
        let differs = projector.output_schema() != schema;
        Ok(Self {
            read,
            projector,
            schema: differs.then(|| Arc::clone(schema)),
        })
    }

    fn of(&self, read: &RecordBatch) -> Result<RecordBatch> {
        let projected = self.projector.project_batch(read)?;
        let Some(schema) = &self.schema else {
            return Ok(projected);
        };
        let (_, arrays, rows) = projected.into_parts();
        let schema = Arc::clone(schema);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}
