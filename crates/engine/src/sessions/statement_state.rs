//! States that statements are planned in, used one after the other.
//!
//! A state has hundreds of functions by name, and a short statement takes longer to copy them than to
//! be planned. Statements that change nothing in their state give it to later ones:
//!
//! ```text
//!  Shelf ─ take ─▶ StatementState ─ dropped ─▶ Shelf      without catalogs
//!                        └──────── own ──▶ a state that only this statement uses
//! ```

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::execution::SessionState;
use parking_lot::Mutex;

use crate::time::{DateOrder, begin_statement, read_dates};

/// The states that a shelf keeps. Each takes about 100 KiB.
const MAX_KEPT: usize = 4;

/// The states of sessions with the same settings.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The one that all are copies of.
    pub made: SessionState,
    /// States that nothing uses, and that differ from `made` only in what each statement sets.
    free: Mutex<Vec<Arc<SessionState>>>,
}

impl Shelf {
    pub(super) fn new(made: SessionState) -> Arc<Self> {
        Arc::new(Self {
            made,
            free: Mutex::default(),
        })
    }

    /// Returns a state for a statement that begins now. It has these catalogs only.
    pub(super) fn take(self: &Arc<Self>, catalogs: Arc<dyn CatalogProviderList>) -> StatementState {
        let free = self.free.lock().pop();
        // The thread that gave a state back may still hold it for a moment.
        let mut state = free
            .and_then(Arc::into_inner)
            .unwrap_or_else(|| self.made.clone());
        *state.config_mut() = self.made.config().clone();
        *state.execution_props_mut() = self.made.execution_props().clone();
        // The only place that registers catalogs: they are those of a principal's view.
        #[allow(clippy::disallowed_methods)]
        state.register_catalog_list(catalogs);
        state.mark_start_execution();
        StatementState {
            state: Arc::new(state),
            shelf: Some(Arc::clone(self)),
        }
    }

    fn put(&self, state: Arc<SessionState>) {
        let mut free = self.free.lock();
        if free.len() < MAX_KEPT {
            free.push(state);
        }
    }
}

/// The state that a statement is planned in.
#[derive(Debug)]
pub struct StatementState {
    state: Arc<SessionState>,
    /// `None` if the state may have functions of a session.
    shelf: Option<Arc<Shelf>>,
}

impl StatementState {
    /// Returns the state to be changed. No other statement uses it after this.
    pub fn own(&mut self) -> &mut SessionState {
        self.shelf = None;
        Arc::make_mut(&mut self.state)
    }

    /// Begins the statement now. `block_began`: when the transaction block began that it is in.
    pub fn begin(&mut self, block_began: Option<DateTime<Utc>>) {
        begin_statement(Arc::make_mut(&mut self.state), block_began);
    }

    /// Sets the order in which the statement reads dates of numbers.
    pub fn read_dates(&mut self, order: DateOrder) {
        read_dates(Arc::make_mut(&mut self.state), order);
    }
}

impl Clone for StatementState {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            shelf: None,
        }
    }
}

impl Deref for StatementState {
    type Target = SessionState;

    fn deref(&self) -> &SessionState {
        &self.state
    }
}

impl Drop for StatementState {
    fn drop(&mut self) {
        let Some(shelf) = self.shelf.take() else {
            return;
        };
        // A copy is in use.
        let Some(state) = Arc::get_mut(&mut self.state) else {
            return;
        };
        // What the statement could see ends with it.
        #[allow(clippy::disallowed_methods)]
        state.register_catalog_list(Arc::new(MemoryCatalogProviderList::new()));
        shelf.put(Arc::clone(&self.state));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::catalog::MemoryCatalogProvider;
    use datafusion::execution::{FunctionRegistry, SessionStateBuilder};

    use super::*;
    use crate::time::order_of;

    fn shelf() -> Arc<Shelf> {
        let mut made = SessionStateBuilder::new().with_default_features().build();
        read_dates(&mut made, DateOrder::Mdy);
        Shelf::new(made)
    }

    /// Returns catalogs with one of this name.
    fn named(name: &str) -> Arc<dyn CatalogProviderList> {
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(name.to_owned(), Arc::new(MemoryCatalogProvider::new()));
        Arc::new(catalogs)
    }

    fn address(state: &SessionState) -> usize {
        std::ptr::from_ref(state).addr()
    }

    #[test]
    fn later_statements_see_nothing_of_an_earlier_one() {
        let shelf = shelf();
        let mut first = shelf.take(named("a"));
        first.begin(Some(DateTime::UNIX_EPOCH));
        first.read_dates(DateOrder::Dmy);
        let catalogs = Arc::downgrade(first.catalog_list());
        drop(first);
        assert!(catalogs.upgrade().is_none());
        assert_eq!(shelf.free.lock().len(), 1);
        let second = shelf.take(named("b"));
        assert!(shelf.free.lock().is_empty());
        assert_eq!(second.catalog_list().catalog_names(), ["b"]);
        let fresh = shelf.take(named("b"));
        let options = |state: &SessionState| format!("{:?}", state.config_options());
        assert_eq!(options(&second), options(&fresh));
        // No text of the options has the order.
        assert_eq!(order_of(second.config_options()), DateOrder::Mdy);
        let start = second.execution_props().query_execution_start_time;
        assert!(start.unwrap() > DateTime::UNIX_EPOCH);
    }

    #[test]
    fn a_state_that_was_changed_serves_one_statement() {
        let shelf = shelf();
        let mut changed = shelf.take(named("a"));
        changed.own().deregister_udf("abs").unwrap();
        assert!(changed.udf("abs").is_err());
        drop(changed);
        assert!(shelf.free.lock().is_empty());
        assert!(shelf.take(named("a")).udf("abs").is_ok());
    }

    #[test]
    fn a_copy_keeps_its_state() {
        let shelf = shelf();
        let kept = shelf.take(named("a"));
        let copy = kept.clone();
        assert_eq!(address(&copy), address(&kept));
        drop(kept);
        assert!(shelf.free.lock().is_empty());
        assert_eq!(copy.catalog_list().catalog_names(), ["a"]);
        // A copy that begins again is another state.
        let (mut begun, copied) = (copy.clone(), address(&copy));
        begun.begin(None);
        assert_ne!(address(&begun), copied);
        drop((begun, copy));
        assert!(shelf.free.lock().is_empty());
    }

    #[test]
    fn few_states_are_kept() {
        let shelf = shelf();
        let taken: Vec<StatementState> =
            (0..MAX_KEPT + 2).map(|_| shelf.take(named("a"))).collect();
        drop(taken);
        assert_eq!(shelf.free.lock().len(), MAX_KEPT);
    }
}
