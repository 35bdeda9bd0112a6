//! The detached queries of one door, by the handles that its clients have.
//!
//! A query is found by the principal that began it, and only while that holds what it held then: a
//! result that was made under other grants is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use lakegate_error::Result;

use crate::detached::executions::Executions;
use crate::detached::handles::{Found, Handle, Limits, New, Overflow, Registry};
use crate::detached::run::Run;
use crate::{Gateway, Grants, Session};

/// A detached query, with what a door keeps about it.
#[derive(Debug)]
pub struct DetachedRun<D> {
    pub run: Arc<Run>,
    /// What the principal held before the query began.
    grants: Grants,
    pub details: D,
}

/// How a detached query is kept.
#[derive(Debug)]
pub struct NewRun<D> {
    pub details: D,
    /// The door's session that it ends with.
    pub session: u64,
    /// How long it is kept when nobody asks for it. Each use begins the time anew.
    pub lifetime: Duration,
    /// How long it is kept in any case.
    pub max_age: Duration,
}

/// The detached queries of one door.
#[derive(Debug)]
pub struct Runs<D> {
    gateway: Arc<Gateway>,
    entries: Registry<DetachedRun<D>>,
}

impl<D> Runs<D> {
    pub fn new(gateway: Arc<Gateway>) -> Self {
        // Their number and size are bounded by the gateway's quota, for all doors together.
        let entries = Registry::new(Limits {
            per_owner: usize::MAX,
            total: usize::MAX,
            weight_per_owner: usize::MAX,
        });
        Self { gateway, entries }
    }

    /// Starts a query.
    ///
    /// `guard`: kept until the query has ended, such as the use of its session.
    ///
    /// # Errors
    ///
    /// The session is over; the user, or all users together, have as many as allowed.
    pub fn start<G: Send + 'static>(
        &self,
        executions: Executions,
        new: NewRun<D>,
        guard: G,
    ) -> Result<Found<DetachedRun<D>>> {
        let session = Arc::clone(&executions.session);
        let quota = &self.gateway.detached.quota;
        let account = quota.open(session.principal()).or_else(|_| {
            // Those that have expired make room.
            self.sweep();
            quota.open(session.principal())
        })?;
        let run = Run::new();
        let entry = DetachedRun {
            run: Arc::clone(&run),
            grants: session.grants()?,
            details: new.details,
        };
        let kept = New {
            owner: session.principal(),
            session: new.session,
            weight: 0,
            lifetime: new.lifetime,
            max_age: Some(new.max_age),
            overflow: Overflow::Refuse,
        };
        let found = self
            .entries
            .insert(Arc::new(entry), kept, "detached queries")?;
        let drive = async move { run.drive(executions.run().boxed(), account, guard).await };
        tokio::spawn(drive.boxed());
        Ok(found)
    }

    /// Finds a query, and begins its time anew.
    pub fn get(&self, handle: Handle, session: &Session) -> Option<Found<DetachedRun<D>>> {
        let found = self.entries.get(handle, session.principal(), true)?;
        self.may_read(session, &found).then_some(found)
    }

    /// The queries that the session's user has started.
    pub fn list(&self, session: &Session) -> Vec<Found<DetachedRun<D>>> {
        let mut found = self.entries.of_owner(session.principal());
        found.retain(|found| self.may_read(session, found));
        found
    }

    /// Whether the session's user holds what it held when the query began. If not, the query is
    /// dropped.
    fn may_read(&self, session: &Session, found: &Found<DetachedRun<D>>) -> bool {
        let may = session.holds(&found.value.grants);
        if !may {
            self.entries.remove(found.handle, session.principal());
            found.value.run.cancel();
        }
        may
    }

    /// Begins a query's time anew, and returns when it ends.
    pub fn renew(&self, handle: Handle, session: &Session) -> Option<Instant> {
        let found = self.entries.get(handle, session.principal(), true)?;
        Some(found.expires)
    }

    /// Stops a query. Returns whether there was something to stop, or `None` if the user has no
    /// such query.
    pub fn cancel(&self, handle: Handle, session: &Session) -> Option<bool> {
        let found = self.entries.get(handle, session.principal(), false)?;
        Some(found.value.run.cancel())
    }

    /// Stops and drops the queries of a door's session.
    pub fn end_session(&self, session: u64) {
        for ended in self.entries.end_session(session) {
            ended.run.cancel();
        }
    }

    /// Stops and drops the queries whose time is over.
    pub fn sweep(&self) {
        for expired in self.entries.sweep() {
            expired.run.cancel();
        }
    }
}
