//! What outlives a request: handles that clients come back to.

pub mod handles;
