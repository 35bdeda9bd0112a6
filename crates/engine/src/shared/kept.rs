//! What a log keeps for the readers that are behind.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::spill_file::SpillFile;
use datafusion::physical_plan::spill::SpillManager;

use crate::limits::stop::compact;

/// The input of a log, what is kept of it, and its readers.
pub(super) struct State {
    pub input: Input,
    /// Batches of the input so far. Those without rows do not count.
    given: u64,
    /// What readers may still need, oldest first.
    kept: VecDeque<Kept>,
    /// The last batches, if they are being written to a file.
    writing: Option<Writing>,
    memory: MemoryReservation,
    /// Bytes of batches that are kept in memory.
    bound: usize,
    /// The number of the next batch of each reader; `None` if it has gone.
    readers: Vec<Option<u64>>,
    /// Readers that there will be.
    expected: usize,
    /// Whether batches were dropped that a new reader would need.
    is_cut: bool,
    /// Whether a reader found the input busy.
    pub is_contended: bool,
}

pub(super) enum Input {
    New,
    Idle(SendableRecordBatchStream),
    /// A reader is polling or starting it.
    Busy,
    Ended,
    Failed(Arc<DataFusionError>),
    /// All readers have gone before its end.
    Abandoned,
}

/// Batches from `start` on.
struct Kept {
    start: u64,
    rows: Rows,
}

enum Rows {
    Batch {
        batch: RecordBatch,
        bytes: usize,
    },
    File {
        file: Arc<dyn SpillFile>,
        batches: u64,
    },
}

struct Writing {
    start: u64,
    batches: u64,
    append: Append,
}

/// Writes a batch to a file, or for `None` returns the file. DataFusion does not export the type of
/// a file that is being written.
type Append = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send>;

/// What a reader does next.
pub(super) enum Step {
    Batch(RecordBatch),
    File {
        file: Arc<dyn SpillFile>,
        skipped: u64,
        left: u64,
    },
    End,
    /// Another reader polls the input.
    Wait,
    Poll(SendableRecordBatchStream),
}

impl State {
    pub(super) fn new(expected: usize, bound: usize, memory: MemoryReservation) -> Self {
        Self {
            input: Input::New,
            given: 0,
            kept: VecDeque::new(),
            writing: None,
            memory,
            bound,
            readers: Vec::new(),
            expected,
            is_cut: false,
            is_contended: false,
        }
    }

    /// Adds a reader, which gets all batches; `None` if the first ones are gone.
    pub(super) fn join(&mut self) -> Option<usize> {
        if self.is_cut || matches!(self.input, Input::Abandoned) {
            return None;
        }
        self.readers.push(Some(0));
        Some(self.readers.len() - 1)
    }

    /// Moves a reader behind its next batch.
    pub(super) fn passed(&mut self, reader: usize) {
        if let Some(Some(next)) = self.readers.get_mut(reader) {
            *next += 1;
        }
        self.free();
    }

    /// Removes a reader, and returns the input if it was the last one.
    pub(super) fn leave(&mut self, reader: usize) -> Option<SendableRecordBatchStream> {
        if let Some(next) = self.readers.get_mut(reader) {
            *next = None;
        }
        self.free();
        self.abandoned()
    }

    /// Returns the next step of a reader.
    ///
    /// # Errors
    ///
    /// Returns the error of the input, or an error if a file cannot be finished.
    pub(super) fn step(&mut self, reader: usize) -> Result<Step> {
        let Some(next) = self.readers.get(reader).copied().flatten() else {
            return Ok(Step::End);
        };
        if next < self.given {
            return self.kept_from(reader, next);
        }
        match std::mem::replace(&mut self.input, Input::Busy) {
            Input::Idle(input) => Ok(Step::Poll(input)),
            Input::Busy => {
                self.is_contended = true;
                Ok(Step::Wait)
            }
            Input::Ended => {
                self.input = Input::Ended;
                Ok(Step::End)
            }
            Input::Failed(error) => {
                let shared = DataFusionError::from(&error);
                self.input = Input::Failed(error);
                Err(shared)
            }
            // A reader starts the input before it polls, and an abandoned one has no readers.
            other => {
                self.input = other;
                Err(lost())
            }
        }
    }

    /// Returns what is kept of the batches from `next` on.
    fn kept_from(&mut self, reader: usize, next: u64) -> Result<Step> {
        if self.writing.as_ref().is_some_and(|file| file.start <= next) {
            self.finish_file()?;
        }
        let after = self.kept.partition_point(|kept| kept.start <= next);
        let kept = after.checked_sub(1).and_then(|place| self.kept.get(place));
        let Some(kept) = kept.filter(|kept| next < kept.end()) else {
            return Err(self.missing());
        };
        let step = match &kept.rows {
            Rows::Batch { batch, .. } => Step::Batch(batch.clone()),
            Rows::File { file, batches } => {
                let skipped = next - kept.start;
                return Ok(Step::File {
                    file: Arc::clone(file),
                    skipped,
                    left: batches.saturating_sub(skipped),
                });
            }
        };
        if let Some(position) = self.readers.get_mut(reader) {
            *position = Some(next + 1);
        }
        self.free();
        Ok(step)
    }

    /// Counts a batch that a reader got from the input, and keeps it if others will read it.
    ///
    /// # Errors
    ///
    /// Returns an error if the batch cannot be written to a file.
    pub(super) fn keep(
        &mut self,
        reader: usize,
        batch: &RecordBatch,
        files: &SpillManager,
    ) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let start = self.given;
        self.given += 1;
        if let Some(position) = self.readers.get_mut(reader) {
            *position = Some(self.given);
        }
        let mut others = self.readers.iter().enumerate();
        let is_wanted = self.readers.len() < self.expected
            || others.any(|(other, next)| other != reader && next.is_some());
        if !is_wanted {
            self.is_cut = true;
            return Ok(());
        }
        if let Some(writing) = &mut self.writing {
            (writing.append)(Some(batch))?;
            writing.batches += 1;
            return Ok(());
        }
        let batch = compact(batch)?;
        let bytes = batch.get_array_memory_size() + size_of::<Kept>();
        let total = self.memory.size().saturating_add(bytes);
        if total <= self.bound && self.memory.try_grow(bytes).is_ok() {
            let rows = Rows::Batch { batch, bytes };
            self.kept.push_back(Kept { start, rows });
            return Ok(());
        }
        let mut file = files.create_in_progress_file("shared rows")?;
        let mut append: Append = Box::new(move |batch: Option<&RecordBatch>| match batch {
            Some(batch) => file.append_batch(batch).map(|_| None),
            None => file.finish(),
        });
        append(Some(&batch))?;
        self.writing = Some(Writing {
            start,
            batches: 1,
            append,
        });
        Ok(())
    }

    /// Makes the file that is being written one that can be read.
    fn finish_file(&mut self) -> Result<()> {
        let Some(mut writing) = self.writing.take() else {
            return Ok(());
        };
        let file = match (writing.append)(None) {
            Ok(file) => file.ok_or_else(lost)?,
            Err(error) => return Err(self.fail(error)),
        };
        self.kept.push_back(Kept {
            start: writing.start,
            rows: Rows::File {
                file,
                batches: writing.batches,
            },
        });
        Ok(())
    }

    /// Drops the batches that all readers have passed.
    fn free(&mut self) {
        if self.readers.len() < self.expected {
            return;
        }
        let positions = self.readers.iter().copied().flatten();
        let needed = positions.min().unwrap_or(u64::MAX);
        while self.kept.front().is_some_and(|kept| kept.end() <= needed) {
            if let Some(Kept {
                rows: Rows::Batch { bytes, .. },
                ..
            }) = self.kept.pop_front()
            {
                self.memory.shrink(bytes);
            }
            self.is_cut = true;
        }
        let written = self.writing.as_ref();
        if written.is_some_and(|file| file.start + file.batches <= needed) {
            self.writing = None;
            self.is_cut = true;
        }
    }

    /// Returns the input if no reader is left for it, and none will come.
    fn abandoned(&mut self) -> Option<SendableRecordBatchStream> {
        if self.readers.len() < self.expected || self.readers.iter().any(Option::is_some) {
            return None;
        }
        match std::mem::replace(&mut self.input, Input::Abandoned) {
            Input::Idle(input) => Some(input),
            other => {
                self.input = other;
                None
            }
        }
    }

    /// The error for a reader whose next batch could not be kept.
    fn missing(&self) -> DataFusionError {
        match &self.input {
            Input::Failed(error) => DataFusionError::from(error),
            _ => lost(),
        }
    }

    /// Makes all readers fail once they have read what is kept, and returns the error for one.
    pub(super) fn fail(&mut self, error: DataFusionError) -> DataFusionError {
        let error = Arc::new(error);
        let shared = DataFusionError::from(&error);
        self.input = Input::Failed(error);
        shared
    }
}

impl Kept {
    /// The number of the batch after these.
    fn end(&self) -> u64 {
        match &self.rows {
            Rows::Batch { .. } => self.start + 1,
            Rows::File { batches, .. } => self.start + batches,
        }
    }
}

fn lost() -> DataFusionError {
    DataFusionError::Internal("rows of a shared part were lost".to_owned())
}
