//! Admission: how many queries run at once, and how many may wait.

mod per_user;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use per_user::PerUser;

use crate::error::{Code, Error, Result};

/// Places for running queries. Who finds none waits, in order of arrival.
#[derive(Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    max_running: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// A place; dropping it lets the next query run.
#[derive(Debug)]
pub struct Admitted {
    _place: OwnedSemaphorePermit,
}

impl Admission {
    pub fn new(max_running: usize, max_waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(max_running)),
            max_running,
            waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Errors: as many queries wait as may.
    pub async fn admit(&self) -> Result<Admitted> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Admitted { _place: place });
        }
        let Some(_waiting) = Waiting::enter(self) else {
            return Err(Error::new(
                Code::TooManyQueries,
                format!(
                    "{} queries run and {} wait; the server takes no more",
                    self.max_running, self.max_waiting
                ),
            )
            .with_hint("try again later, or raise queries.max_queued"));
        };
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| Error::new(Code::ShuttingDown, "the server is shutting down"))?;
        Ok(Admitted { _place: place })
    }

    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub fn running(&self) -> usize {
        self.max_running - self.places.available_permits()
    }
}

/// Counts a waiting query, also when it gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(admission: &'a Admission) -> Option<Self> {
        admission
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < admission.max_waiting).then_some(waiting + 1)
            })
            .ok()
            .map(|_| Self(&admission.waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn queries_wait_in_a_bounded_queue() {
        let admission = Admission::new(1, 1);
        let first = admission.admit().await.unwrap();
        let mut second = Box::pin(admission.admit());
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!((admission.running(), admission.waiting()), (1, 1));
        assert_eq!(
            admission.admit().await.unwrap_err().code(),
            Code::TooManyQueries
        );
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(admission.waiting(), 0);
    }

    #[tokio::test]
    async fn one_who_gives_up_waiting_leaves_the_queue() {
        let admission = Admission::new(1, 1);
        let _first = admission.admit().await.unwrap();
        let mut second = Box::pin(admission.admit());
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        assert_eq!(admission.waiting(), 0);
    }
}
