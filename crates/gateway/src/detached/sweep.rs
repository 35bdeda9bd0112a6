//! Removal of expired entries, by one task for all endpoints.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::Gateway;

/// The interval between sweeps.
const EVERY: Duration = Duration::from_secs(5);

/// A container whose entries expire: a registry of handles, detached queries or token sessions.
pub trait Sweep: Send + Sync {
    /// Drops the expired entries.
    fn sweep(&self);
}

/// The containers to sweep, as long as they exist.
#[derive(Default)]
pub(crate) struct Sweeper {
    swept: Mutex<Vec<Weak<dyn Sweep>>>,
}

impl std::fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

impl Sweeper {
    fn add(&self, what: Weak<dyn Sweep>) {
        self.swept.lock().push(what);
    }

    fn sweep(&self) {
        let swept: Vec<Arc<dyn Sweep>> = {
            let mut known = self.swept.lock();
            known.retain(|what| what.strong_count() > 0);
            known.iter().filter_map(Weak::upgrade).collect()
        };
        for what in swept {
            // A panic in one must not keep the others from being swept.
            let swept = std::panic::catch_unwind(AssertUnwindSafe(|| what.sweep()));
            if swept.is_err() {
                tracing::error!("clearing what has expired ended by a panic");
            }
        }
    }
}

impl Gateway {
    /// Registers `what` to be swept regularly until it is dropped.
    pub fn register_sweep<S: Sweep + 'static>(&self, what: &Arc<S>) {
        let what: Weak<S> = Arc::downgrade(what);
        self.detached.sweeper.add(what);
    }

    /// Starts the sweeping task. It ends when the gateway is dropped.
    pub fn start_sweeper(self: &Arc<Self>) {
        let gateway = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(gateway) = gateway.upgrade() else {
                    return;
                };
                gateway.detached.sweeper.sweep();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_exists_is_swept_whatever_panics_and_what_is_gone_is_forgotten() {
        #[derive(Default)]
        struct Counting(AtomicUsize);
        impl Sweep for Counting {
            fn sweep(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        struct Panics;
        impl Sweep for Panics {
            fn sweep(&self) {
                panic!("on purpose");
            }
        }
        let sweeper = Sweeper::default();
        let panics = Arc::new(Panics);
        let first: Weak<Panics> = Arc::downgrade(&panics);
        sweeper.add(first);
        let [kept, gone] = [(); 2].map(|()| Arc::new(Counting::default()));
        for what in [&kept, &gone] {
            let what: Weak<Counting> = Arc::downgrade(what);
            sweeper.add(what);
        }
        sweeper.sweep();
        drop(gone);
        sweeper.sweep();
        assert_eq!(kept.0.load(Ordering::Relaxed), 2);
        assert_eq!(sweeper.swept.lock().len(), 2);
    }
}
