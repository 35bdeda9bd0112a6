#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::access::{By, Grant, Privilege, Resource, ScramVerifier};
use crate::model::{Column, DatabaseInput, StorageDescriptor, TableInput, TableStatistics, now};
use crate::partition::PartitionInput;
use crate::store::{CommitWrite, Control, Coordinator, ExpectedTable, Metastore, WriteLog};

fn table(name: &str) -> TableInput {
    TableInput {
        name: name.to_owned(),
        storage_descriptor: StorageDescriptor {
            columns: vec![Column::new("a", "int")],
            ..StorageDescriptor::default()
        },
        ..TableInput::default()
    }
}

async fn store() -> SqliteStore {
    let store = SqliteStore::in_memory().unwrap();
    let input = DatabaseInput {
        name: "d".to_owned(),
        ..DatabaseInput::default()
    };
    store.create_database(input, false).await.unwrap();
    store
}

async fn create(stores: &Stores, name: &str) -> i64 {
    let metastore = &stores.metastore;
    let made = metastore.create_table("d", table(name), false).await;
    made.unwrap().value.id
}

async fn names(metastore: &dyn Metastore) -> Vec<String> {
    let tables = metastore.tables("d").await.unwrap();
    tables.iter().map(|table| table.name.clone()).collect()
}

async fn rename(stores: &Stores, name: &str, new_name: &str) {
    let table = stores.metastore.table("d", name).await.unwrap().unwrap();
    let renamed = stores.metastore.rename_table(&table, "d", new_name).await;
    renamed.unwrap();
}

#[tokio::test]
async fn changes_are_seen_by_the_draft_alone_until_all_are_committed() {
    let store = store().await;
    create(&store.stores(), "x").await;
    let version = store.catalog_version();
    let draft = store.draft();
    let stores = draft.stores();
    assert_eq!(stores.metastore.catalog_version(), version);
    let id = create(&stores, "tmp").await;
    rename(&stores, "x", "old").await;
    rename(&stores, "tmp", "x").await;
    assert_eq!(draft.changes(), 3);
    assert_eq!(names(stores.metastore.as_ref()).await, ["old", "x"]);
    let partitions = stores.metastore.partitions("d", "x").await.unwrap();
    assert!(partitions.is_empty());
    assert_ne!(stores.metastore.catalog_version(), version);
    assert_eq!(names(&store).await, ["x"]);
    assert_eq!(store.catalog_version(), version);
    assert!(draft.commit().await.unwrap().is_empty());
    assert_eq!(names(&store).await, ["old", "x"]);
    assert_eq!(store.table("d", "x").await.unwrap().unwrap().id, id);
    assert_eq!(store.catalog_version(), version + 1, "one commit");
    let late = stores.metastore.drop_table("d", "x", false).await;
    assert!(late.is_err(), "the draft has ended");
    // A failed change and one that changes nothing are none.
    let draft = store.draft();
    let stores = draft.stores();
    assert!(stores.metastore.drop_table("d", "no", false).await.is_err());
    assert!(!stores.metastore.drop_table("d", "no", true).await.unwrap());
    assert_eq!(draft.changes(), 0);
}

#[tokio::test]
async fn an_id_is_of_one_table_although_its_draft_was_given_up() {
    let store = store().await;
    let first = store.draft();
    let second = store.draft();
    let mut ids = vec![
        create(&first.stores(), "a").await,
        create(&second.stores(), "a").await,
        create(&store.stores(), "b").await,
    ];
    drop(first);
    ids.push(create(&store.stores(), "c").await);
    // What runs again keeps its id.
    second.refresh().await.unwrap();
    let again = second.stores().metastore.table("d", "a").await.unwrap();
    assert_eq!(again.unwrap().id, ids[1]);
    second.commit().await.unwrap();
    assert_eq!(store.table("d", "a").await.unwrap().unwrap().id, ids[1]);
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}

#[tokio::test]
async fn what_does_not_apply_any_more_fails_and_changes_nothing() {
    let store = store().await;
    create(&store.stores(), "x").await;
    let drafts = [store.draft(), store.draft(), store.draft()];
    create(&drafts[0].stores(), "first").await;
    create(&drafts[0].stores(), "new").await;
    let metastore = drafts[1].stores().metastore;
    metastore.drop_table("d", "x", false).await.unwrap();
    create(&drafts[2].stores(), "unrelated").await;
    // Another table of the name: the right to drop it was not checked.
    store.drop_table("d", "x", false).await.unwrap();
    create(&store.stores(), "x").await;
    create(&store.stores(), "new").await;
    let error = drafts[0].commit().await.unwrap_err();
    assert!(matches!(&error, CatalogError::Outdated(why) if why.contains("d.new")));
    for error in [
        drafts[1].refresh().await.unwrap_err(),
        drafts[1].commit().await.unwrap_err(),
    ] {
        assert!(matches!(&error, CatalogError::Outdated(why) if why.contains("d.x")));
    }
    assert_eq!(names(&store).await, ["new", "x"]);
    drafts[2].commit().await.unwrap();
    assert_eq!(names(&store).await, ["new", "unrelated", "x"]);
}

#[tokio::test]
async fn later_changes_are_taken_back() {
    let store = store().await;
    let draft = store.draft();
    let stores = draft.stores();
    create(&stores, "a").await;
    create(&stores, "b").await;
    draft.truncate(1).await.unwrap();
    assert_eq!(names(stores.metastore.as_ref()).await, ["a"]);
    create(&stores, "c").await;
    draft.commit().await.unwrap();
    assert_eq!(names(&store).await, ["a", "c"]);
}

#[tokio::test]
async fn grants_of_a_draft_are_its_own_until_the_commit() {
    let store = store().await;
    let verifier = ScramVerifier::from_password("a long enough secret").unwrap();
    let user = store.create_user("u", verifier, false).await.unwrap().value;
    let draft = store.draft();
    let stores = draft.stores();
    let by = By::User(user.id);
    let made = stores
        .coordinator
        .create_table_by("d", table("t"), false, by);
    assert!(made.await.unwrap().created);
    let grant = Grant {
        grantee: "u".to_owned(),
        privilege: Privilege::CreateTable,
        resource: Resource::Database("d".to_owned()),
        with_grant_option: false,
    };
    stores.control.grant(&[grant]).await.unwrap();
    assert!(store.snapshot().grants.is_empty());
    let within = stores.control.snapshot().grants.len();
    assert!(within > 1);
    draft.commit().await.unwrap();
    assert_eq!(store.snapshot().grants.len(), within);
}

#[tokio::test]
async fn a_write_is_closed_in_the_draft_and_hidden_from_others_until_the_commit() {
    let store = store().await;
    create(&store.stores(), "x").await;
    let x = store.table("d", "x").await.unwrap().unwrap();
    let id = store.begin_write("d", "x", Vec::new()).await.unwrap();
    let draft = store.draft();
    let stores = draft.stores();
    let commit = CommitWrite {
        database: "d".to_owned(),
        table: "x".to_owned(),
        expected: Some(ExpectedTable {
            id: x.id,
            version: x.version_id,
        }),
        definition: None,
        partitions: Vec::new(),
        files: 1,
        discard: vec!["s3://lake/x/".to_owned()],
        replaces: Vec::new(),
        empties_rest: false,
        by: By::Administrator,
    };
    let committed = stores.coordinator.commit_write(id, commit).await.unwrap();
    assert_eq!(committed.discarded, None);
    let file = id.file_name(0);
    assert!(!stores.write_log.open_writes().hides(&file));
    assert!(store.open_writes().hides(&file));
    // Others' writes go on at once.
    let other = store.begin_write("d", "x", Vec::new()).await.unwrap();
    draft.refresh().await.unwrap();
    assert!(stores.write_log.open_writes().hides(&other.file_name(0)));
    assert_eq!(draft.commit().await.unwrap().len(), 1);
    assert!(!store.open_writes().hides(&file));
    assert_eq!(store.unfinished_writes().await.unwrap().len(), 1);
}

fn database(name: &str) -> DatabaseInput {
    DatabaseInput {
        name: name.to_owned(),
        ..DatabaseInput::default()
    }
}

#[tokio::test]
async fn a_draft_has_a_limit_of_changes_and_commits_those_that_it_has() {
    let store = store().await;
    let draft = store.draft();
    let stores = draft.stores();
    for number in 0..MAX_CHANGES {
        create(&stores, &format!("t{number}")).await;
    }
    let late = stores
        .metastore
        .create_table("d", table("late"), false)
        .await;
    let error = late.unwrap_err();
    assert!(error.to_string().contains("at most 20 changes"), "{error}");
    // What changes nothing is still possible.
    assert!(!stores.metastore.drop_table("d", "no", true).await.unwrap());
    assert_eq!(draft.changes(), MAX_CHANGES);
    draft.commit().await.unwrap();
    let names = names(&store).await;
    assert_eq!(names.len(), MAX_CHANGES);
    assert!(!names.contains(&"late".to_owned()));
}

#[tokio::test]
async fn databases_are_made_and_dropped_in_a_draft_with_their_tables() {
    let store = store().await;
    create(&store.stores(), "x").await;
    let old = store.database("d").await.unwrap().unwrap();
    let draft = store.draft();
    let stores = draft.stores();
    let metastore = stores.metastore.as_ref();
    let made = metastore.create_database(database("e"), true).await;
    let made = made.unwrap();
    assert!(made.created);
    let again = metastore.create_database(database("e"), true).await;
    assert!(!again.unwrap().created);
    let table_of_e = metastore.create_table("e", table("y"), false).await;
    let table_of_e = table_of_e.unwrap().value;
    assert!(matches!(
        metastore.drop_database("d", false, false).await,
        Err(CatalogError::NotEmpty { .. })
    ));
    assert!(metastore.drop_database("d", false, true).await.unwrap());
    assert!(metastore.table("d", "x").await.unwrap().is_none());
    let anew = metastore.create_database(database("d"), false).await;
    let anew = anew.unwrap().value;
    assert!(anew.id > old.id);
    assert!(metastore.tables("d").await.unwrap().is_empty());
    // One that is made and dropped leaves nothing.
    metastore
        .create_database(database("gone"), false)
        .await
        .unwrap();
    assert!(metastore.drop_database("gone", false, false).await.unwrap());
    assert!(store.database("e").await.unwrap().is_none());
    assert_eq!(names(&store).await, ["x"]);
    draft.commit().await.unwrap();
    assert!(names(&store).await.is_empty());
    assert!(store.database("gone").await.unwrap().is_none());
    assert_eq!(store.database("d").await.unwrap().unwrap().id, anew.id);
    let found = store.table("e", "y").await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.database_id),
        (table_of_e.id, made.value.id)
    );
}

#[tokio::test]
async fn a_database_that_others_made_or_filled_meanwhile_ends_a_draft() {
    let store = store().await;
    let drafts = [store.draft(), store.draft(), store.draft(), store.draft()];
    let [maker, dropper, filler, kept] = drafts.each_ref().map(|draft| draft.stores());
    maker
        .metastore
        .create_database(database("e"), false)
        .await
        .unwrap();
    kept.metastore
        .create_database(database("e"), true)
        .await
        .unwrap();
    dropper
        .metastore
        .drop_database("d", false, false)
        .await
        .unwrap();
    create(&filler, "t").await;
    // Meanwhile: a table in one, and another one of the name.
    create(&store.stores(), "x").await;
    store.create_database(database("e"), false).await.unwrap();
    let error = drafts[0].commit().await.unwrap_err();
    assert!(matches!(&error, CatalogError::Outdated(why) if why.contains('e')));
    let error = drafts[1].commit().await.unwrap_err();
    assert!(matches!(&error, CatalogError::Outdated(_)), "{error}");
    assert_eq!(names(&store).await, ["x"]);
    // IF NOT EXISTS finds it made.
    drafts[3].commit().await.unwrap();
    // A table is not put into another database of the name.
    store.drop_database("d", false, true).await.unwrap();
    store.create_database(database("d"), false).await.unwrap();
    let error = drafts[2].commit().await.unwrap_err();
    assert!(matches!(&error, CatalogError::Outdated(why) if why.contains('d')));
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn a_moved_table_is_seen_in_its_new_database_by_the_draft_alone() {
    let store = store().await;
    let id = create(&store.stores(), "x").await;
    let draft = store.draft();
    let stores = draft.stores();
    let metastore = stores.metastore.as_ref();
    metastore
        .create_database(database("e"), false)
        .await
        .unwrap();
    let x = metastore.table("d", "x").await.unwrap().unwrap();
    metastore.rename_table(&x, "e", "y").await.unwrap();
    let moved = metastore.table("e", "y").await.unwrap().unwrap();
    assert_eq!(moved.id, id);
    assert!(metastore.partitions("e", "y").await.unwrap().is_empty());
    assert_eq!(names(&store).await, ["x"]);
    draft.commit().await.unwrap();
    assert!(names(&store).await.is_empty());
    assert_eq!(store.table("e", "y").await.unwrap().unwrap().id, id);
}

#[tokio::test]
async fn what_is_found_of_partitions_is_of_the_draft_alone_until_the_commit() {
    let store = store().await;
    let input = TableInput {
        partition_keys: vec![Column::new("p", "int")],
        ..table("x")
    };
    store.create_table("d", input, false).await.unwrap();
    let partition = |value: &str| PartitionInput::at([value], format!("s3://lake/x/p={value}/"));
    let first = vec![partition("1")];
    store.add_partitions("d", "x", first, false).await.unwrap();
    let x = store.table("d", "x").await.unwrap().unwrap();
    let draft = store.draft();
    let stores = draft.stores();
    let (committed, metastore): (&dyn Metastore, _) = (&store, stores.metastore.as_ref());
    let second = vec![partition("2")];
    metastore
        .add_partitions("d", "x", second, false)
        .await
        .unwrap();
    let found = |row_count| TableStatistics {
        row_count,
        file_bytes: 10,
        version: 0,
        analyzed_time: now(),
        columns: Vec::new(),
    };
    let both = [("1", 3), ("2", 4)];
    let both = both.map(|(value, rows)| (vec![value.to_owned()], found(rows)));
    metastore
        .update_partition_statistics(&x, both.to_vec())
        .await
        .unwrap();
    let rows = async |of: &dyn Metastore| {
        let all = of.all_partition_statistics(&x, 10).await.unwrap();
        let rows: Vec<u64> = all.values().map(|known| known.row_count).collect();
        let values = ["2".to_owned()];
        let second = of.partition_statistics(&x, &values).await.unwrap();
        (rows, second.map(|known| known.row_count))
    };
    assert_eq!(rows(metastore).await, (vec![3, 4], Some(4)));
    assert_eq!(rows(committed).await, (Vec::new(), None));
    draft.truncate(1).await.unwrap();
    assert_eq!(rows(metastore).await, (Vec::new(), None));
    let again = vec![(vec!["2".to_owned()], found(5))];
    metastore
        .update_partition_statistics(&x, again)
        .await
        .unwrap();
    draft.commit().await.unwrap();
    assert_eq!(rows(committed).await, (vec![5], Some(5)));
}
