//! Who pays for a run: one query at a time, so that no work is free and none is charged twice.
//!
//! The leader pays, and once it has left before the end, the follower that has waited longest. What the run costs from then on is that
//! query's, whose limits hold; what it cost before stays with those who paid.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use lakegate_engine::CpuMeter;
use lakegate_lake::meter::QueryMeter;

/// A query that a run can be charged to.
pub trait Payer: fmt::Debug + Send + Sync {
    fn bytes(&self) -> &Arc<QueryMeter>;

    fn cpu(&self) -> &Arc<CpuMeter>;

    /// From now on the run's costs are this query's.
    fn takes_over(&self);
}

#[derive(Debug, Default)]
pub(super) struct Bill {
    /// Whose meters the plan runs with; what they count goes to who pays.
    leader: Option<Arc<dyn Payer>>,
    /// The reader that pays; `None`: who did has left.
    paying: Option<u64>,
    /// Readers that wait, in the order that they came.
    waiting: VecDeque<(u64, Arc<dyn Payer>)>,
    /// Readers so far.
    readers: u64,
    /// The run has ended, or is its leader's alone.
    closed: bool,
}

impl Bill {
    /// The number of one more reader.
    pub fn comes(&mut self) -> u64 {
        self.readers += 1;
        self.readers
    }

    pub fn leads(&mut self, reader: u64, leader: Arc<dyn Payer>) {
        self.leader = Some(leader);
        self.paying = Some(reader);
    }

    /// It may be this reader that pays from some moment on.
    pub fn waits(&mut self, reader: u64, payer: Arc<dyn Payer>) {
        self.waiting.push_back((reader, payer));
        self.settle();
    }

    pub fn leaves(&mut self, reader: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != reader);
        if self.paying == Some(reader) {
            self.paying = None;
            self.settle();
        }
    }

    /// Nobody takes the run over any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    pub fn pays(&self, reader: u64) -> bool {
        self.paying == Some(reader)
    }

    /// The next of those who wait pays, if nobody does.
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
