//! [`Coordinator`] on the file: each change is one transaction over all three stores.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::SqliteStore;
use super::write::Write;
use super::write_log::retired_folders;
use crate::access::{By, ResourceId};
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::{normalize_database, normalize_table};
use crate::model::{Database, DatabaseInput, Table, TableInput};
use crate::partition::{PartitionInput, PartitionKey, is_below, new_location, partition_path};
use crate::store::{
    AddedPartitions, CommitWrite, Committed, Coordinator, Created, Draft, ExpectedTable, WriteId,
    WriteRecord,
};

#[async_trait]
impl Coordinator for SqliteStore {
    async fn create_database_by(
        &self,
        mut input: DatabaseInput,
        if_not_exists: bool,
        by: By,
        folder: Option<String>,
    ) -> Result<Created<Arc<Database>>> {
        normalize_database(&mut input)?;
        self.change(move |write| {
            let made = write.create_database(input, if_not_exists)?;
            if made.created {
                let id = made.value.id;
                write.grant_owner(by, ResourceId::Database(id))?;
                if let Some(folder) = folder {
                    write.grant_database_folder(by, id, &folder)?;
                }
            }
            Ok(made)
        })
        .await
    }

    async fn drop_database_and_grants(
        &self,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<bool> {
        let name = name.to_lowercase();
        self.change(move |write| {
            let Some(dropped) = write.drop_database(&name, if_exists, cascade)? else {
                return Ok(false);
            };
            for entry in dropped.tables.values() {
                forget_table(write, entry.table.id)?;
            }
            write.forget(ResourceId::Database(dropped.database.id))?;
            Ok(true)
        })
        .await
    }

    async fn create_table_by(
        &self,
        database: &str,
        mut input: TableInput,
        if_not_exists: bool,
        by: By,
    ) -> Result<Created<Arc<Table>>> {
        normalize_table(&mut input)?;
        let database = database.to_lowercase();
        self.change(move |write| create_table(write, &database, input, if_not_exists, by))
            .await
    }

    async fn update_table_by(
        &self,
        database: &str,
        mut input: TableInput,
        expected_version: Option<u64>,
        by: By,
    ) -> Result<Arc<Table>> {
        normalize_table(&mut input)?;
        let database = database.to_lowercase();
        self.change(move |write| update_table(write, &database, input, expected_version, by))
            .await
    }

    async fn drop_tables_and_grants(
        &self,
        tables: Vec<(String, String)>,
        if_exists: bool,
    ) -> Result<usize> {
        self.change(move |write| {
            let mut dropped = 0;
            for (database, name) in tables {
                let (database, name) = (database.to_lowercase(), name.to_lowercase());
                if let Some(table) = write.drop_table(&database, &name, if_exists)? {
                    forget_table(write, table.id)?;
                    dropped += 1;
                }
            }
            Ok(dropped)
        })
        .await
    }

    async fn add_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
        by: By,
    ) -> Result<AddedPartitions> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        self.change(move |write| {
            write.add_partitions(&database, &table, partitions, if_not_exists, by)
        })
        .await
    }

    async fn update_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        by: By,
    ) -> Result<()> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        self.change(move |write| write.update_partitions(&database, &table, partitions, by))
            .await
    }

    async fn commit_writes(
        &self,
        mut writes: Vec<(WriteId, CommitWrite)>,
    ) -> Result<Vec<Committed>> {
        for (_, commit) in &mut writes {
            commit.database = commit.database.to_lowercase();
            commit.table = commit.table.to_lowercase();
            if let Some(definition) = &mut commit.definition {
                normalize_table(definition)?;
            }
        }
        let mut committed = self
            .change(move |write| {
                let writes = writes.into_iter();
                let committed = writes.map(|(id, commit)| commit_write(write, id, commit));
                committed.collect::<Result<Vec<_>>>()
            })
            .await?;
        if self.draft.is_some() {
            // It is discarded, under another id, when the draft is committed.
            for committed in &mut committed {
                committed.discarded = None;
            }
        }
        Ok(committed)
    }

    fn draft(&self) -> Arc<dyn Draft> {
        self.new_draft()
    }
}

fn create_table(
    write: &mut Write<'_>,
    database: &str,
    input: TableInput,
    if_not_exists: bool,
    by: By,
) -> Result<Created<Arc<Table>>> {
    let made = write.create_table(database, input, if_not_exists, by)?;
    if made.created {
        write.grant_owner(by, ResourceId::Table(made.value.id))?;
    }
    Ok(made)
}

/// Removes what the other stores keep of a table that was dropped.
fn forget_table(write: &mut Write<'_>, id: i64) -> Result<()> {
    write.forget(ResourceId::Table(id))?;
    write.forget_written(id)
}

fn update_table(
    write: &mut Write<'_>,
    database: &str,
    input: TableInput,
    expected: Option<u64>,
    by: By,
) -> Result<Arc<Table>> {
    let (table, dropped) = write.update_table(database, input, expected, by)?;
    write.forget_columns(table.id, &dropped)?;
    Ok(table)
}

fn commit_write(write: &mut Write<'_>, id: WriteId, commit: CommitWrite) -> Result<Committed> {
    let CommitWrite {
        database,
        table: name,
        expected,
        definition,
        mut partitions,
        files,
        mut discard,
        mut replaces,
        empties_rest,
        by,
    } = commit;
    write.require_open(id)?;
    // The version changes also where no definition and no partition does: plans that were made
    // before do not know the new files.
    write.state_mut();
    let table = match (expected, definition) {
        (None, Some(input)) => create_table(write, &database, input, false, by)?.value,
        (None, None) => {
            let name = format!("{database}.{name}");
            return Err(CatalogError::not_found(Kind::Table, name));
        }
        (Some(expected), definition) => {
            let current = expected_table(write, &database, &name, expected)?;
            match definition {
                None => current,
                Some(input) => {
                    write.clear_partitions(&current)?;
                    update_table(write, &database, input, None, by)?
                }
            }
        }
    };
    if empties_rest {
        let rest = rest_of(write, &table, &replaces, id)?;
        replaces.extend(rest.iter().map(|partition| partition.values.clone()));
        partitions.extend(rest);
    }
    let rest_stays = !replaces.is_empty();
    discard.extend(write.remove_partitions(&table, &replaces)?);
    let partitions_added = if partitions.is_empty() {
        0
    } else {
        register(write, &table, partitions, by)?
    };
    let record = WriteRecord {
        table_id: table.id,
        files,
        discard,
        rest_stays,
    };
    let discarded = write.record_commit(id, record)?;
    Ok(Committed {
        table,
        partitions_added,
        discarded,
    })
}

/// The table that a write was planned for.
///
/// # Errors
/// `NotFound` or `Conflict` if it is not there any more or was changed.
fn expected_table(
    write: &Write<'_>,
    database: &str,
    name: &str,
    expected: ExpectedTable,
) -> Result<Arc<Table>> {
    let current = write.table(database, name)?;
    if current.id != expected.id || current.version_id != expected.version {
        return Err(CatalogError::Conflict {
            table: current.full_name(),
            expected: expected.version,
            found: current.version_id,
        });
    }
    Ok(current)
}

/// The partitions that a commit empties beside those that it names, each with a new folder.
///
/// # Errors
/// `Changed` if one is outside of the table's folder: what the principal may learn of the folders
/// that a table leaves was decided for those that it had.
fn rest_of(
    write: &Write<'_>,
    table: &Table,
    named: &[Vec<String>],
    id: WriteId,
) -> Result<Vec<PartitionInput>> {
    let named: BTreeSet<&[String]> = named.iter().map(Vec::as_slice).collect();
    let keys = PartitionKey::of_table(table)?;
    let home = table.storage_descriptor.location.as_deref();
    let home = home.unwrap_or_default();
    let mut rest = Vec::new();
    for (values, location) in write.partition_locations(table)? {
        if named.contains(values.as_slice()) {
            continue;
        }
        if !is_below(&location, home) {
            return Err(CatalogError::Changed(format!(
                "partition {} of table \"{}\", which is outside of the table's folder, was registered while its rows were removed",
                partition_path(&keys, &values),
                table.full_name()
            )));
        }
        let location = new_location(home, &keys, &values, id);
        rest.push(PartitionInput::at(values, location));
    }
    Ok(rest)
}

/// Adds the partitions that do not exist.
///
/// # Errors
/// `InvalidInput` if an existing one lies elsewhere, so that it does not have the files. `Changed`
/// if files that are to be deleted lie in the folder of a new one: rows would come back.
fn register(
    write: &mut Write<'_>,
    table: &Table,
    partitions: Vec<PartitionInput>,
    by: By,
) -> Result<usize> {
    let (database, name) = (&table.database_name, &table.name);
    let wanted = partitions.clone();
    let added = write.add_partitions(database, name, partitions, true, by)?;
    if added.added > 0 {
        let retired = retired_folders(&write.tx)?;
        let existing: BTreeSet<usize> = added.existing.iter().copied().collect();
        let new = wanted.iter().enumerate();
        let mut new = new.filter(|(position, _)| !existing.contains(position));
        let is_retired = |input: &PartitionInput| {
            let location = input.location.as_deref();
            location.is_some_and(|location| retired.are_in(location))
        };
        if let Some((_, input)) = new.find(|(_, input)| is_retired(input)) {
            return Err(CatalogError::Changed(format!(
                "partition {} of table \"{}\" was emptied and dropped while rows were written to it; write them again",
                input.values.join("/"),
                table.full_name()
            )));
        }
    }
    for position in added.existing {
        let Some(input) = wanted.get(position) else {
            continue;
        };
        let found = write.partition_location(database, name, &input.values)?;
        let same = match (&input.location, &found) {
            (Some(wanted), Some(found)) => {
                wanted.trim_end_matches('/') == found.trim_end_matches('/')
            }
            _ => false,
        };
        if !same {
            return Err(CatalogError::invalid(format!(
                "partition {} of table \"{}\" was registered with another location while rows were written to it; write them again",
                input.values.join("/"),
                table.full_name()
            )));
        }
    }
    Ok(added.added)
}

#[cfg(test)]
mod tests;
