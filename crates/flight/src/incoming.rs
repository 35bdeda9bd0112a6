//! Decodes the batches that a client sends. Messages are checked before they are decoded, since the
//! lengths that they declare decide how much is allocated. A panic of the reader becomes an error.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::{self, MessageHeader};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use futures::stream::Peekable;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use lakegate_error::{Code, Error, Result};
use tonic::{Status, Streaming};

use super::status::to_status;

/// Uncompressed bytes of one message; also the limit for all dictionaries of a call.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Elements of one column of a batch, nested ones included.
const MAX_ELEMENTS: i64 = 16 * 1024 * 1024;

/// The client's stream: the first message has a descriptor, batches follow.
pub(super) type Incoming = Peekable<Streaming<FlightData>>;

/// The rows of parameters that a client sent.
#[derive(Debug)]
pub(super) struct Received {
    /// `None` if the client sent no schema.
    pub schema: Option<SchemaRef>,
    pub batches: Vec<RecordBatch>,
    /// Bytes in memory.
    pub bytes: usize,
}

/// The batches of one call.
pub(super) struct Batches(FlightRecordBatchStream);

impl Batches {
    pub(crate) fn new<S>(incoming: S) -> Self
    where
        S: Stream<Item = Result<FlightData, Status>> + Send + 'static,
    {
        // A message that carries only the descriptor is not a batch.
        let checked = incoming.try_filter(|data| {
            let has_header = !data.data_header.is_empty();
            async move { has_header }
        });
        let mut dictionaries = Dictionaries::default();
        let checked = checked.map(move |data| {
            let data = data?;
            dictionaries
                .check(&data)
                .map_err(|error| FlightError::ExternalError(Box::new(error)))?;
            Ok(data)
        });
        Self(FlightRecordBatchStream::new_from_flight_data(checked))
    }

    /// Returns the next batch, or `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// The client's stream broke off, or a message is not a batch or is too large. Do not call
    /// again after an error.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, FlightError> {
        // The reader panics on unknown types, and on buffers that are not where the message says.
        let next = AssertUnwindSafe(self.0.next()).catch_unwind().await;
        let next = next.map_err(|_| FlightError::ExternalError(Box::new(unreadable())))?;
        next.transpose()
    }

    /// Returns the schema, or `None` before its message has arrived.
    pub(crate) fn schema(&self) -> Option<&SchemaRef> {
        self.0.schema()
    }
}

/// Returns the status that a client gets for a stream of batches that failed.
pub(super) fn malformed(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => to_status(broken(other)),
    }
}

/// Translates the decoder's error.
pub(super) fn broken(error: FlightError) -> Error {
    match error {
        FlightError::Tonic(status) => Error::new(
            Code::ProtocolViolation,
            format!("the client's stream broke off: {}", status.message()),
        ),
        FlightError::ExternalError(source) => match source.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::internal(other.to_string()),
        },
        other => Error::new(
            Code::ProtocolViolation,
            format!("the batches cannot be read: {other}"),
        ),
    }
}

fn unreadable() -> Error {
    Error::new(
        Code::ProtocolViolation,
        "the batches cannot be read: a message is malformed",
    )
}

fn batch_too_large() -> Error {
    Error::new(
        Code::TooManyQueries,
        format!(
            "a batch is too large: {MAX_ELEMENTS} elements of a column and {} MiB are the most",
            MAX_BYTES / 1024 / 1024
        ),
    )
    .with_hint("send smaller batches")
}

/// The dictionaries that the reader keeps: their sizes in bytes, by id.
#[derive(Debug, Default)]
struct Dictionaries(HashMap<i64, u64>);

impl Dictionaries {
    /// Checks a message and counts its dictionaries.
    ///
    /// # Errors
    ///
    /// The message declares more than may be decoded.
    fn check(&mut self, data: &FlightData) -> Result<()> {
        let message = ipc::root_as_message(&data.data_header).map_err(|_| unreadable())?;
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(unreadable)?;
                unpacked(&batch, data).map(|_| ())
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message
                    .header_as_dictionary_batch()
                    .ok_or_else(unreadable)?;
                let bytes = unpacked(&dictionary.data().ok_or_else(unreadable)?, data)?;
                let kept = self.0.entry(dictionary.id()).or_default();
                *kept = if dictionary.isDelta() {
                    kept.saturating_add(bytes)
                } else {
                    bytes
                };
                let all = self
                    .0
                    .values()
                    .fold(0u64, |all, bytes| all.saturating_add(*bytes));
                if all > MAX_BYTES {
                    return Err(batch_too_large());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Checks a message on its own, without the dictionaries of earlier ones.
#[cfg(test)]
pub(super) fn check_alone(data: &FlightData) -> Result<()> {
    Dictionaries::default().check(data)
}

/// Returns the uncompressed bytes of a message.
fn unpacked(batch: &ipc::RecordBatch<'_>, data: &FlightData) -> Result<u64> {
    let within = |length: i64| (0..=MAX_ELEMENTS).contains(&length);
    let nodes = batch.nodes().into_iter().flatten();
    let mut lengths = nodes.map(|node| node.length());
    if !within(batch.length()) || !lengths.all(within) {
        return Err(batch_too_large());
    }
    let sent = data.data_body.len() as u64;
    if batch.compression().is_none() {
        return Ok(sent);
    }
    // A compressed buffer begins with its uncompressed length.
    let mut unpacked: u64 = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        if buffer.length() <= 0 {
            continue;
        }
        let start = usize::try_from(buffer.offset()).map_err(|_| unreadable())?;
        let prefix = data
            .data_body
            .get(start..)
            .and_then(|body| body.first_chunk());
        let length = i64::from_le_bytes(*prefix.ok_or_else(unreadable)?);
        // -1 marks a buffer that is stored uncompressed.
        unpacked = unpacked.saturating_add(u64::try_from(length).unwrap_or(0));
    }
    if unpacked > MAX_BYTES {
        return Err(batch_too_large());
    }
    Ok(unpacked.max(sent))
}
