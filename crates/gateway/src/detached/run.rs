//! A query that runs without a client that waits for it.
//!
//! ```text
//!  Running ─┬─▶ Stored       the whole result, read any number of times
//!           ├─▶ Overflowed   its beginning; the rest waits in the query, and all of it is read once
//!           └─▶ Failed       also when it is cancelled
//! ```

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::detached::executions::{Executions, Started, UsageTotal};
use crate::detached::quota::Account;
use crate::detached::store::{ResultWriter, StoredResult};
use crate::{BatchStream, Grants};

/// How far a run is.
#[derive(Debug, Clone)]
pub enum RunState {
    Running,
    Stored(Arc<StoredResult>),
    Overflowed,
    Failed(Error),
}

/// A detached query.
#[derive(Debug)]
pub struct Run {
    state: watch::Sender<RunState>,
    cancel: CancellationToken,
    /// What the principal held before the query began.
    grants: Grants,
    usage: OnceLock<Arc<UsageTotal>>,
    /// The one reading of a result that overflowed.
    once: Mutex<Option<Rest>>,
}

/// Rows that can be read once.
struct Rest {
    schema: SchemaRef,
    batches: BatchStream,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Run {
    pub(super) fn new(grants: Grants) -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(RunState::Running),
            cancel: CancellationToken::new(),
            grants,
            usage: OnceLock::new(),
            once: Mutex::default(),
        })
    }

    /// Runs until the result is stored, the store has no room for more of it, or it fails.
    ///
    /// `guard`: kept until the query has ended, such as the use of its session.
    pub(super) async fn drive<G: Send + 'static>(
        self: Arc<Self>,
        executions: Executions,
        account: Account,
        guard: G,
    ) {
        let ended = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            ended = self.store(&executions, account, guard) => ended,
        };
        let (state, rest) = ended.unwrap_or_else(|error| (RunState::Failed(error), None));
        // Dropped after the locks are released, if it was cancelled meanwhile.
        let mut rest = rest;
        self.state.send_if_modified(|now| {
            let running = matches!(now, RunState::Running);
            if running {
                *self.once.lock() = rest.take();
                *now = state;
            }
            running
        });
    }

    async fn store<G: Send + 'static>(
        &self,
        executions: &Executions,
        account: Account,
        guard: G,
    ) -> Result<(RunState, Option<Rest>)> {
        let started = Box::pin(executions.run()).await?;
        let Started {
            schema,
            batches,
            usage,
        } = started;
        let _ = self.usage.set(usage);
        let mut batches = batches.map(move |batch| {
            let _until_then = &guard;
            batch
        });
        let mut writer = ResultWriter::new(Arc::clone(&schema), account);
        while let Some(batch) = batches.next().await {
            let Some(next) = writer.write(batch?).await? else {
                continue;
            };
            let beginning = writer.finish().read(0..usize::MAX);
            let next = futures::stream::iter([Ok(next)]);
            let rest = Rest {
                schema,
                batches: beginning.chain(next).chain(batches).boxed(),
            };
            return Ok((RunState::Overflowed, Some(rest)));
        }
        Ok((RunState::Stored(writer.finish()), None))
    }

    pub fn state(&self) -> RunState {
        self.state.borrow().clone()
    }

    /// Waits until the query no longer runs, but no longer than this, and returns its state then.
    pub async fn wait(&self, most: Duration) -> RunState {
        let mut changes = self.state.subscribe();
        let settled = async {
            let _ = changes
                .wait_for(|state| !matches!(state, RunState::Running))
                .await;
        };
        let _ = tokio::time::timeout(most, settled).await;
        self.state()
    }

    /// The part of its files that the query has read, 0 to 1; `None` while it is unknown.
    pub fn progress(&self) -> Option<f64> {
        match self.state() {
            RunState::Stored(_) | RunState::Overflowed => Some(1.0),
            RunState::Running | RunState::Failed(_) => self.usage.get()?.query()?.progress(),
        }
    }

    /// What the query has cost so far.
    pub fn usage(&self) -> Arc<UsageTotal> {
        self.usage.get().cloned().unwrap_or_default()
    }

    /// Stops the query. Returns whether there was something to stop: it ran, or rows of it were still to be read.
    pub fn cancel(&self) -> bool {
        self.cancel.cancel();
        if let Some(query) = self.usage.get().and_then(|usage| usage.query()) {
            query.cancel();
        }
        let mut rest = None;
        let stopped = self.state.send_if_modified(|state| {
            let stops = matches!(state, RunState::Running | RunState::Overflowed);
            if stops {
                rest = self.once.lock().take();
                *state = RunState::Failed(cancelled());
            }
            stops
        });
        drop(rest);
        stopped
    }

    /// The rows of a result that overflowed, for its one reader.
    ///
    /// # Errors
    ///
    /// They were read before, or the result did not overflow: what failed, or that it still runs.
    pub fn take_rows(&self) -> Result<Started> {
        if let RunState::Failed(error) = self.state() {
            return Err(error);
        }
        let rest = self.once.lock().take();
        let Rest { schema, batches } = rest.ok_or_else(|| {
            Error::new(
                Code::ResultNotStored,
                "the result was read: one that is not stored whole is read once",
            )
        })?;
        Ok(Started {
            schema,
            batches,
            usage: self.usage(),
        })
    }

    /// What the principal held before the query began.
    pub(super) fn grants(&self) -> &Grants {
        &self.grants
    }
}

fn cancelled() -> Error {
    Error::new(
        Code::QueryCancelled,
        "canceling statement due to user request",
    )
}
