//! Users, roles and grants.

use std::fmt;

use super::{DatabaseName, TableName};

/// A password. `Debug` does not show it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The password itself. It must never reach a log, an error or the history.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// `CREATE USER [IF NOT EXISTS] u [WITH] PASSWORD 'p'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateUser {
    pub if_not_exists: bool,
    pub name: String,
    pub password: Secret,
}

/// `ALTER USER {u|CURRENT_USER} ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterUser {
    pub user: UserRef,
    pub change: UserChange,
    /// `TERMINATE SESSIONS` after a password: the change ends the user's sessions and tokens.
    pub terminate_sessions: bool,
}

/// A named user, or the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    Named(String),
    CurrentUser,
}

/// What ALTER USER changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// `[WITH] PASSWORD 'p'`
    SetPassword(Secret),
    /// `SET WORKGROUP [=|TO] w`, `RESET WORKGROUP` (none: the default workgroup).
    SetWorkgroup(Option<String>),
    /// `SET AUTHENTICATION [=|TO] {scram|password|oauth|DEFAULT}`, `RESET AUTHENTICATION`.
    SetAuthentication(UserAuthentication),
    /// `DISABLE`: blocks logins and ends all sessions.
    Disable,
    /// `ENABLE`
    Enable,
    /// `TERMINATE SESSIONS` on its own.
    TerminateSessions,
}

/// What a user logs in with over PostgreSQL's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAuthentication {
    /// `scram`, the default.
    Scram,
    /// `password`
    Password,
    /// `oauth`
    OAuth,
}

/// `DROP USER [IF EXISTS] u`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropUser {
    pub if_exists: bool,
    pub name: String,
}

/// `CREATE ROLE [IF NOT EXISTS] r`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRole {
    pub if_not_exists: bool,
    pub name: String,
}

/// `DROP ROLE [IF EXISTS] r`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRole {
    pub if_exists: bool,
    pub name: String,
}

/// The principal named after TO, FROM or FOR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A bare name: a user or a role; the catalog decides.
    Named(String),
    /// `USER u`
    User(String),
    /// `ROLE r`, `GROUP r`
    Role(String),
    /// `CURRENT_USER`
    CurrentUser,
}

impl Grantee {
    /// The name as written; `current_user` for the current user.
    pub fn name(&self) -> &str {
        match self {
            Grantee::Named(name) | Grantee::User(name) | Grantee::Role(name) => name,
            Grantee::CurrentUser => "current_user",
        }
    }
}

/// `GRANT [ROLE] r, .. TO p, ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRole {
    pub roles: Vec<String>,
    pub grantees: Vec<Grantee>,
    pub with_admin_option: bool,
}

/// `REVOKE [ROLE] r, .. FROM p, ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeRole {
    pub roles: Vec<String>,
    pub grantees: Vec<Grantee>,
    /// `ADMIN OPTION FOR`: revokes only the option.
    pub admin_option_only: bool,
}

/// What can be granted. The names are those of `lakegate-catalog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrivilegeKind {
    Select,
    Describe,
    Insert,
    Delete,
    Alter,
    Drop,
    CreateTable,
    CreateDatabase,
    Usage,
    DataLocation,
    All,
}

impl PrivilegeKind {
    /// The name in SQL, with an underscore for the space: `SELECT`, `CREATE_TABLE`.
    pub fn name(self) -> &'static str {
        match self {
            PrivilegeKind::Select => "SELECT",
            PrivilegeKind::Describe => "DESCRIBE",
            PrivilegeKind::Insert => "INSERT",
            PrivilegeKind::Delete => "DELETE",
            PrivilegeKind::Alter => "ALTER",
            PrivilegeKind::Drop => "DROP",
            PrivilegeKind::CreateTable => "CREATE_TABLE",
            PrivilegeKind::CreateDatabase => "CREATE_DATABASE",
            PrivilegeKind::Usage => "USAGE",
            PrivilegeKind::DataLocation => "DATA_LOCATION",
            PrivilegeKind::All => "ALL",
        }
    }
}

/// `SELECT (a, b)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegeSpec {
    pub privilege: PrivilegeKind,
    /// Lower case; empty: all columns.
    pub columns: Vec<String>,
}

/// The resource of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantResource {
    /// `ON CATALOG [awsdatacatalog]`
    Catalog(Option<String>),
    /// `ON {DATABASE|SCHEMA} d`, `ON ALL TABLES IN {DATABASE|SCHEMA} d`
    Database(DatabaseName),
    /// `ON [TABLE] [d.]t`
    Table(TableName),
    /// `ON WORKGROUP w`
    Workgroup(String),
    /// `ON [LOCATION] 's3://bucket/folder/'`
    Location(String),
}

/// `GRANT p, .. ON r TO g, .. [WITH GRANT OPTION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub privileges: Vec<PrivilegeSpec>,
    pub resource: GrantResource,
    pub grantees: Vec<Grantee>,
    pub with_grant_option: bool,
}

/// `REVOKE [GRANT OPTION FOR] p, .. ON r FROM g, ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    pub privileges: Vec<PrivilegeSpec>,
    pub resource: GrantResource,
    pub grantees: Vec<Grantee>,
    /// `GRANT OPTION FOR`: revokes only the option.
    pub grant_option_only: bool,
}

/// `SHOW GRANTS [{FOR|TO|OF} p] [ON r]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowGrants {
    pub principal: Option<Grantee>,
    pub resource: Option<GrantResource>,
}

/// `SHOW ROLES [FOR p]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowRoles {
    pub principal: Option<Grantee>,
}
