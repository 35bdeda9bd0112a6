//! What holds for every text format: projection, ranges, compression, headers, bounds, the meter.

use async_compression::tokio::write::{BzEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use datafusion::config::ConfigOptions;
use datafusion::physical_plan::metrics::MetricValue;
use lakegate_error::Code;
use object_store::chunked::ChunkedStore;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::meter::{Cutoff, MeteredStore, QueryMeter};
use crate::roots::Backing;
use crate::roots::root_store::RootStore;

const ROWS: usize = 500;

fn lines() -> String {
    (0..ROWS)
        .map(|row| format!("{{\"a\":{row},\"b\":\"{}\"}}\n", "x".repeat(row % 37)))
        .collect()
}

fn table(properties: &[(&str, &str)]) -> Lake {
    Lake::new(OPENX, properties, &[("a", "int"), ("b", "string")])
}

async fn numbers(lake: &Lake) -> Vec<usize> {
    let mut numbers: Vec<usize> = lake
        .rows()
        .await
        .unwrap()
        .iter()
        .map(|row| row[0].parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn all() -> Vec<usize> {
    (0..ROWS).collect()
}

macro_rules! compress {
    ($encoder:ident, $bytes:expr) => {{
        let mut encoder = $encoder::new(Vec::new());
        encoder.write_all($bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    }};
}

fn snappy(text: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.into_inner().unwrap()
}

fn lz4(text: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_files_are_read_whatever_their_name() {
    let text = lines();
    let (first, second) = text.as_bytes().split_at(5_000);
    for (name, members) in [
        (
            "a.json.gz",
            [
                compress!(GzipEncoder, first),
                compress!(GzipEncoder, second),
            ],
        ),
        (
            "a.json.zst",
            [
                compress!(ZstdEncoder, first),
                compress!(ZstdEncoder, second),
            ],
        ),
        (
            "a.json.bz2",
            [compress!(BzEncoder, first), compress!(BzEncoder, second)],
        ),
        ("a.json.snappy", [snappy(first), snappy(second)]),
        ("a.json.lz4", [lz4(first), lz4(second)]),
    ] {
        for name in [name, "a", "a.json"] {
            let lake = table(&[]).file(name, members.concat()).await;
            assert_eq!(numbers(&lake).await, all(), "{name}");
        }
    }
    assert_eq!(
        numbers(&table(&[]).file("plain.gz", text).await).await,
        all()
    );
}

#[tokio::test]
async fn damaged_and_unknown_compression_name_the_file() {
    let gzip = compress!(GzipEncoder, lines().as_bytes());
    let mut wrong_sum = gzip.clone();
    let sum = gzip.len() - 8;
    wrong_sum[sum] ^= 1;
    for bytes in [gzip[..sum - 1].to_vec(), gzip[..sum].to_vec(), wrong_sum] {
        let error = table(&[])
            .file("a.gz", bytes)
            .await
            .rows()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::BadData);
        assert!(
            error.message().contains("s3://lake/a.gz") && error.message().contains("gzip"),
            "{error}"
        );
    }
    for (name, bytes, code, part) in [
        ("a.snappy", &b"\0\0\0\x05xx"[..], Code::BadData, "snappy"),
        ("a.lz4", b"\0\0\0\x05xx", Code::BadData, "lz4"),
        ("a.deflate", b"plain", Code::BadData, "zlib"),
        ("a.zip", b"PK\x03\x04xxxx", Code::NotSupported, "zip"),
        ("a.lzo", b"xx", Code::NotSupported, "lzo"),
        ("a.xz", b"\xfd7zXZ\0", Code::NotSupported, "xz"),
    ] {
        let lake = table(&[]).file(name, bytes).await;
        let error = lake.rows().await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let file = format!("s3://lake/{name}");
        assert!(
            error.message().contains(&file) && error.message().contains(part),
            "{error}"
        );
    }
}

/// Hadoop's framing of one block.
fn hadoop(packed: &[u8], unpacked: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let mut out = length(unpacked).to_vec();
    out.extend(length(packed));
    out.extend(packed);
    out
}

#[tokio::test]
async fn hadoops_framings_and_zlib_are_known_by_their_extensions() {
    let text = lines();
    let (first, second) = text.as_bytes().split_at(5_000);
    let snappy = |text: &[u8]| {
        let packed = snap::raw::Encoder::new().compress_vec(text).unwrap();
        hadoop(&packed, text)
    };
    let lz4 = |text: &[u8]| hadoop(&lz4_flex::block::compress(text), text);
    for (name, members) in [
        ("a.json.snappy", [snappy(first), snappy(second)]),
        ("a.SNAPPY", [snappy(first), snappy(second)]),
        ("a.lz4", [lz4(first), lz4(second)]),
        (
            "a.deflate",
            [
                compress!(ZlibEncoder, first),
                compress!(ZlibEncoder, second),
            ],
        ),
    ] {
        let file = members.concat();
        let size = file.len() as u64;
        let mut lake = table(&[]).file(name, file).await;
        assert_eq!(numbers(&lake).await, all(), "{name}");
        let whole = lake.files.remove(0);
        lake.files = vec![ranged(&whole, 0..size / 2), ranged(&whole, size / 2..size)];
        assert_eq!(numbers(&lake).await, all(), "{name}");
    }
}

#[tokio::test]
async fn ranges_read_every_row_once_however_they_are_cut() {
    let text = lines();
    let size = text.len() as u64;
    for (chunk, parts) in [(7, 3), (64, 2), (1000, 7), (100_000, 50), (100_000, 700)] {
        let mut lake = table(&[]).file("f", text.clone()).await;
        lake.store = Arc::new(ChunkedStore::new(Arc::clone(&lake.store), chunk));
        let whole = lake.files.remove(0);
        lake.files = (0..parts)
            .map(|part| ranged(&whole, part * size / parts..(part + 1) * size / parts))
            .collect();
        assert_eq!(numbers(&lake).await, all(), "{chunk} {parts}");
    }
}

#[tokio::test]
async fn every_cut_of_a_small_file_is_right() {
    let text = "h\n1\n\n22\r\n333\n4";
    for cut in 0..=text.len() as u64 {
        let mut lake = Lake::new(LAZY, &[("skip.header.line.count", "1")], &[("a", "string")])
            .file("f", text)
            .await;
        let whole = lake.files.remove(0);
        lake.files = vec![
            ranged(&whole, 0..cut),
            ranged(&whole, cut..text.len() as u64),
        ];
        let rows = lake.rows().await.unwrap().concat();
        // The header must lie in the range that starts the file.
        if cut > 0 {
            assert_eq!(rows, ["1", "", "22", "333", "4"], "{cut}");
        }
    }
}

#[tokio::test]
async fn ranges_of_a_compressed_file_read_it_once() {
    let gzip = compress!(GzipEncoder, lines().as_bytes());
    let size = gzip.len() as u64;
    let mut lake = table(&[]).file("no-extension", gzip).await;
    let whole = lake.files.remove(0);
    lake.files = vec![ranged(&whole, 0..size / 2), ranged(&whole, size / 2..size)];
    assert_eq!(numbers(&lake).await, all());
}

#[tokio::test]
async fn only_plain_files_with_at_most_one_header_line_are_split() {
    let split = async |properties: &[(&str, &str)], name: &str| {
        let config = table(properties).file(name, lines()).await.config();
        let split = config
            .file_source()
            .repartitioned(4, 1, None, &config)
            .unwrap();
        split.map(|config| config.file_groups.len())
    };
    assert_eq!(split(&[], "a.json").await, Some(4));
    assert_eq!(
        split(&[("skip.header.line.count", "1")], "a.json").await,
        Some(4)
    );
    assert_eq!(
        split(&[("skip.header.line.count", "2")], "a.json").await,
        None
    );
    assert_eq!(split(&[], "a.json.gz").await, None);
}

#[tokio::test]
async fn error_in_a_later_range_names_the_byte() {
    let text = format!("{}oops\n", "{\"a\":1}\n".repeat(10));
    let mut lake = table(&[]).file("f", text.clone()).await;
    lake.files = vec![ranged(&lake.files[0], 30..text.len() as u64)];
    let error = lake.rows().await.unwrap_err();
    assert!(
        error.message().contains("file s3://lake/f line at byte 80"),
        "{error}"
    );
}

#[tokio::test]
async fn header_lines_are_skipped_in_each_file() {
    let mut lake = Lake::new(
        OPEN_CSV,
        &[("skip.header.line.count", "2")],
        &[("a", "int")],
    );
    for (name, text) in [
        ("1", "a\nb\n1\n2\n"),
        ("2", "a\nb\n3"),
        ("3", "a"),
        ("4", ""),
    ] {
        lake = lake.file(name, text).await;
    }
    assert_eq!(lake.rows().await.unwrap().concat(), ["1", "2", "3"]);
}

#[tokio::test]
async fn partition_values_and_projection_go_together() {
    let mut lake = table(&[]);
    lake.keys = vec![Field::new("day", arrow::datatypes::DataType::Utf8, true)];
    let mut lake = lake
        .file("1", "{\"a\":1,\"b\":\"x\"}\n")
        .await
        .file("2", "{\"a\":2,\"b\":\"y\"}\n")
        .await;
    let values = [ScalarValue::from("mon"), ScalarValue::Utf8(None)];
    lake.files = lake
        .files
        .into_iter()
        .zip(values)
        .map(|(file, value)| keyed(file, value))
        .collect();
    assert_eq!(
        lake.rows().await.unwrap(),
        [["1", "x", "mon"], ["2", "y", "NULL"]]
    );
    let lake = lake.project(&[2, 0]);
    assert_eq!(lake.rows().await.unwrap(), [["mon", "1"], ["NULL", "2"]]);
    let lake = lake.project(&[2]);
    assert_eq!(lake.rows().await.unwrap(), [["mon"], ["NULL"]]);
    let counted: usize = lake
        .project(&[])
        .batches()
        .await
        .unwrap()
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(counted, 2);
}

#[tokio::test]
async fn batches_have_the_configured_size() {
    let mut lake = table(&[]).file("f", lines()).await;
    lake.batch_size = 64;
    let sizes: Vec<usize> = lake
        .batches()
        .await
        .unwrap()
        .iter()
        .map(RecordBatch::num_rows)
        .collect();
    assert_eq!(sizes, [vec![64; ROWS / 64], vec![ROWS % 64]].concat());
}

#[tokio::test]
async fn rows_behind_many_blank_lines_are_read() {
    let mut text = format!("{}\n", " ".repeat(1 << 20)).repeat(20);
    text.push_str("{\"a\":1,\"b\":\"x\"}");
    let lake = table(&[]).file("f", text).await;
    assert_eq!(lake.rows().await.unwrap(), [["1", "x"]]);
}

#[tokio::test]
async fn row_longer_than_the_bound_is_refused_also_when_it_was_small() {
    let mut text = b"{\"a\":1}\n{\"a\":1,\"b\":\"".to_vec();
    text.resize(MAX_ROW_BYTES + 100, b'x');
    let gzip = compress!(GzipEncoder, &text);
    assert!(gzip.len() < 100_000);
    for (name, bytes) in [("f", text), ("f.gz", gzip)] {
        let error = table(&[]).file(name, bytes).await.rows().await.unwrap_err();
        assert!(
            error
                .message()
                .contains("line 2: a row has at most 33554432 bytes"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn bound_of_a_row_is_the_configured_one() {
    let row = |length: usize| format!("{{\"a\":1,\"b\":\"{}\"}}\n", "x".repeat(length - 14));
    for (length, fits) in [(1024, true), (1025, false)] {
        let text = format!("{{\"a\":0}}\n{}", row(length));
        for (name, bytes) in [
            ("f", text.clone().into_bytes()),
            ("f.gz", compress!(GzipEncoder, text.as_bytes())),
        ] {
            let mut lake = table(&[]).file(name, bytes).await;
            lake.max_row_bytes = 1024;
            match lake.rows().await {
                Ok(rows) => assert!(fits && rows.len() == 2, "{name} {length}"),
                Err(error) => {
                    assert!(!fits, "{name}: {error}");
                    assert_eq!(error.code(), Code::BadData);
                    let named = format!("s3://lake/{name} line 2: a row has at most 1024 bytes");
                    assert!(error.message().contains(&named), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn limit_stops_reading_and_the_cutoff_comes_through_as_itself() {
    let text = lines().repeat(40);
    for (name, bytes) in [
        ("f", text.clone().into_bytes()),
        ("f.gz", compress!(GzipEncoder, text.as_bytes())),
    ] {
        let size = bytes.len() as u64;
        let stored = table(&[]).file(name, bytes).await;
        let metered = |cutoff: Option<u64>| {
            let meter = Arc::new(QueryMeter::new(cutoff.map(|limit| Cutoff {
                workgroup: "w".into(),
                limit,
            })));
            let chunked = Backing::Remote {
                store: Arc::new(ChunkedStore::new(Arc::clone(&stored.store), 512)),
                place: "lake".to_owned(),
                prefix: Path::default(),
            };
            let chunked = RootStore::open("s3://lake/", chunked).unwrap();
            (
                Arc::new(MeteredStore::over(Arc::new(chunked), Arc::clone(&meter))),
                meter,
            )
        };
        let with = |store, limit| Lake {
            format: stored.format.clone(),
            schema: Arc::clone(&stored.schema),
            keys: Vec::new(),
            store,
            files: stored.files.clone(),
            projection: None,
            limit,
            batch_size: 64,
            max_row_bytes: MAX_ROW_BYTES,
        };

        let (store, meter) = metered(None);
        assert_eq!(with(store, None).rows().await.unwrap().len(), ROWS * 40);
        assert_eq!(meter.scanned(), size, "{name}");

        let (store, meter) = metered(None);
        assert_eq!(with(store, Some(3)).rows().await.unwrap().len(), 3);
        assert!(
            meter.scanned() < size / 2,
            "{name}: {} of {size}",
            meter.scanned()
        );

        let (store, _meter) = metered(Some(size / 2));
        let error = with(store, None).rows().await.unwrap_err();
        assert_eq!(error.code(), Code::BytesScannedCutoff, "{name}: {error}");
    }
}

#[tokio::test]
async fn missing_file_is_an_error_of_the_store() {
    let mut lake = table(&[]);
    lake.files = vec![PartitionedFile::new("gone", 10)];
    assert_ne!(lake.rows().await.unwrap_err().code(), Code::BadData);
}

#[tokio::test]
async fn ignored_values_are_counted_in_the_metrics() {
    let lake = table(&[("ignore.malformed.json", "true")])
        .file("f", "{\"a\":\"x\"}\nbad\n{\"a\":1}\n")
        .await;
    let config = lake.config();
    let runtime = RuntimeEnv::default();
    runtime.register_object_store(config.object_store_url.as_ref(), Arc::clone(&lake.store));
    let plan = DataSourceExec::from_data_source(config);
    let context = Arc::new(TaskContext::default().with_runtime(Arc::new(runtime)));
    let _: Vec<RecordBatch> = plan
        .execute(0, context)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let metrics = plan.metrics().unwrap();
    let count = metrics.sum(|metric| matches!(metric.value(), MetricValue::Count { name, .. } if name == "malformed_values"));
    assert_eq!(count.unwrap().as_usize(), 2);
}

#[test]
fn filters_stay_above_the_scan() {
    let lake = table(&[]);
    let pushed = lake
        .config()
        .file_source()
        .try_pushdown_filters(Vec::new(), &ConfigOptions::default())
        .unwrap();
    assert!(pushed.updated_node.is_none());
}

#[tokio::test]
async fn file_is_read_only_in_the_state_that_the_plan_has() {
    for range in [None, Some(1..4)] {
        let stored = Lake::new(OPEN_CSV, &[], &[("a", "string")])
            .file("f", "x\ny\nz\n")
            .await;
        let current = stored.store.head(&Path::from("f")).await.unwrap().e_tag;
        let read = async |e_tag: Option<String>| {
            let mut planned = stored.files[0].clone();
            planned.object_meta.e_tag = e_tag;
            if let Some(range) = &range {
                planned = ranged(&planned, range.clone());
            }
            let lake = Lake {
                format: stored.format.clone(),
                schema: Arc::clone(&stored.schema),
                keys: Vec::new(),
                store: Arc::clone(&stored.store),
                files: vec![planned],
                projection: None,
                limit: None,
                batch_size: 64,
                max_row_bytes: MAX_ROW_BYTES,
            };
            lake.rows().await
        };
        assert!(current.is_some());
        let expected = if range.is_some() { 1 } else { 3 };
        assert_eq!(read(current.clone()).await.unwrap().len(), expected);
        assert!(read(Some("replaced".to_owned())).await.is_err());
        assert_eq!(read(None).await.unwrap().len(), expected);
    }
}
