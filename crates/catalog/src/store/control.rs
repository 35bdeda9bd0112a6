//! The trait of principals, their credentials and their rights.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::Created;
use crate::access::{
    Authentication, By, ControlSnapshot, Grant, Membership, ResourceId, Role, ScramVerifier, User,
    Workgroup, WorkgroupInput,
};
use crate::error::Result;

/// Users with their credentials, roles, grants, data locations and workgroups. Names are checked and
/// lower-cased on the way in. A change is durable before it returns, and a failed one changed nothing.
///
/// A grant names its resource as SQL does, and is kept by the resource's id ([`ResourceId`]): a
/// rename keeps it, and a new resource of an old name does not inherit it.
///
/// Rights of the caller are not checked here; that is the statements' part.
#[async_trait]
pub trait Control: Debug + Send + Sync {
    /// Everything as of now, from memory.
    fn snapshot(&self) -> Arc<ControlSnapshot>;

    /// Creates a user.
    ///
    /// # Errors
    /// `AlreadyExists` if a user or role has the name, unless it is a user and `if_not_exists`
    /// (that user stays as it is).
    async fn create_user(
        &self,
        name: &str,
        verifier: ScramVerifier,
        if_not_exists: bool,
    ) -> Result<Created<Arc<User>>>;

    /// Replaces a user's password.
    ///
    /// # Errors
    /// `NotFound` for the user.
    async fn set_password(&self, name: &str, verifier: ScramVerifier) -> Result<()>;

    /// Replaces a user's password and ends the user's sessions, both or neither.
    ///
    /// # Errors
    /// `NotFound` for the user.
    async fn reset_password(&self, name: &str, verifier: ScramVerifier) -> Result<()>;

    /// Disables a user, or enables it again. `false` if that changed nothing.
    ///
    /// # Errors
    /// `NotFound` for the user; `InvalidInput` if no administrator would be left.
    async fn set_user_disabled(&self, name: &str, disabled: bool) -> Result<bool>;

    /// Ends the sessions of a user by increasing the user's epoch.
    ///
    /// # Errors
    /// `NotFound` for the user.
    async fn end_sessions(&self, name: &str) -> Result<()>;

    /// Sets the workgroup of a user's new sessions; `None` is `primary` again.
    ///
    /// # Errors
    /// `NotFound` for the user or the workgroup.
    async fn set_user_workgroup(&self, name: &str, workgroup: Option<&str>) -> Result<()>;

    /// Sets what a user logs in with over PostgreSQL's protocol.
    ///
    /// # Errors
    /// `NotFound` for the user.
    async fn set_user_authentication(&self, name: &str, method: Authentication) -> Result<()>;

    /// Drops a user with its memberships and grants. `false` if it did not exist and `if_exists`.
    ///
    /// # Errors
    /// `NotFound` unless `if_exists`; `InvalidInput` for the last administrator.
    async fn drop_user(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// Creates a role.
    ///
    /// # Errors
    /// `AlreadyExists` if a user or role has the name, unless it is a role and `if_not_exists`.
    async fn create_role(&self, name: &str, if_not_exists: bool) -> Result<Created<Arc<Role>>>;

    /// Drops a role with its memberships, members and grants. `false` if it did not exist
    /// and `if_exists`.
    ///
    /// # Errors
    /// `NotFound` unless `if_exists`; `InvalidInput` for `administrators`, and for a role through
    /// which the last administrator is one.
    async fn drop_role(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// Makes `member`, a user or a role, a member of `role`. `false` if it is one already.
    ///
    /// # Errors
    /// `NotFound` for the role or the member; `InvalidInput` if `role` is, through roles, a member
    /// of `member`.
    async fn grant_role(&self, role: &str, member: &str) -> Result<bool> {
        let memberships = [Membership {
            role: role.to_owned(),
            member: member.to_owned(),
        }];
        Ok(self.grant_roles(&memberships).await? > 0)
    }

    /// [`Control::grant_role`] for all of these memberships, or for none. Returns how many are new.
    ///
    /// # Errors
    /// As [`Control::grant_role`].
    async fn grant_roles(&self, memberships: &[Membership]) -> Result<usize>;

    /// Ends a membership. `false` if there was none.
    ///
    /// # Errors
    /// `NotFound` for the role or the member; `InvalidInput` if no administrator would be left.
    async fn revoke_role(&self, role: &str, member: &str) -> Result<bool> {
        let memberships = [Membership {
            role: role.to_owned(),
            member: member.to_owned(),
        }];
        Ok(self.revoke_roles(&memberships).await? > 0)
    }

    /// [`Control::revoke_role`] for all of these memberships, or for none. Returns how many ended.
    ///
    /// # Errors
    /// As [`Control::revoke_role`].
    async fn revoke_roles(&self, memberships: &[Membership]) -> Result<usize>;

    /// Creates a user that is an administrator; an existing user becomes one and keeps its
    /// password.
    ///
    /// # Errors
    /// `AlreadyExists` if a role has the name.
    async fn create_administrator(&self, name: &str, verifier: ScramVerifier) -> Result<()>;

    /// Makes all these grants or none. `ALL` is kept as the privileges that it stands for. Granting
    /// without grant option what is held with it changes nothing. Returns how many (privileges, or
    /// columns of SELECT) are new or became grantable.
    ///
    /// # Errors
    /// `InvalidInput` if a privilege does not apply to its resource; `NotFound` for a grantee,
    /// database, table, column or workgroup.
    async fn grant_by(&self, grants: &[Grant], by: By) -> Result<usize>;

    /// [`Control::grant_by`] an administrator.
    ///
    /// # Errors
    /// As [`Control::grant_by`].
    async fn grant(&self, grants: &[Grant]) -> Result<usize> {
        self.grant_by(grants, By::Administrator).await
    }

    /// Revokes all these grants or none (`with_grant_option` is ignored): an administrator those of
    /// every grantor, others their own. Revoking SELECT (or ALL) on a table also revokes SELECT on
    /// its columns. Returns how many were revoked: 0 if no such grant existed, for example because
    /// the right comes from a grant on the whole table, the database, or to a role.
    ///
    /// # Errors
    /// `NotFound` for a grantee; `InvalidInput` if a privilege does not apply to its resource.
    async fn revoke_by(&self, grants: &[Grant], by: By) -> Result<usize>;

    /// [`Control::revoke_by`] an administrator.
    ///
    /// # Errors
    /// As [`Control::revoke_by`].
    async fn revoke(&self, grants: &[Grant]) -> Result<usize> {
        self.revoke_by(grants, By::Administrator).await
    }

    /// Removes all grants on resources that are gone. Returns how many. The coordinator calls this;
    /// grants that were not removed have no effect, because ids are not used again.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn forget(&self, resources: &[ResourceId]) -> Result<usize>;

    /// Records folders that a table is about to leave by the hand of a user that cannot read all of
    /// it: the right to create tables does not extend to them from here on, and tables that are in
    /// them already do not expose their files. Folders as
    /// [`Resource::Location`](crate::access::Resource::Location) has them; of more than 10,000,
    /// common parents are kept.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn vacate(&self, folders: Vec<String>) -> Result<()>;

    /// All folders of [`Control::vacate`], and when, in milliseconds since 1970.
    fn vacated(&self) -> Arc<BTreeMap<String, i64>> {
        Arc::clone(&self.snapshot().vacated)
    }

    /// Creates a workgroup.
    ///
    /// # Errors
    /// `AlreadyExists` unless `if_not_exists` (the workgroup then stays as it is); `InvalidInput`
    /// for a cutoff of 0 or over `i64::MAX`.
    async fn create_workgroup(
        &self,
        input: WorkgroupInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Workgroup>>>;

    /// Replaces everything but the name. `primary` may be changed too.
    ///
    /// # Errors
    /// `NotFound` for the workgroup; `InvalidInput` as [`Control::create_workgroup`].
    async fn update_workgroup(&self, input: WorkgroupInput) -> Result<Arc<Workgroup>>;

    /// Drops a workgroup with its grants; users that had it as default return to `primary`. `false`
    /// if it did not exist and `if_exists`.
    ///
    /// # Errors
    /// `NotFound` unless `if_exists`; `InvalidInput` for `primary`.
    async fn drop_workgroup(&self, name: &str, if_exists: bool) -> Result<bool>;
}
