//! How a query ends: its outcome is decided once, and recorded when no work for it is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;
use lakegate_error::{Code, Error, Result};

use super::life::Query;
use crate::telemetry::events::QueryEvent;
use crate::telemetry::record::QueryState;

#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The outcome is decided; later outcomes are ignored.
    decided: bool,
    /// The row count and the error of a query that was stopped. Recorded when no work for it is
    /// left.
    stopped: Option<(u64, Error)>,
    /// The number of live [`Working`] guards.
    working: usize,
}

/// Stops a query whose client is gone, unless it has ended or is committing.
pub(crate) struct CancelOnDrop(pub Arc<Query>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel(Error::new(
            Code::QueryCancelled,
            "the client went away before the statement ended",
        ));
    }
}

/// Runs the work of a query in a task of its own, which ends the query: a caller that is dropped
/// stops the query and leaves nothing behind. `rows`: of the result, for the record; `what`: the
/// work, for messages.
///
/// # Errors
/// The work fails. The error names the query.
pub(crate) async fn owned<T: Send + 'static>(
    query: &Arc<Query>,
    what: &str,
    work: impl Future<Output = Result<T>> + Send + 'static,
    rows: fn(&T) -> u64,
) -> Result<T> {
    let running = Arc::clone(query);
    let task = tokio::spawn(async move {
        let _unfinished = Unfinished::guard(&running);
        let outcome = work.await;
        match &outcome {
            Ok(done) => running.finish(rows(done), Ok(())),
            Err(error) => running.finish(0, Err(error)),
        }
        outcome
    });
    let unwanted = CancelOnDrop(Arc::clone(query));
    let outcome = match task.await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::internal(format!("the task of {what} died: {error}"))),
    };
    drop(unwanted);
    outcome.map_err(|error| error.with_query(query.id))
}

/// Ends a query when dropped, unless disarmed before.
pub(crate) struct Unfinished(Option<Arc<Query>>);

impl Unfinished {
    pub(crate) fn guard(query: &Arc<Query>) -> Self {
        Self(Some(Arc::clone(query)))
    }

    /// Leaves the end of the query to another owner, such as its stream.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(query) = self.0.take() {
            let gone = Error::new(
                Code::QueryCancelled,
                "the client went away before the query ran",
            );
            query.finish(0, Err(&gone));
        }
    }
}

/// A guard for work on behalf of a query. The query does not end while one exists.
#[derive(Debug)]
pub struct Working(Arc<Query>);

impl Drop for Working {
    fn drop(&mut self) {
        let stopped = {
            let mut ending = self.0.ending.lock();
            ending.working -= 1;
            if ending.working > 0 || !ending.decided {
                return;
            }
            ending.stopped.take()
        };
        if let Some((rows, reason)) = stopped {
            self.0.record_end(rows, Err(&reason));
        }
        self.0.running.remove(self.0.id);
    }
}

impl Query {
    /// Whether the record of the query is complete.
    pub(super) fn is_over(&self) -> bool {
        self.record.lock().state.is_final()
    }

    /// Keeps the query from ending until the returned guard is dropped.
    pub fn working(self: &Arc<Self>) -> Working {
        self.ending.lock().working += 1;
        Working(Arc::clone(self))
    }

    /// Resolves when the query's outcome is decided.
    pub async fn ended(&self) {
        self.ended.wait().await;
    }

    /// Ends the query; only the first call has an effect. The record of a stopped query is
    /// completed when no work for it is left.
    pub fn finish(&self, rows: u64, outcome: std::result::Result<(), &Error>) {
        let working = {
            let mut ending = self.ending.lock();
            if ending.decided {
                return;
            }
            ending.decided = true;
            let working = ending.working > 0;
            if let Err(error) = outcome
                && working
                && stops(error.code())
            {
                ending.stopped = Some((rows, error.clone()));
            }
            working
        };
        self.ended.set();
        if !working {
            self.record_end(rows, outcome);
            self.running.remove(self.id);
        } else if outcome.err().is_none_or(|error| !stops(error.code())) {
            self.record_end(rows, outcome);
        }
    }

    fn record_end(&self, rows: u64, outcome: std::result::Result<(), &Error>) {
        let mut record = self.record.lock();
        if record.state.is_final() {
            return;
        }
        record.state = match outcome {
            Ok(()) => QueryState::Succeeded,
            Err(error) => match error.code() {
                // Athena too reports a query as cancelled if it exceeds a limit of its
                // workgroup.
                Code::QueryCancelled
                | Code::StatementTimeout
                | Code::SessionEnded
                | Code::ClientStalled
                | Code::BytesScannedCutoff
                | Code::CpuTimeLimit
                | Code::RunTimeLimit
                | Code::RowsReturnedLimit
                | Code::BytesWrittenLimit => QueryState::Cancelled,
                _ => QueryState::Failed,
            },
        };
        if let Err(error) = outcome {
            record.error_code = Some(error.code().name().to_owned());
            record.error_message = Some(error.message().to_owned());
            // Details withheld from the principal are logged under the query's id, for
            // the operator.
            if let Some(error) = error.full() {
                tracing::warn!(query_id = %self.id, user = record.user_name, error, "a query failed");
            }
        }
        record.completed_at = Some(Utc::now());
        record.total = self.started.elapsed();
        record.cpu = self.resources.cpu.total();
        record.rows = rows;
        record.bytes_written = self.written.load(Ordering::Relaxed);
        if !record.cache_hit {
            record.bytes_scanned = self.resources.meter.scanned();
            record.bytes_fetched = self.resources.meter.fetched();
        }
        self.events.send(&QueryEvent::Finished(&record));
    }
}

/// Whether an error with this code stops a query from outside, while it works.
fn stops(code: Code) -> bool {
    matches!(
        code,
        Code::QueryCancelled
            | Code::StatementTimeout
            | Code::ShuttingDown
            | Code::SessionEnded
            | Code::ClientStalled
            | Code::CpuTimeLimit
            | Code::RunTimeLimit
            | Code::RowsReturnedLimit
    )
}
