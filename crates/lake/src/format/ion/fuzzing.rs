//! Rows from any bytes.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::Bytes;
use lakegate_catalog::hive_type::HiveType;

use super::decode::Decoder;
use super::options::{CLASS, IonFormat};
use super::stream::Stream;
use crate::format::TableFormat;
use crate::format::text::rows::Rows;

/// The longest value, in bytes.
const LONGEST: usize = 1 << 20;

pub(super) const COLUMNS: [(&str, &str); 13] = [
    ("a", "int"),
    ("b", "string"),
    ("c", "double"),
    ("d", "decimal(10,2)"),
    ("e", "date"),
    ("f", "timestamp"),
    ("g", "boolean"),
    ("h", "array<int>"),
    ("i", "map<string,decimal(5,1)>"),
    ("j", "struct<x:int,y:array<struct<z:string>>>"),
    ("k", "binary"),
    ("l", "tinyint"),
    ("m", "float"),
];

const LENIENT: [(&str, &str); 4] = [
    ("ion.ignore_malformed", "true"),
    ("ion.fail_on_overflow", "false"),
    ("ion.b.path_extractor", "(j y * z)"),
    ("ion.l.path_extractor", "(h 0)"),
];

/// The rows of a file.
pub(crate) fn file(bytes: &[u8]) -> bool {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema(&COLUMNS));
    let strict = rows(bytes, &[], &SCHEMA);
    let lenient = rows(bytes, &LENIENT, &SCHEMA);
    // What is read strictly is read leniently.
    for batch in [&strict, &lenient].into_iter().flatten() {
        for column in batch.columns() {
            assert!(column.to_data().validate_full().is_ok());
        }
    }
    assert!(strict.is_none() || lenient.is_some());
    lenient.is_some_and(|batch| batch.num_rows() > 0)
}

pub(super) fn schema(columns: &[(&str, &str)]) -> SchemaRef {
    let fields = columns.iter().filter_map(|(name, hive)| {
        let hive = hive.parse::<HiveType>().ok()?;
        Some(Field::new(*name, hive.to_arrow(), true))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// `None`: the file is not read.
fn rows(bytes: &[u8], properties: &[(&str, &str)], schema: &SchemaRef) -> Option<RecordBatch> {
    let TableFormat::Ion(format) = TableFormat::of_serde(CLASS, properties).ok()? else {
        return None;
    };
    read(bytes, &format, schema, bytes.len().div_ceil(2)).ok()
}

/// The rows of a file that comes in pieces of a size. The error says what is wrong.
pub(super) fn read(
    bytes: &[u8],
    format: &IonFormat,
    schema: &SchemaRef,
    size: usize,
) -> Result<RecordBatch, String> {
    let rows = Rows::new(schema).map_err(|error| error.to_string())?;
    let mut decoder = Decoder::new(rows, format);
    let mut stream = Stream::new(LONGEST);
    let mut pieces = bytes.chunks(size.max(1));
    while !stream.is_ended() {
        match pieces.next() {
            Some(piece) => stream.push(&Bytes::copy_from_slice(piece)),
            None => stream.end(),
        }
        while let Some(value) = stream.advance().map_err(|fault| fault.to_string())? {
            let length = value.len();
            let decoded = decoder.decode(stream.cursor(value), length);
            decoded.map_err(|bad| bad.to_string())?;
        }
    }
    decoder.rows.flush().map_err(|error| error.to_string())
}
