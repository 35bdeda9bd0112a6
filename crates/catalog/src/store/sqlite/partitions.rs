//! The partitions of a table, in the file and in memory.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::write::Write;
use super::{CachedPartitions, SqliteStore, load};
use crate::access::By;
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::normalize_storage;
use crate::model::{Parameters, StorageDescriptor, Table, now};
use crate::partition::{
    Partition, PartitionInput, PartitionKey, Partitions, canonical_key, default_location,
    identity_key, is_below, partition_path, spellings,
};
use crate::store::AddedPartitions;

impl SqliteStore {
    /// A table's partitions: from memory, or from the file and then into memory.
    pub(super) async fn read_partitions(
        &self,
        database: String,
        name: String,
    ) -> Result<Arc<Partitions>> {
        let not_found = || CatalogError::not_found(Kind::Table, format!("{database}.{name}"));
        let table = self
            .catalog()
            .table(&database, &name)
            .cloned()
            .ok_or_else(not_found)?;
        if let Some(cached) = self.inner.partitions.lock().get(&table.id) {
            return Ok(Arc::clone(&cached.set));
        }
        let table_id = table.id;
        let loaded = self
            .blocking(move |inner| {
                // Memory changes under the writer's lock only, so what is loaded here cannot be
                // older than a commit.
                let connection = inner.writer.lock();
                if let Some(cached) = inner.partitions.lock().get(&table_id) {
                    return Ok(Some(Arc::clone(&cached.set)));
                }
                // The table may have been changed since it was looked up; its keys must be those of
                // the partitions.
                let current = inner
                    .catalog
                    .read()
                    .table(&table.database_name, &table.name)
                    .cloned();
                let Some(current) = current.filter(|current| current.id == table_id) else {
                    return Ok(None);
                };
                let Some(cached) = load::partitions(&connection, &current)? else {
                    return Ok(None);
                };
                let set = Arc::clone(&cached.set);
                inner.partitions.lock().insert(table_id, cached);
                drop(connection);
                Ok(Some(set))
            })
            .await?;
        loaded.ok_or_else(not_found)
    }
}

/// A table whose partitions a change is about.
struct Target {
    table: Arc<Table>,
    keys: Arc<[PartitionKey]>,
    /// What is in memory; nothing needs to be changed there if the partitions have not been used.
    cached: Option<CachedPartitions>,
    /// Row ids of the descriptors that this change has used, by the text that was stored.
    descriptors: HashMap<String, (i64, Arc<StorageDescriptor>)>,
}

/// An input made fit to be stored.
struct Prepared {
    key: String,
    values: Vec<String>,
    storage_descriptor: Arc<StorageDescriptor>,
    descriptor_id: i64,
    own_location: Option<String>,
    parameters: Parameters,
}

impl Write<'_> {
    pub(super) fn add_partitions(
        &mut self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
        by: By,
    ) -> Result<AddedPartitions> {
        let mut target = self.target(database, table)?;
        let mut outer = false;
        let created = now();
        let mut outcome = AddedPartitions::default();
        let mut added = Vec::new();
        for (position, input) in partitions.into_iter().enumerate() {
            let key = identity_key(&target.keys, &input.values)?;
            let prepared = self.prepare(&mut target, key, input)?;
            let sql = "INSERT INTO partitions (table_id, key, vals, location, descriptor_id, parameters, created)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
            let inserted = self.tx.prepare_cached(sql)?.execute(params![
                target.table.id,
                prepared.key,
                serde_json::to_string(&prepared.values)?,
                prepared.own_location,
                prepared.descriptor_id,
                parameters_json(&prepared.parameters)?,
                created.timestamp_millis(),
            ])?;
            if inserted > 0 {
                outcome.added += 1;
                outer |= prepared.is_outer(&target.table);
                if target.cached.is_some() {
                    added.push((
                        prepared.key.clone(),
                        Arc::new(prepared.into_partition(created)),
                    ));
                }
            } else if if_not_exists {
                outcome.existing.push(position);
            } else {
                let name = format!(
                    "{}/{}",
                    target.table.full_name(),
                    partition_path(&target.keys, &prepared.values)
                );
                return Err(CatalogError::already_exists(Kind::Partition, name));
            }
        }
        if outer {
            self.claim_outer(&target.table, by)?;
        }
        if outcome.added > 0 {
            self.finish(target, |set, version| set.with(version, added))?;
        }
        Ok(outcome)
    }

    pub(super) fn drop_partitions(
        &mut self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
        if_exists: bool,
    ) -> Result<usize> {
        let target = self.target(database, table)?;
        let mut dropped = Vec::new();
        for values in values {
            let key = match self.partition_row(&target, values)? {
                Some(row) => row.key,
                None => identity_key(&target.keys, values)?,
            };
            let sql = "DELETE FROM partitions WHERE table_id = ?1 AND key = ?2";
            if self
                .tx
                .prepare_cached(sql)?
                .execute(params![target.table.id, key])?
                > 0
            {
                dropped.push(key);
            } else if !if_exists && !dropped.contains(&key) {
                return Err(not_found(&target, values));
            }
        }
        let count = dropped.len();
        if count > 0 {
            self.finish(target, |set, version| set.without(version, &dropped))?;
        }
        Ok(count)
    }

    pub(super) fn rename_partition(
        &mut self,
        database: &str,
        table: &str,
        from: &[String],
        to: Vec<String>,
    ) -> Result<()> {
        let target = self.target(database, table)?;
        let new_key = identity_key(&target.keys, &to)?;
        let row = self
            .partition_row(&target, from)?
            .ok_or_else(|| not_found(&target, from))?;
        let old_key = row.key.clone();
        if old_key != new_key && self.row_at(&target, &new_key)?.is_some() {
            let name = format!(
                "{}/{}",
                target.table.full_name(),
                partition_path(&target.keys, &to)
            );
            return Err(CatalogError::already_exists(Kind::Partition, name));
        }
        // Only the metadata moves: a location that followed from the old values is kept as one of
        // its own.
        let old = row.partition(self, &target)?;
        let location = own_location(
            &old.storage_descriptor,
            &target.keys,
            &to,
            &old.location(&target.keys),
        );
        let sql = "UPDATE partitions SET key = ?3, vals = ?4, location = ?5 WHERE table_id = ?1 AND key = ?2";
        let values = serde_json::to_string(&to)?;
        self.tx.execute(
            sql,
            params![target.table.id, old_key, new_key, values, location],
        )?;
        let renamed = Partition {
            values: to.into_iter().map(Into::into).collect(),
            own_location: location.map(Into::into),
            ..old
        };
        self.finish(target, |set, version| {
            set.without(version, std::slice::from_ref(&old_key))
                .with(version, vec![(new_key, Arc::new(renamed))])
        })
    }

    pub(super) fn update_partitions(
        &mut self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        by: By,
    ) -> Result<()> {
        let mut target = self.target(database, table)?;
        let mut changed = Vec::new();
        let mut outer = false;
        for input in partitions {
            let row = self
                .partition_row(&target, &input.values)?
                .ok_or_else(|| not_found(&target, &input.values))?;
            // The values stay as they were given when the partition was added.
            let values = load::values(&row.values)?
                .iter()
                .map(|value| value.to_string())
                .collect();
            let input = PartitionInput { values, ..input };
            let prepared = self.prepare(&mut target, row.key, input)?;
            let sql = "UPDATE partitions SET location = ?3, descriptor_id = ?4, parameters = ?5 WHERE table_id = ?1 AND key = ?2";
            self.tx.prepare_cached(sql)?.execute(params![
                target.table.id,
                prepared.key,
                prepared.own_location,
                prepared.descriptor_id,
                parameters_json(&prepared.parameters)?,
            ])?;
            outer |= prepared.is_outer(&target.table);
            // Of two inputs for one partition the later holds.
            changed.retain(|(key, _)| *key != prepared.key);
            changed.push((
                prepared.key.clone(),
                Arc::new(prepared.into_partition(load::time(row.created))),
            ));
        }
        if outer {
            self.claim_outer(&target.table, by)?;
        }
        if changed.is_empty() {
            Ok(())
        } else {
            self.finish(target, |set, version| set.with(version, changed))
        }
    }

    /// Where a partition's files are; `None`: it is not registered.
    pub(super) fn partition_location(
        &self,
        database: &str,
        table: &str,
        values: &[String],
    ) -> Result<Option<String>> {
        let target = self.target(database, table)?;
        let Some(row) = self.partition_row(&target, values)? else {
            return Ok(None);
        };
        let partition = row.partition(self, &target)?;
        Ok(Some(partition.location(&target.keys)))
    }

    fn target(&self, database: &str, table: &str) -> Result<Target> {
        let table = self.table(database, table)?;
        if table.partition_keys.is_empty() {
            return Err(CatalogError::invalid(format!(
                "table \"{}\" is not partitioned",
                table.full_name()
            )));
        }
        let keys = PartitionKey::of_table(&table)?;
        let cached = self.cached_partitions(table.id);
        Ok(Target {
            table,
            keys,
            cached,
            descriptors: HashMap::new(),
        })
    }

    fn prepare(&self, target: &mut Target, key: String, input: PartitionInput) -> Result<Prepared> {
        let PartitionInput {
            values,
            location,
            storage_descriptor: given,
            parameters,
        } = input;
        let base = target.table.storage_descriptor.location.clone();
        let location = location.or_else(|| given.as_ref().and_then(|given| given.location.clone()));
        if base.is_none() && location.is_none() {
            return Err(CatalogError::invalid(format!(
                "table \"{}\" has no location for its partitions to lie under; give the partition a location",
                target.table.full_name()
            )));
        }
        let text = match &given {
            // The common case costs no more than a look-up of an empty text.
            None => String::new(),
            Some(given) => serde_json::to_string(&StorageDescriptor {
                location: base.clone(),
                ..(**given).clone()
            })?,
        };
        let known = target.descriptors.get(&text).cloned();
        let (descriptor_id, storage_descriptor) = match known {
            Some(known) => known,
            None => {
                let mut descriptor = match given {
                    None => target.table.storage_descriptor.clone(),
                    Some(given) => StorageDescriptor {
                        location: base,
                        ..(*given).clone()
                    },
                };
                normalize_storage(&mut descriptor, &target.table.name)?;
                let stored = self.descriptor(target, descriptor)?;
                target.descriptors.insert(text, stored.clone());
                stored
            }
        };
        let own_location = location.and_then(|location| {
            own_location(&storage_descriptor, &target.keys, &values, &location)
        });
        Ok(Prepared {
            key,
            values,
            storage_descriptor,
            descriptor_id,
            own_location,
            parameters,
        })
    }

    /// The row of a descriptor, made if there is none, and the one object that stands for it in
    /// memory.
    fn descriptor(
        &self,
        target: &Target,
        descriptor: StorageDescriptor,
    ) -> Result<(i64, Arc<StorageDescriptor>)> {
        let json = serde_json::to_string(&descriptor)?;
        let digest = Sha256::digest(json.as_bytes()).to_vec();
        let sql = "SELECT id FROM descriptors WHERE table_id = ?1 AND digest = ?2";
        let found = self
            .tx
            .query_row(sql, params![target.table.id, digest], |row| row.get(0))
            .optional()?;
        let id: i64 = match found {
            Some(id) => id,
            None => {
                let sql = "INSERT INTO descriptors (table_id, digest, json) VALUES (?1, ?2, ?3)";
                self.tx
                    .execute(sql, params![target.table.id, digest, json])?;
                self.tx.last_insert_rowid()
            }
        };
        let cached = target
            .cached
            .as_ref()
            .and_then(|cached| cached.descriptors.get(&id));
        Ok((id, cached.cloned().unwrap_or_else(|| Arc::new(descriptor))))
    }

    /// Counts the change, and makes it in memory if the partitions are there.
    fn finish(
        &mut self,
        target: Target,
        change: impl FnOnce(&Partitions, u64) -> Partitions,
    ) -> Result<()> {
        let sql = "UPDATE tables SET partitions_version = partitions_version + 1 WHERE id = ?1 RETURNING partitions_version";
        let version: i64 = self
            .tx
            .query_row(sql, [target.table.id], |row| row.get(0))?;
        let next = target.cached.map(|mut cached| {
            cached.set = Arc::new(change(&cached.set, load::unsigned(version)));
            cached.descriptors.extend(target.descriptors.into_values());
            cached
        });
        self.set_partitions(target.table.id, next);
        Ok(())
    }

    /// The row with these values: spelled so, or else the first that means the same.
    fn partition_row(&self, target: &Target, values: &[String]) -> Result<Option<PartitionRow>> {
        if let Some(exact) = self.row_at(target, &identity_key(&target.keys, values)?)? {
            return Ok(Some(exact));
        }
        let (first, end) = spellings(&canonical_key(&target.keys, values)?);
        self.first_row(target, &first, &end)
    }

    fn row_at(&self, target: &Target, key: &str) -> Result<Option<PartitionRow>> {
        self.first_row(target, key, &format!("{key}\0"))
    }

    /// The first row with a key from `first` and below `end`.
    fn first_row(&self, target: &Target, first: &str, end: &str) -> Result<Option<PartitionRow>> {
        let sql = "SELECT key, vals, location, descriptor_id, parameters, created FROM partitions
                   WHERE table_id = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT 1";
        let mut statement = self.tx.prepare_cached(sql)?;
        let row = statement.query_row(params![target.table.id, first, end], |row| {
            Ok(PartitionRow {
                key: row.get(0)?,
                values: row.get(1)?,
                location: row.get(2)?,
                descriptor_id: row.get(3)?,
                parameters: row.get(4)?,
                created: row.get(5)?,
            })
        });
        Ok(row.optional()?)
    }
}

struct PartitionRow {
    key: String,
    values: String,
    location: Option<String>,
    descriptor_id: i64,
    parameters: Option<String>,
    created: i64,
}

impl PartitionRow {
    fn partition(self, write: &Write<'_>, target: &Target) -> Result<Partition> {
        let cached = target
            .cached
            .as_ref()
            .and_then(|cached| cached.descriptors.get(&self.descriptor_id));
        let storage_descriptor = match cached {
            Some(descriptor) => Arc::clone(descriptor),
            None => {
                let sql = "SELECT json FROM descriptors WHERE id = ?1";
                let json: String = write
                    .tx
                    .query_row(sql, [self.descriptor_id], |row| row.get(0))?;
                Arc::new(serde_json::from_str(&json)?)
            }
        };
        let parameters = self
            .parameters
            .map(|json| serde_json::from_str(&json))
            .transpose()?
            .map(Arc::new);
        Ok(Partition {
            values: load::values(&self.values)?,
            storage_descriptor,
            parameters,
            creation_time: load::time(self.created),
            own_location: self.location.map(Into::into),
        })
    }
}

impl Prepared {
    /// Whether the partition may lie outside of its table's folder.
    fn is_outer(&self, table: &Table) -> bool {
        let home = table.storage_descriptor.location.as_deref();
        self.own_location
            .as_ref()
            .is_some_and(|own| !home.is_some_and(|home| is_below(own, home)))
    }

    fn into_partition(self, created: DateTime<Utc>) -> Partition {
        Partition {
            values: self.values.into_iter().map(Into::into).collect(),
            storage_descriptor: self.storage_descriptor,
            parameters: (!self.parameters.is_empty()).then(|| Arc::new(self.parameters)),
            creation_time: created,
            own_location: self.own_location.map(Into::into),
        }
    }
}

/// Gives the partitions of files of old, whose keys were the canonical values alone, their identity keys.
pub(super) fn respell(transaction: &Transaction<'_>) -> Result<()> {
    let mut tables = transaction.prepare("SELECT id, json FROM tables")?;
    let tables = tables
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
    for (id, json) in tables {
        let keys = PartitionKey::of_table(&load::table(id, &json)?)?;
        let mut rows =
            transaction.prepare("SELECT key, vals FROM partitions WHERE table_id = ?1")?;
        let mut rows = rows.query([id])?;
        let mut changed: Vec<(String, String)> = Vec::new();
        while let Some(row) = rows.next()? {
            let (old, values): (String, String) = (row.get(0)?, row.get(1)?);
            let new = identity_key(&keys, &load::values(&values)?)?;
            if new != old {
                changed.push((old, new));
            }
        }
        let sql = "UPDATE partitions SET key = ?3 WHERE table_id = ?1 AND key = ?2";
        let mut update = transaction.prepare(sql)?;
        for (old, new) in changed {
            update.execute(params![id, old, new])?;
        }
    }
    Ok(())
}

/// The location if it is not the one that follows from the values anyway (a slash at the end does
/// not matter).
fn own_location(
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

fn parameters_json(parameters: &Parameters) -> Result<Option<String>> {
    if parameters.is_empty() {
        Ok(None)
    } else {
        Ok(Some(serde_json::to_string(parameters)?))
    }
}

fn not_found(target: &Target, values: &[String]) -> CatalogError {
    let name = format!(
        "{}/{}",
        target.table.full_name(),
        partition_path(&target.keys, values)
    );
    CatalogError::not_found(Kind::Partition, name)
}
