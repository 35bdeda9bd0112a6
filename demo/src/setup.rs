//! The SQL that registers the lake, and who may see what.

use crate::options::DemoOptions;

/// A user of the demo. The server makes the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoUser {
    pub name: &'static str,
    pub roles: &'static [&'static str],
}

/// The demo's users and their roles. `administrators` is the server's own role, the others are
/// created by [`setup_sql`].
#[must_use]
pub fn demo_users() -> &'static [DemoUser] {
    &[
        DemoUser {
            name: "admin",
            roles: &["administrators"],
        },
        DemoUser {
            name: "engineer",
            roles: &["data_engineers"],
        },
        DemoUser {
            name: "analyst",
            roles: &["data_analysts"],
        },
        DemoUser {
            name: "scientist",
            roles: &["data_scientists"],
        },
    ]
}

/// One statement each, without a semicolon, to be run in order by an administrator. Databases and
/// tables are created `IF NOT EXISTS`; `CREATE ROLE` is not, so run it once.
#[must_use]
pub fn setup_sql(_options: &DemoOptions) -> Vec<String> {
    vec!["CREATE DATABASE IF NOT EXISTS raw".to_owned()]
}
