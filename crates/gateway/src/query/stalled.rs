//! Clients that stop reading or sending while a query runs.

use std::time::Duration;

use lakegate_error::{Code, Error};

use crate::workgroup::seconds;

/// What a client has stopped doing while its query waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stalled {
    Reading,
    Sending,
}

impl Stalled {
    pub(crate) fn error(self, time: Duration) -> Error {
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

/// Returns the error of a stream that the client has not read for `time`.
pub fn client_stalled(time: Duration) -> Error {
    Stalled::Reading.error(time)
}
