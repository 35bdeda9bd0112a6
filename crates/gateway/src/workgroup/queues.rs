//! The queues in which queries wait to run.

use lakegate_error::Result;
use tokio::sync::OwnedSemaphorePermit;

use crate::workgroup::{Admission, AdmissionLimits, PerUser, Permit};

/// The maximum number of running queries over system tables only.
const SYSTEM_RUNNING: usize = 32;
/// The maximum number of running queries over system tables only, per user.
const SYSTEM_RUNNING_PER_USER: usize = 3;
/// The maximum number of waiting queries over system tables only.
const SYSTEM_WAITING: usize = 1000;

/// The maximum number of running writes.
const WRITES_RUNNING: usize = 4;
/// The maximum number of waiting writes.
const WRITES_WAITING: usize = 100;

/// The queue that a statement waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Queries over the lake.
    Lake,
    /// Queries over system tables only. They have a queue of their own, so that `system.queries`
    /// can still be read when the server is full.
    System,
    /// Writes of rows. They have a queue of their own, because clients decide how long they take.
    Write,
}

/// The queues for permits to run: of queries of the lake, of built-in tables, and of writes.
#[derive(Debug)]
pub struct Queues {
    lake: Admission,
    system: Admission,
    system_per_user: PerUser,
    write: Admission,
}

/// The right to run a query. Dropping it lets the next query run.
#[derive(Debug)]
pub struct QueryPermit {
    _permit: Permit,
    _per_user: Option<OwnedSemaphorePermit>,
}

impl Queues {
    /// Creates the queues. `lake`: the limits for queries over the lake.
    pub fn new(lake: AdmissionLimits) -> Self {
        let shared = |running, waiting| Admission::new(AdmissionLimits::shared(running, waiting));
        Self {
            lake: Admission::new(lake),
            system: shared(SYSTEM_RUNNING, SYSTEM_WAITING),
            system_per_user: PerUser::new(SYSTEM_RUNNING_PER_USER),
            write: shared(WRITES_RUNNING, WRITES_WAITING),
        }
    }

    /// Waits until a query of this user may run.
    ///
    /// # Errors
    /// The queue is full, for this user or in total.
    pub async fn admit(&self, queue: Queue, user: &str) -> Result<QueryPermit> {
        let per_user = match queue {
            Queue::System => self.system_per_user.admit(user).await,
            Queue::Lake | Queue::Write => None,
        };
        let admission = match queue {
            Queue::Lake => &self.lake,
            Queue::System => &self.system,
            Queue::Write => &self.write,
        };
        Ok(QueryPermit {
            _permit: admission.admit(user).await?,
            _per_user: per_user,
        })
    }
}
