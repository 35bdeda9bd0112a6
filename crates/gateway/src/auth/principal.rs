//! The user that a session, a query or a stored result belongs to, and whether its login still
//! holds.

use std::sync::Arc;

use lakegate_catalog::access::{Access, ControlSnapshot, User};
use lakegate_error::{Code, Error};

use crate::Gateway;

/// A user that has logged in. Sessions, tokens, handles and results belong to one principal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    pub user: String,
    /// The user's id in the catalog. A user of the same name that is created later has another.
    id: i64,
    /// The user's epoch at the login; ending the user's sessions increments it.
    epoch: i64,
}

impl Principal {
    fn of(user: &User) -> Self {
        Self {
            user: user.name.clone(),
            id: user.id,
            epoch: user.session_epoch,
        }
    }

    /// The principal of this user, if the user exists and is not disabled.
    pub(super) fn in_snapshot(control: &ControlSnapshot, user: &str) -> Option<Self> {
        let known = control.users.get(user)?;
        (!known.disabled).then(|| Self::of(known))
    }

    /// Returns what the principal may do; `None` if its sessions are over.
    pub(crate) fn access(&self, control: &ControlSnapshot) -> Option<Arc<Access>> {
        self.holds_in(control)
            .then(|| control.access(&self.user))
            .flatten()
    }

    /// Returns whether its login holds: the user was neither dropped nor disabled, and its sessions
    /// were not ended.
    fn holds_in(&self, control: &ControlSnapshot) -> bool {
        let known = control.users.get(&self.user);
        known.is_some_and(|user| {
            !user.disabled && (user.id, user.session_epoch) == (self.id, self.epoch)
        })
    }

    /// The user's id in the catalog, which is not used again.
    pub fn id(&self) -> i64 {
        self.id
    }
}

#[cfg(test)]
impl Principal {
    pub(crate) fn named(user: &str) -> Self {
        Self::sample(user, 1)
    }

    pub(crate) fn sample(user: &str, id: i64) -> Self {
        Self {
            user: user.to_owned(),
            id,
            epoch: 0,
        }
    }
}

impl Gateway {
    /// The principal of this user, if the user exists and is not disabled.
    pub fn principal(&self, user: &str) -> Option<Principal> {
        Principal::in_snapshot(&self.control.snapshot(), user)
    }

    /// Whether the principal's login still holds: the user was neither dropped nor disabled, and
    /// its sessions were not ended.
    pub fn is_current(&self, principal: &Principal) -> bool {
        principal.holds_in(&self.control.snapshot())
    }

    /// Cancels the queries of principals whose login no longer holds, and releases what their
    /// sessions hold.
    pub(crate) fn end_what_is_over(&self) {
        for query in self.running.all() {
            if !self.is_current(query.principal()) {
                query.cancel(session_is_over(&query.principal().user));
            }
        }
        for session in self.sessions() {
            if !self.is_current(session.principal()) {
                session.forget_all();
            }
        }
    }
}

/// Returns the error for a session whose user was dropped or disabled, or whose user's sessions
/// were ended.
pub(crate) fn session_is_over(user: &str) -> Error {
    Error::new(
        Code::SessionEnded,
        format!("terminating connection: the session of user \"{user}\" is over"),
    )
    .with_hint("log in again; where that fails, an administrator can tell whether the user was dropped or disabled")
}
