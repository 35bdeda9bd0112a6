//! The code that the doors share below their protocols.
//!
//! ```text
//!  accept ─▶ opening ─▶ io ─▶ the door's protocol
//!  one loop  deadline,  TCP or TLS
//!            bounds     (tls: certificates of both sides)
//! ```
//!
//! Nothing here knows a protocol, a user or a query. This crate counts a connection until a user
//! has logged in on it; from then on the gateway counts it.

pub mod accept;
pub mod io;
pub mod opening;
pub mod tls;
