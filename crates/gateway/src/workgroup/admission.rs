//! Admission: limits how many queries run and wait at once, in total and per user.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Limits on running and waiting queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    pub running: usize,
    pub waiting: usize,
    /// The part of `running` that one user may take.
    pub running_per_user: usize,
    /// The part of `waiting` that one user may take.
    pub waiting_per_user: usize,
}

impl AdmissionLimits {
    /// Reserves a quarter of each limit, and at least one of two or more, for users other than the
    /// busiest.
    pub fn shared(running: usize, waiting: usize) -> Self {
        Self {
            running,
            waiting,
            running_per_user: most_of_one(running),
            waiting_per_user: most_of_one(waiting),
        }
    }
}

fn most_of_one(all: usize) -> usize {
    all.saturating_sub((all / 4).max(1)).max(all.min(1))
}

/// Permits for running queries. A free permit goes to the user with the fewest running queries, and
/// among these users to the query that arrived first. A query whose user is at the per-user limit
/// waits without blocking the queries of others.
#[derive(Debug)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: AdmissionLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
    /// The number of queries that have entered the queue so far.
    arrivals: u64,
    users: HashMap<Arc<str>, User>,
}

#[derive(Debug, Default)]
struct User {
    running: usize,
    /// In order of arrival.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    go: oneshot::Sender<Permit>,
}

/// The right to run. Dropping it lets the next query run.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    user: Arc<str>,
}

impl Admission {
    pub fn new(limits: AdmissionLimits) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { limits, state }))
    }

    /// Waits for the permit to run a query of this user. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// The queue is full, for this user or in total.
    pub async fn admit(&self, user: &str) -> Result<Permit> {
        let (mut permit, queued) = self.enter(Arc::from(user))?;
        // Leaves the queue when this future is dropped.
        let _queued = queued;
        (&mut permit)
            .await
            .map_err(|_| Error::internal("the queue of queries is gone"))
    }

    fn enter(&self, user: Arc<str>) -> Result<(oneshot::Receiver<Permit>, Queued<'_>)> {
        let (go, permit) = oneshot::channel();
        let arrival = {
            let mut state = self.0.state.lock();
            let AdmissionLimits {
                running,
                waiting,
                running_per_user,
                waiting_per_user,
            } = self.0.limits;
            let own = state.users.get(&user);
            let (own_running, own_waiting) =
                own.map_or((0, 0), |own| (own.running, own.waiting.len()));
            let at_once = state.running < running && own_running < running_per_user;
            if !at_once && state.waiting >= waiting {
                return Err(Error::new(
                    Code::TooManyQueries,
                    format!(
                        "{} queries run and {waiting} wait; the server takes no more",
                        state.running
                    ),
                )
                .with_hint("try again later, or raise queries.max_queued"));
            }
            if !at_once && own_waiting >= waiting_per_user {
                return Err(Error::new(
                    Code::TooManyQueries,
                    format!(
                        "{own_running} queries of user \"{user}\" run and {own_waiting} wait; the server takes no more of one user"
                    ),
                )
                .with_hint("try again later, or raise queries.max_queued"));
            }
            state.arrivals += 1;
            state.waiting += 1;
            let arrival = state.arrivals;
            let own = state.users.entry(Arc::clone(&user)).or_default();
            own.waiting.push_back(Waiting { arrival, go });
            arrival
        };
        let queued = Queued {
            shared: &self.0,
            user,
            arrival,
        };
        self.0.fill();
        Ok((permit, queued))
    }

    /// The number of queries that wait.
    pub fn waiting(&self) -> usize {
        self.0.state.lock().waiting
    }

    /// The number of queries that run.
    pub fn running(&self) -> usize {
        self.0.state.lock().running
    }
}

impl Shared {
    /// Admits queries as long as permits are free.
    fn fill(self: &Arc<Self>) {
        loop {
            let Some((waiting, user)) = self.next() else {
                return;
            };
            let shared = Arc::clone(self);
            // If the query has left the queue, the permit is dropped and goes to the next.
            let _ = waiting.go.send(Permit { shared, user });
        }
    }

    /// Removes the query to run next from the queue.
    fn next(&self) -> Option<(Waiting, Arc<str>)> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.running >= self.limits.running {
            return None;
        }
        let ready = state.users.iter().filter_map(|(name, user)| {
            let first = user.waiting.front()?;
            (user.running < self.limits.running_per_user).then_some((
                user.running,
                first.arrival,
                name,
            ))
        });
        let (_, _, name) = ready.min()?;
        let name = Arc::clone(name);
        let user = state.users.get_mut(&name)?;
        let waiting = user.waiting.pop_front()?;
        user.running += 1;
        state.running += 1;
        state.waiting -= 1;
        Some((waiting, name))
    }
}

impl State {
    fn forget_idle(&mut self, name: &Arc<str>) {
        let idle = |user: &User| user.running == 0 && user.waiting.is_empty();
        if self.users.get(name).is_some_and(idle) {
            self.users.remove(name);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state.lock();
            state.running -= 1;
            if let Some(user) = state.users.get_mut(&self.user) {
                user.running -= 1;
            }
            state.forget_idle(&self.user);
        }
        self.shared.fill();
    }
}

/// A query in the queue. Dropping it takes the query out of the queue.
struct Queued<'a> {
    shared: &'a Arc<Shared>,
    user: Arc<str>,
    arrival: u64,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut guard = self.shared.state.lock();
        let state = &mut *guard;
        if let Some(user) = state.users.get_mut(&self.user) {
            let before = user.waiting.len();
            user.waiting.retain(|one| one.arrival != self.arrival);
            state.waiting -= before - user.waiting.len();
        }
        state.forget_idle(&self.user);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn admission(running: usize, waiting: usize, running_per_user: usize) -> Admission {
        Admission::new(AdmissionLimits {
            running,
            waiting,
            running_per_user,
            waiting_per_user: waiting,
        })
    }

    fn asks<'a>(admission: &'a Admission, user: &'a str) -> BoxFuture<'a, Result<Permit>> {
        let mut asking = admission.admit(user).boxed();
        assert!(asking.as_mut().now_or_never().is_none(), "{user} waits");
        asking
    }

    #[tokio::test]
    async fn queries_wait_in_a_bounded_queue() {
        let admission = admission(1, 1, 1);
        let first = admission.admit("ann").await.unwrap();
        let second = asks(&admission, "ben");
        assert_eq!((admission.running(), admission.waiting()), (1, 1));
        assert_eq!(
            admission.admit("ann").await.unwrap_err().code(),
            Code::TooManyQueries
        );
        drop(first);
        let second = second.await.unwrap();
        assert_eq!((admission.running(), admission.waiting()), (1, 0));
        drop(second);
        assert!(admission.0.state.lock().users.is_empty());
    }

    #[tokio::test]
    async fn query_that_gives_up_waiting_leaves_the_queue() {
        let admission = admission(1, 1, 1);
        let first = admission.admit("ann").await.unwrap();
        drop(asks(&admission, "ann"));
        assert_eq!(admission.waiting(), 0);
        // Also after the permit was sent and before it is received.
        let second = asks(&admission, "ann");
        drop(first);
        assert_eq!(admission.running(), 1);
        drop(second);
        assert_eq!((admission.running(), admission.waiting()), (0, 0));
        assert!(admission.0.state.lock().users.is_empty());
    }

    #[tokio::test]
    async fn one_user_does_not_take_all_permits() {
        let admission = admission(3, 10, 2);
        let ann = admission.admit("ann").await.unwrap();
        let _ann = admission.admit("ann").await.unwrap();
        let third = asks(&admission, "ann");
        // A query that waits for a permit of its user does not block other users.
        let _ben = admission.admit("ben").await.unwrap();
        drop(ann);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn free_permit_goes_to_the_user_with_the_fewest_running_queries() {
        let admission = admission(2, 10, 2);
        let ann = admission.admit("ann").await.unwrap();
        let other = admission.admit("ann").await.unwrap();
        let more = asks(&admission, "ann");
        let ben = asks(&admission, "ben");
        drop(ann);
        let _ben = ben.now_or_never().unwrap().unwrap();
        // Neither user runs a query then, so the earlier arrival wins.
        let late = asks(&admission, "cem");
        let mut more = more;
        assert!(more.as_mut().now_or_never().is_none());
        drop(other);
        assert!(late.now_or_never().is_none() && more.now_or_never().is_some());
    }

    #[tokio::test]
    async fn one_user_does_not_fill_the_queue() {
        let admission = Admission::new(AdmissionLimits::shared(1, 4));
        let _running = admission.admit("ann").await.unwrap();
        let _waiting = [(); 3].map(|()| asks(&admission, "ann"));
        let refused = admission.admit("ann").await.unwrap_err();
        assert_eq!(refused.code(), Code::TooManyQueries);
        assert!(refused.message().contains("of user \"ann\""), "{refused}");
        drop(asks(&admission, "ben"));
    }

    #[test]
    fn permits_for_others_are_a_quarter() {
        let most = [0, 1, 2, 3, 4, 8, 1000].map(most_of_one);
        assert_eq!(most, [0, 1, 1, 2, 3, 6, 750]);
    }
}
