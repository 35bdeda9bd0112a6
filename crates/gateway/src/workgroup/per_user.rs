//! Places that each user has a few of, so that one user cannot take all.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// From so many users on, those without a taken place are forgotten.
const REMEMBERED: usize = 256;

#[derive(Debug)]
pub struct PerUser {
    /// Of one user.
    places: usize,
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl PerUser {
    pub fn new(places: usize) -> Self {
        Self {
            places,
            users: Mutex::default(),
        }
    }

    /// Waits for one of the user's places. `None` never comes: places are not closed.
    pub async fn admit(&self, user: &str) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut users = self.users.lock();
            if users.len() >= REMEMBERED {
                users.retain(|_, places| {
                    Arc::strong_count(places) > 1 || places.available_permits() < self.places
                });
            }
            let places = users.entry(user.to_owned());
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(self.places))))
        };
        places.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_user_waits_for_the_own_places_and_another_does_not() {
        let places = PerUser::new(2);
        let first = places.admit("a").await;
        let _second = places.admit("a").await;
        let mut third = Box::pin(places.admit("a"));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(places.admit("b").now_or_never().is_some());
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn users_are_forgotten_only_without_a_taken_place() {
        let places = PerUser::new(1);
        let _taken = places.admit("a").await;
        for user in 0..=2 * REMEMBERED {
            places.admit(&user.to_string()).await;
        }
        assert!(places.users.lock().len() <= REMEMBERED + 1);
        assert!(places.admit("a").now_or_never().is_none());
    }
}
