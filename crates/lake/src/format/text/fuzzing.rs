//! Rows from any bytes, by each SerDe.

use std::sync::{Arc, LazyLock};

use arrow::array::Array;
use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::Bytes;
use lakegate_catalog::hive_type::HiveType;
use lakegate_fuzzing::text;

use super::framing::{Framing, Lines};
use super::matching::Compiled;
use super::patterns::Pattern;
use super::records::Records;
use super::{Places, TextSerDe, decoder};
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

const PATTERNS: [SerDe; 3] = [
    (
        "org.apache.hadoop.hive.serde2.RegexSerDe",
        &[(
            "input.regex",
            r"([^ ]*) (\S+) ([-0-9.e]*) (-|\d+(?:\.\d+)?) ([^ ]*) \[([^\]]*)\] (\w+) (.*?) (.*?) (.*?) ([^ ]*) ?(\d*)",
        )],
    ),
    (
        "com.amazonaws.glue.serde.GrokSerDe",
        &[(
            "input.format",
            "%{INT:a} %{QS:b} %{NUMBER:c} %{GREEDYDATA:k}",
        )],
    ),
    (
        "com.amazonaws.glue.serde.GrokSerDe",
        &[(
            "input.format",
            "%{HTTPDATE:e} %{IPORHOST:b} %{URIPATHPARAM:k}",
        )],
    ),
];

const RECORDS: [SerDe; 1] = [("com.amazon.emr.hive.serde.CloudTrailSerde", &[])];

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

pub(crate) fn line_patterns(bytes: &[u8]) -> bool {
    /// Compiling takes longer than matching.
    static COMPILED: LazyLock<[Compiled; 3]> = LazyLock::new(Default::default);
    let reads =
        |(serde, compiled): (&SerDe, &Compiled)| reads_with(serde, &schema(false), bytes, compiled);
    let serdes = PATTERNS.iter().zip(COMPILED.iter());
    serdes.filter(|serde| reads(*serde)).count() > 0
}

/// The records of CloudTrail's files.
pub(crate) fn records(bytes: &[u8]) -> bool {
    RECORDS
        .iter()
        .filter(|serde| reads(serde, &schema(true), bytes))
        .count()
        > 0
}

/// An `input.format` of Grok, and in the lines behind it patterns of its own.
pub(crate) fn grok(bytes: &[u8]) -> bool {
    let Some((format, custom)) = text(bytes).and_then(|text| text.split_once('\n')) else {
        return false;
    };
    let properties = [
        ("input.format", format),
        ("input.grokCustomPatterns", custom),
    ];
    let format = TableFormat::of_serde("com.amazonaws.glue.serde.GrokSerDe", &properties);
    format.is_ok()
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
fn reads(serde: &SerDe, schema: &SchemaRef, bytes: &[u8]) -> bool {
    reads_with(serde, schema, bytes, &Compiled::default())
}

fn reads_with(
    (class, properties): &SerDe,
    schema: &SchemaRef,
    bytes: &[u8],
    compiled: &Compiled,
) -> bool {
    let Ok(TableFormat::Text(format)) = TableFormat::of_serde(class, properties) else {
        return false;
    };
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let Ok(mut decoder) = decoder::decoder(&format, schema, &all, &Places::default(), compiled)
    else {
        return false;
    };
    // In two pieces, so that a line may begin in one and end in the other.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut lines = match &format.serde {
        TextSerDe::CloudTrail(_) => Framing::Records(Records::new(LONGEST)),
        _ => Framing::Lines(Lines::new(0, LONGEST)),
    };
    let mut is_whole = true;
    for piece in [Some(first), Some(second), None] {
        match piece {
            Some(piece) => lines.push(Bytes::copy_from_slice(piece)),
            None => lines.end(),
        }
        loop {
            match lines.next() {
                Ok(Some(line)) => is_whole &= decoder.decode(line.bytes).is_ok(),
                Ok(None) => break,
                Err(_) => return false,
            }
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
