//! Memory that sessions hold between their statements: the rows of temporary tables.
//!
//! It is reserved in the engine's pool, so that it and running queries share one limit. A session
//! may hold as much as the server is configured with, and all sessions together a part of the pool.

use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;

use crate::Space;

/// All sessions together may hold 1/`PART_OF_POOL` of the engine's pool.
const PART_OF_POOL: usize = 4;

/// The memory that all sessions hold.
#[derive(Debug)]
pub struct SessionsMemory {
    space: Space,
    /// The maximum bytes of one session.
    of_session: usize,
    used: Mutex<usize>,
}

/// The memory that one session holds.
#[derive(Debug)]
pub struct SessionMemory {
    all: Arc<SessionsMemory>,
    used: Mutex<usize>,
}

/// Memory that a session holds, given back when dropped.
#[derive(Debug)]
pub struct HeldMemory {
    session: Arc<SessionMemory>,
    reservation: MemoryReservation,
    bytes: usize,
}

impl SessionsMemory {
    /// `of_session`: the maximum bytes of one session.
    pub fn new(space: Space, of_session: usize) -> Arc<Self> {
        Arc::new(Self {
            space,
            of_session,
            used: Mutex::default(),
        })
    }

    /// Returns the account of a new session.
    pub fn open(self: &Arc<Self>) -> Arc<SessionMemory> {
        Arc::new(SessionMemory {
            all: Arc::clone(self),
            used: Mutex::default(),
        })
    }

    /// Returns the bytes that all sessions hold.
    pub fn used(&self) -> usize {
        *self.used.lock()
    }

    fn most(&self) -> usize {
        self.space.memory_limit() / PART_OF_POOL
    }
}

impl SessionMemory {
    /// Returns no memory yet.
    pub fn hold(self: &Arc<Self>) -> HeldMemory {
        HeldMemory {
            session: Arc::clone(self),
            reservation: self.all.space.reservation("temporary table"),
            bytes: 0,
        }
    }

    fn claim(&self, bytes: usize) -> Result<()> {
        let all = &self.all;
        // In this order everywhere.
        let (mut of_session, mut of_all) = (self.used.lock(), all.used.lock());
        let (session, sessions) = (
            of_session.saturating_add(bytes),
            of_all.saturating_add(bytes),
        );
        if session > all.of_session {
            return Err(Error::new(
                Code::OutOfMemory,
                format!(
                    "the temporary tables of the session would take more than {} bytes",
                    all.of_session
                ),
            )
            .with_hint(
                "DROP those that are not needed any more, or keep the rows in a table of the lake; an administrator can raise engine.temporary_memory",
            ));
        }
        if sessions > all.most() {
            return Err(Error::new(
                Code::OutOfMemory,
                format!(
                    "the temporary tables of all sessions would take more than {} bytes, which is a quarter of engine.memory_limit",
                    all.most()
                ),
            )
            .with_hint("keep the rows in a table of the lake, or try again later"));
        }
        *of_session = session;
        *of_all = sessions;
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        let (mut of_session, mut of_all) = (self.used.lock(), self.all.used.lock());
        *of_session = of_session.saturating_sub(bytes);
        *of_all = of_all.saturating_sub(bytes);
    }
}

impl HeldMemory {
    /// Takes more memory.
    ///
    /// # Errors
    ///
    /// The session, all sessions together or the pool would hold too much.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.session.claim(bytes)?;
        if self.reservation.try_grow(bytes).is_err() {
            self.session.give_back(bytes);
            return Err(Error::new(
                Code::OutOfMemory,
                "the memory that queries and temporary tables share is used up",
            )
            .with_hint("try again when fewer queries run"));
        }
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Gives memory back, if more than this is held.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.reservation.shrink(less);
        self.session.give_back(less);
        self.bytes -= less;
    }

    /// Returns the bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        self.session.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    fn memory(of_session: usize) -> Arc<SessionsMemory> {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(4000, 1.0);
        SessionsMemory::new(Space::of(&runtime.build().unwrap()), of_session)
    }

    #[test]
    fn a_session_has_a_limit_and_all_sessions_have_one() {
        let all = memory(600);
        let (one, other) = (all.open(), all.open());
        let mut held = one.hold();
        held.grow(500).unwrap();
        let error = one.hold().grow(200).unwrap_err();
        assert_eq!(error.code(), Code::OutOfMemory);
        assert!(error.hint().unwrap().contains("engine.temporary_memory"));
        let mut others = other.hold();
        others.grow(500).unwrap();
        let error = other.hold().grow(50).unwrap_err();
        assert!(error.message().contains("all sessions"), "{error}");
        assert_eq!((all.used(), all.space.reserved()), (1000, 1000));
        drop(held);
        other.hold().grow(50).unwrap();
        assert_eq!((all.used(), others.bytes()), (500, 500));
        drop(others);
        assert_eq!((all.used(), all.space.reserved()), (0, 0));
    }

    #[test]
    fn what_the_pool_does_not_have_is_not_held() {
        let all = memory(600);
        let query = all.space.reservation("query");
        query.try_grow(3900).unwrap();
        let mut held = all.open().hold();
        assert!(held.grow(200).is_err());
        assert_eq!((all.used(), held.bytes()), (0, 0));
        held.grow(50).unwrap();
        assert_eq!(all.used(), 50);
        held.shrink_to(60);
        assert_eq!(all.used(), 50);
        held.shrink_to(20);
        assert_eq!((all.used(), held.bytes()), (20, 20));
        assert_eq!(all.space.reserved(), 3920);
    }
}
