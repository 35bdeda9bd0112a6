//! The result cache: never stale, never leaking, and one run for identical queries in flight.
//!
//! The key is the optimised plan itself, the settings that change results, and a digest of the snapshots
//! that the query would read (which hold the principal's policy). Two queries with equal keys read the same
//! bytes under the same policy, so they have the same answer; nothing is ever invalidated.

mod run;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;
use parking_lot::Mutex;

pub use run::{Attach, Follower, Run, RunReader, replay};

use crate::engine::PlanSettings;

/// What decides a query's answer.
pub struct ResultKey {
    plan: LogicalPlan,
    settings: PlanSettings,
    /// Digest over the snapshots of all tables of the plan, in its order.
    snapshots: [u8; 32],
    hash: u64,
}

impl ResultKey {
    pub fn new(plan: LogicalPlan, settings: PlanSettings, snapshots: [u8; 32]) -> Self {
        let mut hasher = DefaultHasher::new();
        plan.hash(&mut hasher);
        settings.hash(&mut hasher);
        snapshots.hash(&mut hasher);
        Self {
            plan,
            settings,
            snapshots,
            hash: hasher.finish(),
        }
    }
}

impl PartialEq for ResultKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.snapshots == other.snapshots
            && self.settings == other.settings
            && self.plan == other.plan
    }
}

impl Eq for ResultKey {}

impl Hash for ResultKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for ResultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultKey")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// A whole result.
#[derive(Debug)]
pub struct CachedResult {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Memory of the batches, in bytes.
    pub bytes: usize,
}

/// Results in memory, bounded in bytes, and the runs that will become results.
#[derive(Debug)]
pub struct ResultCache {
    results: moka::sync::Cache<Arc<ResultKey>, Arc<CachedResult>>,
    running: Mutex<std::collections::HashMap<Arc<ResultKey>, Weak<Run>>>,
    max_entry: usize,
}

/// What the cache has for a query.
#[derive(Debug)]
pub enum Lookup {
    /// The answer.
    Hit(Arc<CachedResult>),
    /// An identical query runs: wait for it.
    Follow(Follower),
    /// Nothing: run it, and write into this.
    Lead(Arc<Run>),
}

impl ResultCache {
    /// `capacity`: bytes of all results, 0 for none; `max_entry`: bytes of one.
    pub fn new(capacity: u64, max_entry: usize) -> Arc<Self> {
        let results = moka::sync::Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, result: &Arc<CachedResult>| {
                u32::try_from(result.bytes.max(1024)).unwrap_or(u32::MAX)
            })
            .build();
        let max_entry = max_entry
            .min(usize::try_from(capacity).unwrap_or(usize::MAX))
            .min(u32::MAX as usize);
        Arc::new(Self {
            results,
            running: Mutex::default(),
            max_entry,
        })
    }

    /// `fresh`: do not take an old answer; a run that is in flight is none.
    pub fn lookup(
        self: &Arc<Self>,
        key: &Arc<ResultKey>,
        schema: &SchemaRef,
        fresh: bool,
    ) -> Lookup {
        if !fresh && let Some(result) = self.results.get(key) {
            return Lookup::Hit(result);
        }
        // Declared before the lock, so dropped after it: a run that ends here takes the lock itself.
        let candidate;
        let mut running = self.running.lock();
        candidate = running.get(key).and_then(Weak::upgrade);
        if !fresh && let Some(follower) = candidate.as_ref().and_then(Follower::of) {
            return Lookup::Follow(follower);
        }
        // Between the look into the cache and the lock a run may have ended: look again, now that none can.
        if !fresh && let Some(result) = self.results.get(key) {
            return Lookup::Hit(result);
        }
        let run = Run::new(
            Arc::clone(schema),
            self.max_entry,
            Some(Attach {
                cache: Arc::clone(self),
                key: Arc::clone(key),
            }),
        );
        running.insert(Arc::clone(key), Arc::downgrade(&run));
        Lookup::Lead(run)
    }

    /// The answer, if it is kept already; nobody waits and nothing runs.
    pub fn stored(&self, key: &Arc<ResultKey>) -> Option<Arc<CachedResult>> {
        self.results.get(key)
    }

    /// A run that nobody can join and whose result nobody keeps.
    pub fn private_run(schema: &SchemaRef) -> Arc<Run> {
        Run::new(Arc::clone(schema), 0, None)
    }

    fn keep(&self, key: &Arc<ResultKey>, result: CachedResult) {
        self.results.insert(Arc::clone(key), Arc::new(result));
    }

    /// Forgets a run that nobody may join any more, unless another has taken its place.
    fn detach(&self, key: &ResultKey, run: &Run) {
        let mut running = self.running.lock();
        if running
            .get(key)
            .is_some_and(|known| std::ptr::eq(known.as_ptr(), run))
        {
            running.remove(key);
        }
    }
}
