//! From a snapshot to a physical plan: the engine's own file scan over exactly the snapshot's
//! files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt, TryStreamExt};
use lakegate_error::{Result, from_engine};

use crate::format::parquet::{ColumnCache, FooterCache};
use crate::format::{FileScan, PartitionName, ScanSource, TableFileFormat, TableFormat};
use crate::lengths::BoundedColumns;
use crate::meter::QueryMeter;
use crate::roots::Roots;
use crate::scanned::scan_of;
use crate::table::estimates::{AnalyzedPart, estimated};
use crate::table::selectivity::Ranges;
use crate::table::{LakeTable, OpenedFiles, TableSnapshot, bounds};

/// Footers that are read at once while a query is planned.
const PARALLEL_FOOTERS: usize = 32;

/// The lake as one query sees it.
#[derive(Debug, Clone)]
pub struct QueryLake {
    pub roots: Arc<Roots>,
    pub meter: Arc<QueryMeter>,
    pub footers: FooterCache,
    /// Columns of files that are read often.
    pub hot: ColumnCache,
    /// Statistics come from footers; of a table with more files than this none is read while
    /// planning, and the scan has the estimates of ANALYZE.
    pub max_statistics_files: usize,
    /// The longest row of a text file, in bytes after decompression.
    pub max_row_bytes: usize,
}

/// What a query wants of a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Indices into the table's columns. None: all.
    pub projection: Option<&'a Vec<usize>>,
    /// Conditions of all rows that are wanted. The engine applies them again.
    pub filters: &'a [Expr],
    /// Rows, only where no filter is left above the scan.
    pub limit: Option<usize>,
}

/// Plans the scan of a snapshot.
///
/// # Errors
/// A damaged footer, a column type that cannot be read as the table's, the cutoff, the store.
pub async fn plan(
    session: &dyn Session,
    lake: &QueryLake,
    table: &LakeTable,
    snapshot: &TableSnapshot,
    wanted: Wanted<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let planned = planned(session, lake, table, snapshot, wanted).await;
    planned.map_err(|error| table.sight.of_file(error))
}

async fn planned(
    session: &dyn Session,
    lake: &QueryLake,
    table: &LakeTable,
    snapshot: &TableSnapshot,
    wanted: Wanted<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    snapshot.charge(&lake.meter)?;
    let bounded = BoundedColumns::of(table);
    let filters = bounded.of_files(wanted.filters);
    let wanted = Wanted {
        filters: &filters,
        ..wanted
    };
    let columns = projected_columns(table, wanted.projection);
    let constants: Vec<FieldRef> = table.constants().fields().iter().cloned().collect();
    let table_schema = TableSchema::builder(Arc::clone(&table.file_schema))
        .with_table_partition_cols(constants)
        .build();
    // A file scan has one store and one format: partitions that differ are scanned side by side.
    let mut scans: BTreeMap<(&str, &TableFormat), Scan<'_>> = BTreeMap::new();
    for partition in &snapshot.partitions {
        let root = &partition.location.root;
        let scan = scans
            .entry((root.url(), &partition.format))
            .or_insert_with(|| Scan {
                format: partition.format.file_format(),
                scan: FileScan {
                    root,
                    table: table.name(),
                    table_schema: table_schema.clone(),
                    columns: &columns,
                    places: &table.places,
                    declared: declared(table, &partition.format),
                    sight: &table.sight,
                    meter: &lake.meter,
                    footers: &lake.footers,
                    hot: &lake.hot,
                    max_row_bytes: lake.max_row_bytes,
                    options: session.config_options(),
                },
                files: Vec::new(),
                analyzed: Vec::new(),
            });
        scan.analyzed.push(AnalyzedPart {
            bytes: partition.files.iter().map(|file| file.size).sum(),
            keys: &partition.values,
            statistics: partition.statistics.as_deref(),
        });
        for file in &partition.files {
            let hidden = table.hidden.iter();
            let hidden = hidden.flat_map(|hidden| hidden.values(partition, file));
            let constants = partition.values.iter().cloned().chain(hidden);
            scan.files.push(
                PartitionedFile::new_from_meta(file.object())
                    .with_partition_values(constants.collect())
                    .with_extension(PartitionName(Arc::clone(&partition.name))),
            );
        }
    }
    let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
    let mut opened = OpenedFiles::default();
    for scan in scans.into_values() {
        let (scan, statistics) = scan.matching(lake, table, wanted).await?;
        if scan.files.is_empty() {
            continue;
        }
        opened.files += scan.files.len();
        opened.bytes += scan.files.iter().map(|f| f.object_meta.size).sum::<u64>();
        plans.push(scan.plan(session, statistics, wanted)?);
    }
    snapshot.will_open(opened);
    let scan = match plans.len() {
        0 => {
            let schema = datafusion::common::project_schema(&table.schema, wanted.projection)
                .map_err(from_engine)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        1 => plans.remove(0),
        _ => UnionExec::try_new(plans).map_err(from_engine)?,
    };
    let fitted = bounded.fitted(scan, session.config_options());
    fitted.map_err(from_engine)
}

/// The names of all data columns, where files have them by their places.
fn declared(table: &LakeTable, format: &TableFormat) -> Arc<[String]> {
    let columns = table.table.storage_descriptor.columns.iter();
    let is_needed = format.has_columns_by_place();
    let columns = columns.filter(|_| is_needed);
    columns.map(|column| column.name.clone()).collect()
}

/// The data columns among the projected ones.
fn projected_columns(table: &LakeTable, projection: Option<&Vec<usize>>) -> SchemaRef {
    match projection {
        None => Arc::clone(&table.file_schema),
        Some(indices) => {
            let data = table.file_schema.fields();
            let fields: Vec<FieldRef> = indices
                .iter()
                .filter_map(|index| data.get(*index).cloned())
                .collect();
            Arc::new(arrow::datatypes::Schema::new(fields))
        }
    }
}

struct Scan<'a> {
    format: &'a dyn TableFileFormat,
    scan: FileScan<'a>,
    files: Vec<PartitionedFile>,
    /// What ANALYZE found of the partitions.
    analyzed: Vec<AnalyzedPart<'a>>,
}

impl Scan<'_> {
    /// Leaves out the files that need not be opened, and returns statistics of the rest.
    async fn matching(
        mut self,
        lake: &QueryLake,
        table: &LakeTable,
        wanted: Wanted<'_>,
    ) -> Result<(Self, Statistics)> {
        let with_footers =
            self.format.has_statistics() && self.files.len() <= lake.max_statistics_files;
        if !with_footers {
            let known = table.statistics.as_deref();
            let first_key = table.file_schema.fields().len();
            let matching = Ranges::of(wanted.filters).without(table.constants());
            let statistics = estimated(known, &self.analyzed, &table.schema, first_key, &matching);
            return Ok((self, statistics));
        }
        let files = std::mem::take(&mut self.files);
        let (files, statistics) = self.with_statistics(&table.schema, files, wanted).await?;
        self.files = files;
        Ok((self, statistics))
    }

    fn plan(
        self,
        session: &dyn Session,
        statistics: Statistics,
        wanted: Wanted<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ScanSource { source, adapters } = self.format.source(&self.scan);
        let groups = FileGroup::new(self.files).split_files(session.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.scan.root.engine_url().clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_expr_adapter(adapters)
            .with_projection_indices(wanted.projection.cloned())
            .map_err(from_engine)?
            .with_limit(wanted.limit)
            .build();
        Ok(Arc::new(scan_of(config)))
    }

    /// Asks the format for the files' row counts and bounds.
    ///
    /// Files that cannot hold a matching row are left out; with a limit, those after the ones that
    /// surely hold enough rows.
    async fn with_statistics(
        &self,
        schema: &SchemaRef,
        files: Vec<PartitionedFile>,
        wanted: Wanted<'_>,
    ) -> Result<(Vec<PartitionedFile>, Statistics)> {
        let mut loaded = futures::stream::iter(files.into_iter().map(|file| async move {
            let statistics = self.format.statistics(&self.scan, &file).await?;
            let statistics = with_constants(&file, statistics);
            Ok::<_, lakegate_error::Error>((file, Arc::new(statistics)))
        }))
        .buffered(PARALLEL_FOOTERS);
        let mut kept = Vec::new();
        let mut rows: usize = 0;
        let mut complete = true;
        while let Some((file, statistics)) = loaded.try_next().await? {
            if wanted.limit.is_some_and(|limit| rows >= limit) {
                complete = false;
                break;
            }
            if let Precision::Exact(count) = statistics.num_rows {
                rows = rows.saturating_add(count);
            }
            kept.push((file, statistics));
        }
        let summaries: Vec<_> = kept.iter().map(|(_, known)| Arc::clone(known)).collect();
        let mut matching = bounds::matching(wanted.filters, schema, &summaries).into_iter();
        kept.retain(|_| matching.next().unwrap_or(true));

        let summaries = kept.iter().map(|(_, statistics)| statistics.as_ref());
        let merged = Statistics::try_merge_iter(summaries, schema).map_err(from_engine)?;
        let merged = if complete {
            merged
        } else {
            merged.to_inexact()
        };
        let kept = kept.into_iter().map(|(mut file, statistics)| {
            file.statistics = Some(statistics);
            file
        });
        Ok((kept.collect(), merged))
    }
}

/// Adds what is known of the partition keys and hidden columns to a file's statistics.
fn with_constants(file: &PartitionedFile, mut statistics: Statistics) -> Statistics {
    for value in &file.partition_values {
        let bound = || {
            if value.is_null() {
                Precision::Absent
            } else {
                Precision::Exact(value.clone())
            }
        };
        statistics.column_statistics.push(ColumnStatistics {
            null_count: if value.is_null() {
                statistics.num_rows
            } else {
                Precision::Exact(0)
            },
            min_value: bound(),
            max_value: bound(),
            distinct_count: Precision::Exact(usize::from(!value.is_null())),
            ..ColumnStatistics::new_unknown()
        });
    }
    statistics
}
