//! The resources of one query: its limits and its usage.

use std::sync::Arc;
use std::time::Duration;

use lakegate_engine::CpuMeter;
use lakegate_error::{Error, Result};
use lakegate_lake::meter::QueryMeter;

use crate::workgroup::{QueryPermit, Queue, Queues, WorkgroupLimits};

/// The limits of one query, the queues that admit it, and its meters.
#[derive(Debug)]
pub struct QueryResources {
    pub limits: WorkgroupLimits,
    /// Counts bytes read.
    pub meter: Arc<QueryMeter>,
    pub cpu: Arc<CpuMeter>,
    queues: Arc<Queues>,
}

impl QueryResources {
    pub fn new(limits: WorkgroupLimits, meter: Arc<QueryMeter>, queues: Arc<Queues>) -> Self {
        Self {
            limits,
            meter,
            cpu: Arc::default(),
            queues,
        }
    }

    /// Waits until the query may run.
    ///
    /// # Errors
    /// The queue is full, for this user or in total.
    pub async fn admit(&self, queue: Queue, user: &str) -> Result<QueryPermit> {
        self.queues.admit(queue, user).await
    }

    /// Returns an error if the query has exceeded its limit of CPU time or run time.
    ///
    /// `run_time`: the run time without the time spent in queues; called only if there is a limit.
    pub fn exceeded(&self, run_time: impl FnOnce() -> Duration) -> Option<Error> {
        let limits = &self.limits;
        let by_cpu = limits
            .per_query
            .cpu_time
            .and_then(|_| limits.cpu_time(self.cpu.total()));
        by_cpu.or_else(|| {
            limits
                .per_query
                .run_time
                .and_then(|_| limits.run_time(run_time()))
        })
    }
}
