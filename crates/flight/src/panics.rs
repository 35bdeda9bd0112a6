//! Panics in calls: each becomes an error of its call alone.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use arrow_flight::FlightData;
use futures::{FutureExt, Stream, StreamExt};
use lakegate_error::Error;
use tonic::Status;
use tracing::error;

use super::status::status;
use super::stream::Outgoing;

/// A stream of answers.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Runs a call and turns a panic into an error. The call is boxed so that the compiler checks
/// `Send` for each call separately.
pub(super) async fn guarded<T: Send>(
    name: &'static str,
    call: impl Future<Output = Result<T, Status>> + Send,
) -> Result<T, Status> {
    let done = AssertUnwindSafe(call.boxed()).catch_unwind();
    done.await.unwrap_or_else(|_| {
        error!(call = name, "a call ended by a panic");
        Err(defect())
    })
}

/// Like [`guarded`], for an answer that is a stream.
pub(super) fn guarded_stream(rows: Outgoing) -> Answers<FlightData> {
    let rows = AssertUnwindSafe(rows).catch_unwind();
    rows.map(|next| {
        next.unwrap_or_else(|_| {
            error!("a stream ended by a panic");
            Err(defect())
        })
    })
    .boxed()
}

fn defect() -> Status {
    status(&Error::internal(
        "the server has a defect here; its log says more",
    ))
}
