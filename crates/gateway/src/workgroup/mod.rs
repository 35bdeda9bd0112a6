//! Workgroups: the limits of a query, the admission of queries, and the resources that each has
//! used.
//!
//! A query carries one [`QueryResources`]: the limits of its workgroup, resolved once when it
//! begins, the queues that admit it, and its meters.

mod admission;
mod limits;
mod per_user;
mod queues;
mod resources;

pub use admission::{Admission, AdmissionLimits, Permit};
pub use limits::WorkgroupLimits;
pub(crate) use limits::seconds;
pub use per_user::PerUser;
pub use queues::{QueryPermit, Queue, Queues};
pub use resources::QueryResources;
