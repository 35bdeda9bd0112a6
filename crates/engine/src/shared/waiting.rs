//! The tasks that wait for the input of a log.
//!
//! A stream wakes the task that polled it last. That task may have turned to other work, or may have
//! dropped its reader, while another reader waits. So the input is polled with a waker that wakes
//! all readers that wait, and each of them can poll it.

use std::sync::Arc;
use std::task::{Wake, Waker};

use parking_lot::Mutex;

/// The wakers of the waiting readers, with the readers' numbers.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Vec<(usize, Waker)>>);

impl Waiting {
    /// Wakes this reader's task when something changes. Call it before looking at what may change.
    pub(super) fn wait(&self, reader: usize, waker: &Waker) {
        let mut waiting = self.0.lock();
        match waiting.iter_mut().find(|(other, _)| *other == reader) {
            Some((_, known)) => known.clone_from(waker),
            None => waiting.push((reader, waker.clone())),
        }
    }

    /// Forgets a reader.
    pub(super) fn leave(&self, reader: usize) {
        self.0.lock().retain(|(other, _)| *other != reader);
    }

    /// Wakes all readers but one.
    pub(super) fn wake_others(&self, reader: usize) {
        let others: Vec<_> = {
            let mut waiting = self.0.lock();
            waiting
                .extract_if(.., |(other, _)| *other != reader)
                .collect()
        };
        for (_, waker) in others {
            waker.wake();
        }
    }

    /// Wakes all readers.
    pub(super) fn wake_all(&self) {
        let all = std::mem::take(&mut *self.0.lock());
        for (_, waker) in all {
            waker.wake();
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
