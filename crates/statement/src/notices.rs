//! What a statement tells beside its outcome: that a name of IF EXISTS does not exist, and the like.

use std::sync::{Arc, Mutex, PoisonError};

/// Notices of a statement, worded as PostgreSQL's.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// Notes that a name is passed over because it does not exist. `kind`: of what it names.
    pub(crate) fn skips_missing(&self, kind: &str, name: &str) {
        self.say(format!("{kind} \"{name}\" does not exist, skipping"));
    }

    /// Notes that nothing is made because the name is taken. `kind`: of what it names.
    pub(crate) fn skips_existing(&self, kind: &str, name: &str) {
        self.say(format!("{kind} \"{name}\" already exists, skipping"));
    }

    fn say(&self, message: String) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push(message);
    }

    /// Takes the notices since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
