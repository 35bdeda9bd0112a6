//! What ANALYZE found of partitions. Nothing of it is in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::partitions::not_found;
use super::write::Write;
use crate::error::Result;
use crate::model::{Table, TableStatistics};
use crate::partition::{PartitionKey, identity_key};
use crate::store::table_rules::{merged_statistics, require_same};

impl SqliteStore {
    /// `values`: as they are registered.
    pub(super) async fn read_partition_statistics(
        &self,
        table: &Table,
        values: &[String],
    ) -> Result<Option<TableStatistics>> {
        let id = table.id;
        let key = identity_key(&PartitionKey::of_table(table)?, values)?;
        self.read_file(move |file| known(file, id, &key)).await
    }

    /// As of [`all`].
    pub(super) async fn read_all_partition_statistics(
        &self,
        table_id: i64,
        most: usize,
    ) -> Result<BTreeMap<String, TableStatistics>> {
        self.read_file(move |file| all(file, table_id, most)).await
    }

    /// Reads the file as it was committed, or in a draft, as it would be with the draft's changes.
    async fn read_file<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(draft) = &self.draft else {
            return self.blocking(move |inner| read(&inner.writer.lock())).await;
        };
        let draft = Arc::clone(draft);
        self.blocking(move |inner| draft.read(inner, read)).await
    }
}

impl Write<'_> {
    /// Adds what ANALYZE found of partitions to what is known of them.
    pub(super) fn add_partition_statistics(
        &mut self,
        analyzed: &Table,
        statistics: Vec<(Vec<String>, TableStatistics)>,
    ) -> Result<()> {
        let target = self.target(&analyzed.database_name, &analyzed.name)?;
        require_same(&target.table, analyzed)?;
        for (values, found) in statistics {
            let row = self.partition_row(&target, &values)?;
            let row = row.ok_or_else(|| not_found(&target, &values))?;
            let earlier = known(&self.tx, target.table.id, &row.key)?;
            let merged = merged_statistics(found, earlier.as_ref(), &target.table);
            let json = serde_json::to_string(&merged)?;
            let sql = "INSERT INTO partition_statistics (table_id, key, json) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO UPDATE SET json = excluded.json";
            self.tx
                .prepare_cached(sql)?
                .execute(params![target.table.id, row.key, json])?;
        }
        self.count_analysis(&target.table)
    }

    /// Forgets what is known of a partition, or of all of a table.
    pub(super) fn forget_partition_statistics(
        &self,
        table: &Table,
        key: Option<&str>,
    ) -> Result<()> {
        match key {
            Some(key) => {
                let sql = "DELETE FROM partition_statistics WHERE table_id = ?1 AND key = ?2";
                self.tx
                    .prepare_cached(sql)?
                    .execute(params![table.id, key])?
            }
            None => {
                let sql = "DELETE FROM partition_statistics WHERE table_id = ?1";
                self.tx.execute(sql, [table.id])?
            }
        };
        Ok(())
    }
}

/// What is known of each partition of a table, by its key; nothing if it is of more than `most`.
fn all(
    connection: &Connection,
    table_id: i64,
    most: usize,
) -> Result<BTreeMap<String, TableStatistics>> {
    let sql = "SELECT key, json FROM partition_statistics WHERE table_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([table_id])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if all.len() >= most {
            return Ok(BTreeMap::new());
        }
        let found = serde_json::from_str(&row.get::<_, String>(1)?)?;
        all.insert(row.get(0)?, found);
    }
    Ok(all)
}

fn known(connection: &Connection, table_id: i64, key: &str) -> Result<Option<TableStatistics>> {
    let sql = "SELECT json FROM partition_statistics WHERE table_id = ?1 AND key = ?2";
    let json: Option<String> = connection
        .prepare_cached(sql)?
        .query_row(params![table_id, key], |row| row.get(0))
        .optional()?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
}
