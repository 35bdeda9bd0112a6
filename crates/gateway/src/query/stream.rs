//! The stream of a query's rows to its client. It can be stopped whether it is being polled or not,
//! counts rows, and ends the query however it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use arrow::array::RecordBatch;
use futures::Stream;
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;

use crate::query::life::{BatchStream, Phase, Query};
use crate::query::stalled::Stalled;

/// The state shared by the stream and the tasks that may stop it.
pub(crate) struct Delivery {
    /// `None` after the end. Locked while it is polled.
    inner: Mutex<Option<BatchStream>>,
    since: Instant,
    rows: AtomicU64,
    ended: AtomicBool,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

impl Delivery {
    /// Frees the stream's resources and ends the query. If the stream is being polled, the poll
    /// does this instead.
    pub(crate) fn stop(&self, query: &Query, reason: &Error) {
        let Some(mut inner) = self.inner.try_lock() else {
            return;
        };
        let source = inner.take();
        drop(inner);
        drop(source);
        self.end(query, Err(reason));
    }

    fn end(&self, query: &Query, outcome: std::result::Result<(), &Error>) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            query.spent(Phase::Execution, self.since.elapsed());
            query.finish(self.rows.load(Ordering::Relaxed), outcome);
        }
    }
}

/// The stream of a query's rows to its client.
pub(crate) struct QueryStream {
    query: Arc<Query>,
    delivery: Arc<Delivery>,
    stopped: Pin<Box<dyn Future<Output = Error> + Send>>,
    /// The error that replaces the next row once the row limit is reached.
    too_many: Option<Error>,
    done: bool,
}

impl QueryStream {
    pub(crate) fn new(query: Arc<Query>, inner: BatchStream) -> Self {
        let delivery = Arc::new(Delivery {
            inner: Mutex::new(Some(inner)),
            since: Instant::now(),
            rows: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        query.delivers(&delivery);
        query.waits_for_client(Stalled::Reading);
        let stopping = Arc::clone(&query);
        Self {
            query,
            delivery,
            stopped: Box::pin(async move { stopping.stopped().await }),
            too_many: None,
            done: false,
        }
    }

    fn poll_inner(&self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        match self.delivery.inner.lock().as_mut() {
            Some(inner) => inner.as_mut().poll_next(context),
            None => Poll::Ready(None),
        }
    }

    /// Ends the stream: frees its resources and ends the query.
    fn end(&mut self, outcome: std::result::Result<(), &Error>) {
        self.done = true;
        let source = self.delivery.inner.lock().take();
        drop(source);
        self.delivery.end(&self.query, outcome);
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<RecordBatch>>> {
        self.end(Err(&error));
        Poll::Ready(Some(Err(error)))
    }

    /// Counts a batch's rows, and returns the part within the row limit.
    fn counted(&mut self, batch: RecordBatch) -> Poll<Option<Result<RecordBatch>>> {
        let before = self.delivery.rows.load(Ordering::Relaxed);
        let rows = batch.num_rows() as u64;
        let (batch, given) = match self.query.max_rows() {
            Some(most) if before + rows > most => {
                let error = self.query.resources.limits.rows_returned(most);
                let left = most.saturating_sub(before);
                if left == 0 {
                    return self.fail(error);
                }
                // No more rows are needed before the stream fails.
                let source = self.delivery.inner.lock().take();
                drop(source);
                self.too_many = Some(error);
                let part = batch.slice(0, usize::try_from(left).unwrap_or(usize::MAX));
                (part, left)
            }
            _ => (batch, rows),
        };
        self.delivery.rows.store(before + given, Ordering::Relaxed);
        self.query.waits_for_client(Stalled::Reading);
        Poll::Ready(Some(Ok(batch)))
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        self.query.client_waits();
        if let Poll::Ready(error) = self.stopped.as_mut().poll(context) {
            return self.fail(error);
        }
        if let Some(error) = self.too_many.take() {
            return self.fail(error);
        }
        let next = self.poll_inner(context);
        // A concurrent stop could not take the stream while it was being polled.
        if self.query.cancelled.is_set() {
            let reason = self.query.cancellation();
            return self.fail(reason);
        }
        match next {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(batch))) => self.counted(batch),
            Poll::Ready(Some(Err(error))) => self.fail(error),
            Poll::Ready(None) => {
                self.end(Ok(()));
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        // Uses the reason of an earlier stop, if there was one.
        let gone = self.query.reason().unwrap_or_else(|| {
            Error::new(
                Code::QueryCancelled,
                "the client closed the result before its end",
            )
        });
        self.end(Err(&gone));
    }
}
