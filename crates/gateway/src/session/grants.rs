//! A principal's rights when a result was made, for results that are read later.

use std::sync::Arc;

use lakegate_catalog::access::Access;
use lakegate_error::Result;

use crate::session::Session;

/// All rights of a session's principal at one moment.
#[derive(Debug, Clone)]
pub struct Grants(Arc<Access>);

impl PartialEq for Grants {
    /// Compares by value, because any change of users or grants rebuilds all rights.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Session {
    /// Returns the current rights of the principal.
    ///
    /// # Errors
    /// The session is over.
    pub fn grants(&self) -> Result<Grants> {
        // Not as a transaction block knows them, which may be from before a REVOKE.
        let moment = self.gateway.moment(self.principal())?;
        Ok(Grants(Arc::clone(moment.access())))
    }

    /// Whether the principal's rights are still the same and the session is not over.
    pub fn holds(&self, then: &Grants) -> bool {
        self.grants().is_ok_and(|now| now == *then)
    }
}
