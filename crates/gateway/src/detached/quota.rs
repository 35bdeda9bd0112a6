//! Limits of detached queries: their number, their memory and the bytes that they store, per
//! result, per user and in total.
//!
//! A detached query has an [`Account`] from its start until its result is dropped. Its memory is
//! also reserved in the engine's pool, so that stored results and running queries share one limit.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;
use lakegate_engine::Space;
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;

use crate::Principal;

/// All stored results together may take 1/`PART_OF_POOL` of the engine's pool and 1/`PART_OF_DISK`
/// of its spill limit.
const PART_OF_POOL: usize = 4;
const PART_OF_DISK: u64 = 2;
/// The stored results of one user may take 1/`PART_OF_USER` of each.
const PART_OF_USER: usize = 8;

/// How many queries may run without a client, and how many bytes their results may have.
#[derive(Debug, Clone, Copy)]
pub struct DetachedLimits {
    /// The maximum number of queries of one user that run or have a stored result.
    pub runs_per_user: usize,
    /// The maximum number for all users together.
    pub runs: usize,
    /// The maximum bytes of one result in memory. Larger results are spilled.
    pub memory_per_result: usize,
    /// The maximum bytes of one user's results in memory; further ones are spilled. Limited to an
    /// eighth of the engine's pool, of which the results of all users may take a quarter.
    pub memory_per_user: usize,
    /// The maximum bytes of one result, in memory or on disk. Larger results are not stored
    /// completely.
    pub bytes_per_result: u64,
    /// The maximum bytes of one user's results, in memory and on disk. Limited to an eighth of the
    /// spill limit, of which the results of all users may take half.
    pub bytes_per_user: u64,
}

impl DetachedLimits {
    /// The server's limits, which are not configurable.
    pub const RUNS_PER_USER: usize = 8;
    pub const RUNS: usize = 64;
}

/// The resources in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    runs: usize,
    /// In bytes.
    memory: usize,
    /// In bytes.
    disk: u64,
}

impl Held {
    fn bytes(&self) -> u64 {
        self.disk.saturating_add(self.memory as u64)
    }

    fn plus(self, more: Held) -> Held {
        Held {
            runs: self.runs.saturating_add(more.runs),
            memory: self.memory.saturating_add(more.memory),
            disk: self.disk.saturating_add(more.disk),
        }
    }

    fn minus(self, less: Held) -> Held {
        Held {
            runs: self.runs.saturating_sub(less.runs),
            memory: self.memory.saturating_sub(less.memory),
            disk: self.disk.saturating_sub(less.disk),
        }
    }
}

#[derive(Debug, Default)]
struct Totals {
    all: Held,
    /// By the user's id in the catalog. Users without resources have no entry.
    users: HashMap<i64, Held>,
}

impl Totals {
    fn of_user(&self, user: i64) -> Held {
        self.users.get(&user).copied().unwrap_or_default()
    }

    /// Replaces `before` by `after` in the user's resources.
    fn replace(&mut self, user: i64, before: Held, after: Held) {
        self.all = self.all.minus(before).plus(after);
        let held = self.of_user(user).minus(before).plus(after);
        if held == Held::default() {
            self.users.remove(&user);
        } else {
            self.users.insert(user, held);
        }
    }
}

/// The limits, and the resources in use.
#[derive(Debug)]
pub(crate) struct Quota {
    limits: DetachedLimits,
    space: Space,
    totals: Mutex<Totals>,
}

impl Quota {
    pub(super) fn new(limits: DetachedLimits, space: Space) -> Arc<Self> {
        let of_pool = space.memory_limit() / PART_OF_USER;
        let of_disk = space.disk_limit() / PART_OF_USER as u64;
        Arc::new(Self {
            limits: DetachedLimits {
                memory_per_user: limits.memory_per_user.min(of_pool),
                bytes_per_user: limits.bytes_per_user.min(of_disk),
                ..limits
            },
            space,
            totals: Mutex::default(),
        })
    }

    /// Opens the account of a new detached query.
    ///
    /// # Errors
    ///
    /// The limit of the user or of all users is reached.
    pub(super) fn open(self: &Arc<Self>, owner: &Principal) -> Result<Account> {
        let user = owner.id();
        let one = Held {
            runs: 1,
            ..Held::default()
        };
        let mut totals = self.totals.lock();
        for (held, most, whose) in [
            (totals.of_user(user), self.limits.runs_per_user, "this user"),
            (totals.all, self.limits.runs, "all users"),
        ] {
            if held.runs >= most {
                return Err(Error::new(
                    Code::TooManyQueries,
                    format!(
                        "too many detached queries: {} of {whose} run or have a result",
                        held.runs
                    ),
                )
                .with_hint("cancel those that are no longer needed, or wait until they expire"));
            }
        }
        totals.replace(user, Held::default(), one);
        drop(totals);
        Ok(Account {
            quota: Arc::clone(self),
            user,
            held: one,
            reservation: self.space.reservation("stored result"),
        })
    }

    fn allows(&self, totals: &Totals, account: &Account, more: Held) -> bool {
        let limits = &self.limits;
        let result = account.held.plus(more);
        let user = totals.of_user(account.user).plus(more);
        let all = totals.all.plus(more);
        let memory = more.memory == 0
            || (result.memory <= limits.memory_per_result
                && user.memory <= limits.memory_per_user
                && all.memory <= self.space.memory_limit() / PART_OF_POOL);
        memory
            && result.bytes() <= limits.bytes_per_result
            && user.bytes() <= limits.bytes_per_user
            && all.disk <= self.space.disk_limit() / PART_OF_DISK
    }
}

/// The resources of one detached query. Dropping it releases them.
#[derive(Debug)]
pub(crate) struct Account {
    quota: Arc<Quota>,
    user: i64,
    held: Held,
    reservation: MemoryReservation,
}

impl Account {
    pub(crate) fn space(&self) -> &Space {
        &self.quota.space
    }

    /// Takes memory, in bytes. Returns whether the limits allow it.
    pub(crate) fn take_memory(&mut self, bytes: usize) -> bool {
        let more = Held {
            memory: bytes,
            ..Held::default()
        };
        // The pool is asked first, because it has its own lock, and a refusal changes nothing here.
        if self.reservation.try_grow(bytes).is_err() {
            return false;
        }
        let taken = self.take(more);
        if !taken {
            self.reservation.shrink(bytes);
        }
        taken
    }

    /// Takes disk space, in bytes. Returns whether the limits allow it.
    pub(crate) fn take_disk(&mut self, bytes: u64) -> bool {
        self.take(Held {
            disk: bytes,
            ..Held::default()
        })
    }

    fn take(&mut self, more: Held) -> bool {
        let mut totals = self.quota.totals.lock();
        let allowed = self.quota.allows(&totals, self, more);
        if allowed {
            let after = self.held.plus(more);
            totals.replace(self.user, self.held, after);
            drop(totals);
            self.held = after;
        }
        allowed
    }

    /// Records that the data in memory was moved to disk, where it takes `bytes`.
    pub(crate) fn moved_to_disk(&mut self, bytes: u64) {
        self.becomes(Held {
            memory: 0,
            disk: bytes,
            ..self.held
        });
        self.reservation.free();
    }

    /// Replaces the estimated disk space by the actual one, in bytes.
    pub(crate) fn settle_disk(&mut self, bytes: u64) {
        self.becomes(Held {
            disk: bytes,
            ..self.held
        });
    }

    fn becomes(&mut self, after: Held) {
        let mut totals = self.quota.totals.lock();
        totals.replace(self.user, self.held, after);
        drop(totals);
        self.held = after;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Dropping the reservation releases its memory.
        self.becomes(Held::default());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_engine::{Engine, EngineOptions};
    use tempfile::TempDir;

    use super::*;

    /// Returns an engine with a pool of 64 MiB and a spill limit of 64 MiB, in a temporary folder.
    pub(crate) fn engine() -> (Engine, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(
            &EngineOptions {
                memory_limit: 64 << 20,
                spill_dir: folder.path().join("spill"),
                spill_limit: 64 << 20,
                threads: 1,
                batch_size: 8192,
            },
            lakegate_engine::Library::none(),
        )
        .unwrap();
        (engine, folder)
    }

    pub(crate) fn limits() -> DetachedLimits {
        DetachedLimits {
            runs_per_user: 2,
            runs: 3,
            memory_per_result: 1 << 20,
            memory_per_user: 5 << 18,
            bytes_per_result: 4 << 20,
            bytes_per_user: 6 << 20,
        }
    }

    #[test]
    fn queries_are_bounded_by_user_and_in_all() {
        let (engine, _folder) = engine();
        let quota = Quota::new(limits(), engine.space());
        let [ada, bob, eve] = [1, 2, 3].map(|id| Principal::sample("user", id));
        let mine = [quota.open(&ada).unwrap(), quota.open(&ada).unwrap()];
        let refused = quota.open(&ada).unwrap_err();
        assert_eq!(refused.code(), Code::TooManyQueries);
        assert!(refused.message().contains("2 of this user"), "{refused}");
        let _other = quota.open(&bob).unwrap();
        let refused = quota.open(&eve).unwrap_err();
        assert!(refused.message().contains("3 of all users"), "{refused}");
        drop(mine);
        quota.open(&eve).unwrap();
    }

    #[test]
    fn memory_is_bounded_by_result_and_user_and_reserved_in_the_pool() {
        let (engine, _folder) = engine();
        let space = engine.space();
        let quota = Quota::new(limits(), space.clone());
        let [ada, bob] = [1, 2].map(|id| Principal::sample("user", id));
        let mut first = quota.open(&ada).unwrap();
        let mut second = quota.open(&ada).unwrap();
        let mut other = quota.open(&bob).unwrap();
        assert!(!first.take_memory((1 << 20) + 1), "of a result");
        assert!(first.take_memory(1 << 20));
        assert!(!second.take_memory(1 << 20), "of a user");
        assert!(other.take_memory(1 << 20), "another user's");
        assert_eq!(space.reserved(), 2 << 20);
        first.moved_to_disk(3 << 20);
        assert_eq!(space.reserved(), 1 << 20);
        assert!(second.take_memory(1 << 20));
        drop((first, second, other));
        assert_eq!(space.reserved(), 0);
        assert!(quota.totals.lock().users.is_empty());
    }

    #[test]
    fn bytes_are_bounded_by_result_and_user() {
        let (engine, _folder) = engine();
        let quota = Quota::new(limits(), engine.space());
        let [ada, bob] = [1, 2].map(|id| Principal::sample("user", id));
        let mut first = quota.open(&ada).unwrap();
        let mut second = quota.open(&ada).unwrap();
        assert!(!first.take_disk((4 << 20) + 1), "of a result");
        assert!(first.take_disk(4 << 20));
        assert!(!second.take_disk(3 << 20), "of a user");
        assert!(quota.open(&bob).unwrap().take_disk(3 << 20));
        first.settle_disk(1 << 20);
        assert!(second.take_disk(3 << 20));
    }

    #[test]
    fn one_user_never_takes_more_than_an_eighth_of_the_pool() {
        let (engine, _folder) = engine();
        let quota = Quota::new(
            DetachedLimits {
                memory_per_result: usize::MAX,
                memory_per_user: usize::MAX,
                bytes_per_result: u64::MAX,
                bytes_per_user: u64::MAX,
                ..limits()
            },
            engine.space(),
        );
        let [ada, bob] = [1, 2].map(|id| Principal::sample("user", id));
        let mut mine = quota.open(&ada).unwrap();
        assert!(!mine.take_memory((8 << 20) + 1));
        assert!(mine.take_memory(8 << 20));
        assert!(!quota.open(&ada).unwrap().take_memory(1));
        assert!(quota.open(&bob).unwrap().take_memory(8 << 20));
    }
}
