//! A query that runs without a waiting client.
//!
//! ```text
//!  Running ─┬─▶ Stored       the complete result, which can be read any number of times
//!           ├─▶ Overflowed   the beginning; the rest stays in the query, all readable once
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

use crate::BatchStream;
use crate::detached::executions::{Started, UsageTotal};
use crate::detached::quota::Account;
use crate::detached::store::{ResultWriter, StoredResult};

/// The progress of a run.
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
    usage: OnceLock<Arc<UsageTotal>>,
    /// The rows of a result that overflowed, for a single reader.
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
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(RunState::Running),
            cancel: CancellationToken::new(),
            usage: OnceLock::new(),
            once: Mutex::default(),
        })
    }

    /// Runs the query until its result is stored, exceeds the storage limits, or fails.
    ///
    /// `start`: starts the query. `guard`: dropped when the query has ended; for example, it keeps
    /// the session in use.
    pub(super) async fn drive<G: Send + 'static>(
        self: Arc<Self>,
        start: impl Future<Output = Result<Started>>,
        account: Account,
        guard: G,
    ) {
        let ended = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            ended = self.store(start, account, guard) => ended,
        };
        let (state, rest) = ended.unwrap_or_else(|error| (RunState::Failed(error), None));
        // Dropped after the locks are released if the run was cancelled meanwhile.
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
        start: impl Future<Output = Result<Started>>,
        account: Account,
        guard: G,
    ) -> Result<(RunState, Option<Rest>)> {
        let Started {
            schema,
            batches,
            usage,
        } = start.await?;
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

    /// Returns the state of the run as it is when this is called.
    pub fn state(&self) -> RunState {
        self.state.borrow().clone()
    }

    /// Waits until the query has ended, at most for `most`, and returns its state.
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

    /// Returns the part of the query's files that has been read, from 0 to 1, or `None` while it is
    /// unknown.
    pub fn progress(&self) -> Option<f64> {
        match self.state() {
            RunState::Stored(_) | RunState::Overflowed => Some(1.0),
            RunState::Running | RunState::Failed(_) => self.usage.get()?.query()?.progress(),
        }
    }

    /// Returns the cost of the query so far.
    pub fn usage(&self) -> Arc<UsageTotal> {
        self.usage.get().cloned().unwrap_or_default()
    }

    /// Stops the query. Returns whether it was running, or had rows left to read.
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

    /// Returns the rows of a result that overflowed, for a single reader.
    ///
    /// # Errors
    ///
    /// The query failed; [`Code::ResultNotStored`] if the rows were read before or the result did
    /// not overflow.
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
}

fn cancelled() -> Error {
    Error::new(
        Code::QueryCancelled,
        "canceling statement due to user request",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use futures::{Stream, TryStreamExt};
    use lakegate_engine::{Engine, Space};
    use tempfile::TempDir;

    use super::*;
    use crate::Principal;
    use crate::detached::quota::Quota;
    use crate::detached::quota::tests::{engine, limits};

    const SOON: Duration = Duration::from_secs(10);

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    struct Fixture {
        space: Space,
        quota: Arc<Quota>,
        _engine: Engine,
        _folder: TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let (engine, folder) = engine();
            Self {
                space: engine.space(),
                quota: Quota::new(limits(), engine.space()),
                _engine: engine,
                _folder: folder,
            }
        }

        /// Runs a query with these batches. The returned guard is released when the query has
        /// ended.
        fn run(
            &self,
            batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
        ) -> (Arc<Run>, Arc<()>) {
            let account = self.quota.open(&Principal::sample("user", 1)).unwrap();
            let started = Started {
                schema: batch(0).schema(),
                batches: batches.boxed(),
                usage: Arc::default(),
            };
            let (run, guard) = (Run::new(), Arc::new(()));
            let start = std::future::ready(Ok(started));
            tokio::spawn(Arc::clone(&run).drive(start, account, Arc::clone(&guard)));
            (run, guard)
        }

        fn holds_nothing(&self) -> bool {
            self.space.reserved() == 0 && self.space.disk_used() == 0
        }
    }

    fn batches(count: usize) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
        futures::stream::iter(vec![Ok(batch(1000)); count])
    }

    async fn rows(batches: BatchStream) -> usize {
        let rows = batches.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows()));
        rows.await.unwrap()
    }

    #[tokio::test]
    async fn stored_result_is_read_again_and_again_and_gone_with_its_run() {
        for count in [10, 200] {
            let fixture = Fixture::new();
            let (run, guard) = fixture.run(batches(count));
            let RunState::Stored(result) = run.wait(SOON).await else {
                panic!("it is not stored: {run:?}")
            };
            assert_eq!(fixture.space.disk_used() > 0, count == 200, "spilled");
            for _ in 0..2 {
                assert_eq!(rows(result.read(0..count)).await, count * 1000);
            }
            assert!(!run.cancel(), "it has ended");
            assert_eq!(run.progress(), Some(1.0));
            assert_eq!(Arc::strong_count(&guard), 1);
            drop((result, run));
            assert!(fixture.holds_nothing());
        }
    }

    #[tokio::test]
    async fn result_that_overflows_is_read_once_and_whole() {
        let fixture = Fixture::new();
        let (run, guard) = fixture.run(batches(1000));
        assert!(matches!(run.wait(SOON).await, RunState::Overflowed));
        assert_eq!(Arc::strong_count(&guard), 2, "the query has not ended");
        let started = run.take_rows().unwrap();
        assert_eq!(rows(started.batches).await, 1_000_000);
        let again = run.take_rows().unwrap_err();
        assert_eq!(again.code(), Code::ResultNotStored);
        assert_eq!(Arc::strong_count(&guard), 1);
        assert!(fixture.holds_nothing());
    }

    #[tokio::test]
    async fn running_query_is_waited_for_no_longer_than_told_and_stops_at_once() {
        let fixture = Fixture::new();
        let endless = batches(100).chain(futures::stream::pending());
        let (run, guard) = fixture.run(endless);
        let state = run.wait(Duration::from_millis(50)).await;
        assert!(matches!(state, RunState::Running), "{state:?}");
        assert!(run.take_rows().is_err());
        assert!(run.cancel());
        let RunState::Failed(error) = run.wait(SOON).await else {
            panic!("it runs")
        };
        assert_eq!(error.code(), Code::QueryCancelled);
        tokio::time::timeout(Duration::from_secs(1), async {
            while Arc::strong_count(&guard) > 1 || !fixture.holds_nothing() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        assert!(!run.cancel());
    }

    #[tokio::test]
    async fn overflowed_result_that_is_cancelled_holds_nothing() {
        let fixture = Fixture::new();
        let (run, guard) = fixture.run(batches(1000));
        assert!(matches!(run.wait(SOON).await, RunState::Overflowed));
        assert!(run.cancel());
        assert_eq!(Arc::strong_count(&guard), 1);
        assert!(fixture.holds_nothing());
        assert_eq!(run.take_rows().unwrap_err().code(), Code::QueryCancelled);
    }

    #[tokio::test]
    async fn error_of_the_query_is_the_runs_and_what_was_stored_is_gone() {
        let fixture = Fixture::new();
        let error = Error::new(Code::DivisionByZero, "division by zero");
        let failing = batches(200).chain(futures::stream::iter([Err(error)]));
        let (run, guard) = fixture.run(failing);
        let RunState::Failed(error) = run.wait(SOON).await else {
            panic!("it did not fail: {run:?}")
        };
        assert_eq!(error.code(), Code::DivisionByZero);
        assert_eq!(Arc::strong_count(&guard), 1);
        assert!(fixture.holds_nothing());
    }
}
