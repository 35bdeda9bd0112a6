//! The engine's file source over formats whose files are read here, column by column: ORC, Avro and Ion.
//!
//! ```text
//!  FileScanConfig ─▶ LakeFiles ─ open ─▶ dyn FileReader ─▶ the file's columns ─ columns ─▶ the table's
//!                                        ranges of the query's metered store
//! ```
//!
//! What never happens: a panic of a decoder ends more than its query, an error shows a file's name to
//! a principal that may not see it.

use std::fmt;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, apply_expression_roots};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_error::{Code, Error};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::parquet::{FooterCache, panic_message, whole_ranges};
use super::{FileScan, PartitionName};
use crate::casts::transparent;
use crate::lengths::of_files;
use crate::meter::{MeteredStore, QueryMeter};
use crate::roots::Root;
use crate::sight::Sight;
use crate::table::bounds;

/// A batch has at most this many bytes of decoded values, unless one row has more.
pub(super) const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// A batch has at most this many values, those in lists and maps counted, unless one row has more.
pub(super) const BATCH_VALUES: u64 = 4 * 1024 * 1024;

/// Batches of one file, with the columns that were asked for, in the table's types.
pub(super) type Batches = BoxStream<'static, Result<RecordBatch, Error>>;

/// Reads the files of one format.
#[async_trait]
pub(super) trait FileReader: fmt::Debug + Send + Sync {
    /// The format's name, as plans and messages show it.
    fn name(&self) -> &'static str;

    /// Whether several partitions of a scan may each read a range of one file.
    fn splits_files(&self) -> bool;

    /// Opens a file.
    ///
    /// # Errors
    /// The file is damaged or does not go with the table; the cutoff; the store.
    async fn open(&self, file: OpenedFile) -> Result<Batches, Error>;
}

/// A file that one partition of a scan reads.
#[derive(Debug)]
pub(super) struct OpenedFile {
    /// Reads of this file in the state that the plan has of it, charged to the query.
    pub store: Arc<MeteredStore>,
    pub root: Arc<Root>,
    pub meter: Arc<QueryMeter>,
    pub footers: FooterCache,
    pub meta: ObjectMeta,
    /// The file as a user knows it, for errors.
    pub url: Arc<str>,
    /// Of the parts that start in these bytes. `None`: all.
    pub range: Option<Range<u64>>,
    /// `key=value/key=value`, empty without partitions.
    pub partition: Arc<str>,
    /// `database.table`, for errors.
    pub table: Arc<str>,
    /// The table's data columns.
    pub file_schema: SchemaRef,
    /// The columns that are read, by their places in `file_schema`, and their schema.
    pub columns: Arc<[usize]>,
    pub schema: SchemaRef,
    /// The rows of a batch at most.
    pub batch_size: usize,
    /// The table's columns with partition keys, and a condition over them: parts that cannot hold a
    /// matching row need not be read.
    pub table_schema: SchemaRef,
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl OpenedFile {
    /// For each part of the file whether it can hold a matching row.
    pub(super) fn matching(&self, parts: &[Arc<datafusion::common::Statistics>]) -> Vec<bool> {
        match &self.predicate {
            Some(predicate) => {
                bounds::matching_parts(Arc::clone(predicate), &self.table_schema, parts)
            }
            None => vec![true; parts.len()],
        }
    }
}

/// Files of one root, of a format that is read here.
#[derive(Clone)]
pub struct LakeFiles {
    reader: Arc<dyn FileReader>,
    root: Arc<Root>,
    meter: Arc<QueryMeter>,
    footers: FooterCache,
    table: Arc<str>,
    table_schema: TableSchema,
    projection: SplitProjection,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    batch_size: usize,
    sight: Sight,
    metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for LakeFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeFiles")
            .field("table", &self.table)
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

impl LakeFiles {
    pub(super) fn of(reader: Arc<dyn FileReader>, scan: &FileScan<'_>) -> Self {
        Self {
            reader,
            root: Arc::clone(scan.root),
            meter: Arc::clone(scan.meter),
            footers: scan.footers.clone(),
            table: scan.table.as_str().into(),
            projection: SplitProjection::unprojected(&scan.table_schema),
            table_schema: scan.table_schema.clone(),
            predicate: None,
            batch_size: 8192,
            sight: scan.sight.clone(),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// What may be reported of the files.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }
}

impl FileSource for LakeFiles {
    fn create_file_opener(
        &self,
        _object_store: Arc<dyn ObjectStore>,
        _base_config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let file_schema = self.table_schema.file_schema();
        let indices = &self.projection.file_indices;
        let opener = LakeOpener {
            schema: Arc::new(file_schema.project(indices)?),
            columns: indices.as_slice().into(),
            source: self.clone(),
        };
        // Puts partition values and computed expressions around the columns that are read.
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
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

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.predicate.clone()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        self.reader.name()
    }

    fn fmt_extra(&self, _style: DisplayFormatType, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn supports_repartitioning(&self) -> bool {
        self.reader.splits_files()
    }

    /// Keeps the filters to leave out parts of files; the engine applies all of them again.
    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let kept = vec![PushedDown::No; filters.len()];
        let pushed = FilterPushdownPropagation::with_parent_pushdown_result(kept);
        if filters.is_empty() || !self.reader.splits_files() {
            return Ok(pushed);
        }
        let known = self.predicate.iter().map(|known| Ok(Arc::clone(known)));
        let filters = filters.into_iter();
        let filters = filters.map(|filter| of_files(transparent(filter)?));
        let all = known.chain(filters);
        let predicate = conjunction(all.collect::<Result<Vec<_>>>()?);
        Ok(pushed.with_updated_node(Arc::new(Self {
            predicate: Some(predicate),
            ..self.clone()
        })))
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self {
            projection,
            ..self.clone()
        })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let predicate = self.predicate.iter();
        let projected = self.projection.source.iter().map(|named| &named.expr);
        apply_expression_roots(predicate.chain(projected), f)
    }
}

/// Opens files for one partition of a scan.
struct LakeOpener {
    source: LakeFiles,
    columns: Arc<[usize]>,
    schema: SchemaRef,
}

impl LakeOpener {
    fn file(&self, file: PartitionedFile) -> OpenedFile {
        let source = &self.source;
        let range = file.range.as_ref().map(|range| {
            let unsigned = |offset: i64| u64::try_from(offset).unwrap_or(0);
            unsigned(range.start)..unsigned(range.end)
        });
        let partition = file.extension::<PartitionName>();
        let partition = partition.map_or_else(|| "".into(), |name| Arc::clone(&name.0));
        let meta = file.object_meta;
        let store = MeteredStore::of_file(&source.root, meta.clone(), Arc::clone(&source.meter));
        OpenedFile {
            store: Arc::new(store),
            root: Arc::clone(&source.root),
            meter: Arc::clone(&source.meter),
            footers: source.footers.clone(),
            url: source.root.display_path(&meta.location).into(),
            meta,
            range,
            partition,
            table: Arc::clone(&source.table),
            file_schema: Arc::clone(source.table_schema.file_schema()),
            columns: Arc::clone(&self.columns),
            schema: Arc::clone(&self.schema),
            batch_size: source.batch_size,
            table_schema: Arc::clone(source.table_schema.table_schema()),
            predicate: source.predicate.clone(),
        }
    }
}

impl FileOpener for LakeOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let reader = Arc::clone(&self.source.reader);
        let file = self.file(file);
        let sight = self.source.sight.clone();
        let url = Arc::clone(&file.url);
        Ok(async move {
            let name = reader.name();
            // What panics is not used again: neither the opening nor the stream.
            let opened = AssertUnwindSafe(reader.open(file)).catch_unwind().await;
            let opened = opened
                .unwrap_or_else(|panic| Err(damaged(name, &url, panic_message(panic.as_ref()))));
            let batches = opened.map_err(|error| sight.of_file(error))?;
            let batches = AssertUnwindSafe(batches).catch_unwind().map(move |next| {
                next.unwrap_or_else(|panic| Err(damaged(name, &url, panic_message(panic.as_ref()))))
            });
            let batches = batches.map_err(move |error| DataFusionError::from(sight.of_file(error)));
            Ok::<_, DataFusionError>(batches.boxed())
        }
        .boxed())
    }
}

/// Reads ranges of a file, each whole. `format`: its name; `url`: the file's.
///
/// # Errors
/// The store; the file was replaced; it is shorter than the ranges.
pub(super) async fn ranges(
    format: &str,
    store: &dyn ObjectStore,
    path: &Path,
    url: &str,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>, Error> {
    let pieces = whole_ranges(store, path, ranges).await?;
    pieces.ok_or_else(|| damaged(format, url, "it is shorter than it should be"))
}

/// The error for a file that cannot be read. `format`: its name; `file`: its URL.
pub(super) fn damaged(format: &str, file: &str, what: impl fmt::Display) -> Error {
    Error::new(
        Code::BadData,
        format!("file {file} cannot be read as {format}: {what}"),
    )
    .of_a_file(format!(" cannot be read as {format}"))
    .with_hint(
        "remove the file or rewrite it; a name that starts with '_' or '.' hides it from queries",
    )
}

/// The error for a column of a file whose values are not read. `what`: why, after the name.
pub(super) fn refused_column(file: &str, column: &str, what: &str) -> Error {
    Error::not_supported(format!("column '{column}' of file {file} {what}"))
        .of_a_file(format!(" has a column '{column}' that {what}"))
}
