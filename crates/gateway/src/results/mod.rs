//! The result cache: never stale, never leaking, and one run for identical queries in flight.
//!
//! A result is keyed by the optimised plan, the settings that change results, a digest of the
//! catalog entries of its tables (which includes the principal's policy), and a digest of the files
//! that the query would read. Two queries with equal keys read the same bytes under the same
//! policy, so they have the same answer, and nothing is ever invalidated.
//!
//! A session that accepts staleness looks a result up by everything but the files, and gets the
//! newest result that is recent enough.

mod bill;
mod key_plan;
mod plain;
mod run;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
pub use bill::Payer;
use datafusion::logical_expr::LogicalPlan;
pub(crate) use key_plan::bytes as plan_bytes;
use lakegate_engine::PlanSettings;
use parking_lot::Mutex;
pub(crate) use plain::plain;
pub use run::{CacheSlot, Follower, Run, RunReader, replay};

/// The part of a result key that does not depend on files. With the files, it determines the
/// answer.
pub struct QueryKey {
    plan: LogicalPlan,
    settings: PlanSettings,
    /// Digest of the catalog entries of the plan's tables, and of what the principal may read of
    /// them.
    catalog: [u8; 32],
    hash: u64,
    /// Estimated memory of the plan, in bytes. Only set in a key that is stored.
    bytes: usize,
}

impl QueryKey {
    /// `catalog`: a digest of the catalog entries of the plan's tables, and of what the principal may
    /// read of them.
    pub fn new(plan: LogicalPlan, settings: PlanSettings, catalog: [u8; 32]) -> Self {
        let mut hasher = DefaultHasher::new();
        plan.hash(&mut hasher);
        settings.hash(&mut hasher);
        catalog.hash(&mut hasher);
        Self {
            plan,
            settings,
            catalog,
            hash: hasher.finish(),
            bytes: 0,
        }
    }

    /// Returns an equal key to store in the cache: with its size, and without the contents of the
    /// plan's tables, which do not take part in comparisons.
    fn kept(&self) -> Self {
        let plan = key_plan::without_tables(&self.plan);
        Self {
            bytes: key_plan::bytes(&plan),
            plan,
            settings: self.settings.clone(),
            catalog: self.catalog,
            hash: self.hash,
        }
    }
}

impl PartialEq for QueryKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.catalog == other.catalog
            && self.settings == other.settings
            && self.plan == other.plan
    }
}

impl Eq for QueryKey {}

impl Hash for QueryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The complete key of a result: query and files.
#[derive(PartialEq, Eq)]
pub struct ResultKey {
    /// Digest of the files of all tables of the plan, in plan order. Compared first, because it
    /// differs most often.
    snapshots: [u8; 32],
    query: Arc<QueryKey>,
}

impl ResultKey {
    pub fn new(query: Arc<QueryKey>, snapshots: [u8; 32]) -> Self {
        Self { snapshots, query }
    }
}

impl Hash for ResultKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.query.hash(state);
        self.snapshots.hash(state);
    }
}

impl fmt::Debug for QueryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryKey")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultKey")
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

/// A complete result.
#[derive(Debug)]
pub struct CachedResult {
    /// The result's batches, in which string and binary views are written out.
    pub batches: Vec<RecordBatch>,
    /// Memory of the batches, in bytes.
    pub bytes: usize,
}

/// Results in memory, bounded in bytes, and the runs that will become results.
#[derive(Debug)]
pub struct ResultCache {
    results: moka::sync::Cache<Arc<ResultKey>, Arc<CachedResult>>,
    /// For each query, the newest of its results in the cache.
    newest: Arc<Mutex<HashMap<Arc<QueryKey>, Newest>>>,
    running: Mutex<HashMap<Arc<ResultKey>, Weak<Run>>>,
    max_entry: usize,
}

#[derive(Debug)]
struct Newest {
    /// Digest of the files that the result was computed from.
    snapshots: [u8; 32],
    /// A time not later than the listing of the files for which the result was the answer.
    as_of: Instant,
}

/// The outcome of a cache lookup.
#[derive(Debug)]
pub enum Lookup {
    /// The answer.
    Hit(Arc<CachedResult>),
    /// An identical query is running: wait for its result.
    Follow(Follower),
    /// No result: execute the query into this run.
    Lead(Arc<Run>),
}

impl ResultCache {
    /// Creates a cache. `capacity`: the maximum size of all results in bytes, where 0 disables
    /// caching; `max_entry`: the maximum size of one result in bytes.
    pub fn new(capacity: u64, max_entry: usize) -> Arc<Self> {
        let newest: Arc<Mutex<HashMap<Arc<QueryKey>, Newest>>> = Arc::default();
        let known = Arc::clone(&newest);
        let results = moka::sync::Cache::builder()
            .max_capacity(capacity)
            .eviction_listener(move |key: Arc<Arc<ResultKey>>, _, cause| {
                let mut known = known.lock();
                let newest = known.get(&key.query);
                if cause.was_evicted()
                    && newest.is_some_and(|newest| newest.snapshots == key.snapshots)
                {
                    known.remove(&key.query);
                }
            })
            .weigher(|key: &Arc<ResultKey>, result: &Arc<CachedResult>| {
                let bytes = result.bytes.saturating_add(key.query.bytes);
                u32::try_from(bytes.max(1024)).unwrap_or(u32::MAX)
            })
            .build();
        let max_entry = max_entry
            .min(usize::try_from(capacity).unwrap_or(usize::MAX))
            .min(u32::MAX as usize);
        Arc::new(Self {
            results,
            newest,
            running: Mutex::default(),
            max_entry,
        })
    }

    /// Returns the newest result of a query, over any files, that is at most `staleness` old.
    pub fn recent(&self, query: &Arc<QueryKey>, staleness: Duration) -> Option<Arc<CachedResult>> {
        let key = {
            let newest = self.newest.lock();
            let newest = newest.get(query)?;
            (newest.as_of.elapsed() <= staleness)
                .then(|| Arc::new(ResultKey::new(Arc::clone(query), newest.snapshots)))?
        };
        // Called without holding the lock, because the cache takes it on eviction.
        self.results.get(&key)
    }

    /// Looks up the answer for files that were listed after `as_of`.
    ///
    /// `fresh`: skip stored results and runs in flight.
    pub fn lookup(self: &Arc<Self>, key: &Arc<ResultKey>, fresh: bool, as_of: Instant) -> Lookup {
        if !fresh && let Some(result) = self.stored(key, as_of) {
            return Lookup::Hit(result);
        }
        // Declared before the lock guard and so dropped after it: dropping a run takes the lock.
        let candidate;
        let mut running = self.running.lock();
        candidate = running.get(key).and_then(Weak::upgrade);
        if !fresh && let Some(follower) = candidate.as_ref().and_then(Follower::of) {
            return Lookup::Follow(follower);
        }
        // A run may have ended between the cache lookup and taking the lock. No run can end now.
        if !fresh && let Some(result) = self.stored(key, as_of) {
            return Lookup::Hit(result);
        }
        let run = Run::new(
            self.max_entry,
            Some(CacheSlot {
                cache: Arc::clone(self),
                key: Arc::clone(key),
                as_of,
            }),
        );
        running.insert(Arc::clone(key), Arc::downgrade(&run));
        Lookup::Lead(run)
    }

    /// Returns the stored answer for files that were listed after `as_of`. Does not wait, and
    /// starts no run.
    pub fn stored(&self, key: &Arc<ResultKey>, as_of: Instant) -> Option<Arc<CachedResult>> {
        let result = self.results.get(key)?;
        // The answer was still current at `as_of`.
        if let Some(newest) = self.newest.lock().get_mut(&key.query)
            && newest.as_of < as_of
        {
            *newest = Newest {
                snapshots: key.snapshots,
                as_of,
            };
        }
        Some(result)
    }

    /// Returns a run that cannot be joined and whose result is not stored.
    pub(crate) fn private_run() -> Arc<Run> {
        Run::new(0, None)
    }

    fn keep(&self, key: &Arc<ResultKey>, result: CachedResult, as_of: Instant) {
        // The original plan holds its tables, and through them their current partitions.
        let key = Arc::new(ResultKey::new(Arc::new(key.query.kept()), key.snapshots));
        {
            let mut newest = self.newest.lock();
            let known = newest.get(&key.query);
            if known.is_none_or(|known| known.as_of < as_of) {
                let snapshots = key.snapshots;
                newest.insert(Arc::clone(&key.query), Newest { snapshots, as_of });
            }
        }
        // Inserted last, so that an eviction of the result finds the entry in `newest`.
        self.results.insert(key, Arc::new(result));
    }

    /// Removes a run that can no longer be joined, unless another has replaced it.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::LogicalPlanBuilder;

    use lakegate_engine::Names;

    use super::*;

    fn query(catalog: u8) -> Arc<QueryKey> {
        let settings = PlanSettings {
            time_zone: "UTC".into(),
            search_path: Vec::new(),
            names: Names::Postgres,
        };
        let plan = LogicalPlanBuilder::empty(true).build().unwrap();
        Arc::new(QueryKey::new(plan, settings, [catalog; 32]))
    }

    fn over(files: u8, query: Arc<QueryKey>) -> Arc<ResultKey> {
        Arc::new(ResultKey::new(query, [files; 32]))
    }

    /// Results are distinguished by their size.
    fn result(bytes: usize) -> CachedResult {
        CachedResult {
            batches: Vec::new(),
            bytes,
        }
    }

    fn ago(seconds: u64) -> Instant {
        Instant::now()
            .checked_sub(Duration::from_secs(seconds))
            .unwrap()
    }

    #[test]
    fn keys_of_one_hash_are_told_apart_by_what_they_hold() {
        let key = |time_zone: &str, row: bool, catalog: u8| QueryKey {
            plan: LogicalPlanBuilder::empty(row).build().unwrap(),
            settings: PlanSettings {
                time_zone: time_zone.into(),
                search_path: Vec::new(),
                names: Names::Postgres,
            },
            catalog: [catalog; 32],
            hash: 1,
            bytes: 0,
        };
        let one = key("UTC", true, 1);
        assert_eq!(one, key("UTC", true, 1));
        for other in [
            key("Europe/Rome", true, 1),
            key("UTC", false, 1),
            key("UTC", true, 2),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn newest_result_is_found_without_its_files() {
        let cache = ResultCache::new(1 << 20, 1 << 20);
        let recent = |catalog, seconds| {
            let found = cache.recent(&query(catalog), Duration::from_secs(seconds));
            found.map(|result| result.bytes)
        };
        cache.keep(&over(1, query(1)), result(1), ago(10));
        assert_eq!(recent(1, 60), Some(1));
        assert_eq!(recent(1, 5), None, "it is too old");
        assert_eq!(recent(2, 60), None, "another policy, or another table");
        cache.keep(&over(2, query(1)), result(2), ago(1));
        assert_eq!(recent(1, 5), Some(2));
        cache.keep(&over(3, query(1)), result(3), ago(20));
        assert_eq!(recent(1, 60), Some(2), "one that took long is not newer");
        // The files are those of the first result again.
        assert!(cache.stored(&over(1, query(1)), ago(0)).is_some());
        assert_eq!(recent(1, 60), Some(1));
        // The query is run again, and its result replaces the stored one.
        cache.keep(&over(1, query(1)), result(4), ago(0));
        cache.results.run_pending_tasks();
        assert_eq!(recent(1, 60), Some(4));
    }

    #[test]
    fn keys_count_too() {
        use datafusion::logical_expr::lit;
        let cache = ResultCache::new(4 << 20, 4 << 20);
        for query in 0..50 {
            let list: Vec<_> = (0..3000).map(|n| lit(n + query * 3000)).collect();
            let plan = LogicalPlanBuilder::empty(true)
                .filter(lit(1).in_list(list, false))
                .unwrap()
                .build()
                .unwrap();
            let settings = PlanSettings {
                time_zone: "UTC".into(),
                search_path: Vec::new(),
                names: Names::Postgres,
            };
            let query = Arc::new(QueryKey::new(plan, settings, [0; 32]));
            let key = over(1, Arc::clone(&query));
            cache.keep(&key, result(100), ago(0));
            cache.results.run_pending_tasks();
            assert!(cache.results.weighted_size() <= 4 << 20);
        }
        let kept = cache.results.entry_count();
        assert!((1..20).contains(&kept), "{kept}");
    }

    #[test]
    fn kept_key_is_found_by_the_whole_one() {
        let cache = ResultCache::new(1 << 20, 1 << 20);
        cache.keep(&over(1, query(1)), result(7), ago(0));
        assert_eq!(query(1).kept(), *query(1));
        assert_eq!(cache.stored(&over(1, query(1)), ago(0)).unwrap().bytes, 7);
    }

    #[test]
    fn results_that_are_thrown_out_leave_nothing_behind() {
        let cache = ResultCache::new(4096, 4096);
        for catalog in 0..100 {
            cache.keep(&over(1, query(catalog)), result(1000), ago(0));
        }
        cache.results.run_pending_tasks();
        let kept = cache.results.entry_count();
        assert!(kept <= 4);
        assert_eq!(cache.newest.lock().len() as u64, kept);
    }
}
