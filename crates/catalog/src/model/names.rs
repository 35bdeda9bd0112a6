//! The rules for names and for a table's columns.

use std::collections::HashSet;

use super::{Column, DatabaseInput, StorageDescriptor, TableInput};
use crate::error::{CatalogError, Kind, Result};
use crate::hive_type::HiveType;

/// The longest name, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 255;

/// The most columns (partition keys included) that a table may have.
pub const MAX_COLUMNS: usize = 10_000;

/// The schema of a session's temporary tables and views, as it is listed.
pub const TEMPORARY_SCHEMA: &str = "pg_temp_1";

/// The name of [`TEMPORARY_SCHEMA`] in statements, in which it may be written too.
pub const TEMPORARY_ALIAS: &str = "pg_temp";

/// Schemas that are not Glue databases; a database must not have such a name.
pub const RESERVED_DATABASES: [&str; 5] = [
    "system",
    "information_schema",
    "pg_catalog",
    TEMPORARY_SCHEMA,
    TEMPORARY_ALIAS,
];

/// Whether a schema is that of a session's temporary tables and views.
pub fn is_temporary(schema: &str) -> bool {
    schema == TEMPORARY_SCHEMA || schema == TEMPORARY_ALIAS
}

/// Checks a name and lower-cases it: 1 to 255 characters, no control characters, no `/`.
///
/// # Errors
/// [`CatalogError::InvalidInput`] that says which rule is broken.
pub fn normalize(kind: Kind, name: &str) -> Result<String> {
    if name.is_empty() {
        return Err(CatalogError::invalid(format!(
            "the name of a {kind} is empty; give it 1 to {MAX_NAME_CHARS} characters"
        )));
    }
    if name.chars().nth(MAX_NAME_CHARS).is_some() {
        return Err(CatalogError::invalid(format!(
            "the name of a {kind} is longer than {MAX_NAME_CHARS} characters"
        )));
    }
    if let Some(bad) = name.chars().find(|c| c.is_control() || *c == '/') {
        return Err(CatalogError::invalid(format!(
            "{kind} name {name:?} contains {bad:?}; control characters and / are not allowed"
        )));
    }
    let lower = name.to_lowercase();
    // Lower-casing may lengthen a name (İ becomes two characters).
    if lower.chars().nth(MAX_NAME_CHARS).is_some() {
        return Err(CatalogError::invalid(format!(
            "the name of a {kind} is longer than {MAX_NAME_CHARS} characters in lower case"
        )));
    }
    Ok(lower)
}

/// Checks a database and lower-cases its name.
///
/// # Errors
/// `InvalidInput` for a bad or reserved name.
pub(crate) fn normalize_database(input: &mut DatabaseInput) -> Result<()> {
    input.name = normalize(Kind::Database, &input.name)?;
    if RESERVED_DATABASES.contains(&input.name.as_str()) {
        return Err(CatalogError::invalid(format!(
            "\"{}\" is a built-in schema; choose another name for the database",
            input.name
        )));
    }
    Ok(())
}

/// Checks how many columns a table has, partition keys included.
///
/// # Errors
/// `InvalidInput` for more than [`MAX_COLUMNS`].
pub fn check_width(table: &str, columns: usize) -> Result<()> {
    if columns <= MAX_COLUMNS {
        return Ok(());
    }
    Err(CatalogError::invalid(format!(
        "table \"{table}\" has {columns} columns; the most is {MAX_COLUMNS}"
    )))
}

/// Checks a table and lower-cases its names: at least one column, no column twice, no partition key
/// that is also a column, every type a Hive type, every partition key of a primitive type.
///
/// # Errors
/// `InvalidInput` that says which rule is broken.
pub fn normalize_table(input: &mut TableInput) -> Result<()> {
    input.name = normalize(Kind::Table, &input.name)?;
    normalize_storage(&mut input.storage_descriptor, &input.name)?;
    for key in &mut input.partition_keys {
        normalize_column(key, &input.name)?;
        if parse_type(key, &input.name)?.is_nested() {
            return Err(CatalogError::invalid(format!(
                "partition key \"{}\" of table \"{}\" has type {}; a partition key must have a primitive type",
                key.name, input.name, key.data_type
            )));
        }
    }
    let total = input.storage_descriptor.columns.len() + input.partition_keys.len();
    if total == 0 {
        return Err(CatalogError::invalid(format!(
            "table \"{}\" has no columns; give it at least one",
            input.name
        )));
    }
    check_width(&input.name, total)?;
    let columns: HashSet<&str> = input
        .storage_descriptor
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    let mut keys = HashSet::new();
    for key in &input.partition_keys {
        if columns.contains(key.name.as_str()) {
            return Err(CatalogError::invalid(format!(
                "partition key \"{}\" of table \"{}\" is also a column; name it in only one of the two lists",
                key.name, input.name
            )));
        }
        if !keys.insert(key.name.as_str()) {
            return Err(CatalogError::invalid(format!(
                "partition key \"{}\" of table \"{}\" is given twice",
                key.name, input.name
            )));
        }
    }
    Ok(())
}

/// Checks a storage descriptor's columns and lower-cases their names: none twice, every type a Hive
/// type.
///
/// # Errors
/// `InvalidInput` that says which rule is broken.
pub(crate) fn normalize_storage(storage: &mut StorageDescriptor, table: &str) -> Result<()> {
    let mut seen = HashSet::new();
    for column in &mut storage.columns {
        normalize_column(column, table)?;
        if !seen.insert(column.name.clone()) {
            return Err(CatalogError::invalid(format!(
                "column \"{}\" of table \"{table}\" is given twice",
                column.name
            )));
        }
    }
    Ok(())
}

fn normalize_column(column: &mut Column, table: &str) -> Result<()> {
    column.name = normalize(Kind::Column, &column.name)?;
    // Stored in Hive's own spelling, so that every listing shows the same text.
    column.data_type = parse_type(column, table)?.to_string();
    Ok(())
}

fn parse_type(column: &Column, table: &str) -> Result<HiveType> {
    column.data_type.parse::<HiveType>().map_err(|error| {
        CatalogError::invalid(format!(
            "column \"{}\" of table \"{table}\": {error}",
            column.name
        ))
    })
}
