//! Files of fastavro, of this writer, and forged ones.

#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int16Array, Int64Array, ListArray, RecordBatch,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int32Type};
use object_store::ObjectStoreExt;

use super::Fault;
use super::container::Header;
use super::decode::Decoder;
use super::fuzzing::rows;
use super::schema::Schema;
use super::skim::put_long;
use super::writer::AvroFileWriter;
use crate::format::{Codec, FileWriter, NewFile};
use crate::testing::lake;

fn seed(name: &str) -> Vec<u8> {
    std::fs::read(lakegate_fuzzing::seed_folder("avro_file").join(name)).unwrap()
}

/// The fields of a file's first block, read with a schema; `None`: with the file's.
fn first_block(file: &[u8], reading: Option<&str>) -> (Vec<String>, Vec<ArrayRef>) {
    let (header, length) = Header::parse(file).unwrap().unwrap();
    let reading = reading.map(|literal| Schema::parse(literal.as_bytes()).unwrap());
    let reading = reading.as_ref().unwrap_or(&header.schema);
    let all: Vec<usize> = (0..reading.fields.len()).collect();
    let decoder = Decoder::new(&header.schema, reading, &all).unwrap();
    let (block, head) = header.block(&file[length..]).unwrap().unwrap();
    let start = length + head;
    let packed = &file[start..start + Header::length(block)];
    let records = header.records(block, packed).unwrap();
    let names = decoder.fields.iter().map(|field| field.name().clone());
    let arrays = decoder.decode(&records, block.records.try_into().unwrap());
    (names.collect(), arrays.unwrap())
}

#[test]
fn files_of_fastavro_have_the_same_values_in_every_codec() {
    let (names, expected) = first_block(&seed("null"), None);
    assert_eq!(names.len(), 17);
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2"] {
        assert_eq!(rows(&seed(codec)), Ok(25), "{codec}");
        assert_eq!(first_block(&seed(codec), None).1, expected, "{codec}");
    }
    assert_eq!(rows(&seed("empty")), Ok(0));
}

#[test]
fn another_schema_renames_fields_and_adds_defaults() {
    let literal = r#"{"type":"record","name":"row","fields":[
        {"name":"number","aliases":["i"],"type":["null","long"],"default":null},
        {"name":"added","type":"string","default":"none"}]}"#;
    let (names, columns) = first_block(&seed("snappy"), Some(literal));
    assert_eq!(names, ["number", "added"]);
    assert!(columns[0].is_null(0));
    assert_eq!(columns[0].data_type(), &DataType::Int64);
    assert_eq!(columns[1].as_string::<i32>().value(0), "none");
}

/// A file of one block of records of one int.
fn forged(records: i64, bytes: &[u8]) -> Vec<u8> {
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}"#;
    let mut file = b"Obj\x01".to_vec();
    put_long(1, &mut file);
    for part in ["avro.schema", schema] {
        put_long(part.len().try_into().unwrap(), &mut file);
        file.extend_from_slice(part.as_bytes());
    }
    file.push(0);
    file.extend([7; 16]);
    put_long(records, &mut file);
    put_long(bytes.len().try_into().unwrap(), &mut file);
    file.extend_from_slice(bytes);
    file.extend([7; 16]);
    file
}

#[test]
fn block_that_claims_what_it_has_not_is_refused() {
    assert_eq!(rows(&forged(3, &[2, 4, 6])), Ok(3));
    for (records, bytes) in [
        (4, &[2, 4, 6][..]),
        (2, &[2, 4, 6]),
        (i64::MAX, &[2]),
        (-1, &[2]),
        (1, &[0x80]),
    ] {
        let read = rows(&forged(records, bytes));
        assert!(
            matches!(read, Err(Fault::Damaged(_))),
            "{records} {bytes:?}"
        );
    }
    let mut other = forged(1, &[2]);
    *other.last_mut().unwrap() = 8;
    assert!(rows(&other).is_err());
}

#[tokio::test]
async fn what_is_written_is_read_back_in_every_codec() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let decimals = Decimal128Array::from(vec![Some(-12_345), None, Some(0)]);
    let columns: [(&str, ArrayRef); 6] = [
        (
            "a",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(7)])),
        ),
        (
            "b",
            Arc::new(StringViewArray::from(vec![None, Some("é"), Some("")])),
        ),
        (
            "c",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(-1),
                Some(1),
                None,
            ])),
        ),
        (
            "d",
            Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
        ),
        ("e", Arc::new(list)),
        (
            "f",
            Arc::new(Int16Array::from(vec![Some(-1), None, Some(i16::MAX)])),
        ),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    for codec in [
        Codec::Uncompressed,
        Codec::Snappy,
        Codec::Deflate,
        Codec::ZSTD,
    ] {
        let (store, roots) = lake();
        let folder = roots.locate("s3://lake/t/").unwrap();
        let mut file = AvroFileWriter::create(NewFile {
            folder: &folder,
            name: "f.avro",
            schema: batch.schema(),
            declared: &[],
            codec,
            sorted_by: &[],
        })
        .unwrap();
        file.write(&batch).await.unwrap();
        file.write(&batch).await.unwrap();
        Box::new(file).close().await.unwrap();
        let written = store.get(&"t/f.avro".into()).await.unwrap();
        let written = written.bytes().await.unwrap();
        assert_eq!(rows(&written), Ok(6), "{codec:?}");
        let (names, columns) = first_block(&written, None);
        assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(&columns[0], batch.column(0));
        assert_eq!(&columns[3], batch.column(3));
        assert_eq!(columns[1].as_string::<i32>().value(1), "é");
        assert!(columns[4].is_null(1) && columns[4].as_list::<i32>().value(0).is_null(1));
    }
}
