//! A query as those see it who look on while it runs, and may stop it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lakegate_engine::metered;
use lakegate_error::{Code, Error};
use uuid::Uuid;

use crate::query::life::Query;
use crate::telemetry::record::QueryRecord;

/// One who looks on while a query runs, and may stop it.
#[derive(Debug, Clone)]
pub struct QueryWatch(Arc<Query>);

impl QueryWatch {
    pub(crate) fn of(query: &Arc<Query>) -> Self {
        Self(Arc::clone(query))
    }

    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// The query as of now, with the bytes that it has scanned so far.
    pub fn record(&self) -> QueryRecord {
        let mut record = self.0.record();
        if !record.state.is_final() && !record.cache_hit {
            record.bytes_scanned = self.0.resources.meter.scanned();
            record.bytes_fetched = self.0.resources.meter.fetched();
        }
        if !record.state.is_final() {
            record.cpu = self.0.resources.cpu.total();
        }
        record
    }

    /// The client has taken a part of the rows that were given out last, and so has not come to a stop.
    pub fn client_takes(&self) {
        self.0.client_takes();
    }

    /// Work for the query, such as putting its rows into a protocol's form, whose processor time is the query's.
    pub fn metered<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        metered(Arc::clone(&self.0.resources.cpu), work)
    }

    /// The part of its files that the query has read, 0 to 1, or `None` while it is not known. It need not come to 1: a query reads
    /// only the columns and row groups that it needs.
    pub fn progress(&self) -> Option<f64> {
        let record = self.record();
        if record.state.is_final() {
            return Some(1.0);
        }
        let planned = self.0.planned_bytes.load(Ordering::Relaxed);
        (planned > 0).then(|| (record.bytes_scanned as f64 / planned as f64).min(0.99))
    }

    /// Stops the query as its user's request.
    pub fn cancel(&self) {
        self.0.cancel(Error::new(
            Code::QueryCancelled,
            "canceling statement due to user request",
        ));
    }
}
