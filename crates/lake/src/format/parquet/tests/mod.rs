//! Parquet files in a memory store, read as queries read them: planned, pruned, decoded, metered.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::large_futures
)]

mod estimates;
mod forged;
mod hidden;
mod hostile;
mod hot;
mod hot_rows;
mod index;
mod lake_files;
mod late;
mod mutations;
mod names;
mod parquet_testing;
mod places;
mod row_filters;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_catalog::model::{Column, Parameters, SerDeInfo, StorageDescriptor, Table};
use lakegate_catalog::store::OpenWrites;
use lakegate_error::{Error, from_engine};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{ColumnCache, ColumnNames, FooterCache};
use crate::meter::{QueryMeter, QueryStores};
use crate::roots::{Backing, Roots};
use crate::scan::{self, QueryLake, Wanted};
use crate::table::{LakeTable, OpenedFiles, TableSnapshot, typed};

/// The table `raw.t` over the files of `s3://lake/t/`.
struct Lake {
    store: Arc<InMemory>,
    roots: Arc<Roots>,
    footers: FooterCache,
    hot: ColumnCache,
    table: Arc<LakeTable>,
    /// Footers of at most so many files are read while planning.
    max_statistics_files: usize,
}

/// What a query returned.
#[derive(Debug)]
struct Answer {
    rows: Vec<Vec<String>>,
    scanned: u64,
    opened: OpenedFiles,
}

impl Lake {
    /// `columns`: names and Hive types.
    fn new(columns: &[(&str, &str)]) -> Self {
        let store = Arc::new(InMemory::new());
        let backing = Backing::Remote {
            store: Arc::clone(&store) as _,
            place: "memory".to_owned(),
            prefix: Path::default(),
        };
        let now = chrono::Utc::now();
        let class = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
        let table = Table {
            id: 1,
            database_id: 1,
            definer: None,
            claim: Default::default(),
            outer_claim: None,
            database_name: "raw".to_owned(),
            name: "t".to_owned(),
            description: None,
            owner: None,
            create_time: now,
            update_time: now,
            retention: 0,
            storage_descriptor: StorageDescriptor {
                columns: columns
                    .iter()
                    .map(|(name, hive)| Column {
                        name: (*name).to_owned(),
                        data_type: (*hive).to_owned(),
                        ..Column::default()
                    })
                    .collect(),
                location: Some("s3://lake/t/".to_owned()),
                serde_info: Some(SerDeInfo {
                    serialization_library: Some(class.to_owned()),
                    ..SerDeInfo::default()
                }),
                ..StorageDescriptor::default()
            },
            partition_keys: Vec::new(),
            view_original_text: None,
            view_expanded_text: None,
            table_type: None,
            parameters: Parameters::default(),
            version_id: 0,
        };
        Self {
            roots: Arc::new(Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap()),
            store,
            footers: FooterCache::new(1 << 20),
            hot: ColumnCache::new(0),
            table: Arc::new(typed(&Arc::new(table), None).unwrap()),
            max_statistics_files: 4096,
        }
    }

    async fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        let bytes: Vec<u8> = bytes.into();
        let path = Path::from("t").join(name);
        self.store.put(&path, bytes.into()).await.unwrap();
    }

    /// `sql` over the table `t`.
    async fn query(&self, sql: &str) -> Result<Answer, Error> {
        let meter = Arc::new(QueryMeter::new(None));
        let (context, snapshot) = self.context(&meter, Vec::new()).await?;
        let frame = context.sql(sql).await.map_err(from_engine)?;
        let batches = frame.collect().await.map_err(from_engine)?;
        Ok(Answer {
            rows: batches.iter().flat_map(text).collect(),
            scanned: meter.scanned(),
            opened: snapshot.opened(),
        })
    }

    /// A session with the table `t`, which plans by these rules after the engine's own.
    async fn context(
        &self,
        meter: &Arc<QueryMeter>,
        rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
    ) -> Result<(SessionContext, Arc<TableSnapshot>), Error> {
        let lake = QueryLake {
            roots: Arc::clone(&self.roots),
            meter: Arc::clone(meter),
            footers: self.footers.clone(),
            hot: self.hot.clone(),
            max_statistics_files: self.max_statistics_files,
            max_row_bytes: 1024,
        };
        let snapshot = Arc::new(
            self.table
                .pruned(&self.roots, &[])?
                .list(&OpenWrites::default())
                .await?,
        );
        let provider = Provider {
            lake,
            table: Arc::clone(&self.table),
            snapshot: Arc::clone(&snapshot),
        };
        let stores = QueryStores::new(Arc::clone(&self.roots), Arc::clone(meter));
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(stores))
            .build_arc()
            .unwrap();
        let config = SessionConfig::new().with_target_partitions(2);
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features();
        for rule in rules {
            state = state.with_physical_optimizer_rule(rule);
        }
        let context = SessionContext::new_with_state(state.build());
        context.register_table("t", Arc::new(provider)).unwrap();
        Ok((context, snapshot))
    }

    async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match self.query(sql).await {
            Ok(answer) => answer.rows,
            Err(error) => panic!("{sql}: {error}"),
        }
    }
}

fn text(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    let row = |row: usize| columns.iter().map(|c| c.value(row).to_string()).collect();
    (0..batch.num_rows()).map(row).collect()
}

#[derive(Debug)]
struct Provider {
    lake: QueryLake,
    table: Arc<LakeTable>,
    snapshot: Arc<TableSnapshot>,
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let wanted = Wanted {
            projection,
            filters,
            limit,
        };
        Ok(scan::plan(state, &self.lake, &self.table, &self.snapshot, wanted).await?)
    }
}

fn ints(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Columns that may be null.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// A file of snappy pages, `rows` rows to the row group.
fn file(batch: &RecordBatch, rows: usize) -> Vec<u8> {
    written(batch, rows, false)
}

/// Without the Arrow schema, as other writers make it.
fn foreign_file(batch: &RecordBatch, rows: usize) -> Vec<u8> {
    written(batch, rows, true)
}

fn written(batch: &RecordBatch, rows: usize, foreign: bool) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(rows))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(foreign);
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}
