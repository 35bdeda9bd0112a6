//! Files of a scan, opened for reading with the cache: those with hot columns.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::apply_file_schema_type_coercions;
use datafusion::datasource::physical_plan::{
    FileScanConfig, FileSource, ParquetFileMetrics, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::simplifier::PhysicalExprSimplifier;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr_adapter::{
    PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion::physical_optimizer::pruning::FilePruner;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::super::LakeReaderFactory;
use super::super::reader::{LakeReader, PageIndexed};
use super::cache::{ColumnCache, FileState, IndexKey, PageIndex};
use super::column::is_kept;
use super::early::EarlyFilter;
use super::filter::RowFilter;
use super::groups::{Column, Groups, Output};
use super::pruning::{LivePruning, PlannedGroup, PruningOptions, RowGroups};
use crate::meter::QueryMeter;

/// A scan of files, some of whose columns may be hot, or whose conditions are tested before other columns
/// are decoded.
pub(in crate::format::parquet) struct HotScan {
    cache: ColumnCache,
    readers: Arc<LakeReaderFactory>,
    adapters: Arc<dyn PhysicalExprAdapterFactory>,
    table: TableSchema,
    /// Of columns of the table.
    projection: ProjectionExprs,
    /// As of the projection. It rules out row groups, and rows as far as this is easy; all rows are tested
    /// above the scan.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Whether rows are tested here, too.
    filters_rows: bool,
    /// The names of the columns in files that are read.
    names: BTreeSet<String>,
    output: SchemaRef,
    pruning: PruningOptions,
    batch_size: usize,
    partition: usize,
    metrics: ExecutionPlanMetricsSet,
}

/// A file that was to be opened.
pub(in crate::format::parquet) enum Opened {
    Hot(BoxStream<'static, Result<RecordBatch>>),
    /// The file is for DataFusion to read.
    Cold(Box<PartitionedFile>),
}

impl HotScan {
    /// `source`: with the options that rows are filtered, they are filtered in files whose columns
    /// that the condition reads are kept or hot, and the other files are cold. `None`: nothing of
    /// the scan is kept.
    ///
    /// # Errors
    /// The projection does not go with the table.
    pub(in crate::format::parquet) fn of(
        cache: &ColumnCache,
        readers: &Arc<LakeReaderFactory>,
        source: &ParquetSource,
        batch_size: usize,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Option<Self>> {
        let options = &source.table_parquet_options().global;
        let table = source.table_schema();
        // A limit may end within a row group.
        let is_plain = config.limit.is_none()
            && !options.reorder_filters
            && options.coerce_int96.is_none()
            && table.virtual_columns().is_empty();
        let (Some(adapters), Some(projection), true) =
            (&config.expr_adapter_factory, source.projection(), is_plain)
        else {
            return Ok(None);
        };
        let in_files = table.file_schema().fields().len();
        let predicate = source.filter();
        let filters_rows = options.pushdown_filters;
        let tested = predicate.iter().filter(|_| filters_rows).map(Arc::clone);
        let columns = projection.expr_iter().chain(tested);
        let columns = columns.flat_map(|expr| collect_columns(&expr));
        let columns = columns.filter(|column| column.index() < in_files);
        let names: BTreeSet<String> = columns.map(|column| column.name().to_owned()).collect();
        let is_tested = cache.tests_early() && predicate.is_some() && !filters_rows;
        let may_be_read = cache.is_on() || is_tested;
        if names.is_empty() || !may_be_read || (filters_rows && predicate.is_none()) {
            return Ok(None);
        }
        Ok(Some(Self {
            cache: cache.clone(),
            readers: Arc::clone(readers),
            adapters: Arc::clone(adapters),
            table: table.clone(),
            projection: projection.clone(),
            predicate,
            filters_rows,
            names,
            output: Arc::new(projection.project_schema(table.table_schema())?),
            pruning: PruningOptions::of(options, source.max_in_list_size()),
            batch_size,
            partition,
            metrics: source.metrics().clone(),
        }))
    }

    /// Opens a file, if another query has read some of the columns lately, or there are conditions that are
    /// tested here.
    ///
    /// # Errors
    /// Those of DataFusion's opener.
    pub(in crate::format::parquet) async fn open(&self, file: PartitionedFile) -> Result<Opened> {
        let meter = &self.readers.meter;
        let Some(state) = FileState::of(&self.readers.root, &file.object_meta) else {
            return Ok(cold(file));
        };
        let state = Arc::new(state);
        // All are noted.
        let mut hot: HashSet<&str> = HashSet::new();
        for name in &self.names {
            if self.cache.was_read(&state, name, meter) {
                hot.insert(name);
            }
        }
        let may_be_late = self.cache.tests_early() && !self.filters_rows;
        let is_cold = hot.is_empty() && !(may_be_late && self.predicate.is_some());
        if is_cold || file.arrow_schema.is_some() {
            return Ok(cold(file));
        }

        // Shown if the file is read here.
        let metrics = ExecutionPlanMetricsSet::new();
        let name = file.object_meta.location.to_string();
        let of_file = ParquetFileMetrics::new(self.partition, &name, &metrics);
        let errors = MetricBuilder::new(&metrics).global_counter("num_predicate_creation_errors");
        let logical = self.table.file_schema();
        let Conditions {
            mut projection,
            mut predicate,
        } = self.with_constants(&file)?;
        let mut pruner = predicate.as_ref().and_then(|predicate| {
            FilePruner::try_new(Arc::clone(predicate), logical, &file, errors.clone())
        });
        if let Some(pruner) = &mut pruner
            && pruner.should_prune()?
        {
            return Ok(cold(file));
        }
        of_file.files_ranges_pruned_statistics.add_matched(1);

        let mut reader = LakeReader::new(&self.readers, file.clone(), Arc::clone(meter));
        let mut options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let mut metadata = ArrowReaderMetadata::load_async(&mut reader, options.clone()).await?;
        let mut schema = Arc::clone(metadata.schema());
        if let Some(coerced) = apply_file_schema_type_coercions(logical, &schema) {
            schema = Arc::new(coerced);
            options = options.with_schema(Arc::clone(&schema));
            let known = Arc::clone(metadata.metadata());
            metadata = ArrowReaderMetadata::try_new(known, options.clone())?;
        }
        if predicate.is_some() || *logical != schema {
            let adapter = self
                .adapters
                .create(Arc::clone(logical), Arc::clone(&schema))?;
            let simplifier = PhysicalExprSimplifier::new(&schema);
            let adapted = |expr: Arc<dyn PhysicalExpr>| simplifier.simplify(adapter.rewrite(expr)?);
            predicate = predicate.map(adapted).transpose()?;
            projection = projection.try_map_exprs(adapted)?;
        }
        let exprs: Vec<Arc<dyn PhysicalExpr>> = projection.expr_iter().collect();
        let Some(projected) = flat_roots(&exprs, &schema) else {
            return Ok(cold(file));
        };
        let tested = predicate.as_ref().filter(|_| self.filters_rows);
        let exprs: Vec<Arc<dyn PhysicalExpr>> = exprs.iter().chain(tested).cloned().collect();
        let Some(roots) = flat_roots(&exprs, &schema) else {
            return Ok(cold(file));
        };

        let early = predicate.as_ref().filter(|_| !self.filters_rows);
        let early = early.map(|predicate| EarlyFilter::of(predicate, &schema, &roots));
        let early = early.transpose()?.flatten();
        if hot.is_empty() && early.is_none() {
            return Ok(cold(file));
        }

        let groups = RowGroups::of(
            self.pruning,
            predicate.clone(),
            Arc::clone(&schema),
            &metadata,
            file.range.as_ref(),
            &of_file,
            &errors,
        );
        if groups.have_bloom_filters(&metadata) {
            return Ok(cold(file));
        }
        let plain = metadata.clone();
        let needs_index = groups.need_page_index(&metadata);
        if needs_index {
            let index = Box::pin(self.page_index(&state, &metadata, &mut reader)).await?;
            let options = options.with_page_index_policy(PageIndexPolicy::Optional);
            metadata = ArrowReaderMetadata::try_new(Arc::clone(&index.metadata), options)?;
        }
        let columns: Vec<Column> = roots
            .iter()
            .filter_map(|root| {
                let field = schema.fields().get(*root)?;
                let is_kept = is_kept(field.data_type());
                Some(Column {
                    root: *root,
                    data_type: field.data_type().clone(),
                    leaves: leaves(&metadata, *root),
                    is_kept,
                    is_hot: is_kept && hot.contains(field.name().as_str()),
                    is_projected: projected.contains(root),
                })
            })
            .collect();
        let read: Vec<usize> = columns
            .iter()
            .flat_map(|column| column.leaves.iter().copied())
            .collect();
        let filter = match tested {
            Some(tested) => RowFilter::of(tested, &schema, &roots)?,
            None => None,
        };
        let planned = groups.planned(&metadata, &read, &of_file);
        let planned = planned.filter(|planned| {
            !self.filters_rows
                || filter.as_ref().is_some_and(|filter| {
                    let mut groups = planned.groups.iter();
                    groups.all(|group| self.are_tested(&state, &columns, filter, group))
                })
        });
        let Some(planned) = planned else {
            // The index is read and charged once.
            let index = PageIndexed(Arc::clone(metadata.metadata()));
            return Ok(cold(match needs_index {
                true => file.with_extension(index),
                false => file,
            }));
        };

        for metric in metrics.clone_inner().iter() {
            self.metrics.register(Arc::clone(metric));
        }
        let live = predicate
            .as_ref()
            .filter(|_| planned.groups.len() > 1 && !planned.by_pages)
            .and_then(|predicate| LivePruning::of(self.pruning, predicate, &schema));
        let fetched = Arc::new(QueryMeter::new(None));
        let groups = Groups {
            cache: self.cache.clone(),
            file: state,
            columns: columns.into(),
            output: Output::new(&projection, &schema, &projected, &self.output)?,
            filter: filter.map(Arc::new),
            early: early.map(Arc::new),
            is_late: may_be_late,
            reader: LakeReader::new(&self.readers, file, Arc::clone(&fetched)),
            fetched,
            meter: Arc::clone(meter),
            metadata,
            plain,
            batch_size: self.batch_size,
            left: planned.groups.into(),
            current: None,
            pruner: pruner.filter(FilePruner::is_watching),
            live,
            baseline: BaselineMetrics::new(&self.metrics, self.partition),
            metrics: of_file,
        };
        Ok(Opened::Hot(groups.into_stream()))
    }

    /// The index of a file's pages, which is charged as it was when it was read.
    async fn page_index(
        &self,
        file: &Arc<FileState>,
        metadata: &ArrowReaderMetadata,
        reader: &mut LakeReader,
    ) -> Result<Arc<PageIndex>> {
        let key = IndexKey {
            file: Arc::clone(file),
            names: self.readers.names.clone(),
        };
        if let Some(index) = self.cache.index(&key) {
            for bytes in &index.reads {
                self.readers.meter.reserve(*bytes)?;
            }
            return Ok(index);
        }
        let known = metadata.metadata().as_ref().clone();
        let mut loaded = ParquetMetaDataReader::new_with_metadata(known)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let mut reads = Vec::new();
        let noting = Noting {
            reader,
            reads: &mut reads,
        };
        loaded.load_page_index(noting).await?;
        let index = Arc::new(PageIndex {
            metadata: Arc::new(loaded.finish()?),
            reads,
        });
        self.cache.keep_index(key, &index);
        Ok(index)
    }

    /// Whether the rows of a row group are tested here: all columns that its condition reads are
    /// kept, or hot and with a place in the cache. Where pages are ruled out, all are kept.
    fn are_tested(
        &self,
        file: &Arc<FileState>,
        columns: &[Column],
        filter: &RowFilter,
        planned: &PlannedGroup,
    ) -> bool {
        let mut columns = columns.iter().enumerate();
        columns.all(|(place, column)| {
            let key = column.key(file, planned.group);
            if column.is_kept && self.cache.has(&key) {
                return true;
            }
            let may_be_kept = || column.is_hot && self.cache.room(&key).is_some();
            planned.rows.is_none() && (!filter.reads(place) || may_be_kept())
        })
    }

    /// What the scan asks for, with columns that have one value in the file replaced by it.
    fn with_constants(&self, file: &PartitionedFile) -> Result<Conditions> {
        let keys = self.table.table_partition_cols().iter();
        let keys = keys.zip(&file.partition_values);
        let mut constants: HashMap<String, ScalarValue> = keys
            .map(|(field, value)| (field.name().clone(), value.clone()))
            .collect();
        constants.extend(constant_columns(file, self.table.file_schema()));
        let mut projection = self.projection.clone();
        let mut predicate = self.predicate.clone();
        if !constants.is_empty() {
            let replaced = |expr| replace_columns_with_literals(expr, &constants);
            projection = projection.try_map_exprs(replaced)?;
            predicate = predicate.map(replaced).transpose()?;
        }
        Ok(Conditions {
            projection,
            predicate,
        })
    }
}

/// What is asked of a file.
struct Conditions {
    projection: ProjectionExprs,
    predicate: Option<Arc<dyn PhysicalExpr>>,
}

fn cold(file: PartitionedFile) -> Opened {
    Opened::Cold(Box::new(file))
}

/// Columns of a file that statistics say have one value, as DataFusion's opener finds them.
fn constant_columns<'a>(
    file: &'a PartitionedFile,
    schema: &'a Schema,
) -> impl Iterator<Item = (String, ScalarValue)> + 'a {
    file.statistics.iter().flat_map(move |statistics| {
        let rows = match statistics.num_rows {
            Precision::Exact(rows) => Some(rows),
            _ => None,
        };
        let columns = schema.fields().iter().zip(&statistics.column_statistics);
        columns.filter_map(move |(field, column)| {
            let value = constant(column, rows, field.data_type())?;
            Some((field.name().clone(), value))
        })
    })
}

fn constant(
    column: &ColumnStatistics,
    rows: Option<usize>,
    data_type: &DataType,
) -> Option<ScalarValue> {
    if let (Precision::Exact(least), Precision::Exact(greatest)) =
        (&column.min_value, &column.max_value)
        && least == greatest
        && !least.is_null()
        && matches!(column.null_count, Precision::Exact(0))
    {
        if least.data_type() != *data_type {
            return least.cast_to(data_type).ok();
        }
        return Some(least.clone());
    }
    match (rows, &column.null_count) {
        (Some(rows), Precision::Exact(nulls)) if *nulls == rows => {
            ScalarValue::try_new_null(data_type).ok()
        }
        _ => None,
    }
}

/// The columns of a file that expressions read, by their numbers among the roots, in ascending
/// order. `None`: they read none, or may read parts of one.
fn flat_roots(exprs: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Option<Vec<usize>> {
    let mut roots = BTreeSet::new();
    for expr in exprs {
        for column in collect_columns(expr) {
            let field = schema.fields().get(column.index())?;
            if field.name() != column.name() || !is_flat(field.data_type()) {
                return None;
            }
            roots.insert(column.index());
        }
    }
    (!roots.is_empty()).then(|| roots.into_iter().collect())
}

/// Whether a column is read whole in any case: no part of a struct is taken of it.
fn is_flat(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            is_flat(item.data_type())
        }
        other => !other.is_nested(),
    }
}

fn leaves(metadata: &ArrowReaderMetadata, root: usize) -> Vec<usize> {
    let columns = metadata.parquet_schema();
    let leaves = 0..columns.num_columns();
    leaves
        .filter(|leaf| columns.get_column_root_idx(*leaf) == root)
        .collect()
}

/// A reader whose reads are noted, by their bytes.
struct Noting<'a> {
    reader: &'a mut LakeReader,
    reads: &'a mut Vec<u64>,
}

impl MetadataFetch for Noting<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.reads.push(range.end.saturating_sub(range.start));
        self.reader.get_bytes(range)
    }
}
