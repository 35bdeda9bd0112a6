//! The rows of one partition of a shared part, for several readers.
//!
//! ```text
//!            first ┌───────┬───────┬─────────────┬──────────┐ given
//!   freed ····     │ batch │ batch │ file of 3   │ writing… │ ◀── input, polled by any reader
//!                  └───────┴───────┴─────────────┴──────────┘
//!                      ▲ reader 1      ▲ reader 0     reader 2 ▲
//! ```
//!
//! No task drives the input. The reader that has got all batches so far polls it, and keeps the
//! batch for those that are behind. A join may read one side to its end before the other, so nothing
//! bounds how far readers are apart: batches are kept in memory that is taken from the pool, and
//! beyond a bound, or if the pool has no more, in files. They are freed when all readers have passed
//! them or have gone.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::spill::SpillManager;
use futures::StreamExt;
use parking_lot::Mutex;

use super::kept::{Input, State, Step};
use super::waiting::Waiting;

/// A log. Readers are numbers, in the order in which they joined.
pub(super) struct Log {
    state: Mutex<State>,
    waiting: Arc<Waiting>,
    files: SpillManager,
}

/// What a reader gets.
pub(super) enum Next {
    Batch(RecordBatch),
    /// The next batches are those of a file.
    File(Stored),
    End,
}

/// Batches in a file.
pub(super) struct Stored {
    pub batches: SendableRecordBatchStream,
    /// The first batches, which the reader has already had.
    pub skipped: u64,
    /// The batches after those.
    pub left: u64,
}

impl Log {
    /// Creates a log for this many readers. `bound`: bytes that it keeps in `memory`.
    pub(super) fn new(
        expected: usize,
        bound: usize,
        memory: MemoryReservation,
        files: SpillManager,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(expected, bound, memory)),
            waiting: Arc::default(),
            files,
        }
    }

    /// Adds a reader, which gets all batches; `None` if the first ones are gone.
    pub(super) fn join(&self) -> Option<usize> {
        self.state.lock().join()
    }

    /// Starts the input, unless a reader did.
    ///
    /// # Errors
    ///
    /// Returns the error of the input, which all readers get.
    pub(super) fn start(
        &self,
        execute: impl FnOnce() -> Result<SendableRecordBatchStream>,
    ) -> Result<()> {
        {
            let mut state = self.state.lock();
            if !matches!(state.input, Input::New) {
                return Ok(());
            }
            state.input = Input::Busy;
        }
        let working = Working::on(self);
        let started = execute();
        working.ended();
        let started = match started {
            Ok(input) => {
                self.state.lock().input = Input::Idle(input);
                Ok(())
            }
            Err(error) => Err(self.state.lock().fail(error)),
        };
        self.waiting.wake_all();
        started
    }

    /// Returns what comes next for a reader. What it returns before the end must be taken: batches
    /// of a file are reported with [`passed`](Self::passed).
    pub(super) fn poll(&self, reader: usize, cx: &Context<'_>) -> Poll<Result<Next>> {
        self.waiting.wait(reader, cx.waker());
        let step = self.state.lock().step(reader);
        let next = match step {
            Ok(Step::Batch(batch)) => Poll::Ready(Ok(Next::Batch(batch))),
            Ok(Step::File {
                file,
                skipped,
                left,
            }) => {
                let batches = self.files.read_spill_as_stream_unbuffered(file, None);
                Poll::Ready(batches.map(|batches| {
                    Next::File(Stored {
                        batches,
                        skipped,
                        left,
                    })
                }))
            }
            Ok(Step::End) => Poll::Ready(Ok(Next::End)),
            Ok(Step::Wait) => Poll::Pending,
            Ok(Step::Poll(input)) => self.poll_input(reader, input),
            Err(error) => Poll::Ready(Err(error)),
        };
        if next.is_ready() {
            self.waiting.leave(reader);
        }
        next
    }

    fn poll_input(
        &self,
        reader: usize,
        mut input: SendableRecordBatchStream,
    ) -> Poll<Result<Next>> {
        let waker = Waker::from(Arc::clone(&self.waiting));
        let working = Working::on(self);
        let polled = input.poll_next_unpin(&mut Context::from_waker(&waker));
        working.ended();
        let mut state = self.state.lock();
        let was_contended = std::mem::take(&mut state.is_contended);
        let (next, ended) = match polled {
            Poll::Pending => {
                state.input = Input::Idle(input);
                drop(state);
                // The input may have woken this reader's task alone, before the other one waited.
                if was_contended {
                    self.waiting.wake_others(reader);
                }
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(batch))) => match state.keep(reader, &batch, &self.files) {
                Ok(()) => {
                    state.input = Input::Idle(input);
                    (Ok(Next::Batch(batch)), None)
                }
                Err(error) => (Err(state.fail(error)), Some(input)),
            },
            Poll::Ready(Some(Err(error))) => (Err(state.fail(error)), Some(input)),
            Poll::Ready(None) => {
                state.input = Input::Ended;
                (Ok(Next::End), Some(input))
            }
        };
        drop(state);
        // Operators below may have readers of other logs, so the input is dropped without the lock.
        drop(ended);
        self.waiting.wake_others(reader);
        Poll::Ready(next)
    }

    /// Reports that a reader has got its next batch from a file.
    pub(super) fn passed(&self, reader: usize) {
        self.state.lock().passed(reader);
    }

    /// Removes a reader. The input is dropped with the last one.
    pub(super) fn leave(&self, reader: usize) {
        self.waiting.leave(reader);
        let input = self.state.lock().leave(reader);
        // Without the lock, as below.
        drop(input);
    }
}

/// Makes a log fail if the work on its input panics: its readers would wait for ever.
struct Working<'a>(Option<&'a Log>);

impl<'a> Working<'a> {
    fn on(log: &'a Log) -> Self {
        Self(Some(log))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let Some(log) = self.0.take() {
            let what = "an operator panicked below a shared part".to_owned();
            let _ = log.state.lock().fail(DataFusionError::Internal(what));
            log.waiting.wake_all();
        }
    }
}
