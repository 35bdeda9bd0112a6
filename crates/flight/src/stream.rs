//! The streams that answer DoGet. The source is polled only while the client's window has space.
//!
//! ```text
//!  batches ─▶ encoding ─▶ one message held back ─▶ client
//!             schema first  the last gets the usage
//! ```
//!
//! While there is nothing to send, an empty batch is sent from time to time, so that proxies do not
//! close an idle call. A stream that is stopped, or not read for too long, drops its source at
//! once: that cancels the query and frees its slot.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use arrow_flight::utils::batches_to_flight_data;
use bytes::Bytes;
use futures::Stream;
use lakegate_error::{Error, Result};
use lakegate_gateway::detached::executions::{Started, UsageTotal};
use lakegate_gateway::{Gateway, client_stalled};
use parking_lot::Mutex;
use tokio::time::Sleep;
use tonic::Status;

use super::delivery::Delivery;
use super::encoding::Encoding;
use super::sessions::InUse;
use super::status::status;

/// An empty batch is sent after this long without a message.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream in progress, which can be stopped from elsewhere.
#[derive(Default)]
pub(super) struct OpenStream {
    state: Mutex<OpenStreamState>,
}

#[derive(Default)]
struct OpenStreamState {
    /// `None` once the stream has ended or was stopped.
    source: Option<Source>,
    /// Sent next, as the last item.
    error: Option<Error>,
    waker: Option<Waker>,
    /// The time since which the client has not asked for more; `None` while the stream waits for
    /// its source.
    unread_since: Option<Instant>,
}

impl std::fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenStream").finish_non_exhaustive()
    }
}

impl OpenStream {
    /// Ends the stream with an error, at whatever point it is.
    pub(crate) fn stop(&self, error: Error) {
        let (source, waker) = {
            let mut state = self.state.lock();
            if state.source.is_none() {
                return;
            }
            state.error = Some(error);
            (state.source.take(), state.waker.take())
        };
        drop(source);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().source.is_some()
    }
}

/// The open streams of one door.
#[derive(Debug)]
pub(super) struct OpenStreams {
    /// Encodes large results on its query threads.
    gateway: Arc<Gateway>,
    /// The approximate size of a message with rows.
    message_bytes: usize,
    open: Mutex<(u64, HashMap<u64, Weak<OpenStream>>)>,
}

impl OpenStreams {
    pub(crate) fn new(gateway: Arc<Gateway>, message_bytes: usize) -> Self {
        Self {
            gateway,
            message_bytes,
            open: Mutex::default(),
        }
    }

    fn add(&self, stream: &Arc<OpenStream>) {
        let mut open = self.open.lock();
        open.0 += 1;
        let id = open.0;
        open.1.insert(id, Arc::downgrade(stream));
    }

    /// Stops the streams that their clients did not read for longer than `timeout`.
    pub(crate) fn stop_stalled(&self, timeout: Duration) {
        let streams: Vec<Arc<OpenStream>> = {
            let mut open = self.open.lock();
            open.1.retain(|_, stream| stream.strong_count() > 0);
            open.1.values().filter_map(Weak::upgrade).collect()
        };
        for stream in streams {
            let unread = stream.state.lock().unread_since;
            if unread.is_some_and(|since| since.elapsed() > timeout) {
                stream.stop(client_stalled(timeout));
            }
        }
    }
}

/// A result to be sent, and how to send it.
pub(super) struct StreamRequest {
    /// The schema of every batch after [`super::types::conform`].
    pub schema: SchemaRef,
    pub started: Started,
    pub delivery: Delivery,
    pub in_use: InUse,
}

struct Source {
    encoding: Encoding,
    schema: SchemaRef,
    usage: Arc<UsageTotal>,
    /// The message that is sent next, and whether it is a batch.
    held: Option<(FlightData, bool)>,
    seen_schema: bool,
    /// Messages that are sent before anything else.
    ready: VecDeque<Result<FlightData>>,
    ended: bool,
    _in_use: InUse,
}

/// The answer to DoGet.
pub(super) struct Outgoing {
    stream: Arc<OpenStream>,
    keep_alive: Pin<Box<Sleep>>,
}

impl Outgoing {
    /// Registers the stream and starts its encoding.
    ///
    /// # Errors
    ///
    /// The delivery options cannot be encoded.
    pub(crate) fn new(request: StreamRequest, streams: &OpenStreams) -> Result<Self> {
        let StreamRequest {
            schema,
            started,
            delivery,
            in_use,
        } = request;
        let gateway = Arc::clone(&streams.gateway);
        let encoding = Encoding::new(
            started.batches,
            &schema,
            delivery,
            gateway,
            streams.message_bytes,
            started.usage.query(),
        )?;
        let stream = Arc::new(OpenStream::default());
        stream.state.lock().source = Some(Source {
            encoding,
            schema,
            usage: started.usage,
            held: None,
            seen_schema: false,
            ready: VecDeque::new(),
            ended: false,
            _in_use: in_use,
        });
        streams.add(&stream);
        Ok(Self {
            stream,
            keep_alive: Box::pin(tokio::time::sleep(KEEP_ALIVE)),
        })
    }

    pub(crate) fn stream(&self) -> &Arc<OpenStream> {
        &self.stream
    }
}

impl Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<FlightData>>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Poll::Ready(Some(ready));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match self.encoding.poll(context) {
                Poll::Ready(Some(Ok(data))) => {
                    let before = self.held.replace((data, self.seen_schema));
                    self.seen_schema = true;
                    if let Some((before, _)) = before {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.ended = true;
                    let held = self.held.take().map(|(held, _)| Ok(held));
                    self.ready.extend(held);
                    self.ready.push_back(Err(self.failed(error)));
                }
                Poll::Ready(None) => {
                    self.ended = true;
                    self.finish();
                }
                // Send the held message before waiting.
                Poll::Pending => match self.held.take() {
                    Some((held, _)) => return Poll::Ready(Some(Ok(held))),
                    None => return Poll::Pending,
                },
            }
        }
    }

    /// Ends the stream. The usage is sent with the last batch, or with an empty one if the last was
    /// already sent.
    fn finish(&mut self) {
        let usage = serde_json::to_vec(&self.usage.usage()).unwrap_or_default();
        let usage = Bytes::from(usage);
        match self.held.take() {
            Some((mut last, true)) => {
                last.app_metadata = usage;
                self.ready.push_back(Ok(last));
            }
            held => {
                let held = held.map(|(schema, _)| Ok(schema));
                self.ready.extend(held);
                match self.empty_batch() {
                    Ok(mut messages) => {
                        if let Some(last) = messages.last_mut() {
                            last.app_metadata = usage;
                        }
                        self.ready.extend(messages.into_iter().map(Ok));
                    }
                    Err(error) => self.ready.push_back(Err(error)),
                }
            }
        }
    }

    fn empty_batch(&self) -> Result<Vec<FlightData>> {
        let empty = RecordBatch::new_empty(Arc::clone(&self.schema));
        let mut messages = batches_to_flight_data(&self.schema, vec![empty])
            .map_err(|e| Error::internal(format!("an empty batch cannot be sent: {e}")))?;
        // The first message is the schema, which was already sent.
        messages.remove(0);
        Ok(messages)
    }

    fn failed(&self, error: FlightError) -> Error {
        let error = match error {
            FlightError::ExternalError(source) => match source.downcast::<Error>() {
                Ok(error) => *error,
                Err(other) => Error::internal(other.to_string()),
            },
            other => Error::internal(format!("a result cannot be sent: {other}")),
        };
        match (error.query_id(), self.usage.query()) {
            (None, Some(query)) => error.with_query(query.id()),
            _ => error,
        }
    }
}

impl Stream for Outgoing {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = Arc::clone(&self.stream);
        let mut state = stream.state.lock();
        state.unread_since = None;
        if let Some(error) = state.error.take() {
            return Poll::Ready(Some(Err(status(&error))));
        }
        let Some(source) = &mut state.source else {
            return Poll::Ready(None);
        };
        let next = match source.poll(context) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                if self.keep_alive.as_mut().poll(context).is_pending() {
                    state.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
                match source.empty_batch() {
                    Ok(messages) => {
                        source.ready.extend(messages.into_iter().map(Ok));
                        source.ready.pop_front()
                    }
                    Err(error) => Some(Err(error)),
                }
            }
        };
        let soon = tokio::time::Instant::now() + KEEP_ALIVE;
        self.keep_alive.as_mut().reset(soon);
        match next {
            Some(Ok(data)) => {
                state.unread_since = Some(Instant::now());
                if let Some(query) = state
                    .source
                    .as_ref()
                    .and_then(|source| source.usage.query())
                {
                    query.client_takes();
                }
                Poll::Ready(Some(Ok(data)))
            }
            ended => {
                // Dropping the source ends the query.
                let source = state.source.take();
                drop(state);
                drop(source);
                Poll::Ready(ended.map(|failed| failed.map_err(|error| status(&error))))
            }
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let source = self.stream.state.lock().source.take();
        drop(source);
    }
}
