//! SQL cursors: DECLARE, FETCH, MOVE and CLOSE on a query that keeps streaming.

mod position;
mod scroll;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use lakegate_engine::SessionMemory;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::{DeclareCursor, FetchDirection};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use self::position::Position;
use self::scroll::{Kept, Way, reversed};
use crate::Rows;
use crate::query::life::{BatchStream, timed_out};
use crate::query::watch::QueryWatch;

/// The maximum number of open cursors per session. Each holds a query that may be running.
const MAX_CURSORS: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: HashMap<String, Open>,
    /// The number of cursors that were ever opened.
    opened: u64,
}

#[derive(Debug)]
struct Open {
    cursor: Arc<Cursor>,
    /// The number of cursors that were opened before.
    number: u64,
    /// WITH HOLD, and its transaction has committed: no later one closes it.
    is_kept: bool,
}

/// A cursor on a stream of rows. It only moves forward, unless it keeps its rows.
pub(crate) struct Cursor {
    pub schema: SchemaRef,
    /// WITH HOLD: the cursor survives the end of its transaction.
    pub hold: bool,
    /// BINARY: protocols with a text format send the rows in their binary one.
    pub binary: bool,
    /// SCROLL: the cursor moves backward, too.
    pub scroll: bool,
    /// NO SCROLL: FETCH 0 does not return the current row again.
    no_scroll: bool,
    /// The statement that declared it.
    pub text: String,
    pub created_at: DateTime<Utc>,
    /// The query that produces the rows.
    pub query: Option<QueryWatch>,
    rows: Mutex<Position>,
    asked: Asked,
}

/// The rows that were requested by a FETCH but not read by its client.
#[derive(Debug, Default)]
struct Asked {
    /// Whether a FETCH is being read.
    busy: AtomicBool,
    /// The number of rows left unread by abandoned FETCHes. The next FETCH begins after them.
    skip: AtomicUsize,
    /// The number of rows that were taken from the stream.
    taken: AtomicUsize,
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
    /// `text`: the statement. `memory`: where the rows of a cursor with SCROLL are counted.
    pub(crate) fn new(
        declare: &DeclareCursor,
        text: String,
        rows: Rows,
        memory: &Arc<SessionMemory>,
    ) -> Arc<Self> {
        let kept = (declare.scroll == Some(true)).then(|| Kept::new(memory));
        Arc::new(Self {
            hold: declare.hold,
            binary: declare.binary,
            text,
            query: rows.query,
            no_scroll: declare.scroll == Some(false),
            ..Self::of(rows.schema, rows.stream, kept)
        })
    }

    /// `kept`: with SCROLL, the rows that were read, of which there are none yet.
    fn of(schema: SchemaRef, stream: BatchStream, kept: Option<Kept>) -> Self {
        Self {
            schema,
            hold: false,
            binary: false,
            scroll: kept.is_some(),
            no_scroll: false,
            text: String::new(),
            created_at: Utc::now(),
            query: None,
            rows: Mutex::new(Position::new(stream, kept)),
            asked: Asked::default(),
        }
    }

    /// Returns the wanted rows from the cursor's position, as a stream that holds at most one
    /// batch. The cursor moves past all of them, whether they are read or not.
    ///
    /// # Errors
    /// An earlier FETCH has not been read to its end. The stream ends with an error if the rows take
    /// too long, which ends the cursor's query.
    pub(crate) fn fetch(self: Arc<Self>, wanted: Wanted) -> Result<BatchStream> {
        let mut fetching = Fetching::begin(self, wanted)?;
        fetching.refuses_again = fetching.cursor.no_scroll;
        let rows = futures::stream::try_unfold(fetching, |mut fetching| async move {
            let batch = fetching.next().await?;
            Ok::<_, Error>(batch.map(|batch| (batch, fetching)))
        });
        Ok(rows.boxed())
    }

    /// Moves past the wanted rows, discards them, and returns their number.
    ///
    /// # Errors
    /// As of [`Cursor::fetch`]; the cursor's query fails.
    pub(crate) async fn pass(self: Arc<Self>, wanted: Wanted) -> Result<u64> {
        let mut fetching = Fetching::begin(self, wanted)?;
        let mut passed = 0;
        while let Some(batch) = fetching.next().await? {
            passed += batch.num_rows() as u64;
        }
        Ok(passed)
    }
}

/// A FETCH or MOVE in progress.
struct Fetching {
    cursor: Arc<Cursor>,
    /// Rows still to read.
    missing: usize,
    /// The current row is still to be read again.
    again: bool,
    /// Whether the current row must not be read again.
    refuses_again: bool,
    /// Where a cursor with SCROLL is still to go.
    way: Option<Way>,
    /// Rows that are still to be read again; the last row of the last part comes first.
    parts: Vec<RecordBatch>,
    /// When it must have ended, and the time that it was given.
    deadline: Option<(Instant, Duration)>,
}

impl Fetching {
    fn begin(cursor: Arc<Cursor>, wanted: Wanted) -> Result<Self> {
        if cursor.asked.busy.swap(true, Ordering::AcqRel) {
            return Err(Error::new(
                Code::ObjectInUse,
                "an earlier FETCH of the cursor has not been read to its end",
            )
            .with_hint("read it to its end, or close its portal"));
        }
        let asked = &cursor.asked;
        let skip = asked.skip.load(Ordering::Acquire);
        asked
            .skip
            .store(skip.saturating_add(wanted.passed), Ordering::Release);
        Ok(Self {
            missing: wanted.count,
            again: wanted.again,
            refuses_again: false,
            way: wanted.way,
            parts: Vec::new(),
            deadline: wanted
                .timeout
                .map(|timeout| (Instant::now() + timeout, timeout)),
            cursor,
        })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some((deadline, timeout)) = self.deadline else {
            return self.rows().await;
        };
        if let Ok(rows) = timeout_at(deadline, self.rows()).await {
            return rows;
        }
        let error = timed_out(timeout);
        if let Some(query) = &self.cursor.query {
            query.query().cancel(error.clone());
        }
        Err(error)
    }

    async fn rows(&mut self) -> Result<Option<RecordBatch>> {
        let cursor = Arc::clone(&self.cursor);
        let mut rows = cursor.rows.lock().await;
        loop {
            let skip = cursor.asked.skip.load(Ordering::Acquire);
            if skip == 0 {
                break;
            }
            let Some(batch) = rows.next(skip).await? else {
                cursor.asked.skip.store(0, Ordering::Release);
                break;
            };
            let asked = &cursor.asked;
            asked.taken.fetch_add(batch.num_rows(), Ordering::AcqRel);
            asked.skip.store(skip - batch.num_rows(), Ordering::Release);
        }
        if let Some(way) = self.way.take() {
            let turn = rows.turn(way).await?;
            (self.again, self.missing, self.parts) = (turn.again, turn.ahead, turn.parts);
        }
        if std::mem::take(&mut self.again) {
            return match rows.current() {
                Some(_) if self.refuses_again => Err(forward_only()),
                current => Ok(current.cloned()),
            };
        }
        if let Some(part) = self.parts.pop() {
            return reversed(&part).map(Some);
        }
        if self.missing == 0 {
            return Ok(None);
        }
        let batch = match rows.next(self.missing).await {
            Ok(Some(batch)) => batch,
            end => {
                self.missing = 0;
                return end;
            }
        };
        self.missing -= batch.num_rows();
        cursor
            .asked
            .taken
            .fetch_add(batch.num_rows(), Ordering::AcqRel);
        Ok(Some(batch))
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let asked = &self.cursor.asked;
        let skip = asked.skip.load(Ordering::Acquire);
        asked
            .skip
            .store(skip.saturating_add(self.missing), Ordering::Release);
        asked.busy.store(false, Ordering::Release);
    }
}

impl Cursors {
    /// Adds a cursor. `in_block`: whether a transaction block is open, which may close it.
    ///
    /// # Errors
    /// The name is taken; too many cursors are open.
    pub(crate) fn open(&mut self, name: &str, cursor: Arc<Cursor>, in_block: bool) -> Result<()> {
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
        let open = Open {
            cursor,
            number: self.opened,
            is_kept: !in_block,
        };
        self.opened += 1;
        self.open.insert(name.to_owned(), open);
        Ok(())
    }

    /// Returns the number of cursors that were ever opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// Returns all cursors with their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &Arc<Cursor>)> {
        self.open.iter().map(|(name, open)| (name, &open.cursor))
    }

    /// Returns the cursor of this name.
    ///
    /// # Errors
    /// The cursor does not exist.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Cursor>> {
        let open = self.open.get(name).ok_or_else(|| {
            Error::new(
                Code::InvalidCursor,
                format!("cursor \"{name}\" does not exist"),
            )
        })?;
        Ok(Arc::clone(&open.cursor))
    }

    /// Closes a cursor, or all for `None`.
    ///
    /// # Errors
    /// The cursor does not exist.
    pub(crate) fn close(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.open.clear(),
            Some(name) => {
                self.get(name)?;
                self.open.remove(name);
            }
        }
        Ok(())
    }

    /// Closes the cursors that do not outlive their transaction.
    pub(crate) fn end_transaction(&mut self, committed: bool) {
        self.open.retain(|_, open| {
            open.is_kept |= open.cursor.hold && committed;
            open.is_kept
        });
    }

    /// Closes the cursors that were opened after a savepoint. `opened`: the number of those that
    /// were opened before.
    pub(crate) fn rollback_to(&mut self, opened: u64) {
        self.open.retain(|_, open| open.number < opened);
    }
}

/// The rows that a FETCH or MOVE requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Rows that are passed before those.
    passed: usize,
    count: usize,
    /// The current row, and no others.
    again: bool,
    /// Instead of all that: where a cursor with SCROLL goes.
    way: Option<Way>,
    /// How long it may take to get them.
    timeout: Option<Duration>,
}

impl Wanted {
    fn next(count: usize) -> Self {
        Self {
            passed: 0,
            count,
            again: false,
            way: None,
            timeout: None,
        }
    }

    fn going(way: Way) -> Self {
        Self {
            way: Some(way),
            ..Self::next(0)
        }
    }

    fn current() -> Self {
        Self {
            again: true,
            ..Self::next(0)
        }
    }

    fn one_after(passed: usize) -> Self {
        Self {
            passed,
            ..Self::next(1)
        }
    }

    /// Returns the same rows, which must come in time.
    pub(crate) fn within(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }
}

impl Cursor {
    /// Returns the rows that a direction requests.
    ///
    /// # Errors
    /// They are not ahead of the cursor, which was declared without SCROLL.
    pub(super) fn wanted(&self, direction: FetchDirection) -> Result<Wanted> {
        if self.scroll {
            return Ok(Wanted::going(Way::of(direction)));
        }
        let rows = |count: i64| usize::try_from(count).map_err(|_| forward_only());
        match direction {
            FetchDirection::Next => Ok(Wanted::next(1)),
            FetchDirection::ForwardAll => Ok(Wanted::next(usize::MAX)),
            // As in SQL, no rows are the current one.
            FetchDirection::Forward(0) | FetchDirection::Relative(0) => Ok(Wanted::current()),
            FetchDirection::Forward(count) => Ok(Wanted::next(rows(count)?)),
            // One row, which is so many rows ahead.
            FetchDirection::Relative(places) => Ok(match rows(places)?.checked_sub(1) {
                Some(passed) => Wanted::one_after(passed),
                None => Wanted::current(),
            }),
            // One row, which is so many rows from the start.
            FetchDirection::First => self.at(1).ok_or_else(forward_only),
            FetchDirection::Absolute(place) => self.at(rows(place)?).ok_or_else(forward_only),
            _ => Err(forward_only()),
        }
    }

    /// Returns the row at a place from the start, from 1; `None` if the cursor is past it.
    fn at(&self, place: usize) -> Option<Wanted> {
        let taken = self.asked.taken.load(Ordering::Acquire);
        let position = taken.saturating_add(self.asked.skip.load(Ordering::Acquire));
        let passed = place.checked_sub(1)?.checked_sub(position)?;
        Some(Wanted::one_after(passed))
    }
}

fn forward_only() -> Error {
    Error::new(Code::ForwardOnlyCursor, "cursor can only scan forward")
        .with_hint("Declare it with SCROLL option to enable backward scan.")
}

#[cfg(test)]
mod tests;
