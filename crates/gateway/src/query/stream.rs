//! A query's rows on their way to its client: they can be stopped whether anybody reads them or not, are counted, and end the query
//! however they end.

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

/// What the stream and those who may stop it have in common.
pub(crate) struct Delivery {
    /// `None` once it has ended. Locked while it is polled.
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
    /// Frees what the stream holds and ends the query, unless it is being polled: then the poll does it.
    pub fn stop(&self, query: &Query, reason: &Error) {
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

/// A query's stream to its client.
pub struct QueryStream {
    query: Arc<Query>,
    delivery: Arc<Delivery>,
    stopped: Pin<Box<dyn Future<Output = Error> + Send>>,
    /// In the place of the next row, after the last that may be given.
    too_many: Option<Error>,
    done: bool,
}

impl QueryStream {
    pub fn new(query: Arc<Query>, inner: BatchStream) -> Self {
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

    /// Nothing comes any more: what the stream holds is freed, and its query ends.
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

    /// What of a batch its client may have.
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
                // It needs nothing more to fail.
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
        // Whoever stopped it meanwhile found it busy.
        if self.query.cancelled.is_cancelled() {
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
        // Whoever stopped it has said why; else nobody wants the rest.
        let gone = self.query.reason().unwrap_or_else(|| {
            Error::new(
                Code::QueryCancelled,
                "the client closed the result before its end",
            )
        });
        self.end(Err(&gone));
    }
}
