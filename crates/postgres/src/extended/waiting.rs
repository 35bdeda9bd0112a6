//! The values of portals that wait for their execution.

use datafusion::common::ScalarValue;

use super::{Portal, State};
use crate::connection::Connection;

/// Bytes of a message's values from which on they are read aside: texts of another encoding and
/// arrays of many megabytes take seconds.
const LONG: usize = 256 * 1024;

impl Portal {
    /// Returns the bytes of the bound values that wait for execution.
    fn weight(&self) -> usize {
        match &self.state {
            State::Bound(values) => weight_of(values),
            _ => 0,
        }
    }
}

pub(super) fn weight_of(values: &[ScalarValue]) -> usize {
    values.iter().map(ScalarValue::size).sum()
}

/// Reads the values of a message. While many bytes are read, the other connections of the thread have
/// another one.
///
/// `bytes`: the length of the values.
pub(super) fn read_aside<T>(bytes: usize, read: impl FnOnce() -> T) -> T {
    match bytes < LONG {
        true => read(),
        false => tokio::task::block_in_place(read),
    }
}

impl Connection {
    /// Returns the bytes of all bound values that wait for execution.
    pub(super) fn bound_weight(&self) -> usize {
        let weights = self.portals.values().map(Portal::weight);
        weights.fold(0, usize::saturating_add)
    }

    /// Counts the values that wait for their execution, of which there are fewer now.
    pub(crate) fn recount(&mut self) {
        if self.link.counts_values() {
            let weight = self.bound_weight();
            // It only gives back.
            let _ = self.link.count_values(weight);
        }
    }
}
