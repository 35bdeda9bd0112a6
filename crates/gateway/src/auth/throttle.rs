//! Slows down the guessing of passwords, by user and address, on all doors together.
//!
//! Each failure doubles the time until the next attempt of that pair is looked at, and attempts
//! queue: a thousand parallel connections guess no faster than one. Waiting is a timer, not a
//! thread.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);
/// An attempt that would wait longer is refused at once.
const MAX_WAIT: Duration = Duration::from_secs(8);
/// A pair without a failure for this long is forgotten.
const FORGET: Duration = Duration::from_secs(900);
/// Maximum number of pairs; the one whose wait ends first makes room.
const MAX_ENTRIES: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<(String, IpAddr), Failures>>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// When the next attempt may be looked at.
    next: Instant,
}

/// Names are cut to 64 characters: clients that have not logged in must not fill the memory.
fn key(user: &str, address: IpAddr) -> (String, IpAddr) {
    (user.chars().take(64).collect(), address)
}

fn delay(count: u32) -> Duration {
    FIRST_DELAY
        .saturating_mul(1 << count.saturating_sub(1).min(16))
        .min(MAX_DELAY)
}

impl Throttle {
    /// Returns how long an attempt has to wait.
    ///
    /// # Errors
    ///
    /// Returns the seconds until an attempt may be made, if they are too many to wait.
    pub(crate) fn wait(&self, user: &str, address: IpAddr, now: Instant) -> Result<Duration, u64> {
        let mut failures = self.failures.lock();
        let key = key(user, address);
        let Some(entry) = failures.get_mut(&key) else {
            return Ok(Duration::ZERO);
        };
        if now.duration_since(entry.last) > FORGET {
            failures.remove(&key);
            return Ok(Duration::ZERO);
        }
        let wait = entry.next.saturating_duration_since(now);
        if wait > MAX_WAIT {
            return Err(wait.as_secs() + 1);
        }
        entry.next = now.max(entry.next) + delay(entry.count);
        Ok(wait)
    }

    /// Records a wrong password.
    pub(crate) fn failed(&self, user: &str, address: IpAddr, now: Instant) {
        let mut failures = self.failures.lock();
        if failures.len() >= MAX_ENTRIES {
            failures.retain(|_, entry| now.duration_since(entry.last) <= FORGET);
            if failures.len() >= MAX_ENTRIES
                && let Some(key) = failures
                    .iter()
                    .min_by_key(|(_, entry)| entry.next)
                    .map(|(key, _)| key.clone())
            {
                failures.remove(&key);
            }
        }
        let entry = failures.entry(key(user, address)).or_insert(Failures {
            count: 0,
            last: now,
            next: now,
        });
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        entry.next = entry.next.max(now + delay(entry.count));
    }

    /// Forgets earlier failures.
    pub(crate) fn succeeded(&self, user: &str, address: IpAddr) {
        self.failures.lock().remove(&key(user, address));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

    #[test]
    fn failures_double_the_wait_of_that_user_and_address_only() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.wait("ada", HERE, now), Ok(Duration::ZERO));
        throttle.failed("ada", HERE, now);
        assert_eq!(
            throttle.wait("ada", HERE, now),
            Ok(Duration::from_millis(100))
        );
        assert_eq!(throttle.wait("ada", THERE, now), Ok(Duration::ZERO));
        assert_eq!(throttle.wait("bob", HERE, now), Ok(Duration::ZERO));
        let later = now + Duration::from_secs(1);
        throttle.failed("ada", HERE, later);
        assert_eq!(
            throttle.wait("ada", HERE, later),
            Ok(Duration::from_millis(200))
        );
    }

    #[test]
    fn parallel_tries_queue_and_the_last_are_refused() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..10 {
            throttle.failed("ada", HERE, now);
        }
        let waits: Vec<_> = (0..4).map(|_| throttle.wait("ada", HERE, now)).collect();
        assert_eq!(waits[0], Ok(Duration::from_secs(5)));
        assert!(waits[1].is_err() && waits[3].is_err());
    }

    #[test]
    fn success_and_time_forgive() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        throttle.failed("ada", HERE, now);
        throttle.succeeded("ada", HERE);
        assert_eq!(throttle.wait("ada", HERE, now), Ok(Duration::ZERO));
        throttle.failed("ada", HERE, now);
        assert_eq!(
            throttle.wait("ada", HERE, now + FORGET * 2),
            Ok(Duration::ZERO)
        );
    }

    #[test]
    fn table_of_failures_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..MAX_ENTRIES + 10 {
            throttle.failed(&n.to_string(), HERE, now);
        }
        assert!(throttle.failures.lock().len() <= MAX_ENTRIES);
    }
}
