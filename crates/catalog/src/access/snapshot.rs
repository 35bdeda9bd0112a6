//! All control data at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{ADMINISTRATORS, Access, Grant, Membership, Role, ScramVerifier, User, Workgroup};

/// Name of the setting that holds the server's secret, in base64.
pub(crate) const SERVER_SECRET: &str = "server_secret";

/// Users, roles, memberships, grants, workgroups and settings at one moment. Immutable and shared;
/// every change creates a new one.
#[derive(Default)]
pub struct ControlSnapshot {
    /// Increases with every change, across restarts.
    pub version: u64,
    pub users: BTreeMap<String, Arc<User>>,
    pub roles: BTreeMap<String, Arc<Role>>,
    pub memberships: BTreeSet<Membership>,
    /// In order of grantee, resource, privilege. SELECT on columns is one grant per grantee, table
    /// and grant option.
    pub grants: Vec<Grant>,
    /// The ids behind the names in `grants`.
    pub(crate) granted: GrantedIds,
    pub workgroups: BTreeMap<String, Arc<Workgroup>>,
    /// Folders that a table left by the hand of a user that could not read all of it, and when, in
    /// milliseconds since 1970. The right to create tables does not extend to them.
    pub vacated: Arc<BTreeMap<String, i64>>,
    /// Not printed by `Debug`: some are secrets.
    pub(crate) settings: BTreeMap<String, String>,
    /// Computed on first use, dropped with the snapshot.
    pub(crate) computed: Mutex<HashMap<String, Arc<Access>>>,
}

/// The ids of the databases and tables that grants are on, by name: by the time a name is looked up
/// it may be another resource's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GrantedIds {
    pub(crate) databases: HashMap<String, i64>,
    /// By database and table.
    pub(crate) tables: HashMap<(String, String), i64>,
}

impl ControlSnapshot {
    /// The rights of a user; `None` if the user does not exist or is disabled.
    pub fn access(&self, user: &str) -> Option<Arc<Access>> {
        if self.users.get(user).is_none_or(|user| user.disabled) {
            return None;
        }
        Some(self.computed(user))
    }

    fn computed(&self, user: &str) -> Arc<Access> {
        let mut computed = self.computed.lock();
        if let Some(access) = computed.get(user) {
            return Arc::clone(access);
        }
        let access = Arc::new(Access::compute(self, user));
        computed.insert(user.to_owned(), Arc::clone(&access));
        access
    }

    /// The rights of the definer of a view, by the user's id; `None` if the user does not exist any
    /// more. A disabled user cannot log in, but the user's views go on working.
    pub fn access_of_definer(&self, id: i64) -> Option<Arc<Access>> {
        let user = self.users.values().find(|user| user.id == id)?;
        Some(self.computed(&user.name))
    }

    /// All roles that a user or role is a member of, directly or through roles; without itself.
    pub fn roles_of(&self, principal: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![principal];
        while let Some(member) = open.pop() {
            for membership in self
                .memberships
                .iter()
                .filter(|membership| membership.member == member)
            {
                if found.insert(membership.role.clone()) {
                    open.push(&membership.role);
                }
            }
        }
        found
    }

    /// The users that are administrators, directly or through roles, and not disabled.
    pub fn administrators(&self) -> Vec<&str> {
        self.users
            .values()
            .filter(|user| !user.disabled)
            .map(|user| user.name.as_str())
            .filter(|user| self.roles_of(user).contains(ADMINISTRATORS))
            .collect()
    }

    /// The verifier to run SCRAM against for a login name: the user's, or, for a user that does not
    /// exist or is disabled, one that no password matches and that is the same at every attempt.
    pub fn scram_verifier(&self, user: &str) -> ScramVerifier {
        match self.users.get(user).filter(|user| !user.disabled) {
            Some(user) => user.verifier.clone(),
            None => ScramVerifier::mock(user, self.server_secret()),
        }
    }

    /// A secret of this store that never changes: random text, created with the store.
    pub fn server_secret(&self) -> &[u8] {
        self.settings
            .get(SERVER_SECRET)
            .map(String::as_bytes)
            .unwrap_or_default()
    }
}

impl fmt::Debug for ControlSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlSnapshot")
            .field("version", &self.version)
            .field("users", &self.users.keys())
            .field("roles", &self.roles.keys())
            .field("memberships", &self.memberships)
            .field("grants", &self.grants)
            .field("workgroups", &self.workgroups.keys())
            .finish_non_exhaustive()
    }
}
