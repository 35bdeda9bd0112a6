//! Files of PyArrow, of this writer, and forged ones.

#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, Int64Builder,
    ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int32Type, Schema, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use lakegate_catalog::hive_type::HiveType;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::Fault;
use super::decode::Rows;
use super::fuzzing::rows;
use super::statistics::{of_file, of_stripes};
use super::stripe::{DATA, DICTIONARY, LENGTH, PRESENT, Streams, StripeFooter};
use super::tail::of_bytes;
use super::writer::OrcFileWriter;
use crate::format::{Codec, FileWriter, NewFile};
use crate::roots::Location;

fn seed(name: &str) -> Vec<u8> {
    std::fs::read(lakegate_fuzzing::seed_folder("orc_file").join(name)).unwrap()
}

/// The columns of a file's first stripe.
fn columns(file: &[u8]) -> Vec<ArrayRef> {
    columns_in(file, 8192)
}

/// The columns of a file's first stripe, which has at most `size` rows.
fn columns_in(file: &[u8], size: usize) -> Vec<ArrayRef> {
    let tail = of_bytes(file).unwrap();
    let wanted: Vec<u32> = tail.types.columns().map(|(id, _)| id).collect();
    let stripe = &tail.stripes[0];
    let slice = |range: std::ops::Range<u64>| {
        &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
    };
    let footer = StripeFooter::parse(slice(stripe.footer()), tail.blocks, stripe).unwrap();
    let mut streams = Streams::default();
    for stream in footer.wanted(&tail.types, &wanted).unwrap() {
        let bytes = slice(stream.range.clone());
        streams.add(&stream, bytes, tail.blocks).unwrap();
    }
    let mut rows = Rows::new(&tail.types, &wanted, &footer, streams, stripe.rows, size).unwrap();
    let (columns, _) = rows.next().unwrap().unwrap();
    assert!(rows.next().unwrap().is_none());
    columns
}

#[test]
fn files_of_pyarrow_have_the_same_values_in_every_codec() {
    let expected = columns(&seed("uncompressed"));
    for codec in ["zlib", "snappy", "lz4", "zstd"] {
        assert_eq!(columns(&seed(codec)), expected, "{codec}");
    }
    assert_eq!(rows(&seed("version_1")), Ok(20));
    assert_eq!(rows(&seed("empty")), Ok(0));
}

#[test]
fn values_are_those_that_pyarrow_wrote() {
    let columns = columns(&seed("zstd"));
    let numbers = columns[2].as_primitive::<Int32Type>();
    assert!(numbers.is_null(0) && numbers.is_null(7));
    assert_eq!(numbers.value(39), 39 * 39 - 500);
    // Rounded down, before 1970 too: -3.000003 s.
    let times = columns[9].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(0), -3_000_003);
    assert_eq!(times.value(1), -2_863_003);
    let decimals = columns[11].as_primitive::<Decimal128Type>();
    assert!(decimals.is_null(0));
    assert_eq!(decimals.value(1), -93);
    let lists = columns[12].as_list::<i32>();
    assert!(lists.is_null(0) && lists.is_null(8));
    assert_eq!(lists.value(7).len(), 3);
    let structs = columns[14].as_struct();
    assert!(structs.is_null(10));
    assert_eq!(structs.column(0).as_primitive::<Int32Type>().value(11), 11);
}

/// A file of the writer in Java, with dictionaries at every depth.
#[test]
fn texts_of_type_char_have_no_padding() {
    let texts = |array: &ArrayRef| -> Vec<Option<String>> {
        let texts = array.as_string::<i32>().iter();
        texts.map(|text| text.map(str::to_owned)).collect()
    };
    let some = |expected: &[&str]| -> Vec<Option<String>> {
        expected
            .iter()
            .map(|text| Some((*text).to_owned()))
            .collect()
    };
    let file = seed("chars");
    let columns = columns(&file);
    let chars = texts(&columns[1]);
    let expected = ["ab", "abc", "äöü", " x", "", "日本", "a"];
    assert_eq!(chars[..7], some(&expected));
    assert_eq!(chars[7], None);
    let lists = columns[3].as_list::<i32>();
    let expected = [some(&[" x", "ab"]), vec![None]].concat();
    assert_eq!(texts(&lists.value(3)), expected);
    let maps = texts(columns[4].as_map().values());
    assert_eq!(maps[..4], some(&["äöü", "日本", "abc", ""]));
    let structs = columns[5].as_struct();
    assert!(structs.is_null(9));
    assert_eq!(texts(structs.column(0))[..2], some(&["abc", " x"]));
    let inner = structs.column(2).as_list::<i32>();
    assert_eq!(texts(&inner.value(1)), some(&["äö"]));
    let nested = columns[6].as_list::<i32>().value(2);
    let pairs = texts(nested.as_list::<i32>().values());
    assert!(pairs.contains(&Some("日本".to_owned())));
    assert_eq!(nested.len(), 2);

    // The bounds of padded texts are not those of the texts.
    let tail = of_bytes(&file).unwrap();
    let fields = ["id", "c", "v"].map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let known = of_file(&tail, &schema, &[None, Some(1), Some(2)]).column_statistics;
    assert_eq!(known[1].null_count, Precision::Exact(5));
    assert_eq!(known[1].min_value, Precision::Absent);
    assert_eq!(known[1].max_value, Precision::Absent);
    assert_eq!(known[2].null_count, Precision::Exact(0));
    let most = ScalarValue::Utf8(Some("日本".to_owned()));
    assert_eq!(known[2].max_value, Precision::Exact(most));
}

/// The same streams are read as times that a writer in another zone had on its clock.
#[test]
fn times_before_1970_of_another_zone_are_its_clock_s() {
    let file = seed("uncompressed");
    let zone = b"\x1a\x03GMT";
    let at = file
        .windows(zone.len())
        .position(|bytes| bytes == zone)
        .unwrap();
    let mut other = file.clone();
    other[at + 2..at + 5].copy_from_slice(b"EST");
    let (expected, found) = (columns(&file), columns(&other));
    // With the times that have a zone, which the writer's does not change.
    assert_eq!(found, expected);
    let times = found[9].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(0), -3_000_003);
    // A zone that no list has is not guessed.
    other[at + 2..at + 5].copy_from_slice(b"XYZ");
    assert!(matches!(rows(&other), Err(Fault::NotSupported(_))));
}

#[test]
fn file_that_claims_what_it_has_not_is_refused() {
    let file = seed("uncompressed");
    for cut in [1, 2, 100, file.len() / 2] {
        assert!(rows(&file[cut..]).is_err() || cut < 3, "{cut}");
        assert!(rows(&file[..file.len() - cut]).is_err(), "{cut}");
    }
    let mut other = file.clone();
    let end = other.len();
    other[end - 1] = 255;
    assert!(rows(&other).is_err());
    assert!(matches!(rows(b"PAR1"), Err(Fault::Damaged(_))));
}

fn lake() -> (Arc<InMemory>, Location) {
    let (store, roots) = crate::testing::lake();
    let folder = roots.locate("s3://lake/t/").unwrap();
    (store, folder)
}

/// NULL, an empty list, and one with NULL in it.
fn lists() -> ArrayRef {
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_null();
    lists.append(true);
    lists.append_value([Some(1), None, Some(-1)]);
    Arc::new(lists.finish())
}

fn maps() -> ArrayRef {
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "keys".to_owned(),
        value: "values".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int64Builder::new());
    maps.keys().append_value("a");
    maps.values().append_null();
    maps.keys().append_value("b");
    maps.values().append_value(2);
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    maps.append(true).unwrap();
    Arc::new(maps.finish())
}

/// Structs whose second is NULL, though the list inside of it is not.
fn structs() -> ArrayRef {
    let lists = {
        let mut lists = ListBuilder::new(Int64Builder::new());
        lists.append_value([Some(7)]);
        lists.append_value([Some(8), None]);
        lists.append_null();
        lists.finish()
    };
    let field = Field::new("x", lists.data_type().clone(), true);
    let nulls = NullBuffer::from(vec![true, false, true]);
    Arc::new(StructArray::new(
        vec![field].into(),
        vec![Arc::new(lists)],
        Some(nulls),
    ))
}

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 9] = [
        (
            "a",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(7)])),
        ),
        (
            "b",
            Arc::new(StringArray::from(vec![None, Some("é"), Some("")])),
        ),
        (
            "c",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(-62_135_596_800_000_000),
                Some(1),
                None,
            ])),
        ),
        ("d", Arc::new(Date32Array::from(vec![-141_428, 0, 1]))),
        (
            "e",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "f",
            Arc::new(
                Decimal128Array::from(vec![Some(-(10_i128.pow(38) - 1)), None, Some(5)])
                    .with_precision_and_scale(38, 10)
                    .unwrap(),
            ),
        ),
        ("g", lists()),
        ("h", maps()),
        ("i", structs()),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// Writes a file whose stripes have the batches.
async fn written(batches: &[RecordBatch], codec: Codec) -> Vec<u8> {
    written_as(batches, codec, &[]).await
}

/// Writes a file of a table that declares types for its columns.
async fn written_as(
    batches: &[RecordBatch],
    codec: Codec,
    declared: &[Option<HiveType>],
) -> Vec<u8> {
    let (store, folder) = lake();
    let mut file = OrcFileWriter::create(NewFile {
        folder: &folder,
        name: "f.orc",
        schema: batches[0].schema(),
        declared,
        codec,
        sorted_by: &[],
    })
    .unwrap();
    for batch in batches {
        file.write(batch).await.unwrap();
        file.encode().await.unwrap();
    }
    Box::new(file).close().await.unwrap();
    let written = store.get(&"t/f.orc".into()).await.unwrap();
    written.bytes().await.unwrap().to_vec()
}

/// Texts of three words, with NULLs, in more rows than an entry of the index has.
fn words() -> RecordBatch {
    let word = |n: usize| (!n.is_multiple_of(7)).then(|| ["north", "", "süd"][n % 3]);
    let texts: ArrayRef = Arc::new(StringArray::from_iter((0..25_000).map(word)));
    RecordBatch::try_from_iter_with_nullable([("t", texts, true)]).unwrap()
}

/// The bytes of the streams of the first column, by their kinds.
fn stream_lengths(file: &[u8]) -> Vec<(u64, u64)> {
    let tail = of_bytes(file).unwrap();
    let place = tail.stripes[0].footer();
    let place = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
    let footer = StripeFooter::parse(&file[place], tail.blocks, &tail.stripes[0]).unwrap();
    let streams = footer.wanted(&tail.types, &[1]).unwrap();
    let lengths = streams.iter();
    lengths
        .map(|stream| (stream.kind, stream.range.end - stream.range.start))
        .collect()
}

#[tokio::test]
async fn texts_that_repeat_are_written_once() {
    let batch = words();
    let file = written(std::slice::from_ref(&batch), Codec::Uncompressed).await;
    let lengths = stream_lengths(&file);
    let kinds: Vec<u64> = lengths.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [PRESENT, DATA, DICTIONARY, LENGTH]);
    // "", "north" and "süd", the last of four bytes.
    assert_eq!(lengths[2].1, 9);
    let found: Vec<ArrayRef> = columns_in(&file, 25_000);
    assert_eq!(&found, batch.columns());
    assert_eq!(rows(&file), Ok(25_000));
    // Texts that are all different have none.
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..100).map(|n| n.to_string()),
    ));
    let different = RecordBatch::try_from_iter_with_nullable([("t", texts, true)]).unwrap();
    let file = written(&[different], Codec::Uncompressed).await;
    let lengths = stream_lengths(&file);
    let kinds: Vec<u64> = lengths.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [DATA, LENGTH]);
}

#[tokio::test]
async fn varchar_is_a_type_of_the_file_and_char_is_string() {
    let texts = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let lists: ArrayRef = {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("xy")]);
        lists.append_value([None::<&str>]);
        Arc::new(lists.finish())
    };
    let of = |first: &str| {
        let (v, c) = (texts(&[first, "d"]), texts(&["e", "f"]));
        let columns = [
            ("v", v, true),
            ("c", c, true),
            ("l", Arc::clone(&lists), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let declared = [
        Some(HiveType::Varchar(3)),
        Some(HiveType::Char(1)),
        Some(HiveType::Array(Box::new(HiveType::Varchar(2)))),
    ];
    let file = written_as(&[of("süd")], Codec::ZSTD, &declared).await;
    let tail = of_bytes(&file).unwrap();
    let message = |id| tail.types.message(id, |id| id).unwrap();
    // The kind, and the greatest length.
    assert_eq!(message(1), [8, 16, 32, 3]);
    assert_eq!(message(2), [8, 7]);
    assert_eq!(message(4), [8, 16, 32, 2]);
    let found = columns(&file);
    let text = |column: usize, row| found[column].as_string::<i32>().value(row).to_owned();
    assert_eq!(
        (text(0, 0), text(0, 1), text(1, 1)),
        ("süd".into(), "d".into(), "f".into())
    );
    let schema = of("d").schema();
    let statistics = of_file(&tail, &schema, &[Some(0), Some(1), Some(2)]);
    let bounds = statistics
        .column_statistics
        .iter()
        .map(|column| column.max_value.get_value());
    let bounds: Vec<bool> = bounds.map(|bound| bound.is_some()).collect();
    assert_eq!(bounds, [true, true, false]);
}

#[tokio::test]
async fn what_is_written_is_read_back_in_every_codec() {
    let batch = batch();
    for codec in [
        Codec::Uncompressed,
        Codec::Snappy,
        Codec::Deflate,
        Codec::ZSTD,
        Codec::Lz4,
    ] {
        let written = written(&[batch.clone(), batch.clone()], codec).await;
        assert_eq!(rows(&written), Ok(6), "{codec:?}");
        let found = columns(&written);
        for (found, column) in found.iter().zip(batch.columns()) {
            assert_eq!(found, column, "{codec:?}");
        }
        assert_eq!(found.len(), batch.num_columns());
    }
}

#[tokio::test]
async fn second_before_1970_is_read_back() {
    let times: Vec<i64> = vec![-1, -999, -1000, -999_999, -500_000, 0, -1_000_001, 999_999];
    let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times));
    let batch = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).unwrap();
    let written = written(std::slice::from_ref(&batch), Codec::ZSTD).await;
    assert_eq!(columns(&written), batch.columns());
}

#[tokio::test]
async fn statistics_are_those_of_each_stripe_and_of_the_file() {
    let of = |from: i64| {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter(
            (from..from + 25_000).map(|n| (n % 5 != 0).then_some(n)),
        ));
        RecordBatch::try_from_iter_with_nullable([("n", numbers, true)]).unwrap()
    };
    let batches = [of(0), of(100_000)];
    let file = written(&batches, Codec::Snappy).await;
    let tail = of_bytes(&file).unwrap();
    let schema = batches[0].schema();
    let bounds = |statistics: &datafusion::common::Statistics| {
        let column = &statistics.column_statistics[0];
        let number = |value: i64| Precision::Exact(ScalarValue::Int64(Some(value)));
        let found = [&column.min_value, &column.max_value];
        let place = [1, 100_001, 24_999, 124_999]
            .into_iter()
            .filter(|value| found.contains(&&number(*value)));
        (place.collect::<Vec<i64>>(), column.null_count)
    };
    let whole = of_file(&tail, &schema, &[Some(0)]);
    assert_eq!(bounds(&whole), (vec![1, 124_999], Precision::Exact(10_000)));
    let stripes = of_stripes(&tail, &schema, &[Some(0)]);
    assert_eq!(
        bounds(&stripes[0]),
        (vec![1, 24_999], Precision::Exact(5_000))
    );
    assert_eq!(
        bounds(&stripes[1]),
        (vec![100_001, 124_999], Precision::Exact(5_000))
    );
    assert_eq!(rows(&file), Ok(50_000));
}

#[tokio::test]
async fn file_without_rows_has_its_columns() {
    let (store, folder) = lake();
    let file = OrcFileWriter::create(NewFile {
        folder: &folder,
        name: "f.orc",
        schema: batch().schema(),
        declared: &[],
        codec: Codec::ZSTD,
        sorted_by: &[],
    })
    .unwrap();
    Box::new(file).close().await.unwrap();
    let written = store.get(&"t/f.orc".into()).await.unwrap();
    let tail = of_bytes(&written.bytes().await.unwrap()).unwrap();
    let names: Vec<&str> = tail.types.columns().map(|(_, name)| name).collect();
    assert_eq!(
        (tail.rows, names),
        (0, vec!["a", "b", "c", "d", "e", "f", "g", "h", "i"])
    );
}
