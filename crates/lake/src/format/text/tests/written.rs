//! What is written is read back, by the readers of the same format.

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use lakegate_error::{Code, Result};

use super::*;
use crate::format::{Codec, NewFile, TableFileFormat, ZstdLevel};

/// Writes the batches to one file of the lake, in their order, and returns its bytes.
async fn write(lake: &mut Lake, codec: Codec, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let (store, roots) = crate::testing::lake();
    let name = format!("f.{}", lake.format.extension(codec));
    let mut file = lake.format.create(NewFile {
        folder: &roots.locate("s3://lake/t/")?,
        name: &name,
        schema: Arc::clone(&lake.schema),
        declared: &[],
        codec,
        sorted_by: &[],
    })?;
    for batch in batches {
        file.write(batch).await?;
    }
    assert!(file.memory() > 0);
    let closed = file.close().await?;
    let got = store.get(&closed.location.path).await.unwrap();
    let bytes = got.bytes().await.unwrap();
    assert_eq!(closed.bytes, bytes.len() as u64);
    lake.files = vec![PartitionedFile::new(
        closed.location.path.to_string(),
        closed.bytes,
    )];
    lake.store = store;
    Ok(bytes.to_vec())
}

async fn assert_read_back(lake: &Lake, batches: &[RecordBatch], what: &str) {
    let read = lake.batches().await.unwrap();
    let column = |batches: &[RecordBatch], index: usize| {
        let parts: Vec<&dyn Array> = batches
            .iter()
            .map(|batch| batch.column(index).as_ref())
            .collect();
        concat(&parts).unwrap()
    };
    for (index, field) in lake.schema.fields().iter().enumerate() {
        assert_eq!(
            &column(&read, index),
            &column(batches, index),
            "{what}, column {}",
            field.name()
        );
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn bits(&mut self) -> u64 {
        (self.below(1 << 31) as u64) << 40
            ^ (self.below(1 << 31) as u64) << 20
            ^ self.below(1 << 31) as u64
    }

    fn one<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn nulls(&mut self, rows: usize) -> NullBuffer {
        (0..rows).map(|_| self.below(6) > 0).collect()
    }

    fn some<T>(&mut self, rows: usize, mut value: impl FnMut(&mut Self) -> T) -> Vec<Option<T>> {
        (0..rows)
            .map(|_| (self.below(6) > 0).then(|| value(self)))
            .collect()
    }

    fn text(&mut self) -> String {
        let letters = [
            'a', 'n', 'r', 'N', '\\', ',', '|', ':', '"', '\'', '\u{1}', '\u{2}', '\u{3}', '\u{4}',
            '\u{8}', '\n', '\r', '\t', '\0', ' ', 'é', '😀', '\u{feff}', '{', '[', '0',
        ];
        let length = self.below(5);
        (0..length).map(|_| self.one(&letters)).collect()
    }

    /// Offsets of none or some items: one alone has no form in delimited text where it is empty.
    fn offsets(&mut self, rows: usize) -> OffsetBuffer<i32> {
        OffsetBuffer::from_lengths((0..rows).map(|_| self.one(&[0, 2, 3])))
    }

    /// Extremes, special values and random ones of a type, and NULLs.
    fn array(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        match data_type {
            DataType::Boolean => Arc::new(BooleanArray::from(self.some(rows, |r| r.below(2) == 0))),
            DataType::Int8 => Arc::new(Int8Array::from(
                self.some(rows, |r| r.one(&[i8::MIN, i8::MAX, 0, -1])),
            )),
            DataType::Int16 => Arc::new(Int16Array::from(
                self.some(rows, |r| r.one(&[i16::MIN, i16::MAX, 0, -1])),
            )),
            DataType::Int32 => Arc::new(Int32Array::from(
                self.some(rows, |r| r.one(&[i32::MIN, i32::MAX, 0, -1])),
            )),
            DataType::Int64 => Arc::new(Int64Array::from(
                self.some(rows, |r| r.one(&[i64::MIN, i64::MAX, 0, -1])),
            )),
            DataType::Float32 => Arc::new(Float32Array::from(self.some(rows, |r| {
                let random = f32::from_bits(r.bits() as u32);
                let random = if random.is_nan() { 0.1 } else { random };
                let (most, least) = (f32::MAX, f32::from_bits(1));
                let infinite = [f32::INFINITY, f32::NEG_INFINITY];
                r.one(&[
                    random,
                    most,
                    least,
                    -0.0,
                    f32::NAN,
                    infinite[0],
                    infinite[1],
                ])
            }))),
            DataType::Float64 => Arc::new(Float64Array::from(self.some(rows, |r| {
                let random = f64::from_bits(r.bits());
                let random = if random.is_nan() { 0.1 } else { random };
                let (most, least) = (f64::MAX, f64::from_bits(1));
                let infinite = [f64::INFINITY, f64::NEG_INFINITY];
                r.one(&[
                    random,
                    most,
                    least,
                    -0.0,
                    f64::NAN,
                    infinite[0],
                    infinite[1],
                ])
            }))),
            DataType::Decimal128(precision, scale) => {
                let most = 10_i128.pow(u32::from(*precision)) - 1;
                let values = self.some(rows, |r| {
                    let random = i128::from(r.bits()) % most;
                    r.one(&[most, -most, 0, 1, -1, random, -random])
                });
                Arc::new(
                    Decimal128Array::from(values)
                        .with_precision_and_scale(*precision, *scale)
                        .unwrap(),
                )
            }
            DataType::Date32 => Arc::new(Date32Array::from(
                self.some(rows, |r| r.one(&[-719_162, 2_932_896, 0, -1, 19_782])),
            )),
            DataType::Timestamp(..) => {
                Arc::new(TimestampMicrosecondArray::from(self.some(rows, |r| {
                    let least = -62_135_596_800_000_000;
                    let most = 253_402_300_799_999_999;
                    let random = (r.bits() % 4_000_000_000_000_000) as i64;
                    r.one(&[least, most, 0, -1, random, 1_000_000, 500_000])
                })))
            }
            DataType::Utf8 => Arc::new(StringArray::from(self.some(rows, Random::text))),
            DataType::Binary => {
                let values = self.some(rows, |r| {
                    let length = r.below(5);
                    (0..length).map(|_| r.below(256) as u8).collect::<Vec<u8>>()
                });
                Arc::new(BinaryArray::from_iter(values))
            }
            DataType::List(field) => {
                let offsets = self.offsets(rows);
                let items = self.array(field.data_type(), *offsets.last().unwrap() as usize);
                let nulls = Some(self.nulls(rows));
                Arc::new(ListArray::new(Arc::clone(field), offsets, items, nulls))
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    panic!("a map of {entries:?}")
                };
                let offsets = self.offsets(rows);
                let count = *offsets.last().unwrap() as usize;
                // No two keys of a map are equal, and none is NULL.
                let keys: ArrayRef = match pair[0].data_type() {
                    DataType::Int32 => {
                        Arc::new(Int32Array::from_iter_values((0..count).map(|n| n as i32)))
                    }
                    _ => Arc::new(StringArray::from_iter_values(
                        (0..count).map(|n| format!("{}{n}", self.text())),
                    )),
                };
                let values = self.array(pair[1].data_type(), count);
                let pairs = StructArray::new(pair.clone(), vec![keys, values], None);
                let nulls = Some(self.nulls(rows));
                let map = MapArray::new(Arc::clone(entries), offsets, pairs, nulls, false);
                Arc::new(map)
            }
            DataType::Struct(fields) => {
                let columns = fields
                    .iter()
                    .map(|field| self.array(field.data_type(), rows))
                    .collect();
                let nulls = Some(self.nulls(rows));
                Arc::new(StructArray::new(fields.clone(), columns, nulls))
            }
            other => panic!("{other}"),
        }
    }

    fn batch(&mut self, lake: &Lake, rows: usize) -> RecordBatch {
        let columns = lake
            .schema
            .fields()
            .iter()
            .map(|field| self.array(field.data_type(), rows))
            .collect();
        RecordBatch::try_new(Arc::clone(&lake.schema), columns).unwrap()
    }
}

const ALL_TYPES: &[(&str, &str)] = &[
    ("text", "string"),
    ("yes", "boolean"),
    ("i8", "tinyint"),
    ("i16", "smallint"),
    ("i32", "int"),
    ("i64", "bigint"),
    ("f32", "float"),
    ("f64", "double"),
    ("d5", "decimal(5,5)"),
    ("d38", "decimal(38,10)"),
    ("whole", "decimal(38,0)"),
    ("day", "date"),
    ("at", "timestamp"),
    ("bytes", "binary"),
    ("list", "array<string>"),
    ("lists", "array<array<double>>"),
    ("map", "map<string,string>"),
    ("row", "struct<x:int,y:string>"),
    (
        "deep",
        "array<map<int,struct<p:timestamp,q:array<binary>,r:decimal(10,2)>>>",
    ),
    ("last", "varchar(10)"),
];

const ESCAPED: &[(&str, &str)] = &[("field.delim", ","), ("escape.delim", "\\")];

#[tokio::test]
async fn random_rows_of_every_type_are_read_back() {
    let codecs = [
        Codec::Uncompressed,
        Codec::Gzip,
        Codec::Bzip2,
        Codec::Zstd(ZstdLevel::new(19).unwrap()),
    ];
    let serdes: [(&str, &[(&str, &str)]); 3] = [(LAZY, ESCAPED), (OPENX, &[]), (HIVE_JSON, &[])];
    for (class, properties) in serdes {
        let mut random = Random(42);
        for codec in codecs {
            let mut lake = Lake::new(class, properties, ALL_TYPES);
            let batches: Vec<_> = (0..3).map(|_| random.batch(&lake, 200)).collect();
            write(&mut lake, codec, &batches).await.unwrap();
            assert_read_back(&lake, &batches, &format!("{class} {codec:?}")).await;
        }
    }
}

#[tokio::test]
async fn text_without_delimiters_and_breaks_needs_no_escape() {
    let columns = [("a", "string"), ("b", "array<map<string,int>>")];
    let mut lake = Lake::new(LAZY, &[], &columns);
    let words = StringArray::from(vec![Some("x\\,|\"y"), Some(""), None]);
    let b = arrow::array::new_null_array(lake.schema.field(1).data_type(), 3);
    let batch = RecordBatch::try_new(Arc::clone(&lake.schema), vec![Arc::new(words), b]).unwrap();
    let bytes = write(&mut lake, Codec::Uncompressed, std::slice::from_ref(&batch))
        .await
        .unwrap();
    assert_eq!(bytes, b"x\\,|\"y\x01\\N\n\x01\\N\n\\N\x01\\N\n");
    assert_read_back(&lake, &[batch], "plain").await;
}

#[tokio::test]
async fn large_files_have_several_members() {
    let columns = [("a", "bigint"), ("b", "string")];
    for codec in [Codec::Gzip, Codec::Bzip2, Codec::ZSTD] {
        let mut lake = Lake::new(HIVE_JSON, &[], &columns);
        let batches: Vec<_> = (0..12)
            .map(|part| {
                let numbers = (0..8_192).map(|n| part * 8_192 + n);
                let texts = numbers.clone().map(|n: i64| format!("{n:0>100}"));
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(Int64Array::from_iter_values(numbers.clone())),
                    Arc::new(StringArray::from_iter_values(texts)),
                ];
                RecordBatch::try_new(Arc::clone(&lake.schema), columns).unwrap()
            })
            .collect();
        write(&mut lake, codec, &batches).await.unwrap();
        assert_read_back(&lake, &batches, &format!("{codec:?}")).await;
    }
}

#[tokio::test]
async fn byte_order_mark_of_a_value_is_no_mark_of_the_file() {
    let mut lake = Lake::new(LAZY, &[], &[("a", "string")]);
    let text = StringArray::from(vec!["\u{feff}x", "\u{feff}y"]);
    let batch = RecordBatch::try_new(Arc::clone(&lake.schema), vec![Arc::new(text)]).unwrap();
    write(&mut lake, Codec::Uncompressed, std::slice::from_ref(&batch))
        .await
        .unwrap();
    assert_read_back(&lake, &[batch], "mark").await;
}

#[tokio::test]
async fn header_is_written_where_readers_skip_one() {
    let properties = [("field.delim", ","), ("skip.header.line.count", "1")];
    let mut lake = Lake::new(LAZY, &properties, &[("id", "int"), ("name", "string")]);
    let batch = Random(7).batch(&lake, 0);
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["Ann"]));
    let one = RecordBatch::try_new(Arc::clone(&lake.schema), vec![numbers, names]).unwrap();
    let bytes = write(&mut lake, Codec::Uncompressed, &[batch, one.clone()])
        .await
        .unwrap();
    assert_eq!(bytes, b"id,name\n1,Ann\n");
    assert_read_back(&lake, &[one], "header").await;
}

#[tokio::test]
async fn nested_values_without_a_form_are_refused_by_the_name_of_their_column() {
    let list = |items: Vec<Option<Option<&str>>>| -> ArrayRef {
        let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new())
            .with_field(arrow::datatypes::Field::new("item", DataType::Utf8, true));
        for item in items {
            if let Some(item) = item {
                builder.values().append_option(item);
            }
            builder.append(true);
        }
        Arc::new(builder.finish())
    };
    type Case<'a> = (
        &'a [(&'a str, &'a str)],
        Vec<Option<Option<&'a str>>>,
        &'a str,
    );
    let cases: [Case<'_>; 4] = [
        (&[], vec![Some(None)], "would be read as NULL"),
        (&[], vec![Some(Some(""))], "would be read as an empty array"),
        (&[], vec![Some(Some("a\u{2}b"))], "the delimiter '\\x02'"),
        (
            &[("serialization.null.format", "")],
            vec![None],
            "would be read as NULL",
        ),
    ];
    for (properties, items, part) in cases {
        let mut lake = Lake::new(LAZY, properties, &[("tags", "array<string>")]);
        let batch = RecordBatch::try_new(Arc::clone(&lake.schema), vec![list(items)]).unwrap();
        let error = write(&mut lake, Codec::Gzip, &[batch]).await.unwrap_err();
        assert_eq!(error.code(), Code::DataException, "{error}");
        assert!(error.message().contains("column \"tags\""), "{error}");
        assert!(error.message().contains(part), "{error}");
    }
}

#[tokio::test]
async fn timestamps_that_the_tables_formats_read_otherwise_are_refused() {
    let columns = [("at", "timestamp")];
    for (formats, fits) in [
        ("yyyy-MM-dd HH:mm:ss", true),
        ("millis", true),
        ("yyyy-dd-MM HH:mm:ss", false),
    ] {
        for class in [LAZY, HIVE_JSON] {
            let mut lake = Lake::new(class, &[("timestamp.formats", formats)], &columns);
            // 2024-01-02 12:00:00: the day is a month as well.
            let at: ArrayRef =
                Arc::new(TimestampMicrosecondArray::from(vec![1_704_196_800_000_000]));
            let batch = RecordBatch::try_new(Arc::clone(&lake.schema), vec![at]).unwrap();
            let written = write(&mut lake, Codec::Gzip, std::slice::from_ref(&batch)).await;
            assert_eq!(written.is_ok(), fits, "{formats}");
            if fits {
                assert_read_back(&lake, &[batch], formats).await;
            }
        }
    }
}

#[tokio::test]
async fn open_csv_is_not_written() {
    let mut lake = Lake::new(OPEN_CSV, &[], &[("a", "string")]);
    assert!(!lake.format.is_writable());
    let error = write(&mut lake, Codec::Gzip, &[]).await.unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
}
