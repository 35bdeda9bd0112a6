//! The history on disk: an SQLite database. One thread writes to it (`history_writer.rs`), in one
//! transaction the queries that end at about the same time.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::record::{Owner, QueryRecord, QueryState};

const SCHEMA_VERSION: i64 = 3;

/// The maximum size of a page, in bytes of record text. A page has at least one record.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A position in the history, which is ordered by time and id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Microseconds since the Unix epoch.
    pub submitted_at: i64,
    pub query_id: Uuid,
}

impl Place {
    /// The position after all queries.
    pub(super) const END: Self = Self {
        submitted_at: i64::MAX,
        query_id: Uuid::max(),
    };
}

#[derive(Debug)]
pub(super) struct HistoryStore {
    connection: Mutex<Connection>,
    retention: Duration,
}

fn storage(error: rusqlite::Error) -> Error {
    Error::new(Code::Storage, format!("query history: {error}"))
}

impl HistoryStore {
    pub(super) fn open(file: &Path, retention: Duration) -> Result<Self> {
        let connection = Connection::open(file).map_err(storage)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(storage)?;
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(storage)?;
        let found: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(storage)?;
        if found > SCHEMA_VERSION {
            return Err(Error::new(
                Code::Storage,
                format!(
                    "query history {} has schema {found}, this program knows {SCHEMA_VERSION}; start the newer program",
                    file.display()
                ),
            ));
        }
        if found == 0 {
            connection
                .execute_batch(
                    "BEGIN;
                     CREATE TABLE queries (
                         query_id BLOB PRIMARY KEY, user_name TEXT NOT NULL, workgroup TEXT NOT NULL, database TEXT NOT NULL,
                         state TEXT NOT NULL, query TEXT NOT NULL, submitted_at INTEGER NOT NULL, completed_at INTEGER,
                         planning_us INTEGER NOT NULL, queued_us INTEGER NOT NULL, execution_us INTEGER NOT NULL,
                         total_us INTEGER NOT NULL, bytes_scanned INTEGER NOT NULL, bytes_fetched INTEGER NOT NULL,
                         row_count INTEGER NOT NULL, cache_hit INTEGER NOT NULL, error_code TEXT, error_message TEXT,
                         protocol TEXT NOT NULL, application_name TEXT) STRICT;
                     CREATE INDEX queries_by_time ON queries (submitted_at);
                     PRAGMA user_version = 1;
                     COMMIT;",
                )
                .map_err(storage)?;
        }
        if found < 2 {
            connection
                .execute_batch(
                    "BEGIN;
                     ALTER TABLE queries ADD COLUMN cpu_us INTEGER NOT NULL DEFAULT 0;
                     ALTER TABLE queries ADD COLUMN user_id INTEGER;
                     PRAGMA user_version = 2;
                     COMMIT;",
                )
                .map_err(storage)?;
        }
        if found < 3 {
            connection
                .execute_batch(&format!(
                    "BEGIN;
                     ALTER TABLE queries ADD COLUMN bytes_written INTEGER NOT NULL DEFAULT 0;
                     PRAGMA user_version = {SCHEMA_VERSION};
                     COMMIT;"
                ))
                .map_err(storage)?;
        }
        // Pages are read by time, also those of one user. Each index takes a part of the time of each
        // record.
        connection
            .execute_batch(
                "DROP INDEX IF EXISTS queries_by_user; DROP INDEX IF EXISTS queries_by_user_id;",
            )
            .map_err(storage)?;
        let store = Self {
            connection: Mutex::new(connection),
            retention,
        };
        store.prune()?;
        Ok(store)
    }

    pub(super) fn write(&self, records: &[QueryRecord]) -> Result<()> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction().map_err(storage)?;
        {
            let mut insert = transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO queries VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23)",
                )
                .map_err(storage)?;
            for record in records {
                insert
                    .execute(params![
                        record.query_id.as_bytes(),
                        record.user_name,
                        record.workgroup,
                        record.database,
                        record.state.name(),
                        record.query,
                        record.submitted_at.timestamp_micros(),
                        record.completed_at.map(|at| at.timestamp_micros()),
                        micros(record.planning),
                        micros(record.queued),
                        micros(record.execution),
                        micros(record.total),
                        signed(record.bytes_scanned),
                        signed(record.bytes_fetched),
                        signed(record.rows),
                        record.cache_hit,
                        record.error_code,
                        record.error_message,
                        record.protocol,
                        record.application_name,
                        micros(record.cpu),
                        record.user_id,
                        signed(record.bytes_written),
                    ])
                    .map_err(storage)?;
            }
        }
        transaction.commit().map_err(storage)
    }

    pub(super) fn prune(&self) -> Result<()> {
        let retention =
            chrono::TimeDelta::from_std(self.retention).unwrap_or(chrono::TimeDelta::MAX);
        let Some(oldest) = Utc::now().checked_sub_signed(retention) else {
            return Ok(());
        };
        self.connection
            .lock()
            .execute(
                "DELETE FROM queries WHERE submitted_at < ?1",
                [oldest.timestamp_micros()],
            )
            .map_err(storage)?;
        Ok(())
    }

    /// Returns queries before a position of the history, newest first: at most `limit`, and none
    /// after [`PAGE_BYTES`] are exceeded.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn page(
        &self,
        owner: Option<&Owner>,
        before: Place,
        limit: usize,
    ) -> Result<Vec<QueryRecord>> {
        let connection = self.connection.lock();
        let mut select = connection
            .prepare_cached(
                "SELECT * FROM queries WHERE (?1 IS NULL OR user_id = ?1 OR (user_id IS NULL AND user_name = ?5 AND submitted_at >= ?6))
                     AND submitted_at <= ?2 AND (submitted_at < ?2 OR query_id < ?3)
                 ORDER BY submitted_at DESC, query_id DESC LIMIT ?4",
            )
            .map_err(storage)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let id = before.query_id.as_bytes().as_slice();
        let mut rows = select
            .query(params![
                owner.map(|owner| owner.user_id),
                before.submitted_at,
                id,
                limit,
                owner.map(|owner| owner.user_name.as_str()),
                owner.map(|owner| owner.since.timestamp_micros()),
            ])
            .map_err(storage)?;
        let mut page = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(storage)? {
            let record = read_record(row).map_err(storage)?;
            bytes += record.bytes();
            page.push(record);
            if bytes > PAGE_BYTES {
                break;
            }
        }
        Ok(page)
    }
}

fn read_record(row: &rusqlite::Row<'_>) -> rusqlite::Result<QueryRecord> {
    let duration = |index| {
        row.get::<_, i64>(index)
            .map(|us| Duration::from_micros(us.unsigned_abs()))
    };
    let count = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let state: String = row.get(4)?;
    Ok(QueryRecord {
        query_id: Uuid::from_bytes(row.get(0)?),
        user_name: row.get(1)?,
        workgroup: row.get(2)?,
        database: row.get(3)?,
        state: match state.as_str() {
            "SUCCEEDED" => QueryState::Succeeded,
            "CANCELLED" => QueryState::Cancelled,
            _ => QueryState::Failed,
        },
        query: row.get(5)?,
        submitted_at: time(row.get(6)?),
        completed_at: row.get::<_, Option<i64>>(7)?.map(time),
        planning: duration(8)?,
        queued: duration(9)?,
        execution: duration(10)?,
        total: duration(11)?,
        bytes_scanned: count(12)?,
        bytes_fetched: count(13)?,
        rows: count(14)?,
        cache_hit: row.get(15)?,
        error_code: row.get(16)?,
        error_message: row.get(17)?,
        protocol: row.get(18)?,
        application_name: row.get(19)?,
        cpu: duration(20)?,
        user_id: row.get(21)?,
        bytes_written: count(22)?,
    })
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
