//! The door's sessions: those of the gateway, with how their results travel.

use lakegate_gateway::detached::tokens;
use parking_lot::Mutex;

use super::delivery::Delivery;

/// Options of a session that are the door's own.
#[derive(Debug, Default)]
pub(super) struct DoorOptions(Mutex<Delivery>);

impl DoorOptions {
    pub fn delivery(&self) -> Delivery {
        *self.0.lock()
    }

    /// Changes the delivery of results that are asked for from now on.
    pub fn change<T>(&self, change: impl FnOnce(&mut Delivery) -> T) -> T {
        change(&mut self.0.lock())
    }
}

pub(super) type FlightSession = tokens::TokenSession<DoorOptions>;
pub(super) type InUse = tokens::InUse<DoorOptions>;
