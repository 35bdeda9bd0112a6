//! [`WriteLog`] on the file: open writes in the file and in memory, and what commits recorded.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::load::{self, signed};
use super::write::Write;
use crate::error::{CatalogError, Result};
use crate::model::now;
use crate::store::{
    Discarded, OpenWrites, RetiredFolders, UnfinishedWrite, WriteId, WriteLog, WriteRecord,
    WrittenFiles,
};

#[async_trait]
impl WriteLog for SqliteStore {
    fn open_writes(&self) -> OpenWrites {
        self.state().writes.clone()
    }

    async fn begin_write(
        &self,
        database: &str,
        table: &str,
        locations: Vec<String>,
    ) -> Result<WriteId> {
        let table = format!("{}.{}", database.to_lowercase(), table.to_lowercase());
        self.write(move |write| {
            // Microseconds since 1970, so that copies of a catalog do not use a number twice, an
            // older backup of it among them.
            let number = (write.writes().last + 1).max(now().timestamp_micros());
            write.tx.execute(
                "UPDATE counters SET value = ?1 WHERE name = 'write'",
                [number],
            )?;
            let locations = serde_json::to_string(&locations)?;
            write.tx.execute(
                "INSERT INTO writes (number, table_name, locations, created) VALUES (?1, ?2, ?3, ?4)",
                params![number, table, locations, now().timestamp_millis()],
            )?;
            let writes = write.writes_mut();
            writes.last = number;
            Arc::make_mut(&mut writes.open).insert(number);
            // Before any file has the number. Numbers that are issued and not used do no harm.
            writes.issued.store(number, Ordering::Release);
            Ok(WriteId {
                tag: writes.tag,
                number,
            })
        })
        .await
    }

    async fn extend_write(&self, id: WriteId, locations: Vec<String>) -> Result<()> {
        self.write(move |write| {
            let sql = "SELECT locations FROM writes WHERE number = ?1";
            let known: Option<String> = write
                .tx
                .query_row(sql, [id.number], |row| row.get(0))
                .optional()?;
            let known = known.ok_or_else(|| not_open(id))?;
            let mut all: Vec<String> = serde_json::from_str(&known)?;
            all.extend(locations);
            let sql = "UPDATE writes SET locations = ?2 WHERE number = ?1";
            let all = serde_json::to_string(&all)?;
            write.tx.execute(sql, params![id.number, all])?;
            Ok(())
        })
        .await
    }

    async fn record_commit(&self, id: WriteId, record: WriteRecord) -> Result<Option<Discarded>> {
        self.change(move |write| {
            // Plans that were made before do not know the new files.
            write.state_mut();
            write.record_commit(id, record)
        })
        .await
    }

    async fn end_write(&self, id: WriteId) -> Result<()> {
        self.write(move |write| write.close_write(id)).await
    }

    async fn unfinished_writes(&self) -> Result<Vec<UnfinishedWrite>> {
        self.write(|write| {
            let tag = write.writes().tag;
            let mut statement = write
                .tx
                .prepare("SELECT number, table_name, locations FROM writes ORDER BY number")?;
            let mut rows = statement.query([])?;
            let mut unfinished = Vec::new();
            while let Some(row) = rows.next()? {
                unfinished.push(UnfinishedWrite {
                    id: WriteId {
                        tag,
                        number: row.get(0)?,
                    },
                    table: row.get(1)?,
                    locations: serde_json::from_str(&row.get::<_, String>(2)?)?,
                });
            }
            Ok(unfinished)
        })
        .await
    }

    async fn discarded(&self) -> Result<Vec<Discarded>> {
        self.write(|write| {
            let mut statement = write
                .tx
                .prepare("SELECT id, locations, files FROM discarded ORDER BY id")?;
            let tag = write.writes().tag;
            let mut rows = statement.query([])?;
            let mut discarded = Vec::new();
            while let Some(row) = rows.next()? {
                discarded.push(Discarded {
                    id: row.get(0)?,
                    locations: serde_json::from_str(&row.get::<_, String>(1)?)?,
                    files: written_files(
                        tag,
                        &serde_json::from_str::<Vec<_>>(&row.get::<_, String>(2)?)?,
                    ),
                });
            }
            Ok(discarded)
        })
        .await
    }

    async fn retired_folders(&self) -> Result<RetiredFolders> {
        self.blocking(|inner| retired_folders(&inner.writer.lock()))
            .await
    }

    async fn forget_table(&self, table_id: i64) -> Result<()> {
        self.change(move |write| write.forget_written(table_id))
            .await
    }

    async fn forget_discarded(&self, id: i64) -> Result<()> {
        self.write(move |write| {
            write
                .tx
                .execute("DELETE FROM discarded WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }
}

/// The folders of what is discarded and not deleted yet.
pub(super) fn retired_folders(connection: &Connection) -> Result<RetiredFolders> {
    let mut statement = connection.prepare_cached("SELECT locations FROM discarded")?;
    let mut rows = statement.query([])?;
    let mut locations: Vec<String> = Vec::new();
    while let Some(row) = rows.next()? {
        let discarded: Vec<String> = serde_json::from_str(&row.get::<_, String>(0)?)?;
        locations.extend(discarded);
    }
    Ok(RetiredFolders::new(locations))
}

impl Write<'_> {
    /// Closes a write, and records its files as a table's.
    pub(super) fn record_commit(
        &mut self,
        id: WriteId,
        record: WriteRecord,
    ) -> Result<Option<Discarded>> {
        self.close_write(id)?;
        self.writes_mut().commits += 1;
        let WriteRecord {
            table_id,
            files,
            discard,
            rest_stays,
        } = record;
        let discarded = if discard.is_empty() {
            None
        } else {
            let discarded = self.discard(id.tag, table_id, discard, rest_stays)?;
            self.discards(discarded.clone());
            Some(discarded)
        };
        self.tx.execute(
            "INSERT INTO written (number, table_id, files) VALUES (?1, ?2, ?3)",
            params![id.number, table_id, signed(files)],
        )?;
        Ok(discarded)
    }

    /// Removes the records of committed writes to a table.
    pub(super) fn forget_written(&self, table_id: i64) -> Result<()> {
        self.tx
            .execute("DELETE FROM written WHERE table_id = ?1", [table_id])?;
        Ok(())
    }

    /// # Errors
    /// `InvalidInput` if the write is not open.
    pub(super) fn require_open(&self, id: WriteId) -> Result<()> {
        let writes = self.writes();
        match id.tag == writes.tag && writes.open.contains(&id.number) {
            true => Ok(()),
            false => Err(not_open(id)),
        }
    }

    fn close_write(&mut self, id: WriteId) -> Result<()> {
        self.require_open(id)?;
        self.tx
            .execute("DELETE FROM writes WHERE number = ?1", [id.number])?;
        Arc::make_mut(&mut self.writes_mut().open).remove(&id.number);
        Ok(())
    }

    /// Records that what was written to a table before is to be deleted in these folders.
    /// `rest_stays`: there is more of it elsewhere.
    fn discard(
        &self,
        tag: u32,
        table_id: i64,
        locations: Vec<String>,
        rest_stays: bool,
    ) -> Result<Discarded> {
        let sql = match rest_stays {
            true => "SELECT number, files FROM written WHERE table_id = ?1 ORDER BY number",
            false => "DELETE FROM written WHERE table_id = ?1 RETURNING number, files",
        };
        let mut statement = self.tx.prepare(sql)?;
        let old = statement
            .query_map([table_id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
        let sql = "INSERT INTO discarded (locations, created, files) VALUES (?1, ?2, ?3)";
        let values = params![
            serde_json::to_string(&locations)?,
            now().timestamp_millis(),
            serde_json::to_string(&old)?
        ];
        self.tx.execute(sql, values)?;
        Ok(Discarded {
            id: self.tx.last_insert_rowid(),
            locations,
            files: written_files(tag, &old),
        })
    }
}

fn not_open(id: WriteId) -> CatalogError {
    CatalogError::invalid(format!("write {id} is not open"))
}

fn written_files(tag: u32, written: &[(i64, i64)]) -> Vec<WrittenFiles> {
    let files = written.iter().map(|(number, files)| WrittenFiles {
        write: WriteId {
            tag,
            number: *number,
        },
        files: load::unsigned(*files),
    });
    files.collect()
}
