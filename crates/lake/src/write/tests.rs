//! Writes to a folder that no table has, and to the folder of a table.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use futures::TryStreamExt;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::partition::PartitionKey;
use lakegate_catalog::store::{Metastore, SqliteStore, WriteLog};
use lakegate_error::Code;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;

use super::columns::Mapping;
use super::{Destination, PartitionedWriter};
use crate::format::{Codec, TableFormat};
use crate::roots::{Backing, Roots};

struct Lake {
    store: Arc<InMemory>,
    destination: Destination,
}

/// The folder `s3://lake/out/`, of no table.
async fn lake(keys: Vec<PartitionKey>) -> Lake {
    let store = Arc::new(InMemory::new());
    let backing = Backing::Remote {
        store: Arc::clone(&store) as Arc<dyn ObjectStore>,
        place: "memory".to_owned(),
        prefix: Path::default(),
    };
    let catalog = SqliteStore::in_memory().unwrap();
    let database = lakegate_catalog::model::DatabaseInput {
        name: "d".to_owned(),
        ..Default::default()
    };
    catalog.create_database(database, false).await.unwrap();
    Lake {
        store,
        destination: Destination {
            label: "location 's3://lake/out/'".to_owned(),
            url: "s3://lake/out/".to_owned(),
            roots: Arc::new(Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap()),
            format: TableFormat::Parquet,
            codec: Codec::Zstd,
            keys: keys.into(),
            write: catalog.begin_write("d", "t", Vec::new()).await.unwrap(),
            table: None,
        },
    }
}

fn rows() -> RecordBatch {
    let n = Int64Array::from_iter_values(0..4);
    let city = StringArray::from(vec!["Bern", "Thun", "Bern", "Bern"]);
    RecordBatch::try_from_iter([("n", Arc::new(n) as _), ("city", Arc::new(city) as _)]).unwrap()
}

fn writer(destination: Destination) -> lakegate_error::Result<PartitionedWriter> {
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let memory = MemoryConsumer::new("write").register(&pool);
    let schema = rows().schema();
    let mapping = Mapping::new(&destination.label, &schema, &schema, |_| true)?;
    PartitionedWriter::new(destination, mapping, memory)
}

#[tokio::test]
async fn folder_without_a_table_gets_a_file_a_partition() {
    let lake = lake(vec![PartitionKey::new("city", HiveType::String)]).await;
    let write = lake.destination.write;
    let mut writer = writer(lake.destination).unwrap();
    writer.write(&rows()).await.unwrap();
    let written = writer.finish().await.unwrap();
    assert_eq!((written.rows, written.files), (4, 2));
    let locations: Vec<_> = written
        .partitions
        .iter()
        .map(|partition| partition.location.as_deref().unwrap())
        .collect();
    assert_eq!(
        locations,
        ["s3://lake/out/city=Bern/", "s3://lake/out/city=Thun/"]
    );
    let mut listed: Vec<_> = lake.store.list(None).try_collect().await.unwrap();
    listed.sort_by(|one, other| one.location.cmp(&other.location));
    let paths: Vec<_> = listed.iter().map(|file| file.location.as_ref()).collect();
    assert_eq!(
        paths,
        [
            format!("out/city=Bern/{}", write.file_name(0)),
            format!("out/city=Thun/{}", write.file_name(1)),
        ]
    );
    let bern = lake.store.get(&listed[0].location).await.unwrap();
    let bytes = bern.bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let column = reader.metadata().row_group(0).column(0);
    assert!(matches!(column.compression(), Compression::ZSTD(_)));
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches[0].num_columns(), 1);
    let n = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(n.values(), &[0, 2, 3]);
}

#[tokio::test]
async fn folder_without_keys_gets_all_rows_in_one_file() {
    let lake = lake(Vec::new()).await;
    let mut writer = writer(lake.destination).unwrap();
    writer.write(&rows()).await.unwrap();
    let written = writer.finish().await.unwrap();
    assert_eq!((written.rows, written.files), (4, 1));
    assert!(written.partitions.is_empty());
}

#[tokio::test]
async fn format_that_is_not_written_is_refused_before_any_row() {
    let mut lake = lake(Vec::new()).await;
    let csv = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
    let descriptor = lakegate_catalog::model::StorageDescriptor {
        serde_info: Some(lakegate_catalog::model::SerDeInfo {
            serialization_library: Some(csv.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    lake.destination.format = TableFormat::detect(&descriptor, &Default::default()).unwrap();
    let error = writer(lake.destination).unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    assert!(error.message().contains("s3://lake/out/"), "{error}");
}
