//! Databases and tables in the file: the steps of changes to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::params;

use super::load::{self, signed};
use super::state::{DatabaseEntry, TableEntry};
use super::write::Write;
use crate::access::By;
use crate::error::{CatalogError, Kind, Result};
use crate::model::{Claim, Database, DatabaseInput, Table, TableInput, TableStatistics, now};
use crate::store::Created;
use crate::store::table_rules::{
    KEPT_VERSIONS, kept_statistics, keys_are_fixed, loses_columns, merged_statistics, moves,
    next_version, renamed, require_same, same_keys,
};

impl Write<'_> {
    pub(super) fn create_database(
        &mut self,
        input: DatabaseInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Database>>> {
        if let Some(entry) = self.state().databases.get(&input.name) {
            return match if_not_exists {
                true => Ok(Created {
                    value: Arc::clone(&entry.database),
                    created: false,
                }),
                false => Err(CatalogError::already_exists(Kind::Database, input.name)),
            };
        }
        let mut database = Database::of_input(input, now());
        let json = serde_json::to_string(&database)?;
        database.id = self.next_database_id();
        self.tx.execute(
            "INSERT INTO databases (id, name, json) VALUES (?1, ?2, ?3)",
            params![database.id, database.name, json],
        )?;
        let name = database.name.clone();
        let database = Arc::new(database);
        let entry = DatabaseEntry {
            database: Arc::clone(&database),
            tables: BTreeMap::new(),
        };
        self.state_mut().databases.insert(name, Arc::new(entry));
        Ok(Created {
            value: database,
            created: true,
        })
    }

    pub(super) fn update_database(&mut self, input: DatabaseInput) -> Result<Arc<Database>> {
        let old = Arc::clone(&self.database(&input.name)?.database);
        let database = Database {
            id: old.id,
            ..Database::of_input(input, old.create_time)
        };
        let json = serde_json::to_string(&database)?;
        self.tx.execute(
            "UPDATE databases SET json = ?1 WHERE id = ?2",
            params![json, database.id],
        )?;
        let database = Arc::new(database);
        self.database_mut(&database.name)?.database = Arc::clone(&database);
        Ok(database)
    }

    /// Returns the database with its tables; `None` if it did not exist and `if_exists`.
    pub(super) fn drop_database(
        &mut self,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<Option<Arc<DatabaseEntry>>> {
        let Some(entry) = self.state().databases.get(name).cloned() else {
            return match if_exists {
                true => Ok(None),
                false => Err(CatalogError::not_found(Kind::Database, name)),
            };
        };
        self.looked_up(name, entry.database.id);
        if !entry.tables.is_empty() && !cascade {
            return Err(CatalogError::NotEmpty {
                database: name.to_owned(),
                tables: entry.tables.len(),
            });
        }
        self.tx
            .execute("DELETE FROM databases WHERE id = ?1", [entry.database.id])?;
        for entry in entry.tables.values() {
            self.set_partitions(entry.table.id, None);
        }
        self.state_mut().databases.remove(name);
        Ok(Some(entry))
    }

    pub(super) fn create_table(
        &mut self,
        database: &str,
        input: TableInput,
        if_not_exists: bool,
        by: By,
    ) -> Result<Created<Arc<Table>>> {
        let entry = self.database(database)?;
        if let Some(TableEntry { table, .. }) = entry.tables.get(&input.name) {
            return match if_not_exists {
                true => Ok(Created {
                    value: Arc::clone(table),
                    created: false,
                }),
                false => Err(CatalogError::already_exists(Kind::Table, table.full_name())),
            };
        }
        let created = now();
        let mut table = Table {
            database_id: entry.database.id,
            claim: claim_by(by, created),
            ..Table::of_input(input, database, created)
        };
        let json = serde_json::to_string(&table)?;
        let sql = "INSERT INTO tables (database_id, name, json, claimed, by_administrator, definer_id, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let Claim {
            since,
            by_administrator,
        } = table.claim;
        table.id = self.next_table_id();
        let values = params![
            table.database_id,
            table.name,
            json,
            since,
            by_administrator,
            table.definer,
            table.id
        ];
        self.tx.execute(sql, values)?;
        self.has_new_name(table.id);
        let table = Arc::new(table);
        let entry = TableEntry {
            table: Arc::clone(&table),
            partitions_version: 0,
            statistics: None,
            analyzed: 0,
        };
        let tables = &mut self.database_mut(database)?.tables;
        tables.insert(table.name.clone(), entry);
        Ok(Created {
            value: table,
            created: true,
        })
    }

    /// Returns the table with the columns that it does not have any more.
    pub(super) fn update_table(
        &mut self,
        database: &str,
        input: TableInput,
        expected: Option<u64>,
        by: By,
    ) -> Result<(Arc<Table>, Vec<String>)> {
        let old = self.table(database, &input.name)?;
        let new = next_version(&old, input, expected)?;
        if !same_keys(&old.partition_keys, &new.partition_keys) {
            let sql = "SELECT EXISTS (SELECT 1 FROM partitions WHERE table_id = ?1)";
            if self
                .tx
                .query_row(sql, [old.id], |row| row.get::<_, bool>(0))?
            {
                return Err(keys_are_fixed(&old));
            }
            self.set_partitions(old.id, None);
        }
        let columns = new.column_names();
        let mut dropped = old.column_names();
        dropped.retain(|column| !columns.contains(column));
        let dropped = dropped.into_iter().map(str::to_owned).collect();
        self.replace(&old, &new)?;
        let moved = moves(&old, &new);
        let new = Arc::new(new);
        self.set_table(&new)?;
        if let Some(known) = self.statistics(&new) {
            let kept = kept_statistics(&known, &old, &new);
            self.set_statistics(&new, kept)?;
        }
        if loses_columns(&old, &new) {
            self.forget_partition_statistics(&new, None)?;
        }
        if !moved {
            return Ok((new, dropped));
        }
        // Partitions that it has stay where they are.
        let left = (!new.partition_keys.is_empty()).then_some(old.claim);
        let outer = [left, old.outer_claim]
            .into_iter()
            .flatten()
            .reduce(Claim::with);
        let new = self.set_claims(&new, claim_by(by, new.update_time), outer)?;
        Ok((new, dropped))
    }

    pub(super) fn rename_table(
        &mut self,
        table: &Table,
        new_database: &str,
        new_name: String,
    ) -> Result<Arc<Table>> {
        let (database, name) = (&table.database_name, &table.name);
        let old = self.table(database, name)?;
        require_same(&old, table)?;
        let target = self.database(new_database)?;
        let new = Arc::new(renamed(&old, &target.database, new_name));
        if target.tables.contains_key(&new.name) {
            return Err(CatalogError::already_exists(Kind::Table, new.full_name()));
        }
        self.replace(&old, &new)?;
        self.has_new_name(new.id);
        let left = self.database_mut(database)?.tables.remove(name);
        if let Some(mut entry) = left {
            entry.table = Arc::clone(&new);
            let tables = &mut self.database_mut(new_database)?.tables;
            tables.insert(new.name.clone(), entry);
        }
        Ok(new)
    }

    /// Returns the table; `None` if it did not exist and `if_exists`.
    pub(super) fn drop_table(
        &mut self,
        database: &str,
        name: &str,
        if_exists: bool,
    ) -> Result<Option<Arc<Table>>> {
        let Some(table) = self.state().table(database, name).cloned() else {
            return match if_exists {
                true => Ok(None),
                false => Err(CatalogError::not_found(
                    Kind::Table,
                    format!("{database}.{name}"),
                )),
            };
        };
        self.looked_up(&table.full_name(), table.id);
        self.tx
            .execute("DELETE FROM tables WHERE id = ?1", [table.id])?;
        self.set_partitions(table.id, None);
        self.database_mut(database)?.tables.remove(name);
        Ok(Some(table))
    }

    /// Adds what ANALYZE found of a table to what is known of it.
    pub(super) fn add_statistics(
        &mut self,
        analyzed: &Table,
        found: TableStatistics,
    ) -> Result<()> {
        let table = self.table(&analyzed.database_name, &analyzed.name)?;
        if table.id != analyzed.id {
            return Err(CatalogError::not_found(Kind::Table, analyzed.full_name()));
        }
        let earlier = self.statistics(&table);
        let merged = merged_statistics(found, earlier.as_deref(), &table);
        self.set_statistics(&table, Some(merged))?;
        self.count_analysis(&table)
    }

    /// Counts an ANALYZE of a table or of partitions of it, which changes no other version.
    pub(super) fn count_analysis(&mut self, table: &Table) -> Result<()> {
        let tables = &mut self.database_mut(&table.database_name)?.tables;
        if let Some(entry) = tables.get_mut(&table.name) {
            entry.analyzed += 1;
        }
        Ok(())
    }

    fn statistics(&self, table: &Table) -> Option<Arc<TableStatistics>> {
        let entry = self.state().entry(&table.database_name, &table.name)?;
        entry.statistics.clone()
    }

    fn set_statistics(&mut self, table: &Table, known: Option<TableStatistics>) -> Result<()> {
        match &known {
            Some(known) => {
                let json = serde_json::to_string(known)?;
                let sql = "INSERT INTO statistics (table_id, json) VALUES (?1, ?2)
                           ON CONFLICT DO UPDATE SET json = excluded.json";
                self.tx.execute(sql, params![table.id, json])?
            }
            None => {
                let sql = "DELETE FROM statistics WHERE table_id = ?1";
                self.tx.execute(sql, [table.id])?
            }
        };
        let tables = &mut self.database_mut(&table.database_name)?.tables;
        if let Some(entry) = tables.get_mut(&table.name) {
            entry.statistics = known.map(Arc::new);
        }
        Ok(())
    }

    /// The current and the archived versions of a table, newest first.
    pub(super) fn versions(&self, database: &str, name: &str) -> Result<Vec<Arc<Table>>> {
        let table = self.table(database, name)?;
        let sql = "SELECT json FROM table_versions WHERE table_id = ?1 ORDER BY version DESC";
        let mut statement = self.tx.prepare(sql)?;
        let mut rows = statement.query([table.id])?;
        let mut versions = vec![Arc::clone(&table)];
        while let Some(row) = rows.next()? {
            let former = load::table(table.id, &row.get::<_, String>(0)?)?;
            versions.push(Arc::new(Table {
                database_id: table.database_id,
                ..former
            }));
        }
        Ok(versions)
    }

    /// Records that a partition of a table was registered outside of its folder, and the user that did it.
    pub(super) fn claim_outer(&mut self, table: &Table, by: By) -> Result<()> {
        let claim = claim_by(by, now());
        let outer = table.outer_claim.map_or(claim, |outer| outer.with(claim));
        self.set_claims(table, table.claim, Some(outer))?;
        Ok(())
    }

    fn set_claims(
        &mut self,
        table: &Table,
        claim: Claim,
        outer_claim: Option<Claim>,
    ) -> Result<Arc<Table>> {
        let sql = "UPDATE tables SET claimed = ?2, by_administrator = ?3, outer_claimed = ?4, outer_by_administrator = ?5 WHERE id = ?1";
        let values = params![
            table.id,
            claim.since,
            claim.by_administrator,
            outer_claim.map(|outer| outer.since),
            outer_claim.is_some_and(|outer| outer.by_administrator)
        ];
        self.tx.execute(sql, values)?;
        let table = Arc::new(Table {
            claim,
            outer_claim,
            ..table.clone()
        });
        self.set_table(&table)?;
        Ok(table)
    }

    /// Writes a table's next version and archives the one before.
    fn replace(&self, old: &Table, new: &Table) -> Result<()> {
        let archive = "INSERT INTO table_versions (table_id, version, json) SELECT id, ?2, json FROM tables WHERE id = ?1";
        self.tx
            .execute(archive, params![old.id, signed(old.version_id)])?;
        let oldest = signed(new.version_id.saturating_sub(KEPT_VERSIONS));
        self.tx.execute(
            "DELETE FROM table_versions WHERE table_id = ?1 AND version < ?2",
            params![old.id, oldest],
        )?;
        let json = serde_json::to_string(&new)?;
        self.tx.execute(
            "UPDATE tables SET name = ?1, json = ?2, definer_id = ?3, database_id = ?4 WHERE id = ?5",
            params![new.name, json, new.definer, new.database_id, new.id],
        )?;
        Ok(())
    }
}

fn claim_by(by: By, at: chrono::DateTime<chrono::Utc>) -> Claim {
    Claim {
        since: at.timestamp_millis(),
        by_administrator: by == By::Administrator,
    }
}
