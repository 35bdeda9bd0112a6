//! Clients that keep a running query waiting.

use std::time::Duration;

use lakegate_error::{Code, Error};

use crate::workgroup::seconds;

/// What a client that keeps a query waiting does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalled {
    Reading,
    Sending,
}

impl Stalled {
    pub fn error(self, time: Duration) -> Error {
        let what = match self {
            Stalled::Reading => "read",
            Stalled::Sending => "send",
        };
        Error::new(
            Code::ClientStalled,
            format!(
                "canceling statement: its client did not {what} for {}",
                seconds(time)
            ),
        )
        .with_hint("a running query keeps others waiting; queries.max_stall is how long")
    }
}

/// The error of a stream that its client has not read for this long.
pub fn client_stalled(time: Duration) -> Error {
    Stalled::Reading.error(time)
}
