//! Files in a memory store, read as a query reads them: from the SerDe's name to rows.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod delimited;
mod files;
mod fuzz;
mod json;
mod matching;
mod written;

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Error, from_engine};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{MAX_ROW_BYTES, TextFormat, TextSource};
use crate::format::TableFormat;

const OPENX: &str = "org.openx.data.jsonserde.JsonSerDe";
const HIVE_JSON: &str = "org.apache.hive.hcatalog.data.JsonSerDe";
const OPEN_CSV: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
const LAZY: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

/// A table over files in memory.
struct Lake {
    format: TextFormat,
    schema: SchemaRef,
    keys: Vec<Field>,
    store: Arc<dyn ObjectStore>,
    files: Vec<PartitionedFile>,
    projection: Option<Vec<usize>>,
    limit: Option<usize>,
    batch_size: usize,
    max_row_bytes: usize,
}

impl Lake {
    /// `columns`: names and Hive types. `properties`: of the SerDe and of the table alike.
    fn new(class: &str, properties: &[(&str, &str)], columns: &[(&str, &str)]) -> Self {
        let TableFormat::Text(format) = TableFormat::of_serde(class, properties).unwrap() else {
            panic!("{class} is no text format")
        };
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, hive)| {
                Field::new(*name, hive.parse::<HiveType>().unwrap().to_arrow(), true)
            })
            .collect();
        Self {
            format,
            schema: Arc::new(Schema::new(fields)),
            keys: Vec::new(),
            store: Arc::new(InMemory::new()),
            files: Vec::new(),
            projection: None,
            limit: None,
            batch_size: 8192,
            max_row_bytes: MAX_ROW_BYTES,
        }
    }

    async fn file(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Vec<u8> = bytes.into();
        let size = bytes.len() as u64;
        self.store
            .put(&Path::from(name), bytes.into())
            .await
            .unwrap();
        self.files.push(PartitionedFile::new(name, size));
        self
    }

    fn project(mut self, columns: &[usize]) -> Self {
        self.projection = Some(columns.to_vec());
        self
    }

    fn config(&self) -> FileScanConfig {
        let keys: Vec<_> = self.keys.iter().cloned().map(Arc::new).collect();
        let table_schema = TableSchema::builder(Arc::clone(&self.schema))
            .with_table_partition_cols(keys)
            .build();
        let urls = Arc::new(|path: &Path| format!("s3://lake/{path}"));
        let source = TextSource::new(&self.format, table_schema, "raw.t", urls)
            .with_max_row_bytes(self.max_row_bytes);
        FileScanConfigBuilder::new(
            ObjectStoreUrl::parse("lake://test/").unwrap(),
            Arc::new(source),
        )
        .with_file_group(FileGroup::new(self.files.clone()))
        .with_projection_indices(self.projection.clone())
        .unwrap()
        .with_limit(self.limit)
        .with_batch_size(Some(self.batch_size))
        .build()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        let config = self.config();
        let runtime = RuntimeEnv::default();
        runtime.register_object_store(config.object_store_url.as_ref(), Arc::clone(&self.store));
        let context = Arc::new(TaskContext::default().with_runtime(Arc::new(runtime)));
        let plan = DataSourceExec::from_data_source(config);
        let stream = plan.execute(0, context).map_err(from_engine)?;
        let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(from_engine)?;
        for batch in &batches {
            assert!(batch.num_rows() <= self.batch_size);
            for column in batch.columns() {
                column.to_data().validate_full().unwrap();
            }
        }
        Ok(batches)
    }

    async fn rows(&self) -> Result<Vec<Vec<String>>, Error> {
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in self.batches().await? {
            let columns: Vec<ArrayFormatter<'_>> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
                .collect();
            rows.extend((0..batch.num_rows()).map(|row| {
                columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect()
            }));
        }
        Ok(rows)
    }
}

/// The rows of one file `f`.
async fn read(
    class: &str,
    properties: &[(&str, &str)],
    columns: &[(&str, &str)],
    text: impl Into<Vec<u8>>,
) -> Result<Vec<Vec<String>>, Error> {
    Lake::new(class, properties, columns)
        .file("f", text)
        .await
        .rows()
        .await
}

/// The first column of [`read`].
async fn column(class: &str, hive: &str, text: &str) -> Result<Vec<String>, Error> {
    let rows = read(class, &[], &[("a", hive)], text).await?;
    Ok(rows.into_iter().map(|mut row| row.remove(0)).collect())
}

fn ranged(file: &PartitionedFile, range: std::ops::Range<u64>) -> PartitionedFile {
    let mut file = file.clone();
    file.range = Some(FileRange {
        start: range.start.try_into().unwrap(),
        end: range.end.try_into().unwrap(),
    });
    file
}

fn keyed(mut file: PartitionedFile, value: ScalarValue) -> PartitionedFile {
    file.partition_values = vec![value];
    file
}
