//! The trait of principals and their rights.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::Created;
use crate::access::{
    By, ControlSnapshot, Grant, Membership, Role, ScramVerifier, User, Workgroup, WorkgroupInput,
};
use crate::error::Result;

/// Users, roles, grants, workgroups and settings. Names are checked and lower-cased on the way in.
/// A change is durable before it returns.
///
/// Nothing here asks whether the caller may: that is the statements' part.
#[async_trait]
pub trait Control: Debug + Send + Sync {
    /// Everything as of now, from memory.
    fn snapshot(&self) -> Arc<ControlSnapshot>;

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
    async fn set_password(&self, name: &str, verifier: ScramVerifier) -> Result<()>;

    /// Replaces a user's password and ends the user's sessions, both or neither.
    async fn reset_password(&self, name: &str, verifier: ScramVerifier) -> Result<()>;

    /// Disables a user, or enables it again. `false` if it was so already.
    ///
    /// # Errors
    /// `InvalidInput` if no administrator would be left.
    async fn set_user_disabled(&self, name: &str, disabled: bool) -> Result<bool>;

    /// Ends the sessions of a user: the user's epoch is one more.
    async fn end_sessions(&self, name: &str) -> Result<()>;

    /// Sets the workgroup of a user's new sessions; `None` is back to `primary`.
    async fn set_user_workgroup(&self, name: &str, workgroup: Option<&str>) -> Result<()>;

    /// Drops a user with its memberships and grants. `false` if there was none and `if_exists`.
    ///
    /// # Errors
    /// `InvalidInput` for the last administrator.
    async fn drop_user(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// # Errors
    /// `AlreadyExists` if a user or role has the name, unless it is a role and `if_not_exists`.
    async fn create_role(&self, name: &str, if_not_exists: bool) -> Result<Created<Arc<Role>>>;

    /// Drops a role with its memberships, members and grants. `false` if there was none and
    /// `if_exists`.
    ///
    /// # Errors
    /// `InvalidInput` for `administrators`, and for a role through which the last administrator is
    /// one.
    async fn drop_role(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// Makes `member`, a user or a role, a member of `role`. `false` if it is one already.
    ///
    /// # Errors
    /// `InvalidInput` if `role` is, through roles, a member of `member`.
    async fn grant_role(&self, role: &str, member: &str) -> Result<bool> {
        let memberships = [Membership {
            role: role.to_owned(),
            member: member.to_owned(),
        }];
        Ok(self.grant_roles(&memberships).await? > 0)
    }

    /// [`Control::grant_role`] for all of these memberships, or for none. Returns how many are new.
    async fn grant_roles(&self, memberships: &[Membership]) -> Result<usize>;

    /// Ends a membership. `false` if there was none.
    ///
    /// # Errors
    /// `InvalidInput` if no administrator would be left.
    async fn revoke_role(&self, role: &str, member: &str) -> Result<bool> {
        let memberships = [Membership {
            role: role.to_owned(),
            member: member.to_owned(),
        }];
        Ok(self.revoke_roles(&memberships).await? > 0)
    }

    /// [`Control::revoke_role`] for all of these memberships, or for none. Returns how many there were.
    async fn revoke_roles(&self, memberships: &[Membership]) -> Result<usize>;

    /// Makes a user that is an administrator; a user of the name becomes one and keeps the password.
    ///
    /// # Errors
    /// `AlreadyExists` if a role has the name.
    async fn create_administrator(&self, name: &str, verifier: ScramVerifier) -> Result<()>;

    /// Makes all these grants or none. `ALL` is kept as the privileges that it stands for. Granting
    /// without grant option what is held with it changes nothing. Returns how many (privileges, or
    /// columns of SELECT) are new or have become grantable.
    ///
    /// # Errors
    /// `InvalidInput` if a resource does not know a privilege; `NotFound` for a grantee, database,
    /// table, column or workgroup.
    async fn grant_by(&self, grants: &[Grant], by: By) -> Result<usize>;

    /// [`Control::grant_by`] an administrator.
    async fn grant(&self, grants: &[Grant]) -> Result<usize> {
        self.grant_by(grants, By::Administrator).await
    }

    /// Takes back all these grants or none (`with_grant_option` is not looked at): an administrator those of every grantor, others
    /// their own. Revoking SELECT (or ALL) on a table also takes back SELECT on its columns. Returns how many were taken back:
    /// 0 means that nothing such had been granted, for example because the right comes from a grant
    /// on the whole table, the database, or to a role.
    ///
    /// # Errors
    /// `NotFound` for a grantee; `InvalidInput` if a resource does not know a privilege.
    async fn revoke_by(&self, grants: &[Grant], by: By) -> Result<usize>;

    /// [`Control::revoke_by`] an administrator.
    async fn revoke(&self, grants: &[Grant]) -> Result<usize> {
        self.revoke_by(grants, By::Administrator).await
    }

    /// # Errors
    /// `AlreadyExists` unless `if_not_exists` (the workgroup then stays as it is); `InvalidInput`
    /// for a cutoff of 0 or over `i64::MAX`.
    async fn create_workgroup(
        &self,
        input: WorkgroupInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Workgroup>>>;

    /// Replaces everything but the name. `primary` may be changed too.
    async fn update_workgroup(&self, input: WorkgroupInput) -> Result<Arc<Workgroup>>;

    /// Drops a workgroup with its grants; users that had it as default go back to `primary`. `false`
    /// if there was none and `if_exists`.
    ///
    /// # Errors
    /// `InvalidInput` for `primary`.
    async fn drop_workgroup(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// Keeps a text under a key; `None` removes it. Keys are 1 to 255 characters; the server's
    /// secret cannot be changed.
    async fn set_setting(&self, key: &str, value: Option<&str>) -> Result<()>;
}
