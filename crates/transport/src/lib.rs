//! What the doors share below their protocols: the first bytes of a connection, TLS, certificates.

pub mod opening;
pub mod tls;
