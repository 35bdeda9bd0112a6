//! What holds for tables in every metastore of ours.

use crate::error::{CatalogError, Kind, Result};
use crate::model::{Column, Database, StorageDescriptor, Table, TableInput, TableStatistics, now};
use crate::partition::{PartitionKey, default_location, projection};

/// How many former versions of a table are kept.
pub(super) const KEPT_VERSIONS: u64 = 100;

/// The next version of a table.
///
/// # Errors
/// `Conflict` if `expected` is given and is not the current version.
pub(super) fn next_version(old: &Table, input: TableInput, expected: Option<u64>) -> Result<Table> {
    if let Some(expected) = expected.filter(|expected| *expected != old.version_id) {
        return Err(CatalogError::Conflict {
            table: old.full_name(),
            expected,
            found: old.version_id,
        });
    }
    Ok(Table {
        id: old.id,
        database_id: old.database_id,
        // A clock that was set back does not make an update older than the table.
        update_time: now().max(old.update_time),
        version_id: old.version_id + 1,
        claim: old.claim,
        outer_claim: old.outer_claim,
        ..Table::of_input(input, &old.database_name, old.create_time)
    })
}

/// Checks that a name is still that of the table that was found by it.
///
/// # Errors
/// `NotFound` if another table has it.
pub(super) fn require_same(found: &Table, expected: &Table) -> Result<()> {
    match found.id == expected.id {
        true => Ok(()),
        false => Err(CatalogError::not_found(Kind::Table, expected.full_name())),
    }
}

/// A table under another name, and in a database that may be another one, as its next version.
pub(super) fn renamed(old: &Table, database: &Database, new_name: String) -> Table {
    Table {
        name: new_name,
        database_id: database.id,
        database_name: database.name.clone(),
        update_time: now().max(old.update_time),
        version_id: old.version_id + 1,
        ..old.clone()
    }
}

/// Whether a table gets a folder that it did not have: its location, or the folder that holds its
/// projected partitions.
pub(super) fn moves(old: &Table, new: &Table) -> bool {
    let projected = |table: &Table| projection::template_folder(&table.parameters);
    new.storage_descriptor.location != old.storage_descriptor.location
        || projected(new) != projected(old)
}

/// What is still known of a table's rows after an update: nothing if it gets another folder.
pub(super) fn kept_statistics(
    known: &TableStatistics,
    old: &Table,
    new: &Table,
) -> Option<TableStatistics> {
    (!moves(old, new)).then(|| known.clone().of_columns(new))
}

/// Whether a table has lost a column, or one has another type: what is known of the columns of its
/// partitions may be of others then.
pub(super) fn loses_columns(old: &Table, new: &Table) -> bool {
    !old.columns().all(|column| {
        let mut columns = new.columns();
        columns.any(|kept| kept.name == column.name && kept.data_type == column.data_type)
    })
}

/// What is known of a table's rows after an ANALYZE.
pub(super) fn merged_statistics(
    found: TableStatistics,
    earlier: Option<&TableStatistics>,
    table: &Table,
) -> TableStatistics {
    let merged = match earlier {
        Some(earlier) => found.with_earlier(earlier),
        None => found,
    };
    merged.of_columns(table)
}

/// Whether names and types are the same, which is what stored partitions depend on.
pub(super) fn same_keys(left: &[Column], right: &[Column]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.name == right.name && left.data_type == right.data_type)
}

/// The error for other partition keys of a table that has partitions.
pub(super) fn keys_are_fixed(table: &Table) -> CatalogError {
    CatalogError::invalid(format!(
        "the partition keys of table \"{}\" cannot change while it has partitions; drop the partitions or make a new table",
        table.full_name()
    ))
}

/// The location that is given for a partition, by itself or in its descriptor.
///
/// # Errors
/// `InvalidInput` if there is none and the table has none either.
pub(super) fn partition_location(
    table: &Table,
    location: Option<String>,
    descriptor: Option<&StorageDescriptor>,
) -> Result<Option<String>> {
    let location = location.or_else(|| descriptor.and_then(|given| given.location.clone()));
    if table.storage_descriptor.location.is_none() && location.is_none() {
        return Err(CatalogError::invalid(format!(
            "table \"{}\" has no location for its partitions to lie under; give the partition a location",
            table.full_name()
        )));
    }
    Ok(location)
}

/// The storage descriptor of a partition, not normalised yet: the one that was given, at the location of
/// the table, or that of the table.
pub(super) fn partition_descriptor(
    table: &Table,
    given: Option<&StorageDescriptor>,
) -> StorageDescriptor {
    let own = &table.storage_descriptor;
    match given {
        None => own.clone(),
        Some(given) => StorageDescriptor {
            location: own.location.clone(),
            ..given.clone()
        },
    }
}

/// The location if it is not the one that follows from the values anyway (a slash at the end does
/// not matter).
pub(super) fn own_location(
    descriptor: &StorageDescriptor,
    keys: &[PartitionKey],
    values: &[String],
    location: &str,
) -> Option<String> {
    let follows = descriptor.location.as_deref().is_some_and(|base| {
        default_location(base, keys, values).trim_end_matches('/') == location.trim_end_matches('/')
    });
    (!follows).then(|| location.to_owned())
}
