//! The payer of a run: one query at a time, so that all work is charged exactly once.
//!
//! The leader pays, and if it leaves before the end, the follower that has waited longest. The
//! costs from then on are charged to that follower, and its limits apply; earlier costs stay with
//! the queries that paid them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use lakegate_engine::CpuMeter;
use lakegate_lake::meter::QueryMeter;

/// A query that a run can be charged to.
pub trait Payer: fmt::Debug + Send + Sync {
    fn bytes(&self) -> &Arc<QueryMeter>;

    fn cpu(&self) -> &Arc<CpuMeter>;

    /// Called when the costs of the run are charged to this query from now on.
    fn takes_over(&self);
}

#[derive(Debug, Default)]
pub(super) struct Bill {
    /// The query whose meters the plan runs with; their counts are passed on to the payer.
    leader: Option<Arc<dyn Payer>>,
    /// The reader that pays; `None` after it has left.
    paying: Option<u64>,
    /// Waiting readers, in order of arrival.
    waiting: VecDeque<(u64, Arc<dyn Payer>)>,
    /// The number of readers so far.
    readers: u64,
    /// The run has ended, or has overflowed to its leader.
    closed: bool,
}

impl Bill {
    /// Registers a reader and returns its number.
    pub(super) fn comes(&mut self) -> u64 {
        self.readers += 1;
        self.readers
    }

    pub(super) fn leads(&mut self, reader: u64, leader: Arc<dyn Payer>) {
        self.leader = Some(leader);
        self.paying = Some(reader);
    }

    /// Registers a waiting reader as a candidate for paying.
    pub(super) fn waits(&mut self, reader: u64, payer: Arc<dyn Payer>) {
        self.waiting.push_back((reader, payer));
        self.settle();
    }

    pub(super) fn leaves(&mut self, reader: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != reader);
        if self.paying == Some(reader) {
            self.paying = None;
            self.settle();
        }
    }

    /// No other reader takes over the run from now on.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn pays(&self, reader: u64) -> bool {
        self.paying == Some(reader)
    }

    /// Makes the first waiting reader the payer if there is none.
    fn settle(&mut self) {
        let (false, None, Some(leader)) = (self.closed, self.paying, &self.leader) else {
            return;
        };
        if let Some((reader, next)) = self.waiting.pop_front() {
            leader.bytes().pass_to(next.bytes());
            leader.cpu().pass_to(next.cpu());
            next.takes_over();
            self.paying = Some(reader);
        }
    }
}
