//! The detached queries of one endpoint, by the handles of its clients.
//!
//! A query is only returned to the principal that started it, and only while the principal's grants
//! are unchanged: a result made under other grants is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use lakegate_error::Result;

use crate::detached::executions::Executions;
use crate::detached::handles::{Found, Handle, Limits, New, Overflow, Registry};
use crate::detached::run::Run;
use crate::{Gateway, Grants, Session};

/// A detached query and the endpoint's data about it.
#[derive(Debug)]
pub struct DetachedRun<D> {
    pub run: Arc<Run>,
    /// The principal's grants before the query began.
    grants: Grants,
    pub details: D,
}

/// The properties of a new detached query.
#[derive(Debug)]
pub struct NewRun<D> {
    pub details: D,
    /// The endpoint's session that the query ends with.
    pub session: u64,
    /// The lifetime without use. Each use restarts it.
    pub lifetime: Duration,
    /// The maximum lifetime, however often the query is used.
    pub max_age: Duration,
}

/// The detached queries of one endpoint.
#[derive(Debug)]
pub struct Runs<D> {
    gateway: Arc<Gateway>,
    entries: Registry<DetachedRun<D>>,
}

impl<D> Runs<D> {
    pub fn new(gateway: Arc<Gateway>) -> Self {
        // Their number and size are limited by the gateway's quota, across all endpoints.
        let entries = Registry::new(Limits {
            per_owner: usize::MAX,
            total: usize::MAX,
            weight_per_owner: usize::MAX,
        });
        Self { gateway, entries }
    }

    /// Starts a query.
    ///
    /// `guard`: dropped when the query has ended; for example, it keeps the session in use.
    ///
    /// # Errors
    ///
    /// The session is over; the limit of the user or of all users is reached.
    pub fn start<G: Send + 'static>(
        &self,
        executions: Executions,
        new: NewRun<D>,
        guard: G,
    ) -> Result<Found<DetachedRun<D>>> {
        let session = Arc::clone(&executions.session);
        let quota = &self.gateway.detached.quota;
        let account = quota.open(session.principal()).or_else(|_| {
            // Dropping expired queries frees their accounts.
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

    /// Returns a query and restarts its lifetime.
    pub fn get(&self, handle: Handle, session: &Session) -> Option<Found<DetachedRun<D>>> {
        let found = self.entries.get(handle, session.principal(), true)?;
        self.may_read(session, &found).then_some(found)
    }

    /// Returns the queries that the session's user has started.
    pub fn list(&self, session: &Session) -> Vec<Found<DetachedRun<D>>> {
        let mut found = self.entries.of_owner(session.principal());
        found.retain(|found| self.may_read(session, found));
        found
    }

    /// Whether the grants of the session's user are those from when the query began. If not, the
    /// query is dropped.
    fn may_read(&self, session: &Session, found: &Found<DetachedRun<D>>) -> bool {
        let may = session.holds(&found.value.grants);
        if !may {
            self.entries.remove(found.handle, session.principal());
            found.value.run.cancel();
        }
        may
    }

    /// Restarts a query's lifetime, and returns its new expiry.
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

    /// Stops and drops the queries of an endpoint's session.
    pub fn end_session(&self, session: u64) {
        for ended in self.entries.end_session(session) {
            ended.run.cancel();
        }
    }

    /// Stops and drops the expired queries.
    pub fn sweep(&self) {
        for expired in self.entries.sweep() {
            expired.run.cancel();
        }
    }
}
