//! A limited number of permits per user, so that one user cannot take all.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The number of tracked users at which idle ones are removed.
const REMEMBERED: usize = 256;

/// Permits that each user has for itself.
#[derive(Debug)]
pub struct PerUser {
    /// Permits of one user.
    permits: usize,
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl PerUser {
    pub fn new(permits: usize) -> Self {
        Self {
            permits,
            users: Mutex::default(),
        }
    }

    /// Waits for one of the user's permits. Never returns `None`, because the semaphores are not
    /// closed.
    pub async fn admit(&self, user: &str) -> Option<OwnedSemaphorePermit> {
        let permits = {
            let mut users = self.users.lock();
            if users.len() >= REMEMBERED {
                users.retain(|_, permits| {
                    Arc::strong_count(permits) > 1 || permits.available_permits() < self.permits
                });
            }
            let permits = users.entry(user.to_owned());
            Arc::clone(permits.or_insert_with(|| Arc::new(Semaphore::new(self.permits))))
        };
        permits.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_user_waits_for_the_own_places_and_another_does_not() {
        let permits = PerUser::new(2);
        let first = permits.admit("a").await;
        let _second = permits.admit("a").await;
        let mut third = Box::pin(permits.admit("a"));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(permits.admit("b").now_or_never().is_some());
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn users_are_forgotten_only_without_a_taken_permit() {
        let permits = PerUser::new(1);
        let _taken = permits.admit("a").await;
        for user in 0..=2 * REMEMBERED {
            permits.admit(&user.to_string()).await;
        }
        assert!(permits.users.lock().len() <= REMEMBERED + 1);
        assert!(permits.admit("a").now_or_never().is_none());
    }
}
