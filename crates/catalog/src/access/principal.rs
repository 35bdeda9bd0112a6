//! Users and roles. Both share one space of names, so that `GRANT … TO x` means one principal.

use chrono::{DateTime, Utc};

use super::ScramVerifier;

/// The built-in role whose members may do everything. It cannot be dropped, and it never loses its
/// last member.
pub const ADMINISTRATORS: &str = "administrators";

/// What a user logs in with over PostgreSQL's protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Authentication {
    /// SCRAM-SHA-256, in which the password is not sent.
    #[default]
    Scram,
    /// The password itself, for clients that cannot do SCRAM.
    Password,
    /// A token of the identity provider.
    OAuth,
}

impl Authentication {
    /// The name in SQL and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Authentication::Scram => "scram",
            Authentication::Password => "password",
            Authentication::OAuth => "oauth",
        }
    }

    /// The method of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Scram, Self::Password, Self::OAuth]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// A user, which can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Never reused, and not shared with a role. The source of OIDs.
    pub id: i64,
    /// Lower case.
    pub name: String,
    pub verifier: ScramVerifier,
    pub authentication: Authentication,
    /// The workgroup of a new session; `None` is [`super::PRIMARY_WORKGROUP`].
    pub default_workgroup: Option<String>,
    /// Cannot log in, and has no session. Grants, memberships and history stay.
    pub disabled: bool,
    /// Increased each time the user's sessions are ended: a session with another epoch is over.
    pub session_epoch: i64,
    pub created: DateTime<Utc>,
}

/// A named set of grants that users and other roles can be members of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Never reused, and not shared with a user. The source of OIDs.
    pub id: i64,
    /// Lower case.
    pub name: String,
    pub created: DateTime<Utc>,
}

/// `member` (a user or a role) has all rights of `role`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    pub role: String,
    pub member: String,
}
