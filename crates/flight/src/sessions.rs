//! The door's sessions: the gateway's, with the options that control how their results are sent.

use lakegate_gateway::detached::tokens;
use parking_lot::Mutex;

use super::delivery::Delivery;

/// The options of a session that belong to the door.
#[derive(Debug, Default)]
pub(super) struct DoorOptions(Mutex<Delivery>);

impl DoorOptions {
    pub(crate) fn delivery(&self) -> Delivery {
        *self.0.lock()
    }

    /// Changes how later results are delivered.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Delivery) -> T) -> T {
        change(&mut self.0.lock())
    }
}

pub(super) type FlightSession = tokens::TokenSession<DoorOptions>;
pub(super) type InUse = tokens::InUse<DoorOptions>;
