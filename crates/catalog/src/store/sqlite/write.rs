//! The one way to change the file: a transaction, and what memory becomes when it commits.

use std::sync::Arc;

use rusqlite::{Transaction, TransactionBehavior};

use super::state::{CachedPartitions, DatabaseEntry, State};
use super::{Inner, SqliteStore, load};
use crate::error::{CatalogError, Kind, Result};
use crate::model::Table;
use crate::store::OpenWrites;

/// A change in progress. Dropped without commit, it changed nothing.
pub(super) struct Write<'a> {
    pub(super) tx: Transaction<'a>,
    inner: &'a Inner,
    /// As it will be; only what changes is copied.
    state: Arc<State>,
    catalog_changed: bool,
    /// The set of open writes changed, and nothing else of the state.
    writes_changed: bool,
    control_changed: bool,
    partitions: Vec<(i64, Option<CachedPartitions>)>,
    /// Tables whose partitions are dropped from memory, whatever `partitions` says.
    reread: Vec<i64>,
}

impl SqliteStore {
    /// Makes a change durable and visible, all or nothing. The change completes even if the caller
    /// stops waiting.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Write<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |inner| inner.write(change)).await
    }
}

impl Inner {
    fn write<T>(&self, change: impl FnOnce(&mut Write<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.writer.lock();
        let mut write = Write {
            tx: connection.transaction_with_behavior(TransactionBehavior::Immediate)?,
            inner: self,
            state: Arc::clone(&self.state.read()),
            catalog_changed: false,
            writes_changed: false,
            control_changed: false,
            partitions: Vec::new(),
            reread: Vec::new(),
        };
        let value = change(&mut write)?;
        write.commit()?;
        // The lock on the connection is held until here, so that memory changes in the order of the
        // commits.
        drop(connection);
        Ok(value)
    }
}

impl Write<'_> {
    /// Databases and tables as this change has them so far.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// To change databases and tables in memory along with the file.
    pub(super) fn state_mut(&mut self) -> &mut State {
        self.catalog_changed = true;
        Arc::make_mut(&mut self.state)
    }

    /// The writes that are open as this change has it so far.
    pub(super) fn writes(&self) -> &OpenWrites {
        &self.state.writes
    }

    /// To change in memory which writes are open.
    pub(super) fn writes_mut(&mut self) -> &mut OpenWrites {
        self.writes_changed = true;
        &mut Arc::make_mut(&mut self.state).writes
    }

    /// A database of the catalog.
    pub(super) fn database(&self, name: &str) -> Result<&Arc<DatabaseEntry>> {
        self.state.database(name)
    }

    /// A database of the catalog, to change it.
    pub(super) fn database_mut(&mut self, name: &str) -> Result<&mut DatabaseEntry> {
        let entry = self.state_mut().databases.get_mut(name);
        entry
            .map(Arc::make_mut)
            .ok_or_else(|| CatalogError::not_found(Kind::Database, name))
    }

    /// A table of the catalog.
    pub(super) fn table(&self, database: &str, name: &str) -> Result<Arc<Table>> {
        let entry = self.database(database)?.tables.get(name);
        entry
            .map(|entry| Arc::clone(&entry.table))
            .ok_or_else(|| CatalogError::not_found(Kind::Table, format!("{database}.{name}")))
    }

    /// Records that control data changed in the file.
    pub(super) fn control_changed(&mut self) {
        self.control_changed = true;
    }

    /// Runs a statement; if it changed rows, control data changed.
    pub(super) fn changed_any(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<bool> {
        let changed = self.tx.execute(sql, values)? > 0;
        if changed {
            self.control_changed();
        }
        Ok(changed)
    }

    /// A table's partitions in memory, if they have been used.
    pub(super) fn cached_partitions(&self, table_id: i64) -> Option<CachedPartitions> {
        self.inner.partitions.lock().get(&table_id).cloned()
    }

    /// What a table's partitions in memory become; `None` drops them from memory. Counts as a
    /// change of the catalog.
    pub(super) fn set_partitions(&mut self, table_id: i64, partitions: Option<CachedPartitions>) {
        self.catalog_changed = true;
        self.partitions.push((table_id, partitions));
    }

    /// Counts a change of a table's partitions, in the file and in memory.
    pub(super) fn bump_partitions(&mut self, table: &Table) -> Result<u64> {
        let sql = "UPDATE tables SET partitions_version = partitions_version + 1 WHERE id = ?1 RETURNING partitions_version";
        let version: i64 = self.tx.query_row(sql, [table.id], |row| row.get(0))?;
        let version = load::unsigned(version);
        let tables = &mut self.database_mut(&table.database_name)?.tables;
        if let Some(entry) = tables.get_mut(&table.name) {
            entry.partitions_version = version;
        }
        Ok(version)
    }

    /// Puts the next version of a table, which is there, in its place in memory.
    pub(super) fn set_table(&mut self, table: &Arc<Table>) -> Result<()> {
        let tables = &mut self.database_mut(&table.database_name)?.tables;
        if let Some(entry) = tables.get_mut(&table.name) {
            entry.table = Arc::clone(table);
        }
        Ok(())
    }

    /// Drops a table's partitions from memory, also those that are added later in this change.
    pub(super) fn reread_partitions(&mut self, table_id: i64) {
        self.catalog_changed = true;
        self.reread.push(table_id);
    }

    fn commit(mut self) -> Result<()> {
        if self.catalog_changed {
            let version = self.bump("catalog")?;
            Arc::make_mut(&mut self.state).version = version;
        }
        let control = if self.control_changed {
            Some(self.next_control()?)
        } else {
            None
        };
        self.tx.commit()?;
        let mut cached = self.inner.partitions.lock();
        for (table_id, partitions) in self.partitions {
            match partitions {
                Some(partitions) => drop(cached.insert(table_id, partitions)),
                None => drop(cached.remove(&table_id)),
            }
        }
        for table_id in self.reread {
            drop(cached.remove(&table_id));
        }
        // A reader that finds the new partitions finds the new state afterwards. The state before
        // the grants: a dropped table is gone before its grants are.
        if self.catalog_changed || self.writes_changed {
            *self.inner.state.write() = self.state;
        }
        drop(cached);
        if let Some(control) = control {
            *self.inner.control.write() = Arc::new(control);
        }
        Ok(())
    }

    /// The control data as this change has it, unless it takes the last administrator away.
    fn next_control(&self) -> Result<crate::access::ControlSnapshot> {
        self.bump("control")?;
        let next = load::control(&self.tx)?;
        let had_administrator = !self.inner.control.read().administrators().is_empty();
        if had_administrator && next.administrators().is_empty() {
            return Err(CatalogError::invalid(
                "this would leave no administrator; make another user a member of administrators first",
            ));
        }
        Ok(next)
    }

    pub(super) fn bump(&self, counter: &str) -> Result<u64> {
        let sql = "UPDATE counters SET value = value + 1 WHERE name = ?1 RETURNING value";
        let value: i64 = self.tx.query_row(sql, [counter], |row| row.get(0))?;
        Ok(load::unsigned(value))
    }
}
