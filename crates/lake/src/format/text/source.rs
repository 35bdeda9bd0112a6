//! The engine's file source over text formats.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroupPartitioner, FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr, apply_expression_roots};
use object_store::ObjectStore;
use object_store::path::Path;

use super::decoder::decoder;
use super::input::{PlannedFile, looks_compressed};
use super::matching::Compiled;
use super::reader::FileRead;
use super::rows::Places;
use super::{MAX_ROW_BYTES, TextFormat, TextSerDe};
use crate::format::FileScan;

use crate::sight::Sight;

/// Says how a user knows a file.
pub(super) type Urls = Arc<dyn Fn(&Path) -> String + Send + Sync>;

/// Reads JSON, CSV and other text into the columns that a query needs.
///
/// Fields of CSV and delimited text belong to the table's columns by position, partition keys not
/// counted. The rows of a file that is not compressed may be read by several partitions: each reads
/// the lines that start in its byte range.
#[derive(Clone)]
pub struct TextSource {
    format: Arc<TextFormat>,
    table: Arc<str>,
    urls: Urls,
    table_schema: TableSchema,
    projection: SplitProjection,
    /// Of this projection.
    compiled: Compiled,
    batch_size: usize,
    max_row_bytes: usize,
    places: Places,
    sight: Sight,
    metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for TextSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextSource")
            .field("table", &self.table)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl TextSource {
    /// The source of a scan of text files.
    pub(super) fn of(format: &TextFormat, scan: &FileScan<'_>) -> Self {
        let root = Arc::clone(scan.root);
        let urls = Arc::new(move |path: &Path| root.display_path(path));
        Self {
            places: scan.places.clone(),
            sight: scan.sight.clone(),
            ..Self::new(format, scan.table_schema.clone(), &scan.table, urls)
                .with_max_row_bytes(scan.max_row_bytes)
        }
    }

    pub(super) fn new(
        format: &TextFormat,
        table_schema: TableSchema,
        table: &str,
        urls: Urls,
    ) -> Self {
        Self {
            format: Arc::new(format.clone()),
            table: table.into(),
            urls,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            compiled: Compiled::default(),
            batch_size: 8192,
            max_row_bytes: MAX_ROW_BYTES,
            places: Places::default(),
            sight: Sight::whole(table),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// What may be reported of the files.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    pub(super) fn with_max_row_bytes(self, max_row_bytes: usize) -> Self {
        Self {
            max_row_bytes,
            ..self
        }
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        _base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let opener = TextOpener {
            source: self.clone(),
            store: object_store,
            malformed: MetricBuilder::new(&self.metrics).counter("malformed_values", partition),
        };
        // Puts partition values and computed expressions around the columns that are read.
        ProjectionOpener::try_new(
            self.projection.clone(),
            Arc::new(opener),
            self.table_schema.file_schema(),
        )
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            batch_size: batch_size.max(1),
            ..self.clone()
        })
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self {
            projection,
            compiled: Compiled::default(),
            ..self.clone()
        })))
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format.serde {
            TextSerDe::OpenxJson(_) | TextSerDe::HiveJson(_) | TextSerDe::CloudTrail(_) => "json",
            TextSerDe::OpenCsv(_) => "csv",
            TextSerDe::LazySimple(_) | TextSerDe::Regex(_) | TextSerDe::Grok(_) => "text",
        }
    }

    fn fmt_extra(&self, _style: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format.header_lines {
            0 => Ok(()),
            lines => write!(f, ", header_lines={lines}"),
        }
    }

    /// Records have no mark where one starts. A second header line could lie in a second range, and be read as a row there.
    fn supports_repartitioning(&self) -> bool {
        self.format.header_lines <= 1 && !self.format.is_of_records()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        let mut files = config.file_groups.iter().flat_map(|group| group.iter());
        if !self.supports_repartitioning()
            || files.any(|file| looks_compressed(&file.object_meta.location))
        {
            return Ok(None);
        }
        let groups = FileGroupPartitioner::new()
            .with_target_partitions(target_partitions)
            .with_repartition_file_min_size(repartition_file_min_size)
            .with_preserve_order_within_groups(output_ordering.is_some())
            .repartition_file_groups(&config.file_groups);
        Ok(groups.map(|file_groups| {
            let mut split = config.clone();
            split.file_groups = file_groups;
            split
        }))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.source.iter(), f)
    }
}

/// Opens files for one partition of a scan.
struct TextOpener {
    source: TextSource,
    store: Arc<dyn ObjectStore>,
    malformed: Count,
}

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let source = &self.source;
        let decoder = decoder(
            &source.format,
            source.table_schema.file_schema(),
            &source.projection.file_indices,
            &source.places,
            &source.compiled,
        )
        .map_err(|e| {
            lakegate_error::Error::new(e.code(), format!("table {}: {}", source.table, e.message()))
        })?;
        let range = file
            .range
            .as_ref()
            .map(|range| unsigned(range.start)..unsigned(range.end));
        let is_of_records = source.format.is_of_records();
        let read = FileRead {
            url: (source.urls)(&file.object_meta.location),
            file: PlannedFile {
                store: Arc::clone(&self.store),
                path: file.object_meta.location,
                size: file.object_meta.size,
                e_tag: file.object_meta.e_tag,
            },
            range,
            header_lines: match is_of_records {
                true => 0,
                false => source.format.header_lines,
            },
            is_of_records,
            batch_size: source.batch_size,
            max_row_bytes: source.max_row_bytes,
            decoder,
            malformed: self.malformed.clone(),
            sight: source.sight.clone(),
        };
        Ok(Box::pin(read.open()))
    }
}

fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}
