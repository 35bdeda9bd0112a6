//! Parquet files: footers are cached and charged, and a file's columns are checked against the table's.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::Statistics;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::meter::{ObjectId, QueryMeter};
use super::roots::Root;
use crate::error::{Code, Error, Result};

/// The last bytes of a file that are fetched in one request, in the hope that they hold the whole footer.
const FOOTER_HINT: usize = 64 * 1024;

/// A footer larger than this is refused: a file can claim any length.
const MAX_FOOTER: u64 = 256 * 1024 * 1024;

/// Footers by store, path and ETag, bounded in bytes. Shared by all queries.
#[derive(Clone)]
pub struct FooterCache {
    footers: moka::future::Cache<FooterKey, Arc<ParquetMetaData>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FooterKey {
    object: ObjectId,
    /// ETag, or size and modification time where a store gives none.
    version: String,
}

impl fmt::Debug for FooterCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FooterCache")
            .field("entries", &self.footers.entry_count())
            .finish()
    }
}

impl FooterCache {
    /// `capacity`: bytes of decoded footers.
    pub fn new(capacity: u64) -> Self {
        let footers = moka::future::Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &FooterKey, footer: &Arc<ParquetMetaData>| {
                u32::try_from(footer.memory_size() + key.object.1.as_ref().len() + 128)
                    .unwrap_or(u32::MAX)
            })
            .build();
        Self { footers }
    }

    /// The footer of one file, from the cache or the store, charged to the query once either way.
    ///
    /// Errors: the file is no Parquet file or its footer is damaged; the cutoff; the store.
    pub async fn footer(
        &self,
        root: &Root,
        file: &ObjectMeta,
        meter: &Arc<QueryMeter>,
    ) -> Result<Arc<ParquetMetaData>> {
        let key = FooterKey {
            object: root.object_id(&file.location),
            version: version_of(file),
        };
        if let Some(footer) = self.footers.get(&key).await {
            meter.charge_footer(
                root.object_id(&file.location),
                footer_bytes(&footer, file.size),
            )?;
            return Ok(footer);
        }
        // Fetched past the meter's account of scanned bytes: the charge below is the same with a cold cache.
        let unmetered = Arc::new(QueryMeter::new(None));
        if let Some(e_tag) = &file.e_tag {
            unmetered.pin([(root.object_id(&file.location), e_tag.clone())]);
        }
        let fetch = Fetch {
            store: root.metered(&unmetered),
            path: file.location.clone(),
        };
        let loaded = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_prefetch_hint(Some(FOOTER_HINT))
            .load_and_finish(fetch, file.size)
            .await;
        meter.add_fetched(unmetered.fetched());
        let footer = Arc::new(loaded.map_err(|e| damaged(&root.display_path(&file.location), &e))?);
        meter.charge_footer(
            root.object_id(&file.location),
            footer_bytes(&footer, file.size),
        )?;
        self.footers.insert(key, Arc::clone(&footer)).await;
        Ok(footer)
    }
}

/// What identifies one state of an object.
pub fn version_of(file: &ObjectMeta) -> String {
    match &file.e_tag {
        Some(e_tag) => e_tag.clone(),
        None => format!("{}-{}", file.size, file.last_modified.timestamp_micros()),
    }
}

fn damaged(file: &str, error: &ParquetError) -> Error {
    if let ParquetError::External(source) = error
        && let Some(error) = crate::error::find(source.as_ref())
    {
        return error;
    }
    Error::new(
        Code::BadData,
        format!("file {file} cannot be read as Parquet: {error}"),
    )
    .with_hint(
        "remove the file or rewrite it; a name that starts with '_' or '.' hides it from queries",
    )
}

/// The bytes between the last page or index and the end of the file: what reading the footer costs.
fn footer_bytes(footer: &ParquetMetaData, file_size: u64) -> u64 {
    let data_end = footer
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
        .map(|column| {
            let (start, length) = column.byte_range();
            let pages = start.saturating_add(length);
            let index_end = |offset: Option<i64>, length: Option<i32>| {
                u64::try_from(offset.unwrap_or(0)).unwrap_or(0)
                    + u64::try_from(length.unwrap_or(0)).unwrap_or(0)
            };
            pages
                .max(index_end(
                    column.column_index_offset(),
                    column.column_index_length(),
                ))
                .max(index_end(
                    column.offset_index_offset(),
                    column.offset_index_length(),
                ))
                .max(index_end(
                    column.bloom_filter_offset(),
                    column.bloom_filter_length(),
                ))
        })
        .max()
        .unwrap_or(0);
    file_size.saturating_sub(data_end)
}

struct Fetch {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl MetadataFetch for Fetch {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            if range.end.saturating_sub(range.start) > MAX_FOOTER {
                return Err(ParquetError::General(format!(
                    "its footer claims more than {MAX_FOOTER} bytes"
                )));
            }
            one_range(self.store.as_ref(), &self.path, range).await
        }
        .boxed()
    }
}

async fn one_range(
    store: &dyn ObjectStore,
    path: &Path,
    range: Range<u64>,
) -> parquet::errors::Result<Bytes> {
    let mut pieces = store
        .get_ranges(path, std::slice::from_ref(&range))
        .await
        .map_err(|e| ParquetError::External(Box::new(e)))?;
    pieces
        .pop()
        .ok_or_else(|| ParquetError::General("the store returned nothing for a range".to_owned()))
}

/// Readers for one scan: they charge footers, check columns, and read through the query's meter.
#[derive(Debug)]
pub struct LakeReaderFactory {
    pub root: Arc<Root>,
    pub footers: FooterCache,
    pub meter: Arc<QueryMeter>,
    pub checks: Arc<ColumnChecks>,
}

impl ParquetFileReaderFactory for LakeReaderFactory {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(LakeReader {
            store: self.root.metered(&self.meter),
            root: Arc::clone(&self.root),
            footers: self.footers.clone(),
            meter: Arc::clone(&self.meter),
            checks: Arc::clone(&self.checks),
            file,
        }))
    }
}

struct LakeReader {
    store: Arc<dyn ObjectStore>,
    root: Arc<Root>,
    footers: FooterCache,
    meter: Arc<QueryMeter>,
    checks: Arc<ColumnChecks>,
    file: PartitionedFile,
}

impl AsyncFileReader for LakeReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        one_range(self.store.as_ref(), &self.file.object_meta.location, range).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            self.store
                .get_ranges(&self.file.object_meta.location, &ranges)
                .await
                .map_err(|e| ParquetError::External(Box::new(e)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let external = |e: Error| ParquetError::External(Box::new(e));
            let footer = self
                .footers
                .footer(&self.root, &self.file.object_meta, &self.meter)
                .await
                .map_err(external)?;
            let url = self.root.display_path(&self.file.object_meta.location);
            let partition = self
                .file
                .extension::<PartitionName>()
                .map_or("", |name| &name.0);
            self.checks
                .check(&footer, partition, &url)
                .map_err(external)?;
            Ok(footer)
        }
        .boxed()
    }
}

/// Statistics of one file in the table's columns: row count, and per column bounds and null counts.
pub fn file_statistics(footer: &ParquetMetaData, file_schema: &SchemaRef) -> Statistics {
    DFParquetMetadata::statistics_from_parquet_metadata(footer, file_schema)
        .unwrap_or_else(|_| Statistics::new_unknown(file_schema))
}

/// The partition that a file belongs to, as `key=value/key=value`; empty where the table has none.
#[derive(Debug, Clone)]
pub struct PartitionName(pub Arc<str>);

/// Says whether a file's columns can be read as the table's.
#[derive(Debug)]
pub struct ColumnChecks {
    pub table: String,
    /// The data columns that the scan reads.
    pub columns: SchemaRef,
}

impl ColumnChecks {
    /// Errors: a column whose type in the file cannot be cast to the table's, naming table, file and both types.
    pub fn check(&self, footer: &ParquetMetaData, partition: &str, file: &str) -> Result<()> {
        let metadata = footer.file_metadata();
        let schema =
            parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata())
                .or_else(|_| parquet_to_arrow_schema(metadata.schema_descr(), None))
                .map_err(|e| damaged(file, &e))?;
        self.check_schema(&schema, partition, file)
    }

    fn check_schema(&self, file_schema: &Schema, partition: &str, file: &str) -> Result<()> {
        for column in self.columns.fields() {
            let Ok(found) = file_schema.field_with_name(column.name()) else {
                continue;
            };
            if !readable_as(found.data_type(), column.data_type()) {
                let partition = if partition.is_empty() {
                    String::new()
                } else {
                    format!(" of partition {partition}")
                };
                return Err(Error::new(
                    Code::TypeMismatch,
                    format!(
                        "column '{}' of table {} is declared as {} but file {file}{partition} holds {}",
                        column.name(),
                        self.table,
                        crate::lake::type_name(column.data_type()),
                        crate::lake::type_name(found.data_type()),
                    ),
                )
                .with_hint("declare the column with the file's type, or rewrite the file"));
            }
        }
        Ok(())
    }
}

/// Whether values of `file` can be cast to `table` without parsing text and without guessing.
fn readable_as(file: &DataType, table: &DataType) -> bool {
    use DataType as T;
    let text = |t: &T| matches!(t, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let binary = |t: &T| {
        matches!(
            t,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)
        )
    };
    match (file, table) {
        (file, table) if file == table => true,
        (T::Dictionary(_, value), table) => readable_as(value, table),
        (T::Null, _) => true,
        (file, table) if text(table) => !file.is_nested(),
        (file, table) if binary(table) => binary(file) || text(file),
        (file, table) if table.is_numeric() => file.is_numeric(),
        (T::Timestamp(..), T::Timestamp(..) | T::Date32) => true,
        (T::Date32 | T::Date64, T::Timestamp(..) | T::Date32) => true,
        (T::Time32(_) | T::Time64(_), T::Time32(_) | T::Time64(_)) => true,
        (T::List(file) | T::LargeList(file), T::List(table)) => {
            readable_as(file.data_type(), table.data_type())
        }
        (T::Map(file, _), T::Map(table, _)) => {
            let (T::Struct(file), T::Struct(table)) = (file.data_type(), table.data_type()) else {
                return false;
            };
            file.len() == 2
                && table.len() == 2
                && file
                    .iter()
                    .zip(table)
                    .all(|(file, table)| readable_as(file.data_type(), table.data_type()))
        }
        (T::Struct(file), T::Struct(table)) => table.iter().all(|field| {
            file.iter()
                .find(|found| found.name() == field.name())
                .is_none_or(|found| readable_as(found.data_type(), field.data_type()))
        }),
        _ => false,
    }
}
