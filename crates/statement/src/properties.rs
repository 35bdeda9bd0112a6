//! Which table properties a principal may see.
//!
//! Some properties list the table's columns (`avro.schema.literal`, `mapping.<column>`,
//! `projection.<column>.type`, those of Spark, and any that other tools write). If some columns are
//! hidden from the principal, only properties that are known not to name columns are shown.

use lakegate_catalog::model::{StorageDescriptor, Table};

/// Table properties whose values do not name columns.
const OF_TABLES: [&str; 12] = [
    "EXTERNAL",
    "classification",
    "comment",
    "compressionType",
    "has_encrypted_data",
    "ion.encoding",
    "parquet.compression",
    "serialization.null.format",
    "skip.footer.line.count",
    "skip.header.line.count",
    "transient_lastDdlTime",
    "write.compression",
];

/// SerDe properties whose values do not name columns.
const OF_SERDES: [&str; 20] = [
    "case.insensitive",
    "colelction.delim",
    "collection.delim",
    "dots.in.keys",
    "escape.delim",
    "escapeChar",
    "field.delim",
    "ignore.malformed.json",
    "ion.encoding",
    "ion.fail_on_overflow",
    "ion.ignore_malformed",
    "ion.path_extractor.case_sensitive",
    "ion.serialize_null",
    "ion.timestamp.serialization_offset",
    "line.delim",
    "mapkey.delim",
    "quoteChar",
    "separatorChar",
    "serialization.format",
    "serialization.null.format",
];

/// The table's properties, ordered by key. `all`: no column is hidden from the principal.
pub(super) fn of_table(table: &Table, all: bool) -> impl Iterator<Item = (&String, &String)> {
    table
        .parameters
        .iter()
        .filter(move |(key, _)| all || OF_TABLES.contains(&key.as_str()))
}

/// The SerDe properties of a descriptor, ordered by key. `all`: no column is hidden from the
/// principal.
pub(super) fn of_serde(
    descriptor: &StorageDescriptor,
    all: bool,
) -> impl Iterator<Item = (&String, &String)> {
    descriptor
        .serde_info
        .iter()
        .flat_map(|serde| &serde.parameters)
        .filter(move |(key, _)| all || OF_SERDES.contains(&key.as_str()))
}
