//! Where a cursor is in its stream of rows.

use arrow::array::RecordBatch;
use futures::StreamExt;
use lakegate_error::Result;

use super::scroll::{Kept, Way};
use crate::query::life::BatchStream;

/// A stream of rows, and the place in it.
pub(super) struct Position {
    stream: BatchStream,
    /// The rest of the batch that was read last, if the rows are not kept.
    rest: Option<RecordBatch>,
    /// The row that was read last; none before the first row and behind the last one.
    current: Option<RecordBatch>,
    /// The rows that were read, with SCROLL.
    kept: Option<Kept>,
}

/// What a FETCH or MOVE of a cursor with SCROLL returns.
#[derive(Default)]
pub(super) struct Turn {
    /// The current row.
    pub again: bool,
    /// The number of the next rows.
    pub ahead: usize,
    /// Rows that were read before, in parts; the last row of the last part is returned first.
    pub parts: Vec<RecordBatch>,
}

impl Position {
    /// `kept`: with SCROLL, the rows that were read, of which there are none yet.
    pub(super) fn new(stream: BatchStream, kept: Option<Kept>) -> Self {
        Self {
            stream,
            rest: None,
            current: None,
            kept,
        }
    }

    pub(super) fn current(&self) -> Option<&RecordBatch> {
        self.current.as_ref()
    }

    /// Returns up to `most` rows, or `None` at the end.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<RecordBatch>> {
        let batch = match &mut self.kept {
            Some(kept) => kept.next(&mut self.stream, most).await?,
            None => self.next_of_stream(most).await?,
        };
        match &batch {
            None => self.current = None,
            Some(batch) => {
                if let Some(last) = batch.num_rows().checked_sub(1) {
                    self.current = Some(batch.slice(last, 1));
                }
            }
        }
        Ok(batch)
    }

    async fn next_of_stream(&mut self, most: usize) -> Result<Option<RecordBatch>> {
        let batch = match self.rest.take() {
            Some(batch) => batch,
            None => match self.stream.next().await {
                Some(batch) => batch?,
                None => return Ok(None),
            },
        };
        let rows = batch.num_rows();
        Ok(Some(match rows <= most {
            true => batch,
            false => {
                self.rest = Some(batch.slice(most, rows - most));
                batch.slice(0, most)
            }
        }))
    }

    /// Moves a cursor that keeps its rows, up to the rows that come next.
    ///
    /// # Errors
    /// The stream fails; a row is forgotten.
    pub(super) async fn turn(&mut self, way: Way) -> Result<Turn> {
        let row = match way {
            Way::Current => {
                return Ok(Turn {
                    again: true,
                    ..Turn::default()
                });
            }
            Way::Forward(ahead) => {
                return Ok(Turn {
                    ahead,
                    ..Turn::default()
                });
            }
            Way::Backward(most) => return self.back(most),
            Way::Relative(places) => i128::from(places) + self.place(),
            Way::Absolute(row @ 0..) => i128::from(row),
            Way::Absolute(from_the_end) => {
                if let Some(kept) = &mut self.kept {
                    kept.pass_forgotten();
                }
                while self.next(usize::MAX).await?.is_some() {}
                // The place is behind the last row.
                i128::from(from_the_end) + self.place()
            }
        };
        self.row(usize::try_from(row.max(0)).unwrap_or(usize::MAX))
            .await
    }

    fn place(&self) -> i128 {
        self.kept.as_ref().map_or(0, |kept| kept.place() as i128)
    }

    fn back(&mut self, most: usize) -> Result<Turn> {
        let Some(kept) = &mut self.kept else {
            return Ok(Turn::default());
        };
        let parts = kept.back(most)?;
        self.current = match kept.place() {
            0 => None,
            _ => parts.first().map(|part| part.slice(0, 1)),
        };
        Ok(Turn {
            parts,
            ..Turn::default()
        })
    }

    /// Moves to a row by its number, before all rows for 0, or behind all.
    async fn row(&mut self, row: usize) -> Result<Turn> {
        loop {
            let Some(kept) = &mut self.kept else {
                return Ok(Turn::default());
            };
            if kept.reaches(row) {
                self.current = kept.go_to(row)?;
                return Ok(Turn {
                    parts: self.current.iter().cloned().collect(),
                    ..Turn::default()
                });
            }
            kept.pass_forgotten();
            let missing = row.saturating_sub(kept.place()).max(1);
            if self.next(missing).await?.is_none() {
                return Ok(Turn::default());
            }
        }
    }
}
