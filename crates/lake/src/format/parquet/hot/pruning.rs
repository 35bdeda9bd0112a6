//! Which row groups of a file a scan reads, decided by DataFusion's own rules.
//!
//! The order of steps is that of `opener/mod.rs` of `datafusion-datasource-parquet`, 55.2, so that
//! as many bytes are scanned: range and statistics, the index of pages, Bloom filters.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::config::ParquetOptions;
use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::ParquetFileMetrics;
use datafusion::datasource::physical_plan::parquet::{
    PagePruningAccessPlanFilter, ParquetAccessPlan, RowGroupAccess, RowGroupAccessPlanFilter,
};
use datafusion::physical_expr::{DynamicFilterTracking, split_conjunction};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use parquet::arrow::parquet_column;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// What row groups are pruned by.
#[derive(Debug, Clone, Copy)]
pub(super) struct PruningOptions {
    page_index: bool,
    bloom_filters: bool,
    statistics: bool,
    max_in_list_size: usize,
}

impl PruningOptions {
    pub(super) fn of(options: &ParquetOptions, max_in_list_size: usize) -> Self {
        Self {
            page_index: options.enable_page_index,
            bloom_filters: options.bloom_filter_on_read,
            statistics: options.pruning,
            max_in_list_size,
        }
    }
}

/// The row groups of a file that a scan reads, as far as the footer tells.
pub(super) struct RowGroups {
    options: PruningOptions,
    /// The condition of the scan, of columns of the file.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    /// The columns of the file, as they are read.
    schema: SchemaRef,
    filter: RowGroupAccessPlanFilter,
    pruning: Option<Arc<PruningPredicate>>,
}

impl RowGroups {
    /// `range`: the part of the file that is scanned, in bytes.
    pub(super) fn of(
        options: PruningOptions,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
        metadata: &ArrowReaderMetadata,
        range: Option<&FileRange>,
        metrics: &ParquetFileMetrics,
        errors: &Count,
    ) -> Self {
        let groups = metadata.metadata().row_groups();
        let mut filter = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(groups.len()));
        if let Some(range) = range {
            filter.prune_by_range(groups, range);
        }
        let pruning = predicate.as_ref().and_then(|predicate| {
            PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(&schema))
                .with_error_counter(errors)
                .with_max_in_list_size(options.max_in_list_size)
                .build(Arc::clone(predicate))
        });
        match &pruning {
            Some(pruning) if options.statistics => filter.prune_by_statistics(
                &schema,
                metadata.parquet_schema(),
                groups,
                pruning,
                metrics,
            ),
            _ => {
                let left = filter.remaining_row_group_count();
                metrics.row_groups_pruned_statistics.add_matched(left);
            }
        }
        let left = filter.remaining_row_group_count();
        metrics.row_groups_pruned_bloom_filter.add_matched(left);
        Self {
            options,
            predicate,
            schema,
            filter,
            pruning,
        }
    }

    /// Whether there are Bloom filters to be read.
    pub(super) fn have_bloom_filters(&self, metadata: &ArrowReaderMetadata) -> bool {
        let Some(pruning) = self.pruning.as_ref().filter(|_| self.options.bloom_filters) else {
            return false;
        };
        pruning.literal_columns().iter().any(|name| {
            self.has_chunk(metadata, name, |chunk| {
                chunk.bloom_filter_offset().is_some()
            })
        })
    }

    /// Whether a row group that is left has such a chunk of the column.
    fn has_chunk(
        &self,
        metadata: &ArrowReaderMetadata,
        name: &str,
        is_such: impl Fn(&ColumnChunkMetaData) -> bool,
    ) -> bool {
        let file = metadata.metadata();
        let leaf = parquet_column(metadata.parquet_schema(), &self.schema, name);
        leaf.is_some_and(|(leaf, _)| {
            let mut groups = self.filter.row_group_indexes();
            groups.any(|group| is_such(file.row_group(group).column(leaf)))
        })
    }

    /// Whether the index of pages is to be read: one of a column that a condition is about, and
    /// not all rows are known to pass.
    pub(super) fn need_page_index(&self, metadata: &ArrowReaderMetadata) -> bool {
        let Some(predicate) = self.predicate.as_ref().filter(|_| self.options.page_index) else {
            return false;
        };
        let all_pass = self.filter.is_fully_matched();
        let mut groups = self.filter.row_group_indexes();
        if groups.all(|group| all_pass.get(group).copied().unwrap_or(false)) {
            return false;
        }
        let mut parts = split_conjunction(predicate).into_iter();
        parts.any(|part| {
            self.column_of(part).is_some_and(|name| {
                self.has_chunk(metadata, &name, |chunk| {
                    chunk.column_index_offset().is_some() && chunk.offset_index_offset().is_some()
                })
            })
        })
    }

    /// The column of a condition by which pages are pruned.
    fn column_of(&self, part: &Arc<dyn PhysicalExpr>) -> Option<String> {
        let pruning = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&self.schema))
            .try_build(Arc::clone(part))
            .ok()
            .filter(|pruning| !pruning.always_true())?;
        let column = pruning.required_columns().single_column()?;
        Some(column.name().to_owned())
    }

    /// What is read of the row groups. `metadata`: with the index of pages, if it is needed.
    /// `leaves`: what is read of a row group. `None`: a row group has no rows, or the index of pages
    /// does not go with the file.
    pub(super) fn planned(
        self,
        metadata: &ArrowReaderMetadata,
        leaves: &[usize],
        metrics: &ParquetFileMetrics,
    ) -> Option<Planned> {
        let file = metadata.metadata();
        let mut plan = self.filter.build();
        let has_index = file.column_index().is_some() && file.offset_index().is_some();
        if let Some(predicate) = self
            .predicate
            .as_ref()
            .filter(|_| self.options.page_index && has_index)
        {
            let pages = PagePruningAccessPlanFilter::new(predicate, Arc::clone(&self.schema));
            plan = pages.prune_plan_with_page_index(
                plan,
                &self.schema,
                metadata.parquet_schema(),
                file,
                metrics,
            );
        }
        let mut planned = Planned {
            groups: Vec::new(),
            by_pages: false,
        };
        for (group, access) in plan.into_inner().into_iter().enumerate() {
            let rows = match access {
                RowGroupAccess::Skip => continue,
                RowGroupAccess::Scan => None,
                RowGroupAccess::Selection(rows) => Some(rows),
            };
            let all = usize::try_from(file.row_group(group).num_rows()).unwrap_or(0);
            let counted = rows
                .as_ref()
                .map(|rows| rows.row_count() + rows.skipped_row_count());
            if all == 0 || counted.is_some_and(|counted| counted != all) {
                return None;
            }
            planned.by_pages |= rows.is_some();
            let rows = rows.filter(|rows| rows.skipped_row_count() > 0);
            planned.groups.push(PlannedGroup { group, rows });
        }
        let has_same_bytes = file.offset_index().is_none()
            || planned.groups.iter().all(|planned| {
                let mut leaves = leaves.iter();
                leaves.all(|leaf| pages_fill(file, planned.group, *leaf))
            });
        has_same_bytes.then_some(planned)
    }
}

/// What is read of a file.
pub(super) struct Planned {
    pub groups: Vec<PlannedGroup>,
    /// Whether DataFusion would ask for the pages of a column instead of the column.
    pub by_pages: bool,
}

/// What is read of a row group.
pub(super) struct PlannedGroup {
    pub group: usize,
    /// `None`: all.
    pub rows: Option<RowSelection>,
}

/// Whether the pages of a column and its dictionary take the same bytes as the column.
fn pages_fill(file: &ParquetMetaData, group: usize, leaf: usize) -> bool {
    let pages = file
        .offset_index()
        .and_then(|index| index.get(group)?.get(leaf));
    let Some(pages) = pages.map(|index| index.page_locations()) else {
        return false;
    };
    let (start, length) = file.row_group(group).column(leaf).byte_range();
    let Some(dictionary) = pages
        .first()
        .and_then(|first| u64::try_from(first.offset).ok()?.checked_sub(start))
    else {
        return false;
    };
    let sizes = pages
        .iter()
        .map(|page| u64::try_from(page.compressed_page_size).unwrap_or(0));
    sizes.sum::<u64>().checked_add(dictionary) == Some(length)
}

/// Rules out row groups by a condition that changes while the file is read, as one of the rows that
/// a sort with a limit has so far.
pub(super) struct LivePruning {
    predicate: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    max_in_list_size: usize,
    tracking: DynamicFilterTracking,
    /// None: not made yet.
    pruning: Option<Option<Arc<PruningPredicate>>>,
    /// Of row groups that are asked for one by one; not shown.
    metrics: ParquetFileMetrics,
}

impl LivePruning {
    /// `None`: the condition does not change any more.
    pub(super) fn of(
        options: PruningOptions,
        predicate: &Arc<dyn PhysicalExpr>,
        schema: &SchemaRef,
    ) -> Option<Self> {
        let tracking = DynamicFilterTracking::classify(predicate);
        if !matches!(tracking, DynamicFilterTracking::Watching(_)) {
            return None;
        }
        Some(Self {
            predicate: Arc::clone(predicate),
            schema: Arc::clone(schema),
            max_in_list_size: options.max_in_list_size,
            tracking,
            pruning: None,
            metrics: ParquetFileMetrics::new(0, "", &ExecutionPlanMetricsSet::new()),
        })
    }

    /// Whether no row of the row group passes the condition as it is now.
    pub(super) fn rules_out(&mut self, group: usize, metadata: &ArrowReaderMetadata) -> bool {
        let watcher = self.tracking.watcher();
        let has_changed = watcher.is_some_and(|watcher| watcher.changed());
        if has_changed || self.pruning.is_none() {
            let made = PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(&self.schema))
                .with_max_in_list_size(self.max_in_list_size)
                .build(Arc::clone(&self.predicate));
            self.pruning = Some(made);
        }
        let Some(Some(pruning)) = &self.pruning else {
            return false;
        };
        let groups = metadata.metadata().row_groups();
        let mut plan = ParquetAccessPlan::new_none(groups.len());
        plan.scan(group);
        let mut filter = RowGroupAccessPlanFilter::new(plan);
        filter.prune_by_statistics(
            &self.schema,
            metadata.parquet_schema(),
            groups,
            pruning,
            &self.metrics,
        );
        filter.is_empty()
    }
}
