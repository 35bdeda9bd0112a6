//! SQL cursors: DECLARE, FETCH, MOVE and CLOSE over a query that goes on streaming.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use lakegate_sql::ast::FetchDirection;
use tokio::sync::Mutex;

use super::query::BatchStream;
use crate::error::{Code, Error, Result};

/// Open cursors of one session; each holds a query that may be running.
const MAX_CURSORS: usize = 100;

#[derive(Debug, Default)]
pub struct Cursors {
    open: HashMap<String, Arc<Cursor>>,
}

/// A cursor that only goes forward, as a stream does.
pub struct Cursor {
    pub schema: SchemaRef,
    /// Lives on when its transaction ends.
    pub hold: bool,
    rows: Mutex<Position>,
}

struct Position {
    stream: BatchStream,
    /// What is left of the batch that was read last.
    rest: Option<RecordBatch>,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("schema", &self.schema)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

impl Cursor {
    pub fn new(schema: SchemaRef, hold: bool, stream: BatchStream) -> Arc<Self> {
        Arc::new(Self {
            schema,
            hold,
            rows: Mutex::new(Position { stream, rest: None }),
        })
    }

    /// Up to `count` rows from where the cursor is. Holds no more than they are.
    pub async fn fetch(&self, count: usize) -> Result<Vec<RecordBatch>> {
        let mut rows = self.rows.lock().await;
        let mut fetched = Vec::new();
        let mut missing = count;
        while missing > 0 {
            let batch = match rows.rest.take() {
                Some(batch) => batch,
                None => match rows.stream.next().await {
                    Some(batch) => batch?,
                    None => break,
                },
            };
            if batch.num_rows() > missing {
                rows.rest = Some(batch.slice(missing, batch.num_rows() - missing));
                fetched.push(batch.slice(0, missing));
                missing = 0;
            } else {
                missing -= batch.num_rows();
                fetched.push(batch);
            }
        }
        Ok(fetched)
    }
}

impl Cursors {
    pub fn open(&mut self, name: &str, cursor: Arc<Cursor>) -> Result<()> {
        if self.open.contains_key(name) {
            return Err(Error::new(
                Code::DuplicateCursor,
                format!("cursor \"{name}\" already exists"),
            ));
        }
        if self.open.len() >= MAX_CURSORS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!("{MAX_CURSORS} cursors are open; CLOSE one before another is declared"),
            ));
        }
        self.open.insert(name.to_owned(), cursor);
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<Arc<Cursor>> {
        self.open.get(name).cloned().ok_or_else(|| {
            Error::new(
                Code::InvalidCursor,
                format!("cursor \"{name}\" does not exist"),
            )
        })
    }

    /// `None` closes all.
    pub fn close(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.open.clear(),
            Some(name) => {
                self.get(name)?;
                self.open.remove(name);
            }
        }
        Ok(())
    }

    /// Closes what does not outlive its transaction.
    pub fn end_transaction(&mut self, committed: bool) {
        self.open.retain(|_, cursor| cursor.hold && committed);
    }
}

/// How many rows a direction asks for.
///
/// Errors: any way that is not forward.
pub fn forward(direction: FetchDirection) -> Result<usize> {
    let backward = || {
        Error::new(Code::ObjectInUse, "cursor can only scan forward")
            .with_hint("declare the query again to start over")
    };
    match direction {
        FetchDirection::Next => Ok(1),
        FetchDirection::ForwardAll => Ok(usize::MAX),
        FetchDirection::Forward(count) | FetchDirection::Relative(count) => {
            usize::try_from(count).map_err(|_| backward())
        }
        _ => Err(backward()),
    }
}
