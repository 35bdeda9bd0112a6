//! The engine's Parquet source; its errors and panics name the file that caused them.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr, SortOrderPushdownResult};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_error::from_engine;
use object_store::ObjectStore;

use super::decode::panic_message;
use super::hot::{HotScan, Opened};
use super::row_filters::{FilterRows, filtering, fits, is_plain};
use super::{ColumnCache, LakeReaderFactory, damaged, from_parquet};
use crate::casts::transparent;
use crate::format::FileScan;
use crate::lengths::of_files;
use crate::roots::Root;
use crate::sight::Sight;

/// A [`ParquetSource`] over files of one root.
#[derive(Clone)]
pub struct ParquetFiles {
    inner: Arc<dyn FileSource>,
    sight: Sight,
    readers: Arc<LakeReaderFactory>,
    hot: ColumnCache,
    /// Rows per batch, once it is known.
    batch_size: Option<usize>,
    /// Whether row groups may be read in another order than that of the file.
    is_reordered: bool,
    /// When conditions are evaluated while files are decoded, where they can be.
    filters_rows: Option<FilterRows>,
}

impl fmt::Debug for ParquetFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetFiles")
            .field("root", &self.readers.root.url())
            .finish_non_exhaustive()
    }
}

impl ParquetFiles {
    /// A source that reads what `scan` reads. `readers`: those of the source.
    pub fn new(
        source: ParquetSource,
        readers: Arc<LakeReaderFactory>,
        scan: &FileScan<'_>,
    ) -> Self {
        Self {
            inner: Arc::new(source),
            sight: scan.sight.clone(),
            readers,
            hot: scan.hot.clone(),
            batch_size: None,
            is_reordered: false,
            filters_rows: None,
        }
    }

    /// Returns the same source with its conditions evaluated on rows, before other columns are
    /// decoded, where this is safe and the file allows it. Operators above have to apply the
    /// conditions again. A limit of the scan would count the rows that are left.
    pub fn with_rows_filtered(&self, when: FilterRows) -> Self {
        Self {
            filters_rows: Some(when),
            ..self.clone()
        }
    }

    /// The source that filters rows and what decides for which files it does, if the conditions can
    /// be evaluated on rows.
    fn filtering(&self) -> Option<(ParquetSource, RowFiltering)> {
        let when = self.filters_rows.clone()?;
        let condition = self.filter().filter(is_plain)?;
        let source = self.inner.downcast_ref::<ParquetSource>()?;
        let source = filtering(source, &when);
        let decides = RowFiltering {
            readers: Arc::clone(&self.readers),
            table: Arc::clone(self.table_schema().file_schema()),
            columns: collect_columns(&condition).into_iter().collect(),
            condition,
            when,
        };
        Some((source, decides))
    }

    /// What reads files with hot columns, and tests conditions before it decodes other columns; `None`: it does
    /// neither for the scan.
    ///
    /// `source`: the one that reads the other files.
    fn hot(
        &self,
        source: &dyn FileSource,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Option<Arc<HotScan>>> {
        let source = source.downcast_ref::<ParquetSource>();
        let source = source.filter(|_| !self.is_reordered);
        let (Some(source), Some(batch_size)) = (source, self.batch_size) else {
            return Ok(None);
        };
        let (hot, readers) = (&self.hot, &self.readers);
        let scan = HotScan::of(hot, readers, source, batch_size, config, partition)?;
        Ok(scan.map(Arc::new))
    }

    /// What may be reported of the files.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    fn over(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self {
            inner,
            ..self.clone()
        })
    }
}

/// Decides which files have their rows filtered.
struct RowFiltering {
    readers: Arc<LakeReaderFactory>,
    /// The table's columns that are in files.
    table: SchemaRef,
    condition: Arc<dyn PhysicalExpr>,
    /// The columns of the condition.
    columns: HashSet<Column>,
    when: FilterRows,
}

impl RowFiltering {
    async fn fits(&self, file: &PartitionedFile) -> Result<bool> {
        if !self.when.is_now(&self.condition, &self.table) {
            return Ok(false);
        }
        let footer = self.readers.footer(&file.object_meta).await?;
        Ok(fits(&footer, &self.columns, &self.table))
    }
}

impl FileSource for ParquetFiles {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let filtering = match self.filtering() {
            Some((source, decides)) => {
                let store = Arc::clone(&object_store);
                let hot = self.hot(&source, base_config, partition)?;
                let filtering = source.create_morselizer(store, base_config, partition)?;
                Some((Arc::new(filtering), Arc::new(decides), hot))
            }
            None => None,
        };
        let morselizer = self
            .inner
            .create_morselizer(object_store, base_config, partition)?;
        let morselizer = Arc::new(morselizer);
        let hot = self.hot(self.inner.as_ref(), base_config, partition)?;
        // The crate does not name the type of a morselizer to others: a closure keeps it.
        let open = move |file: PartitionedFile| -> FileOpenFuture {
            let (mut morselizer, filtering) = (Arc::clone(&morselizer), filtering.clone());
            let mut hot = hot.clone();
            async move {
                let mut file = file;
                if let Some((filtering, decides, filtering_hot)) = filtering
                    && decides.fits(&file).await?
                {
                    morselizer = filtering;
                    hot = filtering_hot;
                }
                if let Some(hot) = hot {
                    match Box::pin(hot.open(file)).await? {
                        Opened::Hot(stream) => return Ok(stream),
                        Opened::Cold(same) => file = *same,
                    }
                }
                let mut planners = VecDeque::from([morselizer.plan_file(file)?]);
                let mut streams = Vec::new();
                while let Some(planner) = planners.pop_front() {
                    let Some(mut plan) = planner.plan()? else {
                        continue;
                    };
                    let morsels = plan.take_morsels().into_iter();
                    streams.extend(morsels.map(|morsel| morsel.into_stream()));
                    planners.extend(plan.take_ready_planners());
                    if let Some(pending) = plan.take_pending_planner() {
                        planners.push_back(pending.await?);
                    }
                }
                Ok(futures::stream::iter(streams).flatten().boxed())
            }
            .boxed()
        };
        Ok(Arc::new(NamingOpener {
            open: Box::new(open),
            root: Arc::clone(&self.readers.root),
            sight: self.sight.clone(),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            inner: self.inner.with_batch_size(batch_size),
            batch_size: Some(batch_size),
            ..self.clone()
        })
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, style: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(style, f)?;
        let Some((_, RowFiltering { when, .. })) = self.filtering() else {
            return Ok(());
        };
        match style {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, ", filters_rows={when}")
            }
            DisplayFormatType::TreeRender => writeln!(f, "filters_rows={when}"),
        }
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let filters = filters.into_iter();
        let filters = filters.map(|filter| of_files(transparent(filter)?));
        let filters = filters.collect::<Result<_>>()?;
        let pushed = self.inner.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation {
            filters: pushed.filters,
            updated_node: pushed.updated_node.map(|inner| self.over(inner)),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        eq_properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_sort(order, eq_properties)?;
        let reordered = Self {
            is_reordered: true,
            ..self.clone()
        };
        Ok(pushed.map(|inner| reordered.over(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_projection(projection)?;
        Ok(pushed.map(|inner| self.over(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

struct NamingOpener {
    open: Box<dyn Fn(PartitionedFile) -> FileOpenFuture + Send + Sync>,
    root: Arc<Root>,
    sight: Sight,
}

impl FileOpener for NamingOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let url: Arc<str> = self.root.display_path(&file.object_meta.location).into();
        // What panics is not used again: neither the opening nor the stream.
        let opening = AssertUnwindSafe((self.open)(file)).catch_unwind();
        let sight = self.sight.clone();
        Ok(async move {
            let opened = match opening.await {
                Ok(opened) => opened.map_err(|e| named_at_opening(e, &url)),
                Err(panic) => Err(damaged(&url, panic_message(panic.as_ref())).into()),
            };
            let stream = opened.map_err(|error| reported(&sight, error))?;
            let stream = named_stream(stream, url);
            Ok(stream.map_err(move |error| reported(&sight, error)).boxed())
        }
        .boxed())
    }
}

/// An error as it is reported with this sight.
fn reported(sight: &Sight, error: DataFusionError) -> DataFusionError {
    if sight.is_whole() {
        return error;
    }
    sight.of_file(from_engine(error)).into()
}

fn named_stream(
    stream: BoxStream<'static, Result<RecordBatch>>,
    url: Arc<str>,
) -> BoxStream<'static, Result<RecordBatch>> {
    AssertUnwindSafe(stream)
        .catch_unwind()
        .map(move |next| match next {
            Ok(batch) => batch.map_err(|e| named(e, &url)),
            Err(panic) => Err(damaged(&url, panic_message(panic.as_ref())).into()),
        })
        .boxed()
}

/// What the Parquet crate says is about the file. The rest may be about the query, as a cast that
/// fails; the detail says where it came up.
fn named(error: DataFusionError, url: &str) -> DataFusionError {
    if lakegate_error::find(&error).is_some() {
        return error;
    }
    let named = match error.find_root() {
        DataFusionError::ParquetError(parquet) => from_parquet(url, parquet),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::ParquetError(what) => {
                damaged(url, what.strip_prefix("Parquet error: ").unwrap_or(what))
            }
            _ => from_engine(error).with_detail(format!("this came up in file {url}")),
        },
        DataFusionError::ObjectStore(_) | DataFusionError::ResourcesExhausted(_) => return error,
        _ => from_engine(error).with_detail(format!("this came up in file {url}")),
    };
    named.into()
}

/// What the engine does not expect while it opens a file is about the file too.
fn named_at_opening(error: DataFusionError, url: &str) -> DataFusionError {
    match error.find_root() {
        DataFusionError::Internal(what) => damaged(url, what).into(),
        _ => named(error, url),
    }
}
