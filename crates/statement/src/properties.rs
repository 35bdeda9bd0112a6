//! Which properties of a table a principal is shown.
//!
//! Some properties list the table's columns (`avro.schema.literal`, `mapping.<column>`, `projection.<column>.type`, what
//! Spark writes, and whatever a tool puts there). For whom some of the columns do not exist, only properties that are
//! known not to are shown.

use lakegate_catalog::model::{StorageDescriptor, Table};

/// Properties of tables whose values say nothing of columns.
const OF_TABLES: [&str; 11] = [
    "EXTERNAL",
    "classification",
    "comment",
    "compressionType",
    "has_encrypted_data",
    "parquet.compression",
    "serialization.null.format",
    "skip.footer.line.count",
    "skip.header.line.count",
    "transient_lastDdlTime",
    "write.compression",
];

/// Properties of SerDes whose values say nothing of columns.
const OF_SERDES: [&str; 14] = [
    "case.insensitive",
    "colelction.delim",
    "collection.delim",
    "dots.in.keys",
    "escape.delim",
    "escapeChar",
    "field.delim",
    "ignore.malformed.json",
    "line.delim",
    "mapkey.delim",
    "quoteChar",
    "separatorChar",
    "serialization.format",
    "serialization.null.format",
];

/// The table's properties, in order of key. `all`: no column is hidden from the principal.
pub(super) fn of_table(table: &Table, all: bool) -> impl Iterator<Item = (&String, &String)> {
    table
        .parameters
        .iter()
        .filter(move |(key, _)| all || OF_TABLES.contains(&key.as_str()))
}

/// The properties of a descriptor's SerDe, in order of key. `all`: no column is hidden from the principal.
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
