//! A handle to watch a running query and cancel it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lakegate_engine::metered;
use lakegate_error::{Code, Error};
use uuid::Uuid;

use crate::query::life::Query;
use crate::telemetry::record::QueryRecord;

/// A handle to watch a running query and cancel it.
#[derive(Debug, Clone)]
pub struct QueryWatch(Arc<Query>);

impl QueryWatch {
    pub(crate) fn of(query: &Arc<Query>) -> Self {
        Self(Arc::clone(query))
    }

    pub(crate) fn query(&self) -> &Arc<Query> {
        &self.0
    }

    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Returns the current record of the query, with the bytes scanned so far.
    pub fn record(&self) -> QueryRecord {
        let mut record = self.0.record();
        if !record.state.is_final() && !record.cache_hit {
            record.bytes_scanned = self.0.resources.meter.scanned();
            record.bytes_fetched = self.0.resources.meter.fetched();
        }
        if !record.state.is_final() {
            record.bytes_written = self.0.written.load(Ordering::Relaxed);
            record.cpu = self.0.resources.cpu.total();
        }
        record
    }

    /// Records that the client has taken part of the rows delivered last, and so has not stalled.
    pub fn client_takes(&self) {
        self.0.client_takes();
    }

    /// Charges the CPU time of `work` to the query, such as that of encoding its rows. That of a
    /// query which has ended is not measured: its record is complete.
    pub fn metered<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let meter = (!self.0.is_over()).then(|| Arc::clone(&self.0.resources.cpu));
        async move {
            match meter {
                Some(meter) => metered(meter, work).await,
                None => work.await,
            }
        }
    }

    /// Returns the part of the query's files that has been read, from 0 to 1, or `None` while it is
    /// unknown. It may end below 1, because a query reads only the columns and row groups that it
    /// needs.
    pub fn progress(&self) -> Option<f64> {
        let record = self.record();
        if record.state.is_final() {
            return Some(1.0);
        }
        let planned = self.0.planned_bytes.load(Ordering::Relaxed);
        (planned > 0).then(|| (record.bytes_scanned as f64 / planned as f64).min(0.99))
    }

    /// Cancels the query on its user's request.
    pub fn cancel(&self) {
        self.0.cancel(Error::new(
            Code::QueryCancelled,
            "canceling statement due to user request",
        ));
    }
}
