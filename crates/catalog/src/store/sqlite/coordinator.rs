//! [`Coordinator`] on the file: each change is one transaction over all three stores.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::SqliteStore;
use super::write::Write;
use super::write_log::retired_folders;
use crate::access::{By, ResourceId};
use crate::error::{CatalogError, Kind, Result};
use crate::model::names::{normalize_database, normalize_table};
use crate::model::{Database, DatabaseInput, Table, TableInput};
use crate::partition::{PartitionInput, PartitionKey, is_below, new_location, partition_path};
use crate::store::{
    AddedPartitions, CommitWrite, Committed, Coordinator, Created, Draft, ExpectedTable, WriteId,
    WriteRecord,
};

#[async_trait]
impl Coordinator for SqliteStore {
    async fn create_database_by(
        &self,
        mut input: DatabaseInput,
        if_not_exists: bool,
        by: By,
        folder: Option<String>,
    ) -> Result<Created<Arc<Database>>> {
        normalize_database(&mut input)?;
        self.change(move |write| {
            let made = write.create_database(input, if_not_exists)?;
            if made.created {
                let id = made.value.id;
                write.grant_owner(by, ResourceId::Database(id))?;
                if let Some(folder) = folder {
                    write.grant_database_folder(by, id, &folder)?;
                }
            }
            Ok(made)
        })
        .await
    }

    async fn drop_database_and_grants(
        &self,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<bool> {
        let name = name.to_lowercase();
        self.change(move |write| {
            let Some(dropped) = write.drop_database(&name, if_exists, cascade)? else {
                return Ok(false);
            };
            for entry in dropped.tables.values() {
                forget_table(write, entry.table.id)?;
            }
            write.forget(ResourceId::Database(dropped.database.id))?;
            Ok(true)
        })
        .await
    }

    async fn create_table_by(
        &self,
        database: &str,
        mut input: TableInput,
        if_not_exists: bool,
        by: By,
    ) -> Result<Created<Arc<Table>>> {
        normalize_table(&mut input)?;
        let database = database.to_lowercase();
        self.change(move |write| create_table(write, &database, input, if_not_exists, by))
            .await
    }

    async fn update_table_by(
        &self,
        database: &str,
        mut input: TableInput,
        expected_version: Option<u64>,
        by: By,
    ) -> Result<Arc<Table>> {
        normalize_table(&mut input)?;
        let database = database.to_lowercase();
        self.change(move |write| update_table(write, &database, input, expected_version, by))
            .await
    }

    async fn drop_tables_and_grants(
        &self,
        tables: Vec<(String, String)>,
        if_exists: bool,
    ) -> Result<usize> {
        self.change(move |write| {
            let mut dropped = 0;
            for (database, name) in tables {
                let (database, name) = (database.to_lowercase(), name.to_lowercase());
                if let Some(table) = write.drop_table(&database, &name, if_exists)? {
                    forget_table(write, table.id)?;
                    dropped += 1;
                }
            }
            Ok(dropped)
        })
        .await
    }

    async fn add_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
        by: By,
    ) -> Result<AddedPartitions> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        self.change(move |write| {
            write.add_partitions(&database, &table, partitions, if_not_exists, by)
        })
        .await
    }

    async fn update_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        by: By,
    ) -> Result<()> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        self.change(move |write| write.update_partitions(&database, &table, partitions, by))
            .await
    }

    async fn commit_writes(
        &self,
        mut writes: Vec<(WriteId, CommitWrite)>,
    ) -> Result<Vec<Committed>> {
        for (_, commit) in &mut writes {
            commit.database = commit.database.to_lowercase();
            commit.table = commit.table.to_lowercase();
            if let Some(definition) = &mut commit.definition {
                normalize_table(definition)?;
            }
        }
        let mut committed = self
            .change(move |write| {
                let writes = writes.into_iter();
                let committed = writes.map(|(id, commit)| commit_write(write, id, commit));
                committed.collect::<Result<Vec<_>>>()
            })
            .await?;
        if self.draft.is_some() {
            // It is discarded, under another id, when the draft is committed.
            for committed in &mut committed {
                committed.discarded = None;
            }
        }
        Ok(committed)
    }

    fn draft(&self) -> Arc<dyn Draft> {
        self.new_draft()
    }
}

fn create_table(
    write: &mut Write<'_>,
    database: &str,
    input: TableInput,
    if_not_exists: bool,
    by: By,
) -> Result<Created<Arc<Table>>> {
    let made = write.create_table(database, input, if_not_exists, by)?;
    if made.created {
        write.grant_owner(by, ResourceId::Table(made.value.id))?;
    }
    Ok(made)
}

/// Removes what the other stores keep of a table that was dropped.
fn forget_table(write: &mut Write<'_>, id: i64) -> Result<()> {
    write.forget(ResourceId::Table(id))?;
    write.forget_written(id)
}

fn update_table(
    write: &mut Write<'_>,
    database: &str,
    input: TableInput,
    expected: Option<u64>,
    by: By,
) -> Result<Arc<Table>> {
    let (table, dropped) = write.update_table(database, input, expected, by)?;
    write.forget_columns(table.id, &dropped)?;
    Ok(table)
}

fn commit_write(write: &mut Write<'_>, id: WriteId, commit: CommitWrite) -> Result<Committed> {
    let CommitWrite {
        database,
        table: name,
        expected,
        definition,
        mut partitions,
        files,
        mut discard,
        mut replaces,
        empties_rest,
        by,
    } = commit;
    write.require_open(id)?;
    // The version changes also where no definition and no partition does: plans that were made
    // before do not know the new files.
    write.state_mut();
    let table = match (expected, definition) {
        (None, Some(input)) => create_table(write, &database, input, false, by)?.value,
        (None, None) => {
            let name = format!("{database}.{name}");
            return Err(CatalogError::not_found(Kind::Table, name));
        }
        (Some(expected), definition) => {
            let current = expected_table(write, &database, &name, expected)?;
            match definition {
                None => current,
                Some(input) => {
                    write.clear_partitions(&current)?;
                    update_table(write, &database, input, None, by)?
                }
            }
        }
    };
    if empties_rest {
        let rest = rest_of(write, &table, &replaces, id)?;
        replaces.extend(rest.iter().map(|partition| partition.values.clone()));
        partitions.extend(rest);
    }
    let rest_stays = !replaces.is_empty();
    discard.extend(write.remove_partitions(&table, &replaces)?);
    let partitions_added = if partitions.is_empty() {
        0
    } else {
        register(write, &table, partitions, by)?
    };
    let record = WriteRecord {
        table_id: table.id,
        files,
        discard,
        rest_stays,
    };
    let discarded = write.record_commit(id, record)?;
    Ok(Committed {
        table,
        partitions_added,
        discarded,
    })
}

/// The table that a write was planned for.
///
/// # Errors
/// `NotFound` or `Conflict` if it is not there any more or was changed.
fn expected_table(
    write: &Write<'_>,
    database: &str,
    name: &str,
    expected: ExpectedTable,
) -> Result<Arc<Table>> {
    let current = write.table(database, name)?;
    if current.id != expected.id || current.version_id != expected.version {
        return Err(CatalogError::Conflict {
            table: current.full_name(),
            expected: expected.version,
            found: current.version_id,
        });
    }
    Ok(current)
}

/// The partitions that a commit empties beside those that it names, each with a new folder.
///
/// # Errors
/// `Changed` if one is outside of the table's folder: what the principal may learn of the folders
/// that a table leaves was decided for those that it had.
fn rest_of(
    write: &Write<'_>,
    table: &Table,
    named: &[Vec<String>],
    id: WriteId,
) -> Result<Vec<PartitionInput>> {
    let named: BTreeSet<&[String]> = named.iter().map(Vec::as_slice).collect();
    let keys = PartitionKey::of_table(table)?;
    let home = table.storage_descriptor.location.as_deref();
    let home = home.unwrap_or_default();
    let mut rest = Vec::new();
    for (values, location) in write.partition_locations(table)? {
        if named.contains(values.as_slice()) {
            continue;
        }
        if !is_below(&location, home) {
            return Err(CatalogError::Changed(format!(
                "partition {} of table \"{}\", which is outside of the table's folder, was registered while its rows were removed",
                partition_path(&keys, &values),
                table.full_name()
            )));
        }
        let location = new_location(home, &keys, &values, id);
        rest.push(PartitionInput::at(values, location));
    }
    Ok(rest)
}

/// Adds the partitions that do not exist.
///
/// # Errors
/// `InvalidInput` if an existing one lies elsewhere, so that it does not have the files. `Changed`
/// if files that are to be deleted lie in the folder of a new one: rows would come back.
fn register(
    write: &mut Write<'_>,
    table: &Table,
    partitions: Vec<PartitionInput>,
    by: By,
) -> Result<usize> {
    let (database, name) = (&table.database_name, &table.name);
    let wanted = partitions.clone();
    let added = write.add_partitions(database, name, partitions, true, by)?;
    if added.added > 0 {
        let retired = retired_folders(&write.tx)?;
        let existing: BTreeSet<usize> = added.existing.iter().copied().collect();
        let new = wanted.iter().enumerate();
        let mut new = new.filter(|(position, _)| !existing.contains(position));
        let is_retired = |input: &PartitionInput| {
            let location = input.location.as_deref();
            location.is_some_and(|location| retired.are_in(location))
        };
        if let Some((_, input)) = new.find(|(_, input)| is_retired(input)) {
            return Err(CatalogError::Changed(format!(
                "partition {} of table \"{}\" was emptied and dropped while rows were written to it; write them again",
                input.values.join("/"),
                table.full_name()
            )));
        }
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::access::ScramVerifier;
    use crate::model::{Column, StorageDescriptor};
    use crate::store::{Control, Metastore, WriteLog};

    async fn store() -> (SqliteStore, By) {
        let store = SqliteStore::in_memory().unwrap();
        let verifier = ScramVerifier::with_iterations("x", 1).unwrap();
        store.create_user("ann", verifier, false).await.unwrap();
        let by = By::User(store.snapshot().users["ann"].id);
        store.create_database(named("sales"), false).await.unwrap();
        (store, by)
    }

    fn named(name: &str) -> DatabaseInput {
        DatabaseInput {
            name: name.into(),
            ..DatabaseInput::default()
        }
    }

    fn table() -> TableInput {
        TableInput {
            name: "t".into(),
            storage_descriptor: StorageDescriptor {
                columns: vec![Column::new("a", "int")],
                ..StorageDescriptor::default()
            },
            ..TableInput::default()
        }
    }

    /// Makes every statement on a table of the file fail, as a crash at that point does.
    async fn crash_at(store: &SqliteStore, event: &str) {
        let sql =
            format!("CREATE TRIGGER crash BEFORE {event} BEGIN SELECT RAISE(ABORT, 'crash'); END");
        let created = store.write(move |write| Ok(write.tx.execute_batch(&sql)?));
        created.await.unwrap();
    }

    async fn recover(store: &SqliteStore) {
        let dropped = store.write(|write| Ok(write.tx.execute_batch("DROP TRIGGER crash")?));
        dropped.await.unwrap();
    }

    /// What the file holds, whatever is in memory.
    async fn rows(store: &SqliteStore, sql: &'static str) -> i64 {
        let count = store.write(move |write| Ok(write.tx.query_row(sql, [], |row| row.get(0))?));
        count.await.unwrap()
    }

    #[tokio::test]
    async fn a_table_is_created_with_its_owners_grant_or_not_at_all() {
        let (store, ann) = store().await;
        crash_at(&store, "INSERT ON grants").await;
        let made = store.create_table_by("sales", table(), false, ann).await;
        assert!(made.unwrap_err().to_string().contains("crash"));
        let write = store.begin_write("sales", "t", Vec::new()).await.unwrap();
        let commit = CommitWrite {
            database: "sales".into(),
            table: "t".into(),
            expected: None,
            definition: Some(table()),
            partitions: Vec::new(),
            files: 1,
            discard: Vec::new(),
            replaces: Vec::new(),
            empties_rest: false,
            by: ann,
        };
        assert!(store.commit_write(write, commit.clone()).await.is_err());
        let made = store
            .create_database_by(named("lab"), false, ann, None)
            .await;
        assert!(made.is_err());
        assert!(store.table("sales", "t").await.unwrap().is_none());
        assert!(store.database("lab").await.unwrap().is_none());
        assert_eq!(rows(&store, "SELECT count(*) FROM tables").await, 0);
        assert_eq!(rows(&store, "SELECT count(*) FROM databases").await, 1);
        assert_eq!(store.unfinished_writes().await.unwrap().len(), 1);
        assert!(store.open_writes().hides(&write.file_name(0)));

        recover(&store).await;
        let made = store.commit_write(write, commit).await.unwrap().table;
        let access = store.snapshot().access("ann").unwrap();
        assert!(access.on_table(&made).unwrap().drop);
        assert!(!store.open_writes().hides(&write.file_name(0)));
    }

    #[tokio::test]
    async fn a_table_is_dropped_with_its_grants_or_not_at_all() {
        let (store, ann) = store().await;
        let made = store.create_table_by("sales", table(), false, ann).await;
        let made = made.unwrap().value;
        crash_at(&store, "DELETE ON grants").await;
        let t = vec![("sales".to_owned(), "t".to_owned())];
        let dropped = store.drop_tables_and_grants(t.clone(), false).await;
        assert!(dropped.is_err());
        assert!(
            store
                .drop_database_and_grants("sales", false, true)
                .await
                .is_err()
        );
        assert_eq!(rows(&store, "SELECT count(*) FROM tables").await, 1);
        let access = store.snapshot().access("ann").unwrap();
        assert!(access.on_table(&made).unwrap().drop);
        recover(&store).await;
        // One that is not there keeps the others.
        let missing = [t.clone(), vec![("sales".to_owned(), "u".to_owned())]].concat();
        let dropped = store.drop_tables_and_grants(missing.clone(), false).await;
        assert!(matches!(dropped, Err(CatalogError::NotFound { .. })));
        assert_eq!(rows(&store, "SELECT count(*) FROM tables").await, 1);
        let dropped = store.drop_tables_and_grants(missing, true).await;
        assert_eq!(dropped.unwrap(), 1);
        assert_eq!(rows(&store, "SELECT count(*) FROM grants").await, 0);
    }

    #[tokio::test]
    async fn a_commit_that_the_log_does_not_record_changes_no_table() {
        let (store, ann) = store().await;
        let table_made = store.create_table_by("sales", table(), false, ann).await;
        let expected = table_made.unwrap().value;
        let write = store.begin_write("sales", "t", Vec::new()).await.unwrap();
        crash_at(&store, "INSERT ON written").await;
        let commit = CommitWrite {
            database: "sales".into(),
            table: "t".into(),
            expected: Some(ExpectedTable {
                id: expected.id,
                version: expected.version_id,
            }),
            definition: Some(TableInput {
                description: Some("next".into()),
                ..table()
            }),
            partitions: Vec::new(),
            files: 1,
            discard: Vec::new(),
            replaces: Vec::new(),
            empties_rest: false,
            by: ann,
        };
        assert!(store.commit_write(write, commit.clone()).await.is_err());
        let now = store.table("sales", "t").await.unwrap().unwrap();
        assert_eq!(now, expected);
        assert!(store.open_writes().hides(&write.file_name(0)));
        recover(&store).await;
        let committed = store.commit_write(write, commit).await.unwrap();
        assert_eq!(committed.table.description.as_deref(), Some("next"));
        assert_eq!(store.open_writes().commits(), 1);
    }

    #[tokio::test]
    async fn several_tables_are_emptied_or_none_is() {
        let (store, ann) = store().await;
        let partitioned = |name: &str| TableInput {
            name: name.into(),
            storage_descriptor: StorageDescriptor {
                location: Some(format!("s3://lake/{name}/")),
                ..table().storage_descriptor
            },
            partition_keys: vec![Column::new("k", "int")],
            ..table()
        };
        let mut writes = Vec::new();
        for name in ["t", "u"] {
            let made = store.create_table_by("sales", partitioned(name), false, ann);
            let made = made.await.unwrap().value;
            let one = vec![PartitionInput::new(["1"])];
            store
                .add_partitions("sales", name, one, false)
                .await
                .unwrap();
            let write = store.begin_write("sales", name, Vec::new()).await.unwrap();
            let commit = CommitWrite {
                database: "sales".into(),
                table: name.into(),
                expected: Some(ExpectedTable {
                    id: made.id,
                    version: made.version_id,
                }),
                definition: None,
                partitions: Vec::new(),
                files: 0,
                discard: Vec::new(),
                replaces: Vec::new(),
                empties_rest: true,
                by: ann,
            };
            writes.push((write, commit));
        }
        let locations = async |name: &str| {
            let known = store.partitions("sales", name).await.unwrap();
            let first = known.items.first().unwrap();
            (known.len(), first.location(&known.keys))
        };
        // That of the second table.
        crash_at(
            &store,
            "INSERT ON written WHEN (SELECT count(*) FROM written) > 0",
        )
        .await;
        assert!(store.commit_writes(writes.clone()).await.is_err());
        for name in ["t", "u"] {
            let old = format!("s3://lake/{name}/k=1/");
            assert_eq!(locations(name).await, (1, old));
        }
        assert_eq!(store.unfinished_writes().await.unwrap().len(), 2);
        assert!(store.discarded().await.unwrap().is_empty());
        recover(&store).await;
        store.commit_writes(writes.clone()).await.unwrap();
        for (name, (write, _)) in ["t", "u"].into_iter().zip(&writes) {
            let new = format!("s3://lake/{name}/k=1/{write}/");
            assert_eq!(locations(name).await, (1, new));
        }
        assert_eq!(store.discarded().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn the_write_log_commits_by_itself_for_a_table_of_another_store() {
        let (store, _) = store().await;
        let table_id = 4_711;
        let mut writes = Vec::new();
        for discard in [Vec::new(), vec!["s3://lake/t/".to_owned()]] {
            let write = store.begin_write("sales", "t", Vec::new()).await.unwrap();
            let record = WriteRecord {
                table_id,
                files: 2,
                discard,
                rest_stays: false,
            };
            let discarded = store.record_commit(write, record.clone()).await.unwrap();
            assert!(!store.open_writes().hides(&write.file_name(1)));
            assert!(store.record_commit(write, record).await.is_err());
            writes.push((write, discarded));
        }
        let (first, none) = &writes[0];
        assert!(none.is_none());
        let discarded = writes[1].1.as_ref().unwrap();
        assert!(discarded.files[0].contains(&first.file_name(1)));
        assert_eq!(
            store.discarded().await.unwrap(),
            std::slice::from_ref(discarded)
        );
        let written = "SELECT count(*) FROM written";
        assert_eq!(rows(&store, written).await, 1);
        store.forget_table(table_id).await.unwrap();
        assert_eq!(rows(&store, written).await, 0);
    }
}
