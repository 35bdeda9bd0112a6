//! What a principal held when a result was made, for results that are read later than they were made.

use std::sync::Arc;

use lakegate_catalog::access::Access;
use lakegate_error::Result;

use crate::session::Session;

/// All that the principal of a session held at one moment.
#[derive(Debug, Clone)]
pub struct Grants(Arc<Access>);

impl PartialEq for Grants {
    /// By value: any change of users or grants makes all rights anew.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Session {
    /// What the principal holds now.
    ///
    /// # Errors
    /// The session is over.
    pub fn grants(&self) -> Result<Grants> {
        Ok(Grants(Arc::clone(self.moment()?.access())))
    }

    /// Whether the principal holds now what it held then: nothing was granted to it or revoked from it, and its session goes on.
    pub fn holds(&self, then: &Grants) -> bool {
        self.grants().is_ok_and(|now| now == *then)
    }
}
