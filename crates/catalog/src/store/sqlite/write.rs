//! The one way to change the file: a transaction, and what memory becomes when it commits.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::draft::DraftView;
use super::state::{CachedPartitions, DatabaseEntry, State, TablesById};
use super::{Inner, SqliteStore, load};
use crate::error::{CatalogError, Kind, Result};
use crate::model::Table;
use crate::store::{Discarded, OpenWrites};

/// A change in progress. Dropped without commit, it changed nothing.
pub(super) struct Write<'a> {
    pub(super) tx: Transaction<'a>,
    inner: &'a Inner,
    /// As it will be; only what changes is copied.
    state: Arc<State>,
    changed: Changed,
    partitions: Vec<(i64, Option<CachedPartitions>)>,
    /// Tables whose partitions are dropped from memory, whatever `partitions` says.
    reread: Vec<i64>,
    /// Tables that are new or have a new name.
    renamed: Vec<i64>,
    /// Ids that an earlier run of the same step was given.
    given_ids: VecDeque<i64>,
    taken_ids: Vec<i64>,
    /// What the step looked up by name, with the ids.
    looked_up: RefCell<BTreeMap<String, i64>>,
    /// What commits of writes discard.
    discarded: Vec<Discarded>,
}

/// The parts of memory that a change concerns.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    catalog: bool,
    /// The set of open writes changed, and nothing else of the state.
    writes: bool,
    control: bool,
}

impl Changed {
    fn any(self) -> bool {
        self.catalog || self.writes || self.control
    }

    fn or(self, other: Changed) -> Changed {
        Changed {
            catalog: self.catalog || other.catalog,
            writes: self.writes || other.writes,
            control: self.control || other.control,
        }
    }
}

/// What one step of a change did, so that running it again is known to do the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    pub(super) changed: bool,
    /// Of the databases and tables that it created.
    pub(super) ids: Vec<i64>,
    /// The databases and tables that it changed by name.
    pub(super) looked_up: BTreeMap<String, i64>,
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

    /// Makes a change that a draft may hold back: in a draft, nobody else sees it until the draft is
    /// committed. Otherwise as [`Self::write`].
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Write<'_>) -> Result<T> + Clone + Send + Sync + 'static,
    ) -> Result<T> {
        let Some(draft) = &self.draft else {
            return self.write(change).await;
        };
        let draft = Arc::clone(draft);
        self.blocking(move |inner| draft.apply(inner, change)).await
    }
}

impl Inner {
    fn write<T>(&self, change: impl FnOnce(&mut Write<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.writer.lock();
        let mut write = self.begin(&mut connection)?;
        let value = change(&mut write)?;
        write.commit()?;
        // The lock on the connection is held until here, so that memory changes in the order of the
        // commits.
        drop(connection);
        Ok(value)
    }

    /// Begins a change. `connection`: that of `writer`.
    pub(super) fn begin<'a>(&'a self, connection: &'a mut Connection) -> Result<Write<'a>> {
        Ok(Write {
            tx: connection.transaction_with_behavior(TransactionBehavior::Immediate)?,
            inner: self,
            state: Arc::clone(&self.state.read()),
            changed: Changed::default(),
            partitions: Vec::new(),
            reread: Vec::new(),
            renamed: Vec::new(),
            given_ids: VecDeque::new(),
            taken_ids: Vec::new(),
            looked_up: RefCell::default(),
            discarded: Vec::new(),
        })
    }
}

impl Write<'_> {
    /// Databases and tables as this change has them so far.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// To change databases and tables in memory along with the file.
    pub(super) fn state_mut(&mut self) -> &mut State {
        self.changed.catalog = true;
        let state = Arc::make_mut(&mut self.state);
        state.by_id = TablesById::default();
        state
    }

    /// The writes that are open as this change has it so far.
    pub(super) fn writes(&self) -> &OpenWrites {
        &self.state.writes
    }

    /// To change in memory which writes are open.
    pub(super) fn writes_mut(&mut self) -> &mut OpenWrites {
        self.changed.writes = true;
        &mut Arc::make_mut(&mut self.state).writes
    }

    /// A database of the catalog.
    pub(super) fn database(&self, name: &str) -> Result<&Arc<DatabaseEntry>> {
        let entry = self.state.database(name)?;
        self.looked_up(name, entry.database.id);
        Ok(entry)
    }

    /// Records the id of what the step found by name.
    pub(super) fn looked_up(&self, name: &str, id: i64) {
        self.looked_up.borrow_mut().insert(name.to_owned(), id);
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
        let table = entry
            .map(|entry| Arc::clone(&entry.table))
            .ok_or_else(|| CatalogError::not_found(Kind::Table, format!("{database}.{name}")))?;
        self.looked_up(&table.full_name(), table.id);
        Ok(table)
    }

    /// The id of a database that is created.
    pub(super) fn next_database_id(&mut self) -> i64 {
        let given = self.given_ids.pop_front();
        let id = given.unwrap_or_else(|| self.inner.ids.lock().next_database());
        self.taken_ids.push(id);
        id
    }

    /// The id of a table that is created.
    pub(super) fn next_table_id(&mut self) -> i64 {
        let given = self.given_ids.pop_front();
        let id = given.unwrap_or_else(|| self.inner.ids.lock().next_table());
        self.taken_ids.push(id);
        id
    }

    /// Records that control data changed in the file.
    pub(super) fn control_changed(&mut self) {
        self.changed.control = true;
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
        if self.reread.contains(&table_id) {
            return None;
        }
        // What an earlier step of this change made of them goes before what memory has.
        let mut earlier = self.partitions.iter().rev();
        match earlier.find(|(id, _)| *id == table_id) {
            Some((_, partitions)) => partitions.clone(),
            None => self.inner.partitions.lock().get(&table_id).cloned(),
        }
    }

    /// What a table's partitions in memory become; `None` drops them from memory. Counts as a
    /// change of the catalog.
    pub(super) fn set_partitions(&mut self, table_id: i64, partitions: Option<CachedPartitions>) {
        self.changed.catalog = true;
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
        self.changed.catalog = true;
        self.reread.push(table_id);
    }

    /// Records that the name of a table is another one in memory as long as this is not committed.
    pub(super) fn has_new_name(&mut self, table_id: i64) {
        self.renamed.push(table_id);
    }

    /// Records what the commit of a write discards.
    pub(super) fn discards(&mut self, discarded: Discarded) {
        self.discarded.push(discarded);
    }

    /// What commits of writes discarded so far.
    pub(super) fn take_discarded(&mut self) -> Vec<Discarded> {
        std::mem::take(&mut self.discarded)
    }

    /// Runs a step of a change of many steps. `ids`: of what the step created when it ran before.
    pub(super) fn step<T>(
        &mut self,
        ids: &[i64],
        step: impl FnOnce(&mut Write<'_>) -> Result<T>,
    ) -> Result<(T, Step)> {
        let before = std::mem::take(&mut self.changed);
        self.given_ids = ids.iter().copied().collect();
        self.taken_ids.clear();
        self.looked_up.get_mut().clear();
        let value = step(self)?;
        let done = Step {
            changed: self.changed.any(),
            ids: std::mem::take(&mut self.taken_ids),
            looked_up: std::mem::take(self.looked_up.get_mut()),
        };
        self.changed = self.changed.or(before);
        Ok((value, done))
    }

    /// What memory would become, without changing the file or memory.
    pub(super) fn into_view(mut self, version: u64, changes: usize) -> Result<DraftView> {
        let base_state = Arc::clone(&self.inner.state.read());
        let base_control = Arc::clone(&self.inner.control.read());
        Arc::make_mut(&mut self.state).version = version;
        let control = match self.changed.control {
            true => Arc::new(self.next_control()?),
            false => Arc::clone(&base_control),
        };
        let touched = self.partitions.iter().map(|(id, _)| *id);
        let touched: BTreeSet<i64> = touched
            .chain(self.reread.iter().copied())
            .chain(self.renamed.iter().copied())
            .collect();
        let mut partitions = HashMap::new();
        for database in self.state.databases.values() {
            for entry in database.tables.values() {
                if touched.contains(&entry.table.id)
                    && let Some(cached) = load::partitions(&self.tx, &entry.table)?
                {
                    partitions.insert(entry.table.id, cached);
                }
            }
        }
        Ok(DraftView {
            base_state,
            base_control,
            state: self.state,
            control,
            partitions,
            changes,
        })
    }

    pub(super) fn commit(mut self) -> Result<()> {
        if self.changed.catalog {
            let version = self.bump("catalog")?;
            Arc::make_mut(&mut self.state).version = version;
        }
        let control = if self.changed.control {
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
        if self.changed.catalog || self.changed.writes {
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
