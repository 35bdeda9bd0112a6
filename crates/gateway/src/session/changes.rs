//! The changes of the catalog that a transaction block made so far.
//!
//! ```text
//!  statement ─▶ Draft ─▶ what the block's next statements see, and nobody else
//!     │           └─ COMMIT: all at once, in a task that completes without the client
//!     └─ files of an open write, which the draft closes; deleted if the block does not commit
//! ```

use std::fmt;
use std::sync::Arc;

use lakegate_catalog::store::{Draft, WriteId};
use lakegate_error::{Error, Result};
use parking_lot::Mutex;

use crate::Gateway;
use crate::write::recovery::{clear_later, discard};

/// The changes of one block. Dropped without commit, it leaves nothing: files that the block wrote
/// are deleted.
pub(crate) struct Changes {
    gateway: Arc<Gateway>,
    draft: Arc<dyn Draft>,
    /// The writes that changes make visible, each with the number of changes up to its own.
    writes: Mutex<Vec<(usize, WriteId)>>,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("changes", &self.count())
            .finish_non_exhaustive()
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let writes = std::mem::take(self.writes.get_mut());
        clear(&self.gateway, writes);
    }
}

impl Changes {
    /// Returns no changes yet.
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Arc<Self> {
        Arc::new(Self {
            gateway: Arc::clone(gateway),
            draft: gateway.coordinator.draft(),
            writes: Mutex::default(),
        })
    }

    pub(crate) fn draft(&self) -> &Arc<dyn Draft> {
        &self.draft
    }

    /// Returns the number of changes.
    pub(crate) fn count(&self) -> usize {
        self.draft.changes()
    }

    /// Takes in what others committed meanwhile.
    ///
    /// # Errors
    /// A change does not apply any more.
    pub(crate) async fn refresh(&self) -> Result<()> {
        Ok(self.draft.refresh().await?)
    }

    /// Keeps the files of a write, which a change has just closed, for as long as the change.
    pub(crate) fn keep(&self, write: WriteId) {
        self.writes.lock().push((self.count(), write));
    }

    /// Takes all but the first changes back.
    ///
    /// # Errors
    /// One of the first does not apply any more.
    pub(crate) async fn truncate(&self, count: usize) -> Result<()> {
        let outcome = self.draft.truncate(count).await;
        let gone = {
            let mut writes = self.writes.lock();
            let gone = writes.iter().filter(|(at, _)| *at > count).copied();
            let gone = gone.collect();
            writes.retain(|(at, _)| *at <= count);
            gone
        };
        clear(&self.gateway, gone);
        Ok(outcome?)
    }

    /// Commits all changes, or none. Completes even if the caller stops waiting.
    ///
    /// # Errors
    /// A change does not apply any more; the catalog cannot be written.
    pub(crate) async fn commit(self: Arc<Self>) -> Result<()> {
        // The task holds the writes: they are not cleared before the outcome is known.
        let task = tokio::spawn(async move {
            let discarded = self.draft.commit().await?;
            self.writes.lock().clear();
            // Queries that start from here on are planned with the new tables.
            let readers = self.gateway.running.ids();
            for discarded in discarded {
                let gateway = Arc::clone(&self.gateway);
                tokio::spawn(discard(gateway, discarded, readers.clone()));
            }
            Ok::<(), Error>(())
        });
        task.await
            .map_err(|error| Error::internal(format!("the task of a commit died: {error}")))?
    }
}

/// Deletes the files of writes. Without a runtime the process is ending, and its next start does it.
fn clear(gateway: &Arc<Gateway>, writes: Vec<(usize, WriteId)>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    for (_, write) in writes {
        runtime.spawn(clear_later(Arc::clone(gateway), write));
    }
}
