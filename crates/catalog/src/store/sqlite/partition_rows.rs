//! The rows of partitions and of their storage descriptors.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::load;
use super::state::CachedPartitions;
use super::write::Write;
use crate::error::Result;
use crate::model::names::normalize_storage;
use crate::model::{Parameters, StorageDescriptor, Table};
use crate::partition::{
    Partition, PartitionInput, PartitionKey, canonical_key, default_location, identity_key,
    is_below, spellings,
};
use crate::store::table_rules::{own_location, partition_descriptor, partition_location};

/// A table whose partitions a change concerns.
pub(super) struct Target {
    pub(super) table: Arc<Table>,
    pub(super) keys: Arc<[PartitionKey]>,
    /// What is in memory; `None` if the partitions have not been used, and need no change there.
    pub(super) cached: Option<CachedPartitions>,
    /// Row ids of the descriptors that this change has used, by the text that was stored.
    pub(super) descriptors: HashMap<String, (i64, Arc<StorageDescriptor>)>,
}

/// An input that is checked and can be stored.
pub(super) struct CheckedPartition {
    pub(super) key: String,
    pub(super) values: Vec<String>,
    pub(super) storage_descriptor: Arc<StorageDescriptor>,
    pub(super) descriptor_id: i64,
    pub(super) own_location: Option<String>,
    pub(super) parameters: Parameters,
}

impl Write<'_> {
    pub(super) fn prepare(
        &self,
        target: &mut Target,
        key: String,
        input: PartitionInput,
    ) -> Result<CheckedPartition> {
        let PartitionInput {
            values,
            location,
            storage_descriptor: given,
            parameters,
        } = input;
        let location = partition_location(&target.table, location, given.as_deref())?;
        let text = match &given {
            // The common case costs no more than a look-up of an empty text.
            None => String::new(),
            Some(given) => {
                serde_json::to_string(&partition_descriptor(&target.table, Some(given)))?
            }
        };
        let known = target.descriptors.get(&text).cloned();
        let (descriptor_id, storage_descriptor) = match known {
            Some(known) => known,
            None => {
                let mut descriptor = partition_descriptor(&target.table, given.as_deref());
                normalize_storage(&mut descriptor, &target.table.name)?;
                let stored = self.descriptor(target, descriptor)?;
                target.descriptors.insert(text, stored.clone());
                stored
            }
        };
        let own_location = location.and_then(|location| {
            own_location(&storage_descriptor, &target.keys, &values, &location)
        });
        Ok(CheckedPartition {
            key,
            values,
            storage_descriptor,
            descriptor_id,
            own_location,
            parameters,
        })
    }

    /// The row of a descriptor, inserted if there is none, and its one object in memory.
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

    /// The row with these values: with this spelling, or else the first of another.
    pub(super) fn partition_row(
        &self,
        target: &Target,
        values: &[String],
    ) -> Result<Option<PartitionRow>> {
        if let Some(exact) = self.row_at(target, &identity_key(&target.keys, values)?)? {
            return Ok(Some(exact));
        }
        let (first, end) = spellings(&canonical_key(&target.keys, values)?);
        self.first_row(target, &first, &end)
    }

    pub(super) fn row_at(&self, target: &Target, key: &str) -> Result<Option<PartitionRow>> {
        self.first_row(target, key, &format!("{key}\0"))
    }

    /// The first row with a key from `first` and below `end`.
    pub(super) fn first_row(
        &self,
        target: &Target,
        first: &str,
        end: &str,
    ) -> Result<Option<PartitionRow>> {
        let sql = "SELECT key, vals, location, descriptor_id, parameters, created FROM partitions
                   WHERE table_id = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT 1";
        let mut statement = self.tx.prepare_cached(sql)?;
        let row = statement.query_row(params![target.table.id, first, end], PartitionRow::read);
        Ok(row.optional()?)
    }

    /// Where the files of a row's partition are. `bases`: the locations of descriptors that are
    /// known, because many partitions share one.
    pub(super) fn location_of(
        &self,
        target: &Target,
        row: &PartitionRow,
        bases: &mut HashMap<i64, Option<String>>,
    ) -> Result<String> {
        if let Some(own) = &row.location {
            return Ok(own.clone());
        }
        let base = match bases.entry(row.descriptor_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let descriptor = self.stored_descriptor(target, row.descriptor_id)?;
                new.insert(descriptor.location.clone())
            }
        };
        let base = base.as_deref().unwrap_or_default();
        let values = load::values(&row.values)?;
        Ok(default_location(base, &target.keys, &values))
    }

    /// A descriptor, from memory or from the file.
    fn stored_descriptor(&self, target: &Target, id: i64) -> Result<Arc<StorageDescriptor>> {
        let cached = target.cached.as_ref();
        if let Some(descriptor) = cached.and_then(|cached| cached.descriptors.get(&id)) {
            return Ok(Arc::clone(descriptor));
        }
        let sql = "SELECT json FROM descriptors WHERE id = ?1";
        let mut statement = self.tx.prepare_cached(sql)?;
        let json: String = statement.query_row([id], |row| row.get(0))?;
        Ok(Arc::new(serde_json::from_str(&json)?))
    }
}

pub(super) struct PartitionRow {
    pub(super) key: String,
    pub(super) values: String,
    pub(super) location: Option<String>,
    pub(super) descriptor_id: i64,
    pub(super) parameters: Option<String>,
    pub(super) created: i64,
}

impl PartitionRow {
    /// A row of `key, vals, location, descriptor_id, parameters, created`.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<PartitionRow> {
        Ok(PartitionRow {
            key: row.get(0)?,
            values: row.get(1)?,
            location: row.get(2)?,
            descriptor_id: row.get(3)?,
            parameters: row.get(4)?,
            created: row.get(5)?,
        })
    }

    pub(super) fn partition(self, write: &Write<'_>, target: &Target) -> Result<Partition> {
        let storage_descriptor = write.stored_descriptor(target, self.descriptor_id)?;
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

impl CheckedPartition {
    /// Whether the partition may lie outside of its table's folder.
    pub(super) fn is_outer(&self, table: &Table) -> bool {
        let home = table.storage_descriptor.location.as_deref();
        self.own_location
            .as_ref()
            .is_some_and(|own| !home.is_some_and(|home| is_below(own, home)))
    }

    pub(super) fn into_partition(self, created: DateTime<Utc>) -> Partition {
        Partition {
            values: self.values.into_iter().map(Into::into).collect(),
            storage_descriptor: self.storage_descriptor,
            parameters: (!self.parameters.is_empty()).then(|| Arc::new(self.parameters)),
            creation_time: created,
            own_location: self.own_location.map(Into::into),
        }
    }
}

/// Gives the partitions of files of old, whose keys were the canonical values alone, their identity
/// keys.
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

pub(super) fn parameters_json(parameters: &Parameters) -> Result<Option<String>> {
    if parameters.is_empty() {
        Ok(None)
    } else {
        Ok(Some(serde_json::to_string(parameters)?))
    }
}
