//! Who may do what: users, roles, grants, workgroups, and what follows from them for one user.
//!
//! ```text
//!   Control (store) ──▶ ControlSnapshot ──access("ann")──▶ Access ──table(db, t, columns)──▶ TableAccess
//! ```
//!
//! Rights are the union of what is granted to a user and to all roles that the user is in, directly
//! or through other roles. There is no deny, and without a grant nothing is visible. Members of the
//! built-in role [`ADMINISTRATORS`] may do everything.

mod effective;
mod grant;
mod principal;
mod scram;
mod snapshot;
mod table;
mod workgroup;

pub use effective::Access;
pub use grant::{By, Grant, Privilege, PrivilegeSet, Resource, ResourceId};
pub use principal::{ADMINISTRATORS, Membership, Role, User};
pub use scram::{DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_PASSWORD_BYTES, ScramVerifier};
pub use snapshot::ControlSnapshot;
pub(crate) use snapshot::{GrantedIds, SERVER_SECRET};
pub use table::{ColumnSelection, TableAccess};
pub use workgroup::{PRIMARY_WORKGROUP, QueryLimits, Workgroup, WorkgroupInput, WorkgroupState};
