//! From a snapshot to a physical plan: the engine's own file scan over exactly the snapshot's files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt, TryStreamExt};

use super::format::TableFormat;
use super::meter::QueryMeter;
use super::parquet::{
    ColumnChecks, FooterCache, LakeReaderFactory, PartitionName, file_statistics,
};
use super::roots::{Root, Roots};
use super::snapshot::{LakeTable, TableSnapshot};
use crate::error::{Result, from_engine};

/// Footers that are read at once while a query is planned.
const PARALLEL_FOOTERS: usize = 32;

/// The lake as one query sees it.
#[derive(Debug)]
pub struct QueryLake {
    pub roots: Arc<Roots>,
    pub meter: Arc<QueryMeter>,
    pub footers: FooterCache,
    /// Statistics come from footers; of a table with more files than this none is read while planning.
    pub max_statistics_files: usize,
    /// The longest row of a text file, in bytes after decompression.
    pub max_row_bytes: usize,
}

/// Plans the scan of a snapshot.
///
/// `projection`: indices into `table.schema`. `limit`: rows, only where no filter is left above the scan.
///
/// Errors: a damaged footer, a column type that cannot be read as the table's, the cutoff, the store.
pub async fn plan(
    session: &dyn Session,
    lake: &QueryLake,
    table: &LakeTable,
    snapshot: &TableSnapshot,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    lake.meter
        .pin(snapshot.partitions.iter().flat_map(|partition| {
            let root = &partition.location.root;
            partition
                .files
                .iter()
                .filter_map(|file| Some((root.object_id(&file.location), file.e_tag.clone()?)))
        }));

    // A file scan has one store and one format: partitions that differ are scanned side by side.
    let mut scans: BTreeMap<(String, String), Scan> = BTreeMap::new();
    for partition in &snapshot.partitions {
        let key = (
            partition.location.root.url().to_owned(),
            format!("{:?}", partition.format),
        );
        let scan = scans.entry(key).or_insert_with(|| Scan {
            root: Arc::clone(&partition.location.root),
            format: partition.format.clone(),
            files: Vec::new(),
        });
        for file in &partition.files {
            scan.files.push(
                PartitionedFile::new_from_meta(file.clone())
                    .with_partition_values(partition.values.clone())
                    .with_extension(PartitionName(Arc::clone(&partition.name))),
            );
        }
    }
    let columns = projected_columns(table, projection);
    let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
    for scan in scans.into_values().filter(|scan| !scan.files.is_empty()) {
        plans.push(
            scan.plan(session, lake, table, &columns, projection, limit)
                .await?,
        );
    }
    match plans.len() {
        0 => {
            let schema = datafusion::common::project_schema(&table.schema, projection)
                .map_err(from_engine)?;
            Ok(Arc::new(EmptyExec::new(schema)))
        }
        1 => Ok(plans.remove(0)),
        _ => UnionExec::try_new(plans).map_err(from_engine),
    }
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

struct Scan {
    root: Arc<Root>,
    format: TableFormat,
    files: Vec<PartitionedFile>,
}

impl Scan {
    async fn plan(
        self,
        session: &dyn Session,
        lake: &QueryLake,
        table: &LakeTable,
        columns: &SchemaRef,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let keys: Vec<FieldRef> = table.keys.fields().iter().cloned().collect();
        let table_schema = TableSchema::builder(Arc::clone(&table.file_schema))
            .with_table_partition_cols(keys)
            .build();
        let mut files = self.files;
        let mut statistics = Statistics::new_unknown(&table.schema);
        let source: Arc<dyn FileSource> = match &self.format {
            TableFormat::Parquet => {
                let checks = Arc::new(ColumnChecks {
                    table: table.name(),
                    columns: Arc::clone(columns),
                });
                (files, statistics) =
                    with_statistics(lake, &self.root, table, &checks, files, limit).await?;
                let mut options = TableParquetOptions::new();
                options.global = session.config_options().execution.parquet.clone();
                Arc::new(
                    ParquetSource::new(table_schema)
                        .with_table_parquet_options(options)
                        .with_parquet_file_reader_factory(Arc::new(LakeReaderFactory {
                            root: Arc::clone(&self.root),
                            footers: lake.footers.clone(),
                            meter: Arc::clone(&lake.meter),
                            checks,
                        })),
                )
            }
            TableFormat::Text(format) => {
                format.source(table_schema, &table.name(), &self.root, lake.max_row_bytes)
            }
        };
        let groups = FileGroup::new(files).split_files(session.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.root.engine_url().clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())
            .map_err(from_engine)?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Adds what is known of the partition keys to a file's statistics.
fn described(mut file: PartitionedFile, mut statistics: Statistics) -> PartitionedFile {
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
    file.statistics = Some(Arc::new(statistics));
    file
}

/// Reads footers for row counts and bounds, as many as planning may.
///
/// With a limit, files after those that surely hold enough rows are left out.
async fn with_statistics(
    lake: &QueryLake,
    root: &Arc<Root>,
    table: &LakeTable,
    checks: &ColumnChecks,
    files: Vec<PartitionedFile>,
    limit: Option<usize>,
) -> Result<(Vec<PartitionedFile>, Statistics)> {
    if files.len() > lake.max_statistics_files {
        return Ok((files, Statistics::new_unknown(&table.schema)));
    }
    let mut loaded = futures::stream::iter(files.into_iter().map(|file| async move {
        let footer = lake
            .footers
            .footer(root, &file.object_meta, &lake.meter)
            .await?;
        let partition = file
            .extension::<PartitionName>()
            .map_or_else(|| Arc::from(""), |name| Arc::clone(&name.0));
        checks.check(
            &footer,
            &partition,
            &root.display_path(&file.object_meta.location),
        )?;
        Ok::<_, crate::error::Error>(described(
            file,
            file_statistics(&footer, &table.file_schema),
        ))
    }))
    .buffered(PARALLEL_FOOTERS);
    let mut kept = Vec::new();
    let mut rows = 0;
    let mut complete = true;
    while let Some(file) = loaded.try_next().await? {
        if limit.is_some_and(|limit| rows >= limit) {
            complete = false;
            break;
        }
        if let Some(Precision::Exact(count)) = file
            .statistics
            .as_ref()
            .map(|statistics| statistics.num_rows)
        {
            rows += count;
        }
        kept.push(file);
    }
    let summaries = kept.iter().filter_map(|file| file.statistics.as_deref());
    let merged = Statistics::try_merge_iter(summaries, &table.schema).map_err(from_engine)?;
    Ok((
        kept,
        if complete {
            merged
        } else {
            merged.to_inexact()
        },
    ))
}
