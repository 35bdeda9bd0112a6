//! A table with its versions and partitions, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{CatalogError, Kind, Result};
use crate::model::names::normalize_storage;
use crate::model::{Claim, Table, TableStatistics, now};
use crate::partition::{
    Partition, PartitionInput, Partitions, identity_key, is_below, partition_path,
};
use crate::store::table_rules::{
    KEPT_VERSIONS, own_location, partition_descriptor, partition_location,
};
use crate::store::{AddedPartitions, TableVersion};

#[derive(Debug, Clone)]
pub(super) struct TableEntry {
    pub(super) table: Arc<Table>,
    /// Former versions, newest first.
    pub(super) former: Vec<Arc<Table>>,
    pub(super) partitions: Arc<Partitions>,
    pub(super) statistics: Option<Arc<TableStatistics>>,
    /// By the keys of partitions.
    pub(super) partition_statistics: BTreeMap<String, TableStatistics>,
    /// As in [`TableVersion::analyzed`].
    pub(super) analyzed: u64,
}

impl TableEntry {
    pub(super) fn archive(&mut self, next: Arc<Table>) {
        let former = std::mem::replace(&mut self.table, next);
        self.former.insert(0, former);
        let kept = usize::try_from(KEPT_VERSIONS).unwrap_or(usize::MAX);
        self.former.truncate(kept);
    }

    pub(super) fn require_partitioned(&self) -> Result<()> {
        match self.table.partition_keys.is_empty() {
            false => Ok(()),
            true => Err(CatalogError::invalid(format!(
                "table \"{}\" is not partitioned",
                self.table.full_name()
            ))),
        }
    }

    /// A partition of an input.
    pub(super) fn partition(&self, input: PartitionInput) -> Result<Partition> {
        let PartitionInput {
            values,
            location,
            storage_descriptor: given,
            parameters,
        } = input;
        let location = partition_location(&self.table, location, given.as_deref())?;
        let mut descriptor = partition_descriptor(&self.table, given.as_deref());
        normalize_storage(&mut descriptor, &self.table.name)?;
        let keys = &self.partitions.keys;
        let own = location.and_then(|at| own_location(&descriptor, keys, &values, &at));
        Ok(Partition {
            values: values.into_iter().map(Into::into).collect(),
            storage_descriptor: Arc::new(descriptor),
            parameters: (!parameters.is_empty()).then(|| Arc::new(parameters)),
            creation_time: now(),
            own_location: own.map(Into::into),
        })
    }

    /// Records that a partition may lie outside of the table's folder.
    pub(super) fn claim(&mut self, partition: &Partition) {
        let home = self.table.storage_descriptor.location.as_deref();
        let inside = |own: &str| home.is_some_and(|home| is_below(own, home));
        let own = partition.own_location.as_deref();
        if own.is_some_and(|own| !inside(own)) {
            let claim = Claim {
                since: now().timestamp_millis(),
                by_administrator: true,
            };
            let outer = self.table.outer_claim;
            self.table = Arc::new(Table {
                outer_claim: Some(outer.map_or(claim, |outer| outer.with(claim))),
                ..(*self.table).clone()
            });
        }
    }

    pub(super) fn add(
        &mut self,
        inputs: Vec<PartitionInput>,
        if_not_exists: bool,
    ) -> Result<AddedPartitions> {
        self.require_partitioned()?;
        let mut outcome = AddedPartitions::default();
        let mut added: BTreeMap<String, Arc<Partition>> = BTreeMap::new();
        for (position, input) in inputs.into_iter().enumerate() {
            let key = identity_key(&self.partitions.keys, &input.values)?;
            let partition = self.partition(input)?;
            if self.partitions.search(&key).is_err() && !added.contains_key(&key) {
                self.claim(&partition);
                added.insert(key, Arc::new(partition));
                outcome.added += 1;
            } else if if_not_exists {
                outcome.existing.push(position);
            } else {
                return Err(CatalogError::already_exists(
                    Kind::Partition,
                    self.partition_name(&partition.values),
                ));
            }
        }
        if outcome.added > 0 {
            let version = self.partitions.version + 1;
            self.partitions = Arc::new(self.partitions.with(version, added.into_iter().collect()));
        }
        Ok(outcome)
    }

    pub(super) fn remove(&mut self, dropped: &[Vec<String>], if_exists: bool) -> Result<usize> {
        self.require_partitioned()?;
        let mut keys = Vec::new();
        for values in dropped {
            match self.partitions.find(values)? {
                Some(found) => {
                    let key = identity_key(&self.partitions.keys, &found.values)?;
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                None if if_exists => {}
                None => return Err(self.partition_not_found(values)),
            }
        }
        if !keys.is_empty() {
            let version = self.partitions.version + 1;
            self.partitions = Arc::new(self.partitions.without(version, &keys));
            self.partition_statistics
                .retain(|known, _| !keys.contains(known));
        }
        Ok(keys.len())
    }

    pub(super) fn partition_name<S: AsRef<str>>(&self, values: &[S]) -> String {
        let path = partition_path(&self.partitions.keys, values);
        format!("{}/{path}", self.table.full_name())
    }

    pub(super) fn partition_not_found(&self, values: &[String]) -> CatalogError {
        CatalogError::not_found(Kind::Partition, self.partition_name(values))
    }

    pub(super) fn version(&self) -> TableVersion {
        TableVersion {
            id: self.table.id,
            table: self.table.version_id,
            partitions: self.partitions.version,
            analyzed: self.analyzed,
        }
    }

    pub(super) fn rename(&mut self, from: &[String], to: &[String]) -> Result<()> {
        self.require_partitioned()?;
        let keys = Arc::clone(&self.partitions.keys);
        let new_key = identity_key(&keys, to)?;
        let Some(old) = self.partitions.find(from)?.cloned() else {
            return Err(self.partition_not_found(from));
        };
        let old_key = identity_key(&keys, &old.values)?;
        if old_key != new_key && self.partitions.search(&new_key).is_ok() {
            let name = self.partition_name(to);
            return Err(CatalogError::already_exists(Kind::Partition, name));
        }
        let location = old.location(&keys);
        let own = own_location(&old.storage_descriptor, &keys, to, &location);
        let moved = Partition {
            values: to.iter().map(|value| value.as_str().into()).collect(),
            own_location: own.map(Into::into),
            ..(*old).clone()
        };
        if let Some(known) = self.partition_statistics.remove(&old_key) {
            self.partition_statistics.insert(new_key.clone(), known);
        }
        let version = self.partitions.version + 1;
        let without = self.partitions.without(version, &[old_key]);
        let with = without.with(version, vec![(new_key, Arc::new(moved))]);
        self.partitions = Arc::new(with);
        Ok(())
    }

    pub(super) fn update(&mut self, partitions: Vec<PartitionInput>) -> Result<()> {
        self.require_partitioned()?;
        let mut changed = BTreeMap::new();
        for input in partitions {
            let Some(old) = self.partitions.find(&input.values)?.cloned() else {
                return Err(self.partition_not_found(&input.values));
            };
            let key = identity_key(&self.partitions.keys, &old.values)?;
            // The values stay as they were given when the partition was added.
            let values = old.values.iter().map(ToString::to_string).collect();
            let next = self.partition(PartitionInput { values, ..input })?;
            self.claim(&next);
            let next = Partition {
                creation_time: old.creation_time,
                ..next
            };
            if next.own_location != old.own_location
                || next.storage_descriptor != old.storage_descriptor
            {
                // Its files may be others.
                self.partition_statistics.remove(&key);
            }
            // Of two inputs for one partition the later holds.
            changed.insert(key, Arc::new(next));
        }
        if !changed.is_empty() {
            let version = self.partitions.version + 1;
            let changed = changed.into_iter().collect();
            self.partitions = Arc::new(self.partitions.with(version, changed));
        }
        Ok(())
    }
}
