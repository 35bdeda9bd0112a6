//! Writes to a folder that no table has, and to the folder of a table.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryPool, UnboundedMemoryPool,
};
use datafusion::physical_plan::collect;
use futures::TryStreamExt;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, SortColumn, StorageDescriptor, Table, TableInput};
use lakegate_catalog::partition::PartitionKey;
use lakegate_catalog::store::{Metastore, SqliteStore, WriteLog};
use lakegate_error::{Code, Error};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;

use super::columns::Mapping;
use super::{Destination, Layout, PartitionedWriter, RowOrder, codec};
use crate::format::parquet::ParquetFormat;
use crate::format::{Codec, TableFormat, ZstdLevel};

struct Lake {
    store: Arc<InMemory>,
    destination: Destination,
}

impl Lake {
    /// The lengths of all files.
    async fn sizes(&self) -> Vec<u64> {
        let listed: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        listed.iter().map(|file| file.size).collect()
    }

    /// The numbers of each partition in the order of their files, by the folder's name, and how
    /// many files it has.
    async fn numbers(&self) -> BTreeMap<String, (Vec<i64>, usize)> {
        let mut listed: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        listed.sort_by(|one, other| one.location.cmp(&other.location));
        let mut numbers: BTreeMap<String, (Vec<i64>, usize)> = BTreeMap::new();
        for file in listed {
            let bytes = self.store.get(&file.location).await.unwrap();
            let bytes = bytes.bytes().await.unwrap();
            let folder = file.location.parts().nth(1).unwrap();
            let (of_folder, files) = numbers.entry(folder.as_ref().to_owned()).or_default();
            *files += 1;
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            for batch in reader.build().unwrap() {
                let column = batch.unwrap().column(0).clone();
                of_folder.extend_from_slice(column.as_primitive::<Int64Type>().values());
            }
        }
        numbers
    }
}

/// `count` numbers from `from` on, each of the partition that `key` has for it.
fn keyed(from: i64, count: i64, key: impl Fn(i64) -> i64) -> RecordBatch {
    let n = Int64Array::from_iter_values(from..from + count);
    let keys = Int64Array::from_iter_values((from..from + count).map(key));
    RecordBatch::try_from_iter([("n", Arc::new(n) as _), ("key", Arc::new(keys) as _)]).unwrap()
}

/// A key below `partitions` for each number, in no order.
fn scattered(partitions: i64) -> impl Fn(i64) -> i64 {
    move |n| {
        let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        (mixed % partitions as u64) as i64
    }
}

fn keys() -> Vec<PartitionKey> {
    vec![PartitionKey::new("key", HiveType::BigInt)]
}

/// The folder `s3://lake/out/`, of no table.
async fn lake(keys: Vec<PartitionKey>) -> Lake {
    let (store, roots) = crate::testing::lake();
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
            roots: Arc::new(roots),
            format: TableFormat::Parquet(ParquetFormat::default()),
            codec: Codec::ZSTD,
            keys: keys.into(),
            write: catalog.begin_write("d", "t", Vec::new()).await.unwrap(),
            layout: Arc::default(),
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
    writer_within(
        Arc::new(UnboundedMemoryPool::default()),
        destination,
        &rows().schema(),
    )
}

fn writer_within(
    pool: Arc<dyn MemoryPool>,
    destination: Destination,
    schema: &SchemaRef,
) -> lakegate_error::Result<PartitionedWriter> {
    let memory = MemoryConsumer::new("write").register(&pool);
    let mapping = Mapping::new(&destination.label, schema, schema, |_| true)?;
    PartitionedWriter::new(destination, mapping, memory)
}

#[tokio::test]
async fn folder_without_a_table_gets_a_file_a_partition() {
    let lake = lake(vec![PartitionKey::new("city", HiveType::String)]).await;
    let write = lake.destination.write;
    let mut writer = writer(lake.destination.clone()).unwrap();
    writer.write(&rows()).await.unwrap();
    let written = writer.finish().await.unwrap();
    assert_eq!((written.rows, written.files), (4, 2));
    let sizes: u64 = lake.sizes().await.iter().sum();
    assert_eq!(written.bytes, sizes);
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

#[tokio::test]
async fn thousands_of_partitions_in_random_order_have_a_file_each() {
    let mut lake = lake(keys()).await;
    lake.destination.codec = Codec::Snappy;
    let pool = Arc::new(GreedyMemoryPool::new(64 << 20));
    let schema = keyed(0, 1, |n| n).schema();
    let mut writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    for part in 0..10 {
        let batch = keyed(part * 8_192, 8_192, scattered(10_000));
        writer.write(&batch).await.unwrap();
    }
    let written = writer.finish().await.unwrap();
    assert_eq!(written.rows, 81_920);
    assert_eq!(written.partitions.len() as u64, written.files);
    assert!(written.files > 6_000, "{}", written.files);
    assert_eq!(written.bytes, lake.sizes().await.iter().sum::<u64>());
}

#[tokio::test]
async fn one_partition_too_many_is_refused() {
    let lake = lake(keys()).await;
    let pool = Arc::new(UnboundedMemoryPool::default());
    let schema = keyed(0, 1, |n| n).schema();
    let mut writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    writer.write(&keyed(0, 10_001, |n| n)).await.unwrap();
    let error = writer.finish().await.unwrap_err();
    assert_eq!(error.code(), Code::TooManyQueries);
    assert!(lake.sizes().await.is_empty());
}

#[tokio::test]
async fn thousands_of_files_are_not_ended_for_a_write_that_is_stopped() {
    let lake = lake(keys()).await;
    let pool = Arc::new(UnboundedMemoryPool::default());
    let schema = keyed(0, 1, |n| n).schema();
    let mut writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    writer.write(&keyed(0, 5_000, |n| n)).await.unwrap();
    let stopped = async {
        while lake.sizes().await.len() < 10 {
            tokio::task::yield_now().await;
        }
        Error::new(Code::QueryCancelled, "stopped")
    };
    let error = writer.finish_unless(stopped).await.unwrap_err();
    assert_eq!(error.code(), Code::QueryCancelled);
    let files = lake.sizes().await.len();
    assert!((10..1_000).contains(&files), "{files}");
}

/// Where memory is short, what waits is written in few files, and none of it is lost.
#[tokio::test]
async fn rows_that_do_not_fit_in_memory_are_written_in_few_files_a_partition() {
    let lake = lake(keys()).await;
    let limit = 1 << 20;
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(limit));
    let schema = keyed(0, 1, |n| n).schema();
    let mut writer = writer_within(Arc::clone(&pool), lake.destination.clone(), &schema).unwrap();
    writer.limits.staged = limit / 8;
    let (partitions, rows) = (200, 400_000);
    for from in (0..rows).step_by(8_192) {
        let count = 8_192.min(rows - from);
        writer
            .write(&keyed(from, count, scattered(partitions)))
            .await
            .unwrap();
        assert!(writer.held() <= limit, "{}", writer.held());
        assert!(pool.reserved() <= limit);
    }
    let before = writer.bytes_written();
    assert!(before > 0);
    let written = writer.finish().await.unwrap();
    assert!(written.bytes > before);
    let numbers = lake.numbers().await;
    assert_eq!(numbers.len(), 200);
    let mut all = Vec::new();
    for (folder, (numbers, files)) in numbers {
        // 3.2 MB of numbers, of which a part of a MiB waits.
        assert!(files <= 12, "{folder}: {files}");
        assert!(numbers.is_sorted(), "{folder}");
        all.extend(numbers);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..rows));
}

/// Rows that come in batches of their own take mostly arrays.
#[tokio::test]
async fn arrays_of_batches_of_one_row_are_counted() {
    for split_by in [keys(), Vec::new()] {
        let lake = lake(split_by).await;
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let schema = keyed(0, 1, |n| n).schema();
        let mut writer =
            writer_within(Arc::clone(&pool), lake.destination.clone(), &schema).unwrap();
        for n in 0..5_000 {
            writer.write(&keyed(n, 1, |n| n % 3)).await.unwrap();
        }
        // Two arrays a row.
        assert!(writer.held() > 5_000 * 2 * 256, "{}", writer.held());
        assert!(pool.reserved() > 5_000 * 2 * 256, "{}", pool.reserved());
        assert_eq!(writer.finish().await.unwrap().rows, 5_000);
    }
}

#[tokio::test]
async fn sorted_rows_have_one_partition_in_memory_and_one_file_in_each() {
    let lake = lake(keys()).await;
    let pool = Arc::new(GreedyMemoryPool::new(1 << 20));
    let schema = keyed(0, 1, |n| n).schema();
    let writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    let mut writer = writer.ordered();
    writer.limits.staged = 1 << 17;
    for from in (0..400_000).step_by(8_000) {
        writer
            .write(&keyed(from, 8_000, |n| n / 500))
            .await
            .unwrap();
        let waiting = writer.folders.iter().filter(|folder| folder.memory() > 0);
        assert!(waiting.count() <= 1);
    }
    let written = writer.finish().await.unwrap();
    assert_eq!((written.files, written.partitions.len()), (800, 800));
    let numbers = lake.numbers().await;
    for (folder, (numbers, files)) in numbers {
        assert_eq!((numbers.len(), files), (500, 1), "{folder}");
        assert!(numbers.is_sorted(), "{folder}");
    }
}

/// The layout of a table of numbers by key, in buckets by number, each sorted from the largest on.
fn layout(buckets: i32) -> Layout {
    let input = TableInput {
        name: "t".to_owned(),
        storage_descriptor: StorageDescriptor {
            columns: vec![Column::new("n", "bigint")],
            number_of_buckets: buckets,
            bucket_columns: vec!["n".to_owned()],
            sort_columns: vec![SortColumn {
                column: "n".to_owned(),
                sort_order: 0,
            }],
            ..Default::default()
        },
        partition_keys: vec![Column::new("key", "bigint")],
        ..Default::default()
    };
    Layout::of_table(&Table::of_input(input, "d", chrono::Utc::now())).unwrap()
}

/// However little memory there is, and whatever the order of the rows.
#[tokio::test]
async fn each_bucket_of_a_partition_has_one_sorted_file() {
    let mut lake = lake(keys()).await;
    let (partitions, buckets, rows) = (3, 4, 60_000);
    let layout = layout(buckets);
    lake.destination.layout = Arc::new(layout.clone());
    let schema = keyed(0, 1, |n| n).schema();
    let mapping = Mapping::new("d.t", &schema, &schema, |_| true).unwrap();
    let halves = [0, rows / 2].map(|from| vec![keyed(from, rows / 2, scattered(partitions))]);
    let plan = MemorySourceConfig::try_new_exec(&halves, Arc::clone(&schema), None).unwrap();
    let order = RowOrder::new(&layout, &mapping).unwrap();
    let plan = order.above(plan);
    let batches = collect(plan, Arc::default()).await.unwrap();

    let pool = Arc::new(GreedyMemoryPool::new(1 << 17));
    let write = lake.destination.write;
    let writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    let mut writer = writer.ordered();
    writer.limits.staged = 1 << 14;
    for batch in batches {
        writer.write(&batch).await.unwrap();
    }
    let written = writer.finish().await.unwrap();
    assert_eq!(written.rows, rows.unsigned_abs());
    assert_eq!((written.files, written.partitions.len()), (12, 3));

    let mut seen = 0;
    let mut of_key = BTreeMap::new();
    let listed: Vec<_> = lake.store.list(None).try_collect().await.unwrap();
    for file in listed {
        let name = file.location.filename().unwrap();
        let number = write.file_number(name).unwrap();
        let bucket: i64 = name[..6].parse().unwrap();
        let expected = u32::try_from(bucket).unwrap();
        assert_eq!(name, write.bucket_file_name(expected, number, "parquet"));
        let folder = file.location.parts().nth(1).unwrap();
        let folder = folder.as_ref().to_owned();
        assert!(of_key.insert((folder, bucket), number).is_none(), "{name}");
        let bytes = lake.store.get(&file.location).await.unwrap();
        let bytes = bytes.bytes().await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let sorting = reader.metadata().row_group(0).sorting_columns().cloned();
        assert!(sorting.unwrap()[0].descending);
        let mut last = i64::MAX;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            for n in batch.column(0).as_primitive::<Int64Type>().values() {
                // The hash of a small number is the number.
                assert_eq!(n % i64::from(buckets), bucket, "{name}");
                assert!(*n < last, "{name}");
                last = *n;
                seen += 1;
            }
        }
    }
    assert_eq!((of_key.len(), seen), (12, rows));
}

/// A partition of many rows has an open file, and no more are open than may be.
#[tokio::test]
async fn no_more_files_are_open_than_the_bound() {
    let lake = lake(keys()).await;
    let pool = Arc::new(UnboundedMemoryPool::default());
    let schema = keyed(0, 1, |n| n).schema();
    let mut writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    writer.limits.open_from = 1;
    writer.limits.open = 8;
    writer.limits.staged = 1 << 14;
    for from in (0..64_000).step_by(1_000) {
        writer
            .write(&keyed(from, 1_000, |n| n / 1_000))
            .await
            .unwrap();
        let open = writer.folders.iter().filter(|folder| folder.open.is_some());
        assert!(open.count() <= 8);
    }
    let written = writer.finish().await.unwrap();
    assert_eq!((written.rows, written.partitions.len()), (64_000, 64));
    assert_eq!(lake.numbers().await.len(), 64);
}

#[tokio::test]
async fn rows_are_written_as_text_with_the_extension_of_its_codec() {
    let mut lake = lake(keys()).await;
    let json = "org.apache.hive.hcatalog.data.JsonSerDe";
    lake.destination.format = TableFormat::of_serde(json, &[]).unwrap();
    lake.destination.codec = Codec::Gzip;
    let pool = Arc::new(UnboundedMemoryPool::default());
    let schema = keyed(0, 1, |n| n).schema();
    let write = lake.destination.write;
    let mut writer = writer_within(pool, lake.destination.clone(), &schema).unwrap();
    writer.write(&keyed(0, 2, |_| 7)).await.unwrap();
    writer.finish().await.unwrap();
    let listed: Vec<_> = lake.store.list(None).try_collect().await.unwrap();
    let name = write.file_name_of(0, "json.gz");
    assert_eq!(listed[0].location.as_ref(), format!("out/key=7/{name}"));
    assert_eq!(write.file_number(&name), Some(0));
}

#[tokio::test]
async fn codec_that_the_format_does_not_have_is_refused_with_those_that_it_has() {
    let mut lake = lake(Vec::new()).await;
    lake.destination.codec = Codec::Bzip2;
    let error = writer(lake.destination).unwrap_err();
    assert!(error.message().contains("'BZIP2' of Parquet"), "{error}");
    assert!(error.message().contains("SNAPPY, GZIP"), "{error}");
}

#[test]
fn codecs_are_read_from_the_properties_of_the_format() {
    let lazy = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
    let text = TableFormat::of_serde(lazy, &[]).unwrap();
    let level = |level| Codec::Zstd(ZstdLevel::new(level).unwrap());
    for (format, properties, expected) in [
        (
            &TableFormat::Parquet(ParquetFormat::default()),
            vec![],
            Codec::Snappy,
        ),
        (&text, vec![], Codec::Gzip),
        (
            &text,
            vec![
                ("parquet.compression", "SNAPPY"),
                ("write.compression", "bzip2"),
            ],
            Codec::Bzip2,
        ),
        (
            &TableFormat::Parquet(ParquetFormat::default()),
            vec![("parquet.compression", "zstd"), ("compression_level", "7")],
            level(7),
        ),
        (
            &text,
            vec![("write.compression", "none")],
            Codec::Uncompressed,
        ),
    ] {
        let properties = properties.into_iter();
        let properties = properties
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(codec(format, &properties, "table d.t").unwrap(), expected);
    }
}
