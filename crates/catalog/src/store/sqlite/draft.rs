//! [`Draft`] on the file: changes that are kept in order, tried in a transaction that is rolled
//! back, and committed in one transaction.
//!
//! What never happens: another handle sees a change before all are committed; a change that is run
//! again meets another database or table under a name than it did when it was checked; two tables
//! have one id, of a draft or not.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use super::state::{CachedPartitions, State};
use super::write::{Step, Write};
use super::{Inner, SqliteStore};
use crate::access::ControlSnapshot;
use crate::error::{CatalogError, Result};
use crate::store::{Discarded, Draft, Stores};

/// The maximum number of changes of a draft, each of which is run again with every later one.
const MAX_CHANGES: usize = if cfg!(test) { 20 } else { 1_000 };
/// Set in the versions of drafts, so that they are no version of the catalog.
const OF_DRAFT: u64 = 1 << 63;

type Change = Arc<dyn Fn(&mut Write<'_>) -> Result<()> + Send + Sync>;

/// A change that was tried.
struct Operation {
    change: Change,
    ids: Vec<i64>,
    looked_up: BTreeMap<String, i64>,
}

/// The changes of a draft, and what memory looks like with them.
pub(super) struct DraftLog {
    view: RwLock<Arc<DraftView>>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    operations: Vec<Operation>,
    /// It was committed or given up.
    closed: bool,
}

/// What memory looks like with the changes of a draft.
pub(super) struct DraftView {
    /// What the changes were last run on.
    pub(super) base_state: Arc<State>,
    pub(super) base_control: Arc<ControlSnapshot>,
    pub(super) state: Arc<State>,
    pub(super) control: Arc<ControlSnapshot>,
    /// Of tables that the changes concern, by id.
    pub(super) partitions: HashMap<i64, CachedPartitions>,
    pub(super) changes: usize,
}

impl DraftView {
    fn without_changes(inner: &Inner) -> Self {
        let state = Arc::clone(&inner.state.read());
        let control = Arc::clone(&inner.control.read());
        Self {
            base_state: Arc::clone(&state),
            base_control: Arc::clone(&control),
            state,
            control,
            partitions: HashMap::new(),
            changes: 0,
        }
    }

    fn is_current(&self, inner: &Inner) -> bool {
        Arc::ptr_eq(&self.base_state, &inner.state.read())
            && Arc::ptr_eq(&self.base_control, &inner.control.read())
    }
}

impl Log {
    /// Runs all changes again.
    ///
    /// # Errors
    /// `Outdated` if one does not apply any more.
    fn replay(&self, write: &mut Write<'_>) -> Result<()> {
        for operation in &self.operations {
            let ran = write.step(&operation.ids, &*operation.change);
            let (_, step) = ran.map_err(outdated)?;
            check_same(operation, &step)?;
        }
        Ok(())
    }

    /// # Errors
    /// The draft was committed or given up.
    fn check_open(&self) -> Result<()> {
        match self.closed {
            true => Err(CatalogError::invalid(
                "the transaction block has ended; nothing can be changed in it any more",
            )),
            false => Ok(()),
        }
    }
}

impl DraftLog {
    fn new(inner: &Inner) -> Self {
        Self {
            view: RwLock::new(Arc::new(DraftView::without_changes(inner))),
            log: Mutex::default(),
        }
    }

    pub(super) fn view(&self) -> Arc<DraftView> {
        Arc::clone(&self.view.read())
    }

    /// Adds a change, if it applies.
    ///
    /// # Errors
    /// The change fails, and is not added; `Outdated` if an earlier one does not apply any more.
    pub(super) fn apply<T>(
        &self,
        inner: &Inner,
        change: impl FnOnce(&mut Write<'_>) -> Result<T> + Clone + Send + Sync + 'static,
    ) -> Result<T> {
        let mut log = self.log.lock();
        log.check_open()?;
        let mut connection = inner.writer.lock();
        let mut write = inner.begin(&mut connection)?;
        log.replay(&mut write)?;
        let (value, step) = write.step(&[], change.clone())?;
        if !step.changed {
            return Ok(value);
        }
        if log.operations.len() >= MAX_CHANGES {
            return Err(CatalogError::invalid(format!(
                "a transaction block makes at most {MAX_CHANGES} changes; COMMIT and BEGIN another"
            )));
        }
        let view = write.into_view(next_version(inner), log.operations.len() + 1)?;
        log.operations.push(Operation {
            change: Arc::new(move |write: &mut Write<'_>| change.clone()(write).map(drop)),
            ids: step.ids,
            looked_up: step.looked_up,
        });
        *self.view.write() = Arc::new(view);
        Ok(value)
    }

    /// Reads the file as it would be with the changes.
    ///
    /// # Errors
    /// Those of `read`; `Outdated` if a change does not apply any more.
    pub(super) fn read<T>(
        &self,
        inner: &Inner,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let log = self.log.lock();
        let mut connection = inner.writer.lock();
        if log.closed || log.operations.is_empty() {
            return read(&connection);
        }
        let mut write = inner.begin(&mut connection)?;
        log.replay(&mut write)?;
        read(&write.tx)
    }

    /// Runs the changes on what the catalog is now.
    fn rebuild(&self, inner: &Inner, log: &Log) -> Result<()> {
        let view = if log.operations.is_empty() {
            DraftView::without_changes(inner)
        } else {
            let mut connection = inner.writer.lock();
            let mut write = inner.begin(&mut connection)?;
            log.replay(&mut write)?;
            write.into_view(next_version(inner), log.operations.len())?
        };
        *self.view.write() = Arc::new(view);
        Ok(())
    }

    fn refresh(&self, inner: &Inner) -> Result<()> {
        let log = self.log.lock();
        if log.closed || self.view().is_current(inner) {
            return Ok(());
        }
        self.rebuild(inner, &log)
    }

    fn truncate(&self, inner: &Inner, changes: usize) -> Result<()> {
        let mut log = self.log.lock();
        log.check_open()?;
        log.operations.truncate(changes);
        let rebuilt = self.rebuild(inner, &log);
        if rebuilt.is_err() {
            // The view has changes that the log has no more.
            log.closed = true;
            *self.view.write() = Arc::new(DraftView::without_changes(inner));
        }
        rebuilt
    }

    fn commit(&self, inner: &Inner) -> Result<Vec<Discarded>> {
        let mut log = self.log.lock();
        log.check_open()?;
        log.closed = true;
        if log.operations.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = inner.writer.lock();
        let mut write = inner.begin(&mut connection)?;
        log.replay(&mut write)?;
        let discarded = write.take_discarded();
        write.commit()?;
        // Held until here, so that memory changes in the order of the commits.
        drop(connection);
        Ok(discarded)
    }
}

impl fmt::Debug for DraftLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DraftLog").finish_non_exhaustive()
    }
}

/// A draft over a store.
#[derive(Debug)]
struct SqliteDraft {
    /// The store with the changes of the log.
    store: SqliteStore,
    log: Arc<DraftLog>,
}

impl SqliteStore {
    /// A draft without changes.
    pub(super) fn new_draft(&self) -> Arc<dyn Draft> {
        let log = Arc::new(DraftLog::new(&self.inner));
        let store = SqliteStore {
            inner: Arc::clone(&self.inner),
            draft: Some(Arc::clone(&log)),
        };
        Arc::new(SqliteDraft { store, log })
    }
}

#[async_trait]
impl Draft for SqliteDraft {
    fn stores(&self) -> Stores {
        self.store.stores()
    }

    fn changes(&self) -> usize {
        self.log.view().changes
    }

    async fn refresh(&self) -> Result<()> {
        if self.log.view().is_current(&self.store.inner) {
            return Ok(());
        }
        let log = Arc::clone(&self.log);
        self.store.blocking(move |inner| log.refresh(inner)).await
    }

    async fn truncate(&self, changes: usize) -> Result<()> {
        let log = Arc::clone(&self.log);
        self.store
            .blocking(move |inner| log.truncate(inner, changes))
            .await
    }

    async fn commit(&self) -> Result<Vec<Discarded>> {
        let log = Arc::clone(&self.log);
        self.store.blocking(move |inner| log.commit(inner)).await
    }
}

/// A version that no other state of the catalog has had since the process began.
fn next_version(inner: &Inner) -> u64 {
    OF_DRAFT | inner.draft_versions.fetch_add(1, Ordering::Relaxed)
}

/// # Errors
/// `Outdated` if the change met another database or table under a name than before.
fn check_same(operation: &Operation, step: &Step) -> Result<()> {
    for (name, id) in &operation.looked_up {
        if step.looked_up.get(name).is_some_and(|found| found != id) {
            return Err(CatalogError::Outdated(format!(
                "\"{name}\" was dropped and created again meanwhile"
            )));
        }
    }
    Ok(())
}

fn outdated(error: CatalogError) -> CatalogError {
    match error {
        CatalogError::Storage(_) => error,
        other => CatalogError::Outdated(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
