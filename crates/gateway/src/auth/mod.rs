//! Authentication: users and their passwords, failed attempts, tokens of identity providers.

pub(crate) mod jwt;
pub(crate) mod logins;
pub(crate) mod throttle;
