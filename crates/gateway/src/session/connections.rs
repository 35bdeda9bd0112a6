//! Connection limits across all protocols: in total, per user, and reserved for administrators.
//!
//! A connection is counted once its user is known. Connections before login are limited by their
//! endpoint in number and time, so that strangers cannot take slots that an administrator needs.

use std::collections::HashMap;
use std::sync::Arc;

use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;

use crate::Gateway;

/// Limits on open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub all: usize,
    /// The part of `all` that is reserved for administrators. It is used when no other slot is
    /// free.
    pub reserved: usize,
    /// The part of the remaining slots that one user may take.
    pub per_user: usize,
}

#[derive(Debug)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    ordinary: usize,
    reserved: usize,
    /// Ordinary connections by user.
    by_user: HashMap<Arc<str>, usize>,
}

/// A counted connection. Dropping it frees its slot.
#[derive(Debug)]
pub struct ConnectionSlot {
    connections: Arc<Connections>,
    /// `None` for a reserved slot.
    user: Option<Arc<str>>,
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: Mutex::default(),
        })
    }

    fn ordinary(&self) -> usize {
        self.limits.all.saturating_sub(self.limits.reserved)
    }

    /// Checks that a slot of either kind is free.
    ///
    /// # Errors
    /// All slots are taken.
    fn check(&self) -> Result<()> {
        let open = self.open.lock();
        let full = open.ordinary >= self.ordinary() && open.reserved >= self.limits.reserved;
        if full {
            return Err(self.full());
        }
        Ok(())
    }

    fn take(self: &Arc<Self>, user: &str, administrator: bool) -> Result<ConnectionSlot> {
        let mut open = self.open.lock();
        let own = open.by_user.get(user).copied().unwrap_or(0);
        let room = open.ordinary < self.ordinary();
        if room && own < self.limits.per_user {
            let user: Arc<str> = Arc::from(user);
            open.ordinary += 1;
            open.by_user.insert(Arc::clone(&user), own + 1);
            return Ok(ConnectionSlot {
                connections: Arc::clone(self),
                user: Some(user),
            });
        }
        if administrator && open.reserved < self.limits.reserved {
            open.reserved += 1;
            return Ok(ConnectionSlot {
                connections: Arc::clone(self),
                user: None,
            });
        }
        if room {
            return Err(Error::new(
                Code::TooManyConnections,
                format!("too many connections for user \"{user}\": {own} are open"),
            )
            .with_hint("close idle connections, or raise server.max_connections_per_user"));
        }
        if administrator || self.limits.reserved == 0 {
            return Err(self.full());
        }
        Err(Error::new(
            Code::TooManyConnections,
            format!(
                "remaining connection slots are reserved for administrators: {} are connected",
                open.ordinary
            ),
        )
        .with_hint("close idle connections, or raise server.max_connections"))
    }

    fn full(&self) -> Error {
        Error::new(
            Code::TooManyConnections,
            format!(
                "sorry, too many clients already: {} are connected",
                self.limits.all
            ),
        )
        .with_hint("close idle connections, or raise server.max_connections")
    }

    fn count(&self) -> usize {
        let open = self.open.lock();
        open.ordinary + open.reserved
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        let Some(user) = &self.user else {
            open.reserved = open.reserved.saturating_sub(1);
            return;
        };
        open.ordinary = open.ordinary.saturating_sub(1);
        match open.by_user.get_mut(user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.by_user.remove(user);
            }
        }
    }
}

impl Gateway {
    /// Checks whether a connection could be accepted at all. This is cheaper than authenticating
    /// the client first.
    ///
    /// # Errors
    /// No slot is free, not even for an administrator; the server is shutting down.
    pub fn room_for_connection(&self) -> Result<()> {
        if self.is_shutting_down() {
            return Err(Error::new(
                Code::StartingUp,
                "the database system is shutting down",
            ));
        }
        self.connections.check()
    }

    /// Takes a connection slot for an authenticated user.
    ///
    /// # Errors
    /// The limit of all connections or of this user is reached; the server is shutting down.
    pub fn connection_slot(&self, user: &str) -> Result<ConnectionSlot> {
        self.room_for_connection()?;
        let access = self.control.snapshot().access(user);
        let administrator = access.is_some_and(|access| access.is_administrator());
        self.connections.take(user, administrator)
    }

    /// Returns the maximum number of open connections across all protocols.
    pub fn max_connections(&self) -> usize {
        self.connections.limits.all
    }

    pub fn connections(&self) -> usize {
        self.connections.count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn connections(all: usize, reserved: usize, per_user: usize) -> Arc<Connections> {
        Connections::new(ConnectionLimits {
            all,
            reserved,
            per_user,
        })
    }

    fn refusal(connections: &Arc<Connections>, user: &str, administrator: bool) -> String {
        let error = connections.take(user, administrator).unwrap_err();
        assert_eq!(error.code(), Code::TooManyConnections);
        error.message().to_owned()
    }

    #[test]
    fn administrators_get_in_when_others_have_taken_all() {
        let connections = connections(4, 1, 3);
        let mut open: Vec<_> = (0..3)
            .map(|_| connections.take("ann", false).unwrap())
            .collect();
        let refused = refusal(&connections, "ben", false);
        assert!(refused.contains("reserved for administrators"), "{refused}");
        assert!(connections.check().is_ok());
        let kept = connections.take("root", true).unwrap();
        assert!(connections.check().is_err());
        assert_eq!(connections.count(), 4);
        assert!(refusal(&connections, "root", true).contains("too many clients"));
        drop(kept);
        let _kept = connections.take("root", true).unwrap();
        open.pop();
        assert!(connections.take("ben", false).is_ok());
    }

    #[test]
    fn one_user_does_not_take_all_connections() {
        let connections = connections(5, 1, 2);
        let _open = [(); 2].map(|()| connections.take("ann", false).unwrap());
        let refused = refusal(&connections, "ann", false);
        assert!(refused.contains("user \"ann\": 2 are open"), "{refused}");
        // An administrator whose per-user slots are taken gets a reserved slot, and no more than
        // that.
        let open = [(); 3].map(|()| connections.take("root", true).unwrap());
        assert!(refusal(&connections, "root", true).contains("too many clients"));
        drop(open);
        drop(_open);
        assert_eq!(connections.count(), 0);
        assert!(connections.open.lock().by_user.is_empty());
    }
}
