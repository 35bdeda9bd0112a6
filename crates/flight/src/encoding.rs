//! Encodes batches as messages: small results on the calling task, large ones on the query threads.
//!
//! Casting, compressing and copying a large batch takes milliseconds, in which handshakes and
//! catalog calls would wait. Once a result turns out to be large, a separate task encodes it, at
//! most a message or two ahead of the client.
//!
//! ```text
//!  batches ─▶ Feed ─ conform ─ batch_size ─ cut ─▶ FlightDataEncoder ─▶ messages
//!              │ holds back the batch that makes the result large until the pipeline is on the query threads
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoder, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::bytes_in;
use lakegate_gateway::{BatchStream, Gateway, QueryWatch, Work};
use tokio::sync::mpsc;

use super::delivery::{ArrowTypes, Delivery};
use super::types;

/// A result of more bytes than this is large.
const LARGE: usize = 128 * 1024;
/// Messages between the task that encodes and the stream that sends.
const AHEAD: usize = 1;

/// A result as messages; the schema comes first.
pub(super) struct Encoding {
    state: State,
    handover: Arc<Handover>,
    gateway: Arc<Gateway>,
    /// The query that is charged for the processor time of encoding.
    query: Option<QueryWatch>,
}

enum State {
    Here(Box<FlightDataEncoder>),
    Away {
        messages: mpsc::Receiver<Sent>,
        _work: Option<Work>,
    },
    Ended,
}

enum Sent {
    Message(Result<FlightData, FlightError>),
    /// Sent last; if it is missing, the task was dropped or panicked.
    End,
}

/// Shared by the encoder and the [`Feed`] that it reads.
#[derive(Default)]
struct Handover {
    /// The feed holds back a batch that must not be encoded on the calling task.
    wanted: AtomicBool,
    /// The encoder has moved; nothing is held back.
    done: AtomicBool,
}

impl Encoding {
    /// Builds the pipeline on the calling task.
    ///
    /// `schema`: the schema of every batch after [`types::conform`]. `message_bytes`: the
    /// approximate size of a message with rows.
    ///
    /// # Errors
    ///
    /// The delivery options cannot be encoded.
    pub(crate) fn new(
        batches: BatchStream,
        schema: &SchemaRef,
        delivery: Delivery,
        gateway: Arc<Gateway>,
        message_bytes: usize,
        query: Option<QueryWatch>,
    ) -> Result<Self> {
        let handover = Arc::new(Handover::default());
        let feed = Feed {
            batches,
            bytes: 0,
            held: None,
            handover: Arc::clone(&handover),
        };
        let conforming = Arc::clone(schema);
        let conformed = feed.map(move |batch| types::conform(batch?, &conforming));
        let sized = match delivery.batch_size {
            Some(rows) if !schema.fields().is_empty() => {
                resized(conformed.boxed(), Arc::clone(schema), rows)
            }
            _ => conformed.boxed(),
        };
        let cut = sized.flat_map(move |batch| match batch {
            Ok(batch) => futures::stream::iter(cut(batch, message_bytes))
                .map(Ok)
                .boxed(),
            Err(error) => {
                let error = FlightError::ExternalError(Box::new(error));
                futures::stream::iter([Err(error)]).boxed()
            }
        });
        let dictionaries = match delivery.types {
            ArrowTypes::Plain => DictionaryHandling::Hydrate,
            ArrowTypes::Native => DictionaryHandling::Resend,
        };
        let encoder = FlightDataEncoderBuilder::new()
            .with_schema(Arc::clone(schema))
            .with_options(delivery.ipc()?)
            .with_dictionary_handling(dictionaries)
            // Batches are already cut by the bytes of their rows, not of their buffers.
            .with_max_flight_data_size(usize::MAX)
            .build(cut);
        Ok(Self {
            state: State::Here(Box::new(encoder)),
            handover,
            gateway,
            query,
        })
    }

    /// Polls for the next message; `None` at the end.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<FlightData, FlightError>>> {
        loop {
            match &mut self.state {
                State::Here(encoder) => match encoder.poll_next_unpin(context) {
                    Poll::Pending if self.handover.wanted.swap(false, Ordering::AcqRel) => {
                        self.hand_over();
                    }
                    polled => return polled,
                },
                State::Away { messages, .. } => {
                    let next = match messages.poll_recv(context) {
                        Poll::Ready(next) => next,
                        Poll::Pending => return Poll::Pending,
                    };
                    return Poll::Ready(match next {
                        Some(Sent::Message(message)) => Some(message),
                        Some(Sent::End) => {
                            self.state = State::Ended;
                            None
                        }
                        None => {
                            self.state = State::Ended;
                            Some(Err(FlightError::ExternalError(Box::new(self.gone()))))
                        }
                    });
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn gone(&self) -> Error {
        if self.gateway.is_shutting_down() {
            return Error::new(Code::ShuttingDown, "the server is shutting down");
        }
        Error::internal("a result could not be encoded; the server's log says more")
    }

    /// Moves the encoder to the query threads.
    fn hand_over(&mut self) {
        self.handover.done.store(true, Ordering::Release);
        let State::Here(mut encoder) = std::mem::replace(&mut self.state, State::Ended) else {
            return;
        };
        let (sender, messages) = mpsc::channel(AHEAD);
        let work = async move {
            while let Some(message) = encoder.next().await {
                if sender.send(Sent::Message(message)).await.is_err() {
                    return;
                }
            }
            // The receiver may be gone.
            let _ = sender.send(Sent::End).await;
        };
        // At shutdown the query threads drop the task, and the sender with it: the receiver then
        // reports an error.
        let work = match &self.query {
            Some(query) => self.gateway.spawn_work(query.metered(work)),
            None => self.gateway.spawn_work(work),
        };
        self.state = State::Away {
            messages,
            _work: work,
        };
    }
}

/// The batches of a result. Holds back the batch that makes the result large, and those after it,
/// until the encoder has moved.
struct Feed {
    batches: BatchStream,
    bytes: usize,
    held: Option<RecordBatch>,
    handover: Arc<Handover>,
}

impl Stream for Feed {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let done = self.handover.done.load(Ordering::Acquire);
        if !done && self.held.is_some() {
            return Poll::Pending;
        }
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(Ok(held)));
        }
        let next = self.batches.as_mut().poll_next(context);
        if done {
            return next;
        }
        match next {
            Poll::Ready(Some(Ok(batch))) => {
                self.bytes = self.bytes.saturating_add(bytes_in(&batch));
                if self.bytes <= LARGE {
                    return Poll::Ready(Some(Ok(batch)));
                }
                self.held = Some(batch);
                // `Encoding::poll` checks this before it returns `Pending`, so no wake-up is
                // needed.
                self.handover.wanted.store(true, Ordering::Release);
                Poll::Pending
            }
            other => other,
        }
    }
}

/// Regroups batches to exactly `rows` rows each, except the last.
fn resized(batches: BatchStream, schema: SchemaRef, rows: usize) -> BatchStream {
    let state = (batches, BatchCoalescer::new(schema, rows), false);
    futures::stream::unfold(
        state,
        |(mut batches, mut coalescer, mut ended)| async move {
            loop {
                if let Some(batch) = coalescer.next_completed_batch() {
                    return Some((Ok(batch), (batches, coalescer, ended)));
                }
                if ended {
                    return None;
                }
                let pushed = match batches.next().await {
                    Some(Ok(batch)) => coalescer.push_batch(batch),
                    Some(Err(error)) => return Some((Err(error), (batches, coalescer, true))),
                    None => {
                        ended = true;
                        coalescer.finish_buffered_batch()
                    }
                };
                if let Err(error) = pushed {
                    let error = Error::internal(format!("batches cannot be resized: {error}"));
                    return Some((Err(error), (batches, coalescer, true)));
                }
            }
        },
    )
    .boxed()
}

/// Cuts a batch into slices of about `message_bytes` each; an empty batch stays one.
///
/// arrow-flight splits by buffer size; a slice reports its whole parent's buffers and would be
/// split into many tiny messages.
fn cut(batch: RecordBatch, message_bytes: usize) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    let parts = bytes_in(&batch)
        .div_ceil(message_bytes.max(1))
        .clamp(1, rows.max(1));
    if parts == 1 {
        return vec![batch];
    }
    let each = rows.div_ceil(parts);
    (0..rows)
        .step_by(each)
        .map(|start| batch.slice(start, each.min(rows - start)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MESSAGE: usize = 2 * 1024 * 1024;
    use arrow::array::{Array, Int64Array, StringArray, StringViewArray};
    use lakegate_gateway::values::bytes_of;

    #[test]
    fn batches_are_cut_by_what_is_in_them() {
        let million = RecordBatch::try_from_iter([(
            "a",
            Arc::new(Int64Array::from_iter_values(0..1_000_000)) as Arc<dyn Array>,
        )])
        .unwrap();
        let parts = cut(million.clone(), MESSAGE);
        assert_eq!(parts.len(), 4);
        assert_eq!(
            parts.iter().map(RecordBatch::num_rows).sum::<usize>(),
            1_000_000
        );
        assert!(parts.iter().all(|part| part.num_rows() * 8 <= MESSAGE));
        // A small slice of a large batch is small.
        assert_eq!(cut(million.slice(500_000, 8192), MESSAGE).len(), 1);
        assert_eq!(cut(million.slice(0, 0), MESSAGE).len(), 1);
        let text = Arc::new(StringArray::from(vec!["x".repeat(5 << 20)])) as Arc<dyn Array>;
        let wide = RecordBatch::try_from_iter([("a", text)]).unwrap();
        assert_eq!(cut(wide, MESSAGE).len(), 1, "a row is never cut");
        let views = StringViewArray::from_iter_values((0..1000).map(|_| "x".repeat(10_000)));
        let views = Arc::new(views) as Arc<dyn Array>;
        assert_eq!(bytes_of(&views), 1000 * (10_000 + 16));
        assert_eq!(bytes_of(&views.slice(7, 1)), 10_000 + 16);
    }

    #[tokio::test]
    async fn feed_holds_back_what_makes_a_result_large() {
        let batch = |rows: i64| {
            let column = Arc::new(Int64Array::from_iter_values(0..rows)) as Arc<dyn Array>;
            RecordBatch::try_from_iter([("a", column)]).unwrap()
        };
        let handover = Arc::new(Handover::default());
        let batches = [batch(10), batch(100_000), batch(20)];
        let mut feed = Feed {
            batches: futures::stream::iter(batches.map(Ok)).boxed(),
            bytes: 0,
            held: None,
            handover: Arc::clone(&handover),
        };
        assert_eq!(feed.next().await.unwrap().unwrap().num_rows(), 10);
        for _ in 0..2 {
            assert!(futures::poll!(feed.next()).is_pending());
        }
        assert!(handover.wanted.load(Ordering::Relaxed));
        handover.done.store(true, Ordering::Relaxed);
        assert_eq!(feed.next().await.unwrap().unwrap().num_rows(), 100_000);
        assert_eq!(feed.next().await.unwrap().unwrap().num_rows(), 20);
        assert!(feed.next().await.is_none());
    }
}
