//! Values that clients refer to by a handle: unguessable, limited in number and weight, bound to
//! one principal, and dropped when they expire.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;

use crate::Principal;

/// A handle of 256 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle([u8; Handle::BYTES]);

impl Handle {
    /// Its length, in bytes.
    pub const BYTES: usize = 32;

    /// Makes a handle that no client can guess.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// Returns `None` for bytes of another length.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn bytes(&self) -> &[u8; Handle::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(redacted)")
    }
}

/// Limits of a registry.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub per_owner: usize,
    pub total: usize,
    /// Bytes, as estimated by the caller of [`Registry::insert`].
    pub weight_per_owner: usize,
}

/// The behaviour at a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    Refuse,
    /// Evict the owner's oldest entry.
    Evict,
}

#[derive(Debug)]
struct Entry<T> {
    owner: Principal,
    session: u64,
    weight: usize,
    /// The insertion number, which increases with each entry.
    order: u64,
    expires: Instant,
    lifetime: Duration,
    /// The time up to which uses can extend the lifetime.
    latest: Option<Instant>,
    value: Arc<T>,
}

/// The entries of one principal.
#[derive(Debug, Default)]
struct Owned {
    weight: usize,
    /// Oldest first.
    by_order: BTreeMap<u64, Handle>,
}

#[derive(Debug)]
struct Entries<T> {
    by_handle: HashMap<Handle, Entry<T>>,
    owners: HashMap<Principal, Owned>,
    inserted: u64,
}

/// Entries of one kind, by handle.
#[derive(Debug)]
pub struct Registry<T> {
    limits: Limits,
    entries: Mutex<Entries<T>>,
}

/// The properties of a new entry.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    pub owner: &'a Principal,
    /// The session that the entry ends with.
    pub session: u64,
    pub weight: usize,
    pub lifetime: Duration,
    /// The maximum age of the entry, however often it is used. `None` sets no limit.
    pub max_age: Option<Duration>,
    pub overflow: Overflow,
}

/// An entry returned to its owner.
#[derive(Debug)]
pub struct Found<T> {
    pub handle: Handle,
    pub expires: Instant,
    pub value: Arc<T>,
}

impl<T> Registry<T> {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: Mutex::new(Entries {
                by_handle: HashMap::new(),
                owners: HashMap::new(),
                inserted: 0,
            }),
        }
    }

    /// Inserts a value. `what` names its kind in errors.
    ///
    /// # Errors
    ///
    /// A limit is reached and no entry may be evicted.
    pub fn insert(&self, value: Arc<T>, new: New<'_>, what: &str) -> Result<Found<T>> {
        let now = Instant::now();
        let New {
            owner,
            session,
            weight,
            lifetime,
            max_age,
            overflow,
        } = new;
        let mut gone = Vec::new();
        let mut entries = self.entries.lock();
        let mut swept = false;
        while let Some(count) = entries.crowded(owner, weight, &self.limits) {
            if overflow == Overflow::Evict
                && let Some(old) = entries.take_oldest(owner)
            {
                gone.push(old);
            } else if swept {
                return Err(too_many(what, count));
            } else {
                swept = true;
                gone.extend(entries.take(|entry| entry.expires <= now));
            }
        }
        let found = Found {
            handle: Handle::random(),
            expires: now + lifetime,
            value,
        };
        entries.insert(
            found.handle,
            Entry {
                owner: owner.clone(),
                session,
                weight,
                order: 0,
                expires: found.expires,
                lifetime,
                latest: max_age.map(|age| now + age),
                value: Arc::clone(&found.value),
            },
        );
        drop(entries);
        // Dropping values may take other locks.
        drop(gone);
        Ok(found)
    }

    /// Returns the owner's value, and extends its lifetime if `renew`.
    pub fn get(&self, handle: Handle, owner: &Principal, renew: bool) -> Option<Found<T>> {
        let now = Instant::now();
        let mut entries = self.entries.lock();
        let entry = entries.by_handle.get_mut(&handle)?;
        if entry.owner != *owner || entry.expires <= now {
            return None;
        }
        if renew {
            let renewed = now + entry.lifetime;
            entry.expires = entry.latest.map_or(renewed, |latest| renewed.min(latest));
        }
        Some(Found {
            handle,
            expires: entry.expires,
            value: Arc::clone(&entry.value),
        })
    }

    pub fn remove(&self, handle: Handle, owner: &Principal) -> Option<Arc<T>> {
        let mut entries = self.entries.lock();
        if entries.by_handle.get(&handle)?.owner != *owner {
            return None;
        }
        entries.remove(handle).map(|entry| entry.value)
    }

    /// Changes the weight of an entry.
    ///
    /// # Errors
    ///
    /// The owner's entries would exceed their weight limit.
    pub fn reweigh(&self, handle: Handle, weight: usize, what: &str) -> Result<()> {
        let mut guard = self.entries.lock();
        let entries = &mut *guard;
        let Some(entry) = entries.by_handle.get_mut(&handle) else {
            return Ok(());
        };
        let Some(owned) = entries.owners.get_mut(&entry.owner) else {
            return Ok(());
        };
        let weighs = owned
            .weight
            .saturating_sub(entry.weight)
            .saturating_add(weight);
        if weighs > self.limits.weight_per_owner {
            return Err(too_many(what, owned.by_order.len()));
        }
        owned.weight = weighs;
        entry.weight = weight;
        Ok(())
    }

    /// Returns the owner's entries, oldest first.
    pub fn of_owner(&self, owner: &Principal) -> Vec<Found<T>> {
        let now = Instant::now();
        let entries = self.entries.lock();
        let Some(owned) = entries.owners.get(owner) else {
            return Vec::new();
        };
        owned
            .by_order
            .values()
            .filter_map(|handle| Some((*handle, entries.by_handle.get(handle)?)))
            .filter(|(_, entry)| entry.expires > now)
            .map(|(handle, entry)| Found {
                handle,
                expires: entry.expires,
                value: Arc::clone(&entry.value),
            })
            .collect()
    }

    /// Removes and returns the values of a session.
    pub fn end_session(&self, session: u64) -> Vec<Arc<T>> {
        self.take(|entry| entry.session == session)
    }

    /// Removes and returns the values that have expired.
    pub fn sweep(&self) -> Vec<Arc<T>> {
        let now = Instant::now();
        self.take(|entry| entry.expires <= now)
    }

    fn take(&self, which: impl Fn(&Entry<T>) -> bool) -> Vec<Arc<T>> {
        let taken = self.entries.lock().take(which);
        taken.into_iter().map(|entry| entry.value).collect()
    }
}

impl<T> Entries<T> {
    /// Returns the number of the owner's entries if one more of this weight exceeds a limit.
    fn crowded(&self, owner: &Principal, weight: usize, limits: &Limits) -> Option<usize> {
        let owned = self.owners.get(owner);
        let (count, weighs) = owned.map_or((0, 0), |owned| (owned.by_order.len(), owned.weight));
        let crowded = count >= limits.per_owner
            || self.by_handle.len() >= limits.total
            || weighs.saturating_add(weight) > limits.weight_per_owner;
        crowded.then_some(count)
    }

    fn insert(&mut self, handle: Handle, entry: Entry<T>) {
        self.inserted += 1;
        let order = self.inserted;
        let owned = self.owners.entry(entry.owner.clone()).or_default();
        owned.weight += entry.weight;
        owned.by_order.insert(order, handle);
        self.by_handle.insert(handle, Entry { order, ..entry });
    }

    fn remove(&mut self, handle: Handle) -> Option<Entry<T>> {
        let entry = self.by_handle.remove(&handle)?;
        if let Some(owned) = self.owners.get_mut(&entry.owner) {
            owned.weight = owned.weight.saturating_sub(entry.weight);
            owned.by_order.remove(&entry.order);
            if owned.by_order.is_empty() {
                self.owners.remove(&entry.owner);
            }
        }
        Some(entry)
    }

    fn take_oldest(&mut self, owner: &Principal) -> Option<Entry<T>> {
        let oldest = *self.owners.get(owner)?.by_order.first_key_value()?.1;
        self.remove(oldest)
    }

    fn take(&mut self, which: impl Fn(&Entry<T>) -> bool) -> Vec<Entry<T>> {
        let taken: Vec<Handle> = self
            .by_handle
            .iter()
            .filter(|(_, entry)| which(entry))
            .map(|(handle, _)| *handle)
            .collect();
        taken
            .into_iter()
            .filter_map(|handle| self.remove(handle))
            .collect()
    }
}

fn too_many(what: &str, count: usize) -> Error {
    Error::new(
        Code::TooManyQueries,
        format!("too many {what}: {count} are open"),
    )
    .with_hint("close those that are no longer needed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn registry() -> Registry<u32> {
        Registry::new(Limits {
            per_owner: 3,
            total: 4,
            weight_per_owner: 100,
        })
    }

    fn keep(
        registry: &Registry<u32>,
        owner: &Principal,
        value: u32,
        weight: usize,
        overflow: Overflow,
    ) -> Result<Handle> {
        let new = New {
            owner,
            session: u64::from(value),
            weight,
            lifetime: HOUR,
            max_age: None,
            overflow,
        };
        Ok(registry.insert(Arc::new(value), new, "things")?.handle)
    }

    #[test]
    fn handles_are_their_owners_only() {
        let (ada, bob) = (Principal::sample("ada", 1), Principal::sample("bob", 2));
        let (registry, again) = (registry(), Principal::sample("ada", 3));
        let handle = keep(&registry, &ada, 7, 1, Overflow::Refuse).unwrap();
        assert_eq!(*registry.get(handle, &ada, false).unwrap().value, 7);
        assert!(registry.get(handle, &bob, false).is_none());
        assert!(registry.get(handle, &again, false).is_none(), "made anew");
        assert!(registry.get(Handle::random(), &ada, false).is_none());
        assert!(registry.remove(handle, &bob).is_none());
        assert!(registry.remove(handle, &ada).is_some());
        assert!(registry.get(handle, &ada, false).is_none());
    }

    #[test]
    fn owners_are_bounded_in_number_and_weight() {
        let (ada, bob) = (Principal::sample("ada", 1), Principal::sample("bob", 2));
        let registry = registry();
        let first = keep(&registry, &ada, 1, 10, Overflow::Refuse).unwrap();
        assert!(keep(&registry, &ada, 2, 95, Overflow::Refuse).is_err());
        assert!(registry.reweigh(first, 101, "things").is_err());
        registry.reweigh(first, 90, "things").unwrap();
        assert!(keep(&registry, &ada, 2, 11, Overflow::Refuse).is_err());
        registry.reweigh(first, 1, "things").unwrap();
        for value in 2..=3 {
            keep(&registry, &ada, value, 1, Overflow::Refuse).unwrap();
        }
        let error = keep(&registry, &ada, 4, 1, Overflow::Refuse).unwrap_err();
        assert!(error.message().contains("3 are open"), "{error}");
        keep(&registry, &bob, 5, 1, Overflow::Refuse).unwrap();
        assert!(
            keep(&registry, &bob, 6, 1, Overflow::Refuse).is_err(),
            "the total"
        );
    }

    #[test]
    fn oldest_makes_room_where_it_may() {
        let ada = Principal::sample("ada", 1);
        let registry = registry();
        let first = keep(&registry, &ada, 1, 1, Overflow::Evict).unwrap();
        for value in 2..=6 {
            keep(&registry, &ada, value, 1, Overflow::Evict).unwrap();
        }
        assert!(registry.get(first, &ada, false).is_none());
        let left: Vec<u32> = registry
            .of_owner(&ada)
            .iter()
            .map(|found| *found.value)
            .collect();
        assert_eq!(left, [4, 5, 6]);
        assert!(
            keep(&registry, &ada, 7, 101, Overflow::Evict).is_err(),
            "too heavy by itself"
        );
    }

    #[test]
    fn use_does_not_put_off_the_end_beyond_the_greatest_age() {
        let ada = Principal::sample("ada", 1);
        let registry = registry();
        let insert = |max_age| {
            let new = New {
                owner: &ada,
                session: 1,
                weight: 1,
                lifetime: HOUR,
                max_age,
                overflow: Overflow::Refuse,
            };
            registry.insert(Arc::new(1), new, "things").unwrap()
        };
        let aging = insert(Some(HOUR / 2));
        let ageless = insert(None);
        let renewed = |handle| registry.get(handle, &ada, true).unwrap().expires;
        assert!(renewed(aging.handle) < aging.expires);
        assert!(renewed(ageless.handle) >= ageless.expires);
    }

    #[test]
    fn what_ends_is_given_back() {
        let ada = Principal::sample("ada", 1);
        let registry = registry();
        keep(&registry, &ada, 1, 1, Overflow::Refuse).unwrap();
        keep(&registry, &ada, 2, 1, Overflow::Refuse).unwrap();
        let ended = registry.end_session(1);
        assert_eq!(ended.iter().map(|value| **value).collect::<Vec<_>>(), [1]);
        let short = New {
            owner: &ada,
            session: 3,
            weight: 1,
            lifetime: Duration::ZERO,
            max_age: None,
            overflow: Overflow::Refuse,
        };
        let expired = registry.insert(Arc::new(3), short, "things").unwrap();
        assert!(registry.get(expired.handle, &ada, false).is_none());
        assert_eq!(registry.sweep().len(), 1);
        assert_eq!(registry.of_owner(&ada).len(), 1);
    }
}
