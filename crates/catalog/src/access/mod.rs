//! Principals and their rights: users, roles, grants, workgroups, and the effective rights of a
//! user.
//!
//! ```text
//!   Control (store) ──▶ ControlSnapshot ──access("ann")──▶ Access ──on_table(table)──▶ TableAccess
//! ```
//!
//! Rights are the union of the grants to a user and to all roles that the user is a member of,
//! directly or through other roles. There is no deny, and without a grant nothing is visible.
//! Members of the built-in role [`ADMINISTRATORS`] may do everything.

mod effective;
mod grant;
mod principal;
mod scram;
mod snapshot;
mod table;
mod workgroup;

pub use effective::Access;
pub use grant::{By, Grant, Privilege, PrivilegeSet, Resource, ResourceId};
pub use principal::{ADMINISTRATORS, Authentication, Membership, Role, User};
pub use scram::{DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_PASSWORD_BYTES, ScramVerifier};
pub use snapshot::ControlSnapshot;
pub(crate) use snapshot::{GrantedIds, SERVER_SECRET};
pub use table::{ColumnSelection, TableAccess};
pub use workgroup::{PRIMARY_WORKGROUP, QueryLimits, Workgroup, WorkgroupInput, WorkgroupState};
