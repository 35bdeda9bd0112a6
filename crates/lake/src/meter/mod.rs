//! Counts the bytes of each query at the object store, for every format.
//!
//! The number of bytes scanned is what the query asked for and does not depend on caches;
//! `bytes_fetched` is what was read from the store. A ranged read is reserved before it is sent, so
//! that the cutoff applies before the read.

mod local_reads;
mod metered_store;
mod query_stores;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use lakegate_error::{Code, Error, Result};
use parking_lot::{Mutex, RwLock};

pub use self::metered_store::MeteredStore;
pub use self::query_stores::QueryStores;
use crate::roots::{ObjectId, store_error};

/// A bit of the number of bytes scanned: a read was refused at the cutoff. Nothing is charged from
/// then on, so that the recorded number is the one in the error message, whatever other threads
/// still try to read.
const EXCEEDED: u64 = 1 << 63;

/// Counts one query's bytes and stops it at its cutoff.
#[derive(Debug, Default)]
pub struct QueryMeter {
    number: Number,
    scanned: AtomicU64,
    fetched: AtomicU64,
    cutoff: Option<Cutoff>,
    /// Charged instead of this one, once it is set.
    successor: RwLock<Option<Arc<QueryMeter>>>,
    footers: Mutex<HashSet<ObjectId>>,
    /// Of the query's plan, as long as that runs.
    memory: RwLock<Option<Weak<dyn MemoryPool>>>,
}

/// Numbers meters in the order in which they are made, from 1.
#[derive(Debug)]
struct Number(u64);

impl Default for Number {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The most that one query may scan, and the workgroup that sets it.
#[derive(Debug, Clone)]
pub struct Cutoff {
    pub workgroup: String,
    /// Bytes.
    pub limit: u64,
}

impl QueryMeter {
    /// A meter of no bytes. `cutoff`: the bytes at which reads fail.
    pub fn new(cutoff: Option<Cutoff>) -> Self {
        Self {
            cutoff,
            ..Self::default()
        }
    }

    /// Tells the meter from all others of the process. Not 0.
    pub(crate) fn number(&self) -> u64 {
        self.number.0
    }

    /// Bytes that the query asked for so far.
    pub fn scanned(&self) -> u64 {
        self.scanned.load(Ordering::Relaxed) & !EXCEEDED
    }

    /// Bytes that were read from a store so far.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn cutoff_exceeded(&self) -> bool {
        self.scanned.load(Ordering::Relaxed) & EXCEEDED != 0
    }

    /// Charges later reads to another meter, with that one's cutoff. What was scanned so far stays
    /// with this one.
    pub fn pass_to(&self, other: &Arc<QueryMeter>) {
        if !std::ptr::eq(self, Arc::as_ptr(other)) {
            *self.successor.write() = Some(Arc::clone(other));
        }
    }

    /// Counts what readers of files hold in a pool, as long as the pool is used elsewhere.
    pub fn hold_memory_in(&self, pool: &Arc<dyn MemoryPool>) {
        *self.memory.write() = Some(Arc::downgrade(pool));
    }

    /// An empty reservation in the query's pool. `None`: no plan runs.
    pub fn reservation(&self, name: &str) -> Option<MemoryReservation> {
        let pool = self.memory.read().as_ref().and_then(Weak::upgrade)?;
        Some(MemoryConsumer::new(name).register(&pool))
    }

    /// Charges bytes that a cache serves, or that are about to be read.
    ///
    /// # Errors
    /// The query's cutoff would be passed; nothing is charged then.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        match self.successor.read().as_deref() {
            Some(successor) => successor.reserve_here(bytes),
            None => self.reserve_here(bytes),
        }
    }

    /// Checks that the footer of a file, of at least `bytes`, could be charged. Nothing is charged.
    ///
    /// # Errors
    /// As of [`QueryMeter::reserve`].
    pub(crate) fn has_room_for_footer(&self, file: &ObjectId, bytes: u64) -> Result<()> {
        if self.footers.lock().contains(file) {
            return Ok(());
        }
        let successor = self.successor.read();
        let charged = successor.as_deref().unwrap_or(self);
        charged.reserve_if(bytes, |scanned, _| scanned)
    }

    fn reserve_here(&self, bytes: u64) -> Result<()> {
        self.reserve_if(bytes, |_, total| total)
    }

    /// `charge`: the bytes scanned from then on, of those before and those with the new ones.
    fn reserve_if(&self, bytes: u64, charge: impl Fn(u64, u64) -> u64) -> Result<()> {
        // A limit is at most i64::MAX.
        let limit = self
            .cutoff
            .as_ref()
            .map_or(EXCEEDED - 1, |cutoff| cutoff.limit.min(EXCEEDED - 1));
        let within = |scanned: u64| {
            let total = scanned.checked_add(bytes)?;
            (total <= limit).then_some(total)
        };
        let before = self
            .scanned
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |scanned| {
                Some(within(scanned).map_or(scanned | EXCEEDED, |total| charge(scanned, total)))
            });
        // The closure always returns a new value, so the update never fails.
        let (Ok(before) | Err(before)) = before;
        match within(before) {
            Some(_) => Ok(()),
            None => Err(self.beyond(before & !EXCEEDED, bytes)),
        }
    }

    fn beyond(&self, scanned: u64, bytes: u64) -> Error {
        let (workgroup, limit) = self.cutoff.as_ref().map_or(("", u64::MAX), |cutoff| {
            (cutoff.workgroup.as_str(), cutoff.limit)
        });
        Error::new(
            Code::BytesScannedCutoff,
            format!(
                "bytes scanned limit was exceeded: the query has scanned {scanned} bytes and would read \
                 {bytes} more, workgroup '{workgroup}' allows {limit} bytes per query"
            ),
        )
        .with_hint("filter on partition columns, select fewer columns, or use a workgroup with a higher limit")
    }

    /// Charges the footer of a file, once for each query.
    ///
    /// # Errors
    /// As of [`QueryMeter::reserve`].
    pub(crate) fn charge_footer(&self, file: ObjectId, bytes: u64) -> Result<()> {
        if self.footers.lock().insert(file) {
            self.reserve(bytes)
        } else {
            Ok(())
        }
    }

    pub(crate) fn add_fetched(&self, bytes: u64) {
        let successor = self.successor.read();
        let charged = successor.as_deref().unwrap_or(self);
        charged.fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn reserve_store(&self, bytes: u64) -> object_store::Result<()> {
        self.reserve(bytes).map_err(store_error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn memory_is_held_in_the_pool_of_the_plan() {
        let meter = QueryMeter::new(None);
        assert!(meter.reservation("stripe").is_none());
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        meter.hold_memory_in(&pool);
        let held = meter.reservation("stripe").unwrap();
        held.try_resize(60).unwrap();
        assert!(meter.reservation("other").unwrap().try_resize(50).is_err());
        assert_eq!(pool.reserved(), 60);
        drop(held);
        assert_eq!(pool.reserved(), 0);
        drop(pool);
        assert!(meter.reservation("stripe").is_none());
    }
}
