//! Formats as keys: equal formats have equal digests, and digests stay as they are.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashSet};

use sha2::{Digest, Sha256};

use super::TableFormat;

const PARQUET: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
const OPENX: &str = "org.openx.data.jsonserde.JsonSerDe";
const HIVE_JSON: &str = "org.apache.hive.hcatalog.data.JsonSerDe";
const CSV: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
const LAZY: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

fn format(class: &str, properties: &[(&str, &str)]) -> TableFormat {
    TableFormat::of_serde(class, properties).unwrap()
}

fn digest(format: &TableFormat) -> String {
    let mut digest = Sha256::new();
    format.digest(&mut digest);
    let bytes: [u8; 32] = digest.finalize().into();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Each differs from every other in one property at least.
fn different() -> Vec<TableFormat> {
    let by_place = &[("parquet.column.index.access", "true")];
    let mut formats = vec![format(PARQUET, &[]), format(PARQUET, by_place)];
    for class in [OPENX, HIVE_JSON] {
        for properties in [
            &[][..],
            &[("ignore.malformed.json", "true")],
            &[("case.insensitive", "false")],
            &[("dots.in.keys", "true")],
            &[("mapping.a", "b")],
            &[("mapping.a", "c")],
            &[("mapping.a", "b"), ("mapping.c", "d")],
            &[("timestamp.formats", "millis")],
            &[("timestamp.formats", "yyyy")],
            &[("timestamp.formats", "yyyy,MM")],
            &[("timestamp.formats", "yyyy'MM'")],
            &[("skip.header.line.count", "1")],
        ] {
            formats.push(format(class, properties));
        }
    }
    for properties in [
        &[][..],
        &[("separatorChar", ";")],
        &[("quoteChar", "'")],
        &[("escapeChar", "+")],
        &[("serialization.null.format", "")],
        &[("serialization.null.format", "x")],
        &[("skip.header.line.count", "2")],
    ] {
        formats.push(format(CSV, properties));
    }
    for properties in [
        &[][..],
        &[("field.delim", ";")],
        &[("collection.delim", ";")],
        &[("mapkey.delim", ";")],
        &[("escape.delim", "+")],
        &[("serialization.null.format", "x")],
        &[("serialization.last.column.takes.rest", "true")],
        &[("timestamp.formats", "yyyy")],
    ] {
        formats.push(format(LAZY, properties));
    }
    formats
}

#[test]
fn formats_that_differ_have_different_keys_and_digests() {
    let formats = different();
    let count = formats.len();
    assert_eq!(formats.iter().collect::<BTreeSet<_>>().len(), count);
    assert_eq!(formats.iter().collect::<HashSet<_>>().len(), count);
    let digests: HashSet<String> = formats.iter().map(digest).collect();
    assert_eq!(digests.len(), count);
}

#[test]
fn formats_that_are_equal_have_one_digest() {
    for (one, other) in different().iter().zip(different()) {
        assert_eq!((one, digest(one)), (&other, digest(&other)));
    }
}

#[test]
fn digests_are_of_the_encoding_and_nothing_else() {
    let of = |bytes: &[u8]| {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        hex
    };
    assert_eq!(digest(&format(PARQUET, &[])), of(&[0]));
    let csv = format(CSV, &[("serialization.null.format", "NA")]);
    let mut bytes = vec![1];
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend([2, b',', b'"', b'\\', 1]);
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend(b"NA");
    assert_eq!(digest(&csv), of(&bytes));
    let json = format(OPENX, &[("mapping.a", "b"), ("timestamp.formats", "yyyy")]);
    let mut bytes = vec![1];
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend([0, 0, 1, 0]);
    for text in ["a", "b"] {
        if text == "a" {
            bytes.extend(1_u64.to_le_bytes());
        }
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.push(1);
    bytes.extend(u64::from(u32::from('y')).to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    assert_eq!(digest(&json), of(&bytes));
}
