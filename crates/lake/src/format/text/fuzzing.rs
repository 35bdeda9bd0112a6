//! Rows from any bytes, by each SerDe.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::Bytes;
use lakegate_catalog::hive_type::HiveType;
use lakegate_fuzzing::text;

use super::framing::Lines;
use super::patterns::Pattern;
use super::{Places, decoder};
use crate::format::TableFormat;

/// The longest line, in bytes.
const LONGEST: usize = 1 << 20;

/// The class of a SerDe, and its properties.
type SerDe = (&'static str, &'static [(&'static str, &'static str)]);

const JSON: [SerDe; 3] = [
    ("org.openx.data.jsonserde.JsonSerDe", &[]),
    (
        "org.openx.data.jsonserde.JsonSerDe",
        &[
            ("ignore.malformed.json", "true"),
            ("dots.in.keys", "true"),
            ("case.insensitive", "false"),
        ],
    ),
    (
        "org.apache.hive.hcatalog.data.JsonSerDe",
        &[
            ("ignore.malformed.json", "true"),
            ("timestamp.formats", "yyyy-MM-dd'T'HH:mm:ss.SSSZZ"),
        ],
    ),
];

const CSV: [SerDe; 2] = [
    ("org.apache.hadoop.hive.serde2.OpenCSVSerde", &[]),
    (
        "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        &[
            ("separatorChar", ";"),
            ("quoteChar", "'"),
            ("serialization.null.format", ""),
        ],
    ),
];

const DELIMITED: [SerDe; 2] = [
    (
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        &[("field.delim", ",")],
    ),
    (
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        &[
            ("field.delim", ","),
            ("escape.delim", "\\"),
            ("serialization.last.column.takes.rest", "true"),
        ],
    ),
];

pub(super) const COLUMNS: [(&str, &str); 12] = [
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
];

pub(crate) fn json(bytes: &[u8]) -> bool {
    JSON.iter()
        .filter(|serde| reads(serde, &schema(true), bytes))
        .count()
        > 0
}

pub(crate) fn csv(bytes: &[u8]) -> bool {
    CSV.iter()
        .filter(|serde| reads(serde, &schema(false), bytes))
        .count()
        > 0
}

pub(crate) fn delimited(bytes: &[u8]) -> bool {
    DELIMITED
        .iter()
        .filter(|serde| reads(serde, &schema(true), bytes))
        .count()
        > 0
}

/// A pattern of a table's properties, and in the lines behind it texts to read by it.
pub(crate) fn timestamp_pattern(bytes: &[u8]) -> bool {
    let Some((pattern, texts)) = text(bytes).and_then(|text| text.split_once('\n')) else {
        return false;
    };
    let Ok(pattern) = Pattern::parse(pattern) else {
        return false;
    };
    texts.lines().filter_map(|text| pattern.read(text)).count() > 0
}

/// Names and Hive types of columns; nested ones are texts where the SerDe has no nesting.
pub(super) fn columns(is_nested: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.into_iter().map(move |(name, hive)| {
        let is_text = !is_nested && hive.contains('<');
        (name, if is_text { "string" } else { hive })
    })
}

fn schema(is_nested: bool) -> SchemaRef {
    let fields: Vec<Field> = columns(is_nested)
        .filter_map(|(name, hive)| {
            let hive = hive.parse::<HiveType>().ok()?;
            Some(Field::new(name, hive.to_arrow(), true))
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Whether all lines are rows. A batch that is made of them is a valid one.
fn reads((class, properties): &SerDe, schema: &SchemaRef, bytes: &[u8]) -> bool {
    let Ok(TableFormat::Text(format)) = TableFormat::of_serde(class, properties) else {
        return false;
    };
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let Ok(mut decoder) = decoder::decoder(&format, schema, &all, &Places::default()) else {
        return false;
    };
    // In two pieces, so that a line may begin in one and end in the other.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut lines = Lines::new(0, LONGEST);
    let mut is_whole = true;
    for piece in [Some(first), Some(second), None] {
        match piece {
            Some(piece) => lines.push(Bytes::copy_from_slice(piece)),
            None => lines.end(),
        }
        while let Ok(Some(line)) = lines.next() {
            is_whole &= decoder.decode(line.bytes).is_ok();
        }
    }
    let Ok(batch) = decoder.rows().flush() else {
        return false;
    };
    for column in batch.columns() {
        assert!(column.to_data().validate_full().is_ok());
    }
    is_whole && batch.num_rows() > 0
}
