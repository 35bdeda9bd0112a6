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
