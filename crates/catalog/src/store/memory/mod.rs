//! [`MemoryMetastore`]: a metastore without a file.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use self::table::TableEntry;
use super::table_rules::{
    kept_statistics, keys_are_fixed, loses_columns, merged_statistics, moves, next_version,
    renamed, require_same, same_keys,
};
use super::{AddedPartitions, Created, Metastore, TableVersion};
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::{normalize, normalize_database, normalize_table};
use crate::model::{Claim, Database, DatabaseInput, Table, TableInput, TableStatistics, now};
use crate::partition::{
    PartitionInput, PartitionKey, PartitionPredicate, Partitions, identity_key,
};

/// Databases, tables and partitions that are gone with the value. For tests: it keeps no grants and
/// no writes, as a remote metastore does not.
#[derive(Debug, Default)]
pub struct MemoryMetastore {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    version: u64,
    last_id: i64,
    databases: BTreeMap<String, DatabaseEntry>,
}

#[derive(Debug, Clone)]
struct DatabaseEntry {
    database: Arc<Database>,
    tables: BTreeMap<String, TableEntry>,
}

impl MemoryMetastore {
    /// An empty metastore.
    pub fn new() -> MemoryMetastore {
        MemoryMetastore::default()
    }

    /// Makes a change, or nothing of it if it fails.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state.lock();
        let mut next = state.clone();
        let value = change(&mut next)?;
        next.version += 1;
        *state = next;
        Ok(value)
    }
}

impl State {
    fn database(&self, name: &str) -> Result<&DatabaseEntry> {
        let entry = self.databases.get(&name.to_lowercase());
        entry.ok_or_else(|| CatalogError::not_found(Kind::Database, name.to_lowercase()))
    }

    fn database_mut(&mut self, name: &str) -> Result<&mut DatabaseEntry> {
        let entry = self.databases.get_mut(&name.to_lowercase());
        entry.ok_or_else(|| CatalogError::not_found(Kind::Database, name.to_lowercase()))
    }

    fn table(&self, database: &str, name: &str) -> Result<&TableEntry> {
        let tables = &self.database(database)?.tables;
        let entry = tables.get(&name.to_lowercase());
        entry.ok_or_else(|| table_not_found(database, name))
    }

    fn table_mut(&mut self, database: &str, name: &str) -> Result<&mut TableEntry> {
        let tables = &mut self.database_mut(database)?.tables;
        let entry = tables.get_mut(&name.to_lowercase());
        entry.ok_or_else(|| table_not_found(database, name))
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }
}

#[async_trait]
impl Metastore for MemoryMetastore {
    fn catalog_version(&self) -> u64 {
        self.state.lock().version
    }

    async fn databases(&self) -> Result<Vec<Arc<Database>>> {
        let state = self.state.lock();
        let entries = state.databases.values();
        Ok(entries.map(|entry| Arc::clone(&entry.database)).collect())
    }

    async fn database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        let state = self.state.lock();
        let entry = state.databases.get(&name.to_lowercase());
        Ok(entry.map(|entry| Arc::clone(&entry.database)))
    }

    async fn create_database(
        &self,
        mut input: DatabaseInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Database>>> {
        normalize_database(&mut input)?;
        if let Some(value) = self.database(&input.name).await? {
            return match if_not_exists {
                true => Ok(Created {
                    value,
                    created: false,
                }),
                false => Err(CatalogError::already_exists(Kind::Database, input.name)),
            };
        }
        self.change(|state| {
            let database = Arc::new(Database {
                id: state.next_id(),
                ..Database::of_input(input, now())
            });
            let entry = DatabaseEntry {
                database: Arc::clone(&database),
                tables: BTreeMap::new(),
            };
            state.databases.insert(database.name.clone(), entry);
            Ok(Created {
                value: database,
                created: true,
            })
        })
    }

    async fn update_database(&self, mut input: DatabaseInput) -> Result<Arc<Database>> {
        normalize_database(&mut input)?;
        self.change(|state| {
            let entry = state.database_mut(&input.name)?;
            entry.database = Arc::new(Database {
                id: entry.database.id,
                ..Database::of_input(input, entry.database.create_time)
            });
            Ok(Arc::clone(&entry.database))
        })
    }

    async fn drop_database(&self, name: &str, if_exists: bool, cascade: bool) -> Result<bool> {
        if if_exists && self.database(name).await?.is_none() {
            return Ok(false);
        }
        self.change(|state| {
            let tables = state.database(name)?.tables.len();
            if tables > 0 && !cascade {
                return Err(CatalogError::NotEmpty {
                    database: name.to_lowercase(),
                    tables,
                });
            }
            state.databases.remove(&name.to_lowercase());
            Ok(true)
        })
    }

    async fn tables(&self, database: &str) -> Result<Vec<Arc<Table>>> {
        let state = self.state.lock();
        let entries = state.database(database)?.tables.values();
        Ok(entries.map(|entry| Arc::clone(&entry.table)).collect())
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Arc<Table>>> {
        let state = self.state.lock();
        let entry = state.table(database, name).ok();
        Ok(entry.map(|entry| Arc::clone(&entry.table)))
    }

    async fn tables_of_ids(&self, ids: &BTreeSet<i64>) -> Result<Vec<Arc<Table>>> {
        let state = self.state.lock();
        let databases = state.databases.values();
        let tables = databases.flat_map(|database| database.tables.values());
        let found = tables.filter(|entry| ids.contains(&entry.table.id));
        Ok(found.map(|entry| Arc::clone(&entry.table)).collect())
    }

    async fn table_version(&self, database: &str, name: &str) -> Result<Option<TableVersion>> {
        let state = self.state.lock();
        Ok(state.table(database, name).ok().map(TableEntry::version))
    }

    async fn create_table(
        &self,
        database: &str,
        mut input: TableInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Table>>> {
        normalize_table(&mut input)?;
        if let Ok(existing) = self.state.lock().table(database, &input.name) {
            return match if_not_exists {
                true => Ok(Created {
                    value: Arc::clone(&existing.table),
                    created: false,
                }),
                false => Err(CatalogError::already_exists(
                    Kind::Table,
                    existing.table.full_name(),
                )),
            };
        }
        self.change(|state| {
            let id = state.next_id();
            let entry = state.database_mut(database)?;
            let created = now();
            let table = Arc::new(Table {
                id,
                database_id: entry.database.id,
                claim: Claim {
                    since: created.timestamp_millis(),
                    by_administrator: true,
                },
                ..Table::of_input(input, &entry.database.name, created)
            });
            let partitions = Arc::new(Partitions {
                version: 0,
                keys: PartitionKey::of_table(&table)?,
                items: Vec::new(),
            });
            let new = TableEntry {
                table: Arc::clone(&table),
                former: Vec::new(),
                partitions,
                statistics: None,
                partition_statistics: BTreeMap::new(),
                analyzed: 0,
            };
            entry.tables.insert(table.name.clone(), new);
            Ok(Created {
                value: table,
                created: true,
            })
        })
    }

    async fn update_table(
        &self,
        database: &str,
        mut input: TableInput,
        expected_version: Option<u64>,
    ) -> Result<Arc<Table>> {
        normalize_table(&mut input)?;
        self.change(|state| {
            let entry = state.table_mut(database, &input.name)?;
            let old = Arc::clone(&entry.table);
            let mut next = next_version(&old, input, expected_version)?;
            if !same_keys(&old.partition_keys, &next.partition_keys) {
                if !entry.partitions.is_empty() {
                    return Err(keys_are_fixed(&old));
                }
                entry.partitions = Arc::new(Partitions {
                    version: entry.partitions.version,
                    keys: PartitionKey::of_table(&next)?,
                    items: Vec::new(),
                });
            }
            if moves(&old, &next) && !next.partition_keys.is_empty() {
                // Partitions that it has stay where they are.
                let outer = old.outer_claim;
                next.outer_claim = Some(outer.map_or(old.claim, |outer| outer.with(old.claim)));
            }
            if loses_columns(&old, &next) {
                entry.partition_statistics.clear();
            }
            let known = entry.statistics.take();
            let known = known.and_then(|known| kept_statistics(&known, &old, &next));
            entry.statistics = known.map(Arc::new);
            let next = Arc::new(next);
            entry.archive(Arc::clone(&next));
            Ok(next)
        })
    }

    async fn rename_table(
        &self,
        table: &Table,
        new_database: &str,
        new_name: &str,
    ) -> Result<Arc<Table>> {
        let new_name = normalize(Kind::Table, new_name)?;
        self.change(|state| {
            let (database, name) = (&table.database_name, &table.name);
            let old = Arc::clone(&state.table(database, name)?.table);
            require_same(&old, table)?;
            let target = state.database(new_database)?;
            let next = Arc::new(renamed(&old, &target.database, new_name));
            if target.tables.contains_key(&next.name) {
                return Err(CatalogError::already_exists(Kind::Table, next.full_name()));
            }
            let left = &mut state.database_mut(database)?.tables;
            if let Some(mut entry) = left.remove(&old.name) {
                entry.archive(Arc::clone(&next));
                let tables = &mut state.database_mut(new_database)?.tables;
                tables.insert(next.name.clone(), entry);
            }
            Ok(next)
        })
    }

    async fn drop_table(&self, database: &str, name: &str, if_exists: bool) -> Result<bool> {
        if if_exists && self.table(database, name).await?.is_none() {
            return Ok(false);
        }
        self.change(|state| {
            state.table(database, name)?;
            let tables = &mut state.database_mut(database)?.tables;
            Ok(tables.remove(&name.to_lowercase()).is_some())
        })
    }

    async fn table_versions(&self, database: &str, name: &str) -> Result<Vec<Arc<Table>>> {
        let state = self.state.lock();
        let entry = state.table(database, name)?;
        let mut versions = vec![Arc::clone(&entry.table)];
        versions.extend(entry.former.iter().cloned());
        Ok(versions)
    }

    async fn table_statistics(&self, table: &Table) -> Result<Option<Arc<TableStatistics>>> {
        let state = self.state.lock();
        let entry = state.table(&table.database_name, &table.name).ok();
        let entry = entry.filter(|entry| entry.table.id == table.id);
        Ok(entry.and_then(|entry| entry.statistics.clone()))
    }

    async fn update_table_statistics(
        &self,
        table: &Table,
        statistics: TableStatistics,
    ) -> Result<()> {
        self.change(|state| {
            let entry = state.table_mut(&table.database_name, &table.name)?;
            if entry.table.id != table.id {
                return Err(table_not_found(&table.database_name, &table.name));
            }
            let earlier = entry.statistics.as_deref();
            let merged = merged_statistics(statistics, earlier, &entry.table);
            entry.statistics = Some(Arc::new(merged));
            entry.analyzed += 1;
            Ok(())
        })
    }

    async fn partition_statistics(
        &self,
        table: &Table,
        values: &[String],
    ) -> Result<Option<TableStatistics>> {
        let key = identity_key(&PartitionKey::of_table(table)?, values)?;
        let state = self.state.lock();
        let entry = state.table(&table.database_name, &table.name).ok();
        let entry = entry.filter(|entry| entry.table.id == table.id);
        Ok(entry.and_then(|entry| entry.partition_statistics.get(&key).cloned()))
    }

    async fn all_partition_statistics(
        &self,
        table: &Table,
        most: usize,
    ) -> Result<BTreeMap<String, TableStatistics>> {
        let state = self.state.lock();
        let entry = state.table(&table.database_name, &table.name).ok();
        let entry = entry.filter(|entry| entry.table.id == table.id);
        let known = entry.map(|entry| &entry.partition_statistics);
        let known = known.filter(|known| known.len() <= most);
        Ok(known.cloned().unwrap_or_default())
    }

    async fn update_partition_statistics(
        &self,
        table: &Table,
        statistics: Vec<(Vec<String>, TableStatistics)>,
    ) -> Result<()> {
        self.change(|state| {
            let entry = state.table_mut(&table.database_name, &table.name)?;
            require_same(&entry.table, table)?;
            let keys = Arc::clone(&entry.partitions.keys);
            let mut merged = Vec::with_capacity(statistics.len());
            for (values, found) in statistics {
                let Some(partition) = entry.partitions.find(&values)? else {
                    return Err(entry.partition_not_found(&values));
                };
                let key = identity_key(&keys, &partition.values)?;
                let earlier = entry.partition_statistics.get(&key);
                merged.push((key, merged_statistics(found, earlier, &entry.table)));
            }
            entry.partition_statistics.extend(merged);
            entry.analyzed += 1;
            Ok(())
        })
    }

    async fn partitions_matching(
        &self,
        database: &str,
        table: &str,
        predicate: &PartitionPredicate,
    ) -> Result<Arc<Partitions>> {
        let all = match self.state.lock().table(database, table) {
            Ok(entry) => Arc::clone(&entry.partitions),
            Err(_) => return Err(table_not_found(database, table)),
        };
        predicate.filter(&all)
    }

    async fn add_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
    ) -> Result<AddedPartitions> {
        self.change(|state| {
            let entry = state.table_mut(database, table)?;
            entry.add(partitions, if_not_exists)
        })
    }

    async fn change_partitions(
        &self,
        database: &str,
        table: &str,
        dropped: &[Vec<String>],
        added: Vec<PartitionInput>,
    ) -> Result<(usize, AddedPartitions)> {
        self.change(|state| {
            let entry = state.table_mut(database, table)?;
            Ok((entry.remove(dropped, true)?, entry.add(added, true)?))
        })
    }

    async fn drop_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
        if_exists: bool,
    ) -> Result<usize> {
        self.change(|state| {
            let entry = state.table_mut(database, table)?;
            entry.remove(values, if_exists)
        })
    }

    async fn rename_partition(
        &self,
        database: &str,
        table: &str,
        from: &[String],
        to: &[String],
    ) -> Result<()> {
        self.change(|state| {
            let entry = state.table_mut(database, table)?;
            entry.rename(from, to)
        })
    }

    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
    ) -> Result<()> {
        self.change(|state| {
            let entry = state.table_mut(database, table)?;
            entry.update(partitions)
        })
    }
}

fn table_not_found(database: &str, name: &str) -> CatalogError {
    let name = format!("{}.{}", database.to_lowercase(), name.to_lowercase());
    CatalogError::not_found(Kind::Table, name)
}
