//! The query history: every query from its submission on, kept for the configured retention.
//!
//! Running queries are held in memory. Finished ones are written in groups, off the query path, to
//! a separate database. A crash loses at most the group that was being collected.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use lakegate_error::{Error, Result};
use parking_lot::Mutex;
use uuid::Uuid;

use super::events::{QueryEvent, QueryListener};
use super::history_store::{HistoryStore, Place};
use super::history_writer::Writer;
use super::record::{Owner, QueryRecord};

/// The maximum number of records per page.
const PAGE_ROWS: usize = 1_000;

/// All queries, running and past.
#[derive(Debug)]
pub struct History {
    running: Mutex<HashMap<Uuid, QueryRecord>>,
    writer: Writer,
    store: Arc<HistoryStore>,
}

impl History {
    /// Opens the history database.
    ///
    /// # Errors
    /// The database cannot be opened, is locked, or was written by a newer version.
    pub fn open(file: &Path, retention: Duration) -> Result<Arc<Self>> {
        let store = Arc::new(HistoryStore::open(file, retention)?);
        let writer = Writer::start(Arc::clone(&store))?;
        Ok(Arc::new(Self {
            running: Mutex::default(),
            writer,
            store,
        }))
    }

    fn record(&self, record: &QueryRecord) {
        if record.state.is_final() {
            // Queued for writing before it is removed from memory, so that a reader never misses
            // it.
            self.writer.push(record.clone());
            self.running.lock().remove(&record.query_id);
        } else {
            let mut running = self.running.lock();
            running.insert(record.query_id, record.clone());
        }
    }

    pub fn running(&self, query_id: Uuid) -> Option<QueryRecord> {
        self.running.lock().get(&query_id).cloned()
    }

    /// Returns the running queries of one user or of all users, newest first.
    fn running_of(&self, owner: Option<&Owner>) -> Vec<QueryRecord> {
        let running = self.running.lock();
        let wanted = running
            .values()
            .filter(|record| owner.is_none_or(|owner| owner.owns(record)));
        let mut records: Vec<QueryRecord> = wanted.cloned().collect();
        drop(running);
        records.sort_by_key(|record| std::cmp::Reverse(record.submitted_at));
        records
    }

    /// Returns the queries of one user or of all users, page by page: first the running ones, then
    /// the finished ones, each newest first. The stream ends with an error if the history cannot be
    /// read.
    pub fn pages(
        self: &Arc<Self>,
        owner: Option<Owner>,
    ) -> impl Stream<Item = Result<Vec<QueryRecord>>> + Send + use<> {
        let pages = Pages {
            history: Arc::clone(self),
            owner,
            next: Next::Running,
        };
        futures::stream::try_unfold(pages, |pages| async move {
            let read = tokio::task::spawn_blocking(move || pages.read());
            read.await
                .map_err(|e| Error::internal(format!("the history cannot be read: {e}")))?
        })
    }

    /// Returns the newest queries of one user or of all users, at most `limit`.
    #[cfg(test)]
    pub async fn queries(
        self: &Arc<Self>,
        owner: Option<Owner>,
        limit: usize,
    ) -> Result<Vec<QueryRecord>> {
        use futures::TryStreamExt;
        let pages: Vec<Vec<QueryRecord>> = self.pages(owner).try_collect().await?;
        let mut records = pages.concat();
        records.truncate(limit);
        Ok(records)
    }

    /// Waits until all finished queries are on disk.
    pub fn flush(&self) {
        self.writer.flush();
    }
}

impl QueryListener for History {
    fn on(&self, event: &QueryEvent<'_>) {
        self.record(event.record());
    }
}

/// The state of a paged read.
struct Pages {
    history: Arc<History>,
    owner: Option<Owner>,
    next: Next,
}

enum Next {
    Running,
    /// `running` holds the ids already returned from memory: a query that has ended since then
    /// would be returned twice.
    Past {
        before: Place,
        running: HashSet<Uuid>,
    },
    End,
}

impl Pages {
    fn read(mut self) -> Result<Option<(Vec<QueryRecord>, Self)>> {
        let owner = self.owner.as_ref();
        let (before, running) = match self.next {
            Next::End => return Ok(None),
            Next::Running => {
                let records = self.history.running_of(owner);
                // Flushed after the look into memory, so that a query that ends now is in at least
                // one of the two.
                self.history.writer.flush();
                let running = records.iter().map(|record| record.query_id).collect();
                self.next = Next::Past {
                    before: Place::END,
                    running,
                };
                return Ok(Some((records, self)));
            }
            Next::Past { before, running } => (before, running),
        };
        let mut page = self.history.store.page(owner, before, PAGE_ROWS)?;
        self.next = match page.last() {
            Some(last) => Next::Past {
                before: Place {
                    submitted_at: last.submitted_at.timestamp_micros(),
                    query_id: last.query_id,
                },
                running: running.clone(),
            },
            None => Next::End,
        };
        page.retain(|record| !running.contains(&record.query_id));
        Ok(Some((page, self)))
    }
}

#[cfg(test)]
use chrono::{DateTime, Utc};

#[cfg(test)]
use super::record::QueryState;

#[cfg(test)]
fn owner(user: &str) -> Owner {
    Owner {
        user_id: user.len().try_into().unwrap_or(0),
        user_name: user.to_owned(),
        since: DateTime::UNIX_EPOCH,
    }
}

#[cfg(test)]
pub(crate) fn sample(user: &str, state: QueryState) -> QueryRecord {
    QueryRecord {
        query_id: Uuid::new_v4(),
        user_name: user.to_owned(),
        user_id: Some(user.len().try_into().unwrap_or(0)),
        workgroup: "primary".to_owned(),
        database: "default".to_owned(),
        state,
        query: "SELECT 1".to_owned(),
        submitted_at: Utc::now(),
        completed_at: state.is_final().then(Utc::now),
        planning: Duration::from_millis(1),
        queued: Duration::ZERO,
        execution: Duration::from_millis(2),
        total: Duration::from_millis(3),
        cpu: Duration::from_millis(2),
        bytes_scanned: 4,
        bytes_fetched: 5,
        bytes_written: 7,
        rows: 6,
        cache_hit: false,
        error_code: (state == QueryState::Failed).then(|| "DIVISION_BY_ZERO".to_owned()),
        error_message: None,
        protocol: "postgres".to_owned(),
        application_name: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn finished_queries_survive_a_restart_and_running_ones_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.db");
        let day = Duration::from_secs(86_400);
        let history = History::open(&file, day).unwrap();
        let mut query = sample("ann", QueryState::Running);
        history.record(&query);
        assert_eq!(
            history.queries(None, 10).await.unwrap()[0].state,
            QueryState::Running
        );
        query.state = QueryState::Failed;
        query.error_code = Some("DIVISION_BY_ZERO".to_owned());
        history.record(&query);
        history.record(&QueryRecord {
            user_id: Some(4),
            ..sample("bob", QueryState::Succeeded)
        });
        assert_eq!(history.queries(None, 10).await.unwrap().len(), 2);
        drop(history);
        let history = History::open(&file, day).unwrap();
        let owner = |user_id| Owner {
            user_id,
            user_name: "ann".to_owned(),
            since: Utc::now(),
        };
        // A later user with the same name sees none of these queries.
        let others = history.queries(Some(owner(77)), 10).await.unwrap();
        assert!(others.is_empty(), "{others:?}");
        let anns = history.queries(query.user_id.map(owner), 10).await.unwrap();
        assert_eq!(anns.len(), 1);
        assert_eq!(
            (anns[0].query_id, anns[0].error_code.as_deref()),
            (query.query_id, Some("DIVISION_BY_ZERO"))
        );
    }

    #[tokio::test]
    async fn history_without_processor_times_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.db");
        let day = Duration::from_secs(86_400);
        let history = History::open(&file, day).unwrap();
        history.record(&sample("ann", QueryState::Succeeded));
        drop(history);
        rusqlite::Connection::open(&file)
            .unwrap()
            .execute_batch(
                "CREATE INDEX queries_by_user ON queries (user_name, submitted_at);
                 ALTER TABLE queries DROP COLUMN user_id; ALTER TABLE queries DROP COLUMN cpu_us;
                 ALTER TABLE queries DROP COLUMN bytes_written; PRAGMA user_version = 1;",
            )
            .unwrap();
        let history = History::open(&file, day).unwrap();
        history.record(&sample("ben", QueryState::Succeeded));
        let queries = history.queries(None, 10).await.unwrap();
        let times = queries
            .iter()
            .map(|query| (query.user_name.as_str(), query.cpu));
        assert_eq!(
            times.collect::<Vec<_>>(),
            [("ben", Duration::from_millis(2)), ("ann", Duration::ZERO)]
        );
        drop(history);
        let indexes: Vec<String> = {
            let connection = rusqlite::Connection::open(&file).unwrap();
            let mut named = connection
                .prepare("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
                .unwrap();
            let names = named.query_map([], |row| row.get(0)).unwrap();
            names.collect::<rusqlite::Result<_>>().unwrap()
        };
        assert_eq!(indexes, ["queries_by_time"]);
    }

    #[tokio::test]
    async fn history_is_read_in_pages_of_bounded_size() {
        use futures::StreamExt;
        let dir = tempfile::tempdir().unwrap();
        let history = History::open(&dir.path().join("h.db"), Duration::from_secs(3600)).unwrap();
        history.record(&sample("ann", QueryState::Running));
        let long = "x".repeat(1 << 20);
        let mut ids = HashSet::new();
        for number in 0..40 {
            let mut query = sample("ann", QueryState::Succeeded);
            query.query = long.clone();
            // Many queries with the same timestamp.
            query.submitted_at = DateTime::from_timestamp(2_000_000_000 + number / 8, 0).unwrap();
            ids.insert(query.query_id);
            history.record(&query);
        }
        for number in 0..2_000 {
            let mut query = sample("robert", QueryState::Succeeded);
            query.submitted_at = DateTime::from_timestamp(2_000_000_000 + number / 700, 0).unwrap();
            history.record(&query);
        }
        let mut pages = Box::pin(history.pages(Some(owner("ann"))));
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            let bytes: usize = page.iter().map(QueryRecord::bytes).sum();
            assert!(bytes < 6 << 20, "{bytes}");
            found.extend(page);
        }
        assert_eq!(found.len(), 41);
        assert!(found[1..].is_sorted_by_key(|query| std::cmp::Reverse(query.submitted_at)));
        let past: HashSet<Uuid> = found[1..].iter().map(|query| query.query_id).collect();
        assert_eq!(past, ids);
        assert_eq!(
            history
                .queries(Some(owner("robert")), 5_000)
                .await
                .unwrap()
                .len(),
            2_000
        );
        assert_eq!(history.queries(None, 5_000).await.unwrap().len(), 2_041);
    }

    #[tokio::test]
    async fn queries_that_wait_to_be_written_are_written_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.db");
        let history = History::open(&file, Duration::from_secs(3600)).unwrap();
        for _ in 0..3 {
            history.record(&sample("ann", QueryState::Succeeded));
        }
        drop(history);
        let history = History::open(&file, Duration::from_secs(3600)).unwrap();
        assert_eq!(history.queries(None, 10).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn queries_older_than_the_retention_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.db");
        let history = History::open(&file, Duration::from_secs(3600)).unwrap();
        let mut old = sample("ann", QueryState::Succeeded);
        old.submitted_at = Utc::now() - chrono::TimeDelta::hours(2);
        history.record(&old);
        history.record(&sample("ann", QueryState::Succeeded));
        history.flush();
        drop(history);
        let history = History::open(&file, Duration::from_secs(3600)).unwrap();
        assert_eq!(history.queries(None, 10).await.unwrap().len(), 1);
    }
}
