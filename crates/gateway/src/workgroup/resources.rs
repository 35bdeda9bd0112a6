//! What one query may use, and what it has used.

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
    /// Bytes.
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
    /// As many queries wait as may, of this user or of all.
    pub async fn admit(&self, queue: Queue, user: &str) -> Result<QueryPermit> {
        self.queues.admit(queue, user).await
    }

    /// The limit that the query has passed, of CPU time or of run time.
    ///
    /// `run_time`: without what it waited in queues; computed only where there is a limit.
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
