//! Writes to tables: begun and ended in the file, and in memory the set of those that are open.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::{Connection, OptionalExtension, params};

use super::metastore::{create_table, signed, update_table};
use super::write::Write;
use super::{SqliteStore, load};
use crate::access::By;
use crate::error::{CatalogError, Kind, Result};
use crate::model::{Table, now};
use crate::partition::PartitionInput;
use crate::store::{
    CommitWrite, Committed, Discarded, OpenWrites, UnfinishedWrite, WriteId, WrittenFiles,
};

/// The open writes of a file as it is opened.
pub(super) fn load(connection: &Connection) -> Result<OpenWrites> {
    let mut statement = connection.prepare("SELECT number FROM writes")?;
    let open = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<BTreeSet<i64>>>()?;
    let last = load::signed_counter(connection, "write")?;
    Ok(OpenWrites {
        tag: u32::try_from(load::signed_counter(connection, "write_tag")?).unwrap_or_default(),
        open: Arc::new(open),
        last,
        issued: Arc::new(AtomicI64::new(last)),
        commits: 0,
    })
}

impl SqliteStore {
    pub(super) async fn begin_write_to(
        &self,
        table: String,
        locations: Vec<String>,
    ) -> Result<WriteId> {
        self.write(move |write| {
            // Microseconds since 1970, so that a number is not used twice by copies of a catalog, an older backup of it among them.
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
            // Before any file has the number. Numbers that are given out and not used do no harm.
            writes.issued.store(number, Ordering::Release);
            Ok(WriteId {
                tag: writes.tag,
                number,
            })
        })
        .await
    }

    pub(super) async fn extend_write_by(&self, id: WriteId, locations: Vec<String>) -> Result<()> {
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

    pub(super) async fn commit(&self, id: WriteId, commit: CommitWrite) -> Result<Committed> {
        self.write(move |write| {
            close(write, id)?;
            write.writes_mut().commits += 1;
            commit_to(write, id, commit)
        })
        .await
    }

    pub(super) async fn end(&self, id: WriteId) -> Result<()> {
        self.write(move |write| close(write, id)).await
    }

    pub(super) async fn read_unfinished(&self) -> Result<Vec<UnfinishedWrite>> {
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

    pub(super) async fn read_discarded(&self) -> Result<Vec<Discarded>> {
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

    pub(super) async fn forget(&self, id: i64) -> Result<()> {
        self.write(move |write| {
            write
                .tx
                .execute("DELETE FROM discarded WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }
}

fn close(write: &mut Write<'_>, id: WriteId) -> Result<()> {
    let sql = "DELETE FROM writes WHERE number = ?1";
    if id.tag != write.writes().tag || write.tx.execute(sql, [id.number])? == 0 {
        return Err(not_open(id));
    }
    Arc::make_mut(&mut write.writes_mut().open).remove(&id.number);
    Ok(())
}

fn not_open(id: WriteId) -> CatalogError {
    CatalogError::invalid(format!("write {id} is not open"))
}

fn commit_to(write: &mut Write<'_>, id: WriteId, commit: CommitWrite) -> Result<Committed> {
    let CommitWrite {
        database,
        table: name,
        expected,
        definition,
        partitions,
        files,
        discard,
        by,
    } = commit;
    // Also where nothing else changes: plans that were made before do not know the new files.
    write.catalog_mut();
    let table = match (expected, definition) {
        (None, Some(input)) => create_table(write, &database, input, false, by)?.value,
        (None, None) => {
            let name = format!("{database}.{name}");
            return Err(CatalogError::not_found(Kind::Table, name));
        }
        (Some(expected), definition) => {
            let current = write.table(&database, &name)?;
            if current.id != expected.id || current.version_id != expected.version {
                return Err(CatalogError::Conflict {
                    table: current.full_name(),
                    expected: expected.version,
                    found: current.version_id,
                });
            }
            match definition {
                None => current,
                Some(input) => {
                    forget_partitions(write, &current)?;
                    update_table(write, &database, input, None, by)?
                }
            }
        }
    };
    let partitions_added = if partitions.is_empty() {
        0
    } else {
        register(write, &table, partitions, by)?
    };
    let discarded = if discard.is_empty() {
        None
    } else {
        let sql = "DELETE FROM written WHERE table_id = ?1 RETURNING number, files";
        let mut statement = write.tx.prepare(sql)?;
        let old = statement
            .query_map([table.id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
        let sql = "INSERT INTO discarded (locations, created, files) VALUES (?1, ?2, ?3)";
        let values = params![
            serde_json::to_string(&discard)?,
            now().timestamp_millis(),
            serde_json::to_string(&old)?
        ];
        write.tx.execute(sql, values)?;
        Some(Discarded {
            id: write.tx.last_insert_rowid(),
            locations: discard,
            files: written_files(id.tag, &old),
        })
    };
    write.tx.execute(
        "INSERT INTO written (number, table_id, files) VALUES (?1, ?2, ?3)",
        params![id.number, table.id, signed(files)],
    )?;
    Ok(Committed {
        table,
        partitions_added,
        discarded,
    })
}

/// Adds the partitions that are not there. Errors: one that is there lies elsewhere, so that the files are not in it.
fn register(
    write: &mut Write<'_>,
    table: &Table,
    partitions: Vec<PartitionInput>,
    by: By,
) -> Result<usize> {
    let (database, name) = (&table.database_name, &table.name);
    let wanted = partitions.clone();
    let added = write.add_partitions(database, name, partitions, true, by)?;
    for position in added.existing {
        let Some(input) = wanted.get(position) else {
            continue;
        };
        let found = write.partition_location(database, name, &input.values)?;
        let same = match (&input.location, &found) {
            (Some(wanted), Some(found)) => {
                wanted.trim_end_matches('/') == found.trim_end_matches('/')
            }
            _ => false,
        };
        if !same {
            return Err(CatalogError::invalid(format!(
                "partition {} of table \"{}\" was registered with another location while rows were written to it; write them again",
                input.values.join("/"),
                table.full_name()
            )));
        }
    }
    Ok(added.added)
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

/// Takes a table's partitions away, in the file; in memory they are read again when they are used.
fn forget_partitions(write: &mut Write<'_>, table: &Table) -> Result<()> {
    write
        .tx
        .execute("DELETE FROM partitions WHERE table_id = ?1", [table.id])?;
    write.tx.execute(
        "UPDATE tables SET partitions_version = partitions_version + 1 WHERE id = ?1",
        [table.id],
    )?;
    write.reread_partitions(table.id);
    Ok(())
}
