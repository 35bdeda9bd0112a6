//! [`Metastore`]: databases and tables. Partitions are in the file beside this one.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::params;

use super::write::Write;
use super::{DatabaseEntry, SqliteStore, load, vacated};
use crate::access::{By, Resource};
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::{normalize, normalize_database, normalize_table};
use crate::model::{Claim, Column, Database, DatabaseInput, Table, TableInput, now};
use crate::partition::{PartitionInput, Partitions};
use crate::store::{
    AddedPartitions, CommitWrite, Committed, Created, Discarded, Metastore, OpenWrites,
    UnfinishedWrite, WriteId,
};

/// How many former versions of a table are kept.
const KEPT_VERSIONS: u64 = 100;

#[async_trait]
impl Metastore for SqliteStore {
    fn catalog_version(&self) -> u64 {
        self.catalog().version
    }

    async fn databases(&self) -> Result<Vec<Arc<Database>>> {
        Ok(self
            .catalog()
            .databases
            .values()
            .map(|entry| Arc::clone(&entry.database))
            .collect())
    }

    async fn database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        Ok(self
            .catalog()
            .databases
            .get(&name.to_lowercase())
            .map(|entry| Arc::clone(&entry.database)))
    }

    async fn create_database_by(
        &self,
        mut input: DatabaseInput,
        if_not_exists: bool,
        by: By,
        folder: Option<String>,
    ) -> Result<Created<Arc<Database>>> {
        normalize_database(&mut input)?;
        self.write(move |write| {
            let made = create_database(write, input, if_not_exists)?;
            if made.created {
                write.grant_to_maker(by, &Resource::Database(made.value.name.clone()))?;
                if let Some(folder) = folder {
                    write.grant_folder_to_maker(by, made.value.id, folder)?;
                }
            }
            Ok(made)
        })
        .await
    }

    async fn update_database(&self, mut input: DatabaseInput) -> Result<Arc<Database>> {
        normalize_database(&mut input)?;
        self.write(move |write| {
            let old = Arc::clone(&write.database(&input.name)?.database);
            let database = database_of(input, old.id, old.create_time);
            let json = serde_json::to_string(&database)?;
            write.tx.execute(
                "UPDATE databases SET json = ?1 WHERE id = ?2",
                params![json, database.id],
            )?;
            let database = Arc::new(database);
            write.database_mut(&database.name)?.database = Arc::clone(&database);
            Ok(database)
        })
        .await
    }

    async fn drop_database(&self, name: &str, if_exists: bool, cascade: bool) -> Result<bool> {
        let name = name.to_lowercase();
        self.write(move |write| drop_database(write, &name, if_exists, cascade))
            .await
    }

    async fn tables(&self, database: &str) -> Result<Vec<Arc<Table>>> {
        let database = database.to_lowercase();
        let catalog = self.catalog();
        let entry = catalog
            .databases
            .get(&database)
            .ok_or_else(|| CatalogError::not_found(Kind::Database, database))?;
        Ok(entry.tables.values().cloned().collect())
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Arc<Table>>> {
        Ok(self
            .catalog()
            .table(&database.to_lowercase(), &name.to_lowercase())
            .cloned())
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

    async fn rename_table(&self, database: &str, name: &str, new_name: &str) -> Result<Arc<Table>> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        let new_name = normalize(Kind::Table, new_name)?;
        self.write(move |write| rename_table(write, &database, &name, new_name))
            .await
    }

    async fn drop_table(&self, database: &str, name: &str, if_exists: bool) -> Result<bool> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        self.write(move |write| drop_table(write, &database, &name, if_exists))
            .await
    }

    async fn table_versions(&self, database: &str, name: &str) -> Result<Vec<Arc<Table>>> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        self.write(move |write| {
            let table = write.table(&database, &name)?;
            let sql = "SELECT json FROM table_versions WHERE table_id = ?1 ORDER BY version DESC";
            let mut statement = write.tx.prepare(sql)?;
            let mut rows = statement.query([table.id])?;
            let mut versions = vec![Arc::clone(&table)];
            while let Some(row) = rows.next()? {
                versions.push(Arc::new(load::table(table.id, &row.get::<_, String>(0)?)?));
            }
            Ok(versions)
        })
        .await
    }

    async fn partitions(&self, database: &str, table: &str) -> Result<Arc<Partitions>> {
        self.read_partitions(database.to_lowercase(), table.to_lowercase())
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

    async fn change_partitions(
        &self,
        database: &str,
        table: &str,
        dropped: &[Vec<String>],
        added: Vec<PartitionInput>,
    ) -> Result<(usize, AddedPartitions)> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        let values = dropped.to_vec();
        self.write(move |write| {
            let dropped = write.drop_partitions(&database, &table, &values, true)?;
            if added.is_empty() {
                return Ok((dropped, AddedPartitions::default()));
            }
            // What the first change made of them in memory is not there for the second.
            let changed = write.table(&database, &table)?.id;
            let by = By::Administrator;
            let added = write.add_partitions(&database, &table, added, true, by)?;
            if dropped > 0 {
                write.reread_partitions(changed);
            }
            Ok((dropped, added))
        })
        .await
    }

    async fn drop_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
        if_exists: bool,
    ) -> Result<usize> {
        let (database, table, values) = (
            database.to_lowercase(),
            table.to_lowercase(),
            values.to_vec(),
        );
        self.write(move |write| write.drop_partitions(&database, &table, &values, if_exists))
            .await
    }

    async fn rename_partition(
        &self,
        database: &str,
        table: &str,
        from: &[String],
        to: &[String],
    ) -> Result<()> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        let (from, to) = (from.to_vec(), to.to_vec());
        self.write(move |write| write.rename_partition(&database, &table, &from, to))
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

    async fn vacate(&self, folders: Vec<String>) -> Result<()> {
        self.write(move |write| {
            let since = now().timestamp_millis();
            // A copy of the few that there are: the change is the file's first.
            let mut known = BTreeMap::clone(&write.catalog_mut().vacated);
            vacated::note(&write.tx, &mut known, folders, since)?;
            write.catalog_mut().vacated = Arc::new(known);
            Ok(())
        })
        .await
    }

    fn vacated(&self) -> Arc<BTreeMap<String, i64>> {
        Arc::clone(&self.catalog().vacated)
    }

    fn open_writes(&self) -> OpenWrites {
        self.catalog().writes.clone()
    }

    async fn begin_write(
        &self,
        database: &str,
        table: &str,
        locations: Vec<String>,
    ) -> Result<WriteId> {
        let table = format!("{}.{}", database.to_lowercase(), table.to_lowercase());
        self.begin_write_to(table, locations).await
    }

    async fn extend_write(&self, id: WriteId, locations: Vec<String>) -> Result<()> {
        self.extend_write_by(id, locations).await
    }

    async fn commit_write(&self, id: WriteId, mut commit: CommitWrite) -> Result<Committed> {
        commit.database = commit.database.to_lowercase();
        commit.table = commit.table.to_lowercase();
        if let Some(definition) = &mut commit.definition {
            normalize_table(definition)?;
        }
        self.commit(id, commit).await
    }

    async fn end_write(&self, id: WriteId) -> Result<()> {
        self.end(id).await
    }

    async fn unfinished_writes(&self) -> Result<Vec<UnfinishedWrite>> {
        self.read_unfinished().await
    }

    async fn discarded(&self) -> Result<Vec<Discarded>> {
        self.read_discarded().await
    }

    async fn forget_discarded(&self, id: i64) -> Result<()> {
        self.forget(id).await
    }
}

fn database_of(
    input: DatabaseInput,
    id: i64,
    create_time: chrono::DateTime<chrono::Utc>,
) -> Database {
    Database {
        id,
        name: input.name,
        description: input.description,
        location_uri: input.location_uri,
        parameters: input.parameters,
        create_time,
    }
}

fn create_database(
    write: &mut Write<'_>,
    input: DatabaseInput,
    if_not_exists: bool,
) -> Result<Created<Arc<Database>>> {
    if let Some(entry) = write.catalog().databases.get(&input.name) {
        return match if_not_exists {
            true => Ok(Created {
                value: Arc::clone(&entry.database),
                created: false,
            }),
            false => Err(CatalogError::already_exists(Kind::Database, input.name)),
        };
    }
    let mut database = database_of(input, 0, now());
    let json = serde_json::to_string(&database)?;
    write.tx.execute(
        "INSERT INTO databases (name, json) VALUES (?1, ?2)",
        params![database.name, json],
    )?;
    database.id = write.tx.last_insert_rowid();
    let name = database.name.clone();
    let database = Arc::new(database);
    let entry = DatabaseEntry {
        database: Arc::clone(&database),
        tables: BTreeMap::new(),
    };
    write.catalog_mut().databases.insert(name, Arc::new(entry));
    Ok(Created {
        value: database,
        created: true,
    })
}

fn drop_database(
    write: &mut Write<'_>,
    name: &str,
    if_exists: bool,
    cascade: bool,
) -> Result<bool> {
    let Some(entry) = write.catalog().databases.get(name).cloned() else {
        return if if_exists {
            Ok(false)
        } else {
            Err(CatalogError::not_found(Kind::Database, name))
        };
    };
    if !entry.tables.is_empty() && !cascade {
        return Err(CatalogError::NotEmpty {
            database: name.to_owned(),
            tables: entry.tables.len(),
        });
    }
    write
        .tx
        .execute("DELETE FROM databases WHERE id = ?1", [entry.database.id])?;
    if write
        .tx
        .execute("DELETE FROM grants WHERE database_name = ?1", [name])?
        > 0
    {
        write.control_changed();
    }
    write.drop_folder_grants(entry.database.id)?;
    for table in entry.tables.values() {
        write.set_partitions(table.id, None);
    }
    write.catalog_mut().databases.remove(name);
    Ok(true)
}

pub(super) fn create_table(
    write: &mut Write<'_>,
    database: &str,
    input: TableInput,
    if_not_exists: bool,
    by: By,
) -> Result<Created<Arc<Table>>> {
    let entry = write.database(database)?;
    if let Some(table) = entry.tables.get(&input.name) {
        return match if_not_exists {
            true => Ok(Created {
                value: Arc::clone(table),
                created: false,
            }),
            false => Err(CatalogError::already_exists(Kind::Table, table.full_name())),
        };
    }
    let database_id = entry.database.id;
    let created = now();
    let mut table = Table::of_input(input, database, created);
    table.claim = claim_by(by, created);
    let json = serde_json::to_string(&table)?;
    let sql = "INSERT INTO tables (database_id, name, json, claimed, by_administrator) VALUES (?1, ?2, ?3, ?4, ?5)";
    let Claim {
        since,
        by_administrator,
    } = table.claim;
    let values = params![database_id, table.name, json, since, by_administrator];
    write.tx.execute(sql, values)?;
    table.id = write.tx.last_insert_rowid();
    write.grant_to_maker(by, &Resource::table(database, &table.name))?;
    let table = Arc::new(table);
    write
        .database_mut(database)?
        .tables
        .insert(table.name.clone(), Arc::clone(&table));
    Ok(Created {
        value: table,
        created: true,
    })
}

pub(super) fn update_table(
    write: &mut Write<'_>,
    database: &str,
    input: TableInput,
    expected: Option<u64>,
    by: By,
) -> Result<Arc<Table>> {
    let old = write.table(database, &input.name)?;
    if let Some(expected) = expected.filter(|expected| *expected != old.version_id) {
        return Err(CatalogError::Conflict {
            table: old.full_name(),
            expected,
            found: old.version_id,
        });
    }
    let new = Table {
        id: old.id,
        create_time: old.create_time,
        // A clock that was set back does not make an update older than the table.
        update_time: now().max(old.update_time),
        version_id: old.version_id + 1,
        claim: old.claim,
        outer_claim: old.outer_claim,
        ..Table::of_input(input, database, old.create_time)
    };
    if !same_keys(&old.partition_keys, &new.partition_keys) {
        let sql = "SELECT EXISTS (SELECT 1 FROM partitions WHERE table_id = ?1)";
        if write
            .tx
            .query_row(sql, [old.id], |row| row.get::<_, bool>(0))?
        {
            return Err(CatalogError::invalid(format!(
                "the partition keys of table \"{}\" cannot change while it has partitions; drop the partitions or make a new table",
                old.full_name()
            )));
        }
        write.set_partitions(old.id, None);
    }
    let columns = new.column_names();
    let mut dropped = old.column_names();
    dropped.retain(|column| !columns.contains(column));
    write.drop_column_grants(database, &new.name, &dropped)?;
    replace(write, &old, &new)?;
    let moved = new.storage_descriptor.location != old.storage_descriptor.location;
    let new = Arc::new(new);
    write
        .database_mut(database)?
        .tables
        .insert(new.name.clone(), Arc::clone(&new));
    if !moved {
        return Ok(new);
    }
    // Partitions that it has stay where they are.
    let left = (!new.partition_keys.is_empty()).then_some(old.claim);
    let outer = [left, old.outer_claim]
        .into_iter()
        .flatten()
        .reduce(Claim::with);
    write.set_claims(&new, claim_by(by, new.update_time), outer)
}

fn claim_by(by: By, at: chrono::DateTime<chrono::Utc>) -> Claim {
    Claim {
        since: at.timestamp_millis(),
        by_administrator: by == By::Administrator,
    }
}

/// Writes a table's next version and archives the one before.
fn replace(write: &Write<'_>, old: &Table, new: &Table) -> Result<()> {
    let archive = "INSERT INTO table_versions (table_id, version, json) SELECT id, ?2, json FROM tables WHERE id = ?1";
    write
        .tx
        .execute(archive, params![old.id, signed(old.version_id)])?;
    let oldest = signed(new.version_id.saturating_sub(KEPT_VERSIONS));
    write.tx.execute(
        "DELETE FROM table_versions WHERE table_id = ?1 AND version < ?2",
        params![old.id, oldest],
    )?;
    let json = serde_json::to_string(&new)?;
    write.tx.execute(
        "UPDATE tables SET name = ?1, json = ?2 WHERE id = ?3",
        params![new.name, json, new.id],
    )?;
    Ok(())
}

fn rename_table(
    write: &mut Write<'_>,
    database: &str,
    name: &str,
    new_name: String,
) -> Result<Arc<Table>> {
    let old = write.table(database, name)?;
    let new = Arc::new(Table {
        name: new_name,
        update_time: now().max(old.update_time),
        version_id: old.version_id + 1,
        ..(*old).clone()
    });
    if write.catalog().table(database, &new.name).is_some() {
        return Err(CatalogError::already_exists(Kind::Table, new.full_name()));
    }
    replace(write, &old, &new)?;
    let sql = "UPDATE grants SET table_name = ?3 WHERE database_name = ?1 AND table_name = ?2";
    if write.tx.execute(sql, [database, name, &new.name])? > 0 {
        write.control_changed();
    }
    let tables = &mut write.database_mut(database)?.tables;
    tables.remove(name);
    tables.insert(new.name.clone(), Arc::clone(&new));
    Ok(new)
}

fn drop_table(write: &mut Write<'_>, database: &str, name: &str, if_exists: bool) -> Result<bool> {
    let Some(table) = write.catalog().table(database, name).cloned() else {
        return match if_exists {
            true => Ok(false),
            false => Err(CatalogError::not_found(
                Kind::Table,
                format!("{database}.{name}"),
            )),
        };
    };
    write
        .tx
        .execute("DELETE FROM tables WHERE id = ?1", [table.id])?;
    let sql = "DELETE FROM grants WHERE database_name = ?1 AND table_name = ?2";
    if write.tx.execute(sql, [database, name])? > 0 {
        write.control_changed();
    }
    write.set_partitions(table.id, None);
    write.database_mut(database)?.tables.remove(name);
    Ok(true)
}

impl Write<'_> {
    /// Notes that a partition of a table was registered outside of its folder now, and by whom.
    pub(super) fn claim_outer(&mut self, table: &Table, by: By) -> Result<()> {
        let claim = claim_by(by, now());
        let outer = table.outer_claim.map_or(claim, |outer| outer.with(claim));
        self.set_claims(table, table.claim, Some(outer))?;
        Ok(())
    }

    fn set_claims(
        &mut self,
        table: &Table,
        claim: Claim,
        outer_claim: Option<Claim>,
    ) -> Result<Arc<Table>> {
        let sql = "UPDATE tables SET claimed = ?2, by_administrator = ?3, outer_claimed = ?4, outer_by_administrator = ?5 WHERE id = ?1";
        let values = params![
            table.id,
            claim.since,
            claim.by_administrator,
            outer_claim.map(|outer| outer.since),
            outer_claim.is_some_and(|outer| outer.by_administrator)
        ];
        self.tx.execute(sql, values)?;
        let table = Arc::new(Table {
            claim,
            outer_claim,
            ..table.clone()
        });
        let tables = &mut self.database_mut(&table.database_name)?.tables;
        tables.insert(table.name.clone(), Arc::clone(&table));
        Ok(table)
    }
}

/// Whether names and types are the same, which is what stored partitions depend on.
fn same_keys(left: &[Column], right: &[Column]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.name == right.name && left.data_type == right.data_type)
}

/// For SQLite, whose integers are signed.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
