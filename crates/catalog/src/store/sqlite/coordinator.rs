//! [`Coordinator`] on the file: each change is one transaction over all three stores.

use std::sync::Arc;

use async_trait::async_trait;

use super::SqliteStore;
use super::write::Write;
use crate::access::{By, ResourceId};
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::{normalize_database, normalize_table};
use crate::model::{Database, DatabaseInput, Table, TableInput};
use crate::partition::PartitionInput;
use crate::store::{
    AddedPartitions, CommitWrite, Committed, Coordinator, Created, ExpectedTable, WriteId,
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
        self.write(move |write| {
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
        self.write(move |write| {
            let Some(dropped) = write.drop_database(&name, if_exists, cascade)? else {
                return Ok(false);
            };
            for entry in dropped.tables.values() {
                write.forget(ResourceId::Table(entry.table.id))?;
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
        self.write(move |write| create_table(write, &database, input, if_not_exists, by))
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
        self.write(move |write| update_table(write, &database, input, expected_version, by))
            .await
    }

    async fn drop_table_and_grants(
        &self,
        database: &str,
        name: &str,
        if_exists: bool,
    ) -> Result<bool> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        self.write(move |write| {
            let Some(dropped) = write.drop_table(&database, &name, if_exists)? else {
                return Ok(false);
            };
            write.forget(ResourceId::Table(dropped.id))?;
            Ok(true)
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
        self.write(move |write| {
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
        self.write(move |write| write.update_partitions(&database, &table, partitions, by))
            .await
    }

    async fn commit_write(&self, id: WriteId, mut commit: CommitWrite) -> Result<Committed> {
        commit.database = commit.database.to_lowercase();
        commit.table = commit.table.to_lowercase();
        if let Some(definition) = &mut commit.definition {
            normalize_table(definition)?;
        }
        self.write(move |write| commit_write(write, id, commit))
            .await
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
        partitions,
        files,
        discard,
        by,
    } = commit;
    write.require_open(id)?;
    // The version changes also where no definition and no partition does: plans that were made before
    // do not know the new files.
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
    let partitions_added = if partitions.is_empty() {
        0
    } else {
        register(write, &table, partitions, by)?
    };
    let record = WriteRecord {
        table_id: table.id,
        files,
        discard,
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

/// Adds the partitions that do not exist.
///
/// # Errors
/// `InvalidInput` if an existing one lies elsewhere, so that it does not have the files.
fn register(
    write: &mut Write<'_>,
    table: &Table,
    partitions: Vec<PartitionInput>,
    by: By,
) -> Result<usize> {
    let (database, name) = (&table.database_name, &table.name);
    let wanted = partitions.clone();
    let added = write.add_partitions(database, name, partitions, true, by)?;
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
