//! What the store holds in memory: all databases and tables, and the partitions of tables in use.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use crate::error::{CatalogError, Kind, Result};
use crate::model::{Database, StorageDescriptor, Table, TableStatistics};
use crate::partition::Partitions;
use crate::store::{OpenWrites, TableVersion};

/// All databases and tables at one moment. A change makes a new one.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) databases: BTreeMap<String, Arc<DatabaseEntry>>,
    pub(super) writes: OpenWrites,
    /// The tables by id, once a table was asked for by its id.
    pub(super) by_id: TablesById,
}

/// Made of `databases`, and therefore empty after each change of these.
pub(super) type TablesById = OnceLock<Arc<HashMap<i64, Arc<Table>>>>;

#[derive(Debug, Clone)]
pub(super) struct DatabaseEntry {
    pub(super) database: Arc<Database>,
    pub(super) tables: BTreeMap<String, TableEntry>,
}

#[derive(Debug, Clone)]
pub(super) struct TableEntry {
    pub(super) table: Arc<Table>,
    /// As in [`Partitions::version`], also when the partitions are not in memory.
    pub(super) partitions_version: u64,
    pub(super) statistics: Option<Arc<TableStatistics>>,
    /// As in [`TableVersion::analyzed`]: counts from 0 when the file is opened.
    pub(super) analyzed: u64,
}

/// The last ids that were issued. An id is never issued twice, whether its change is committed or
/// not.
#[derive(Debug)]
pub(super) struct Ids {
    pub(super) database: i64,
    pub(super) table: i64,
}

impl Ids {
    pub(super) fn next_database(&mut self) -> i64 {
        self.database += 1;
        self.database
    }

    pub(super) fn next_table(&mut self) -> i64 {
        self.table += 1;
        self.table
    }
}

/// The partitions of a table that has been used.
#[derive(Debug, Clone)]
pub(super) struct CachedPartitions {
    pub(super) set: Arc<Partitions>,
    /// By row id, so that partitions added later share them too.
    pub(super) descriptors: HashMap<i64, Arc<StorageDescriptor>>,
}

impl State {
    pub(super) fn entry(&self, database: &str, table: &str) -> Option<&TableEntry> {
        self.databases.get(database)?.tables.get(table)
    }

    pub(super) fn table(&self, database: &str, name: &str) -> Option<&Arc<Table>> {
        self.entry(database, name).map(|entry| &entry.table)
    }

    /// Returns the table of an id.
    pub(super) fn table_of_id(&self, id: i64) -> Option<&Arc<Table>> {
        let by_id = self.by_id.get_or_init(|| {
            let databases = self.databases.values();
            let tables = databases.flat_map(|database| database.tables.values());
            let by_id = tables.map(|entry| (entry.table.id, Arc::clone(&entry.table)));
            Arc::new(by_id.collect())
        });
        by_id.get(&id)
    }

    /// # Errors
    /// `NotFound` for the database.
    pub(super) fn database(&self, name: &str) -> Result<&Arc<DatabaseEntry>> {
        self.databases
            .get(name)
            .ok_or_else(|| CatalogError::not_found(Kind::Database, name))
    }
}

impl TableEntry {
    pub(super) fn version(&self) -> TableVersion {
        TableVersion {
            id: self.table.id,
            table: self.table.version_id,
            partitions: self.partitions_version,
            analyzed: self.analyzed,
        }
    }
}
