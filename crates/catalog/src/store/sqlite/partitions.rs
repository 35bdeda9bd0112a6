//! The partitions of a table, in the file and in memory: the steps of changes to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::params;

use super::partition_rows::{PartitionRow, Target, parameters_json};
use super::write::Write;
use super::{SqliteStore, load};
use crate::access::By;
use crate::error::{CatalogError, Kind, Result};
use crate::model::{Table, now};
use crate::partition::{
    Partition, PartitionInput, PartitionKey, Partitions, canonical_key, identity_key,
    partition_path, spellings,
};
use crate::store::AddedPartitions;
use crate::store::table_rules::own_location;

impl SqliteStore {
    /// A table's partitions: from memory, or from the file and then into memory.
    pub(super) async fn read_partitions(
        &self,
        database: String,
        name: String,
    ) -> Result<Arc<Partitions>> {
        let not_found = || CatalogError::not_found(Kind::Table, format!("{database}.{name}"));
        let table = self
            .state()
            .table(&database, &name)
            .cloned()
            .ok_or_else(not_found)?;
        if let Some(draft) = &self.draft
            && let Some(cached) = draft.view().partitions.get(&table.id)
        {
            return Ok(Arc::clone(&cached.set));
        }
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
                    .state
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
        // Of two inputs for one partition the later holds.
        let mut changed = BTreeMap::new();
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
            if row.location != prepared.own_location || row.descriptor_id != prepared.descriptor_id
            {
                // Its files may be others.
                self.forget_partition_statistics(&target.table, Some(&prepared.key))?;
            }
            let sql = "UPDATE partitions SET location = ?3, descriptor_id = ?4, parameters = ?5 WHERE table_id = ?1 AND key = ?2";
            self.tx.prepare_cached(sql)?.execute(params![
                target.table.id,
                prepared.key,
                prepared.own_location,
                prepared.descriptor_id,
                parameters_json(&prepared.parameters)?,
            ])?;
            outer |= prepared.is_outer(&target.table);
            changed.insert(
                prepared.key.clone(),
                Arc::new(prepared.into_partition(load::time(row.created))),
            );
        }
        if outer {
            self.claim_outer(&target.table, by)?;
        }
        if changed.is_empty() {
            Ok(())
        } else {
            let changed = changed.into_iter().collect();
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
        let row = self.partition_row(&target, values)?;
        row.map(|row| self.location_of(&target, &row, &mut HashMap::new()))
            .transpose()
    }

    /// The values of all partitions of a table, and where their files are.
    pub(super) fn partition_locations(&self, table: &Table) -> Result<Vec<(Vec<String>, String)>> {
        if table.partition_keys.is_empty() {
            return Ok(Vec::new());
        }
        let target = self.target(&table.database_name, &table.name)?;
        let sql = "SELECT key, vals, location, descriptor_id, parameters, created FROM partitions
                   WHERE table_id = ?1 ORDER BY key";
        let mut statement = self.tx.prepare_cached(sql)?;
        let mut rows = statement.query([table.id])?;
        let mut bases = HashMap::new();
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let row = PartitionRow::read(row)?;
            let location = self.location_of(&target, &row, &mut bases)?;
            all.push((serde_json::from_str(&row.values)?, location));
        }
        Ok(all)
    }

    /// Removes partitions in all spellings of their values, in the file, and returns where they
    /// were; in memory the others are read again on their next use.
    ///
    /// # Errors
    /// `InvalidInput` if values do not fit the keys.
    pub(super) fn remove_partitions(
        &mut self,
        table: &Table,
        values: &[Vec<String>],
    ) -> Result<Vec<String>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let target = self.target(&table.database_name, &table.name)?;
        let mut bases = HashMap::new();
        let mut locations = Vec::new();
        for values in values {
            let (first, end) = spellings(&canonical_key(&target.keys, values)?);
            while let Some(row) = self.first_row(&target, &first, &end)? {
                let sql = "DELETE FROM partitions WHERE table_id = ?1 AND key = ?2";
                self.tx
                    .prepare_cached(sql)?
                    .execute(params![target.table.id, row.key])?;
                locations.push(self.location_of(&target, &row, &mut bases)?);
            }
        }
        if !locations.is_empty() {
            self.bump_partitions(&target.table)?;
            self.reread_partitions(target.table.id);
        }
        Ok(locations)
    }

    /// Removes all partitions of a table, in the file; in memory they are read again on their next
    /// use.
    pub(super) fn clear_partitions(&mut self, table: &Table) -> Result<()> {
        self.tx
            .execute("DELETE FROM partitions WHERE table_id = ?1", [table.id])?;
        self.bump_partitions(table)?;
        self.reread_partitions(table.id);
        Ok(())
    }

    pub(super) fn target(&self, database: &str, table: &str) -> Result<Target> {
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

    /// Counts the change, and makes it in memory if the partitions are there.
    fn finish(
        &mut self,
        target: Target,
        change: impl FnOnce(&Partitions, u64) -> Partitions,
    ) -> Result<()> {
        let version = self.bump_partitions(&target.table)?;
        let next = target.cached.map(|mut cached| {
            cached.set = Arc::new(change(&cached.set, version));
            cached.descriptors.extend(target.descriptors.into_values());
            cached
        });
        self.set_partitions(target.table.id, next);
        Ok(())
    }
}

pub(super) fn not_found(target: &Target, values: &[String]) -> CatalogError {
    let name = format!(
        "{}/{}",
        target.table.full_name(),
        partition_path(&target.keys, values)
    );
    CatalogError::not_found(Kind::Partition, name)
}
