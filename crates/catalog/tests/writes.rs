//! Writes of rows: hidden as long as they are open, whole in one transaction, remembered across restarts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lakegate_catalog::CatalogError;
use lakegate_catalog::access::By;
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{
    CommitWrite, Coordinator, ExpectedTable, Metastore, SqliteStore, WriteId, WriteLog,
};
use support::{database, table, with_orders};

fn file(id: WriteId) -> String {
    format!("{}00000.parquet", id.file_prefix())
}

fn append(table: &Table, partitions: Vec<PartitionInput>) -> CommitWrite {
    CommitWrite {
        database: table.database_name.clone(),
        table: table.name.clone(),
        expected: Some(ExpectedTable {
            id: table.id,
            version: table.version_id,
        }),
        definition: None,
        partitions,
        files: 1,
        discard: Vec::new(),
        replaces: Vec::new(),
        empties_rest: false,
        by: By::Administrator,
    }
}

async fn orders(store: &SqliteStore) -> std::sync::Arc<Table> {
    store.table("sales", "orders").await.unwrap().unwrap()
}

async fn begin(store: &SqliteStore) -> WriteId {
    store
        .begin_write("sales", "orders", vec!["s3://lake/orders/".into()])
        .await
        .unwrap()
}

fn at(year: &str, city: &str) -> PartitionInput {
    PartitionInput::at(
        [year, city],
        format!("s3://lake/orders/year={year}/city={city}/"),
    )
}

#[tokio::test]
async fn files_are_hidden_until_the_commit_and_from_listings_that_began_before_it() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let before = store.open_writes();
    let version = store.catalog_version();
    let id = begin(&store).await;
    let other = begin(&store).await;
    assert!(other > id);
    assert_eq!(
        store.catalog_version(),
        version,
        "a write that has begun has changed nothing"
    );
    let during = store.open_writes();
    assert!(before.hides(&file(id)) && during.hides(&file(id)) && during.hides(&file(other)));
    let commit = append(orders(&store).await.as_ref(), vec![at("2024", "Ulm")]);
    let committed = store.commit_write(id, commit).await.unwrap();
    assert_eq!((committed.partitions_added, committed.discarded), (1, None));
    assert!(store.catalog_version() > version);
    let after = store.open_writes();
    assert!(!after.hides(&file(id)) && after.hides(&file(other)));
    assert_eq!(after.commits(), before.commits() + 1);
    assert!(before.hides(&file(id)) && during.hides(&file(id)));
    let partitions = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(partitions.len(), 1);
    // Once.
    let again = append(orders(&store).await.as_ref(), Vec::new());
    let error = store.commit_write(id, again).await.unwrap_err();
    assert!(error.to_string().contains("is not open"), "{error}");
    store.end_write(other).await.unwrap();
    assert!(!store.open_writes().hides(&file(other)));
    assert!(store.unfinished_writes().await.unwrap().is_empty());
}

#[tokio::test]
async fn commit_to_another_table_than_expected_changes_nothing() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let old = orders(&store).await;
    let id = begin(&store).await;
    let mut input = old.to_input();
    input.description = Some("changed".into());
    store.update_table("sales", input, None).await.unwrap();
    let error = store
        .commit_write(id, append(&old, vec![at("2024", "Ulm")]))
        .await
        .unwrap_err();
    assert!(matches!(error, CatalogError::Conflict { .. }), "{error}");
    // A partition that lies elsewhere by now would not hold the files.
    let elsewhere = PartitionInput::at(["2024", "Ulm"], "s3://lake/elsewhere/");
    store
        .add_partitions("sales", "orders", vec![elsewhere], false)
        .await
        .unwrap();
    let current = orders(&store).await;
    let commit = append(&current, vec![at("2023", "Ulm"), at("2024", "Ulm")]);
    let error = store.commit_write(id, commit).await.unwrap_err();
    assert!(error.to_string().contains("another location"), "{error}");
    assert_eq!(store.partitions("sales", "orders").await.unwrap().len(), 1);
    store.drop_table("sales", "orders", false).await.unwrap();
    let error = store
        .commit_write(id, append(&current, Vec::new()))
        .await
        .unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { .. }), "{error}");
    assert!(
        store.open_writes().hides(&file(id)),
        "what was not committed is open"
    );
}

#[tokio::test]
async fn table_is_made_and_replaced_with_its_partitions() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let old = orders(&store).await;
    let known = vec![at("2023", "Ulm"), at("2024", "Ulm")];
    store
        .add_partitions("sales", "orders", known, false)
        .await
        .unwrap();
    store.partitions("sales", "orders").await.unwrap();

    let mut definition = table("orders", &[("n", "bigint")], &[("kind", "string")]);
    definition.storage_descriptor.location = Some("s3://lake/orders-2/".into());
    let replace = CommitWrite {
        definition: Some(definition.clone()),
        partitions: vec![PartitionInput::at(["a"], "s3://lake/orders-2/kind=a/")],
        discard: vec!["s3://lake/orders/".into()],
        ..append(&old, Vec::new())
    };
    let committed = store
        .commit_write(begin(&store).await, replace)
        .await
        .unwrap();
    assert_eq!(
        (committed.table.id, committed.table.version_id),
        (old.id, old.version_id + 1)
    );
    let partitions = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(partitions.len(), 1);
    assert_eq!(
        partitions.items[0].location(&partitions.keys),
        "s3://lake/orders-2/kind=a/"
    );
    let discarded = store.discarded().await.unwrap();
    assert_eq!(discarded[0].locations, ["s3://lake/orders/"]);
    assert_eq!(committed.discarded.as_ref(), discarded.first());
    store.forget_discarded(discarded[0].id).await.unwrap();
    assert!(store.discarded().await.unwrap().is_empty());

    definition.name = "fresh".into();
    let create = |definition| CommitWrite {
        database: "Sales".into(),
        table: "Fresh".into(),
        expected: None,
        definition: Some(definition),
        partitions: Vec::new(),
        files: 1,
        discard: Vec::new(),
        replaces: Vec::new(),
        empties_rest: false,
        by: By::Administrator,
    };
    let id = begin(&store).await;
    store
        .commit_write(id, create(definition.clone()))
        .await
        .unwrap();
    assert!(store.table("sales", "fresh").await.unwrap().is_some());
    let error = store
        .commit_write(begin(&store).await, create(definition))
        .await
        .unwrap_err();
    assert!(
        matches!(error, CatalogError::AlreadyExists { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn open_writes_are_open_after_a_restart_with_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let (id, committed) = {
        let store = SqliteStore::open(&path).unwrap();
        with_orders(&store).await;
        let committed = begin(&store).await;
        let commit = append(orders(&store).await.as_ref(), Vec::new());
        store.commit_write(committed, commit).await.unwrap();
        let id = begin(&store).await;
        store
            .extend_write(id, vec!["s3://lake/other/".into()])
            .await
            .unwrap();
        (id, committed)
    };
    let store = SqliteStore::open(&path).unwrap();
    assert!(store.open_writes().hides(&file(id)));
    assert!(!store.open_writes().hides(&file(committed)));
    let unfinished = store.unfinished_writes().await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].id, id);
    assert_eq!(unfinished[0].table, "sales.orders");
    assert_eq!(
        unfinished[0].locations,
        ["s3://lake/orders/", "s3://lake/other/"]
    );
    assert!(begin(&store).await > id, "numbers are not used again");
    // Another catalog's files are its own affair.
    let other = SqliteStore::in_memory().unwrap();
    other.create_database(database("d"), false).await.unwrap();
    assert!(!other.open_writes().hides(&file(id)));
}

#[tokio::test]
async fn what_a_replaced_table_loses_is_what_was_written_to_it() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let table_ = orders(&store).await;
    let first = begin(&store).await;
    let two = CommitWrite {
        files: 2,
        ..append(&table_, Vec::new())
    };
    store.commit_write(first, two).await.unwrap();
    let given_up = begin(&store).await;
    store.end_write(given_up).await.unwrap();
    let replace = |old: &Table| CommitWrite {
        definition: Some(old.to_input()),
        discard: vec!["s3://lake/orders/".into()],
        ..append(old, Vec::new())
    };
    let second = begin(&store).await;
    let committed = store.commit_write(second, replace(&table_)).await.unwrap();
    let discarded = committed.discarded.unwrap();
    let is_gone = |name: &str| discarded.files.iter().any(|files| files.contains(name));
    assert!(is_gone(&first.file_name(0)) && is_gone(&first.file_name(1)));
    for kept in [
        first.file_name(2),
        given_up.file_name(0),
        second.file_name(0),
        format!("{}0.parquet", first.file_prefix()),
        format!("{}+0001.parquet", first.file_prefix()),
        format!("{}00001.parquet.bak", first.file_prefix()),
        format!("{}00001.csv", first.file_prefix()),
        "part-0.parquet".to_owned(),
    ] {
        assert!(!is_gone(&kept), "{kept}");
    }
    // What the second wrote is the table's now; of a table that is dropped, nobody's.
    let table_ = orders(&store).await;
    let third = begin(&store).await;
    let committed = store.commit_write(third, replace(&table_)).await.unwrap();
    let files = committed.discarded.unwrap().files;
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].write, second);
    store.drop_table("sales", "orders", false).await.unwrap();
}

#[tokio::test]
async fn partitions_are_replaced_in_every_spelling_and_the_others_keep_their_files() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let table_ = orders(&store).await;
    let first = begin(&store).await;
    let known = vec![at("2023", "Ulm"), at("2024", "Ulm"), at("02024", "Ulm")];
    let commit = append(&table_, known);
    store.commit_write(first, commit).await.unwrap();
    // In memory, which the commit has to bring up to date.
    assert_eq!(store.partitions("sales", "orders").await.unwrap().len(), 3);
    let table_ = orders(&store).await;
    let second = begin(&store).await;
    let new = PartitionInput::at(["2024", "Ulm"], "s3://lake/orders/year=2024/city=Ulm/new/");
    let overwrite = CommitWrite {
        replaces: vec![
            vec!["2024".into(), "Ulm".into()],
            vec!["1999".into(), "Ulm".into()],
        ],
        ..append(&table_, vec![new])
    };
    let committed = store.commit_write(second, overwrite).await.unwrap();
    let discarded = committed.discarded.unwrap();
    let mut folders = discarded.locations.clone();
    folders.sort();
    assert_eq!(
        folders,
        [
            "s3://lake/orders/year=02024/city=Ulm/",
            "s3://lake/orders/year=2024/city=Ulm/"
        ]
    );
    assert_eq!(discarded.files.len(), 1);
    assert!(discarded.files[0].contains(&first.file_name(0)));
    let now = store.partitions("sales", "orders").await.unwrap();
    let mut folders: Vec<String> = now.items.iter().map(|p| p.location(&now.keys)).collect();
    folders.sort();
    assert_eq!(
        folders,
        [
            "s3://lake/orders/year=2023/city=Ulm/",
            "s3://lake/orders/year=2024/city=Ulm/new/"
        ]
    );
    // What the first write made elsewhere is still the table's, and goes with the next overwrite.
    let table_ = orders(&store).await;
    let third = begin(&store).await;
    let empty = CommitWrite {
        replaces: vec![vec!["2023".into(), "Ulm".into()]],
        files: 0,
        ..append(&table_, Vec::new())
    };
    let discarded = store.commit_write(third, empty).await.unwrap().discarded;
    let discarded = discarded.unwrap();
    assert_eq!(
        discarded.locations,
        ["s3://lake/orders/year=2023/city=Ulm/"]
    );
    assert!(discarded.files.iter().any(|files| files.write == first));
    assert_eq!(store.partitions("sales", "orders").await.unwrap().len(), 1);
}

#[tokio::test]
async fn folders_of_files_that_are_to_be_deleted_get_no_new_partition() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let table_ = orders(&store).await;
    let first = begin(&store).await;
    let commit = append(&table_, vec![at("2023", "Ulm")]);
    store.commit_write(first, commit.clone()).await.unwrap();
    let late = begin(&store).await;
    let emptying = begin(&store).await;
    let new = PartitionInput::at(["2023", "Ulm"], "s3://lake/orders/year=2023/city=Ulm/new/");
    let truncate = CommitWrite {
        replaces: vec![vec!["2023".into(), "Ulm".into()]],
        files: 0,
        ..append(&table_, vec![new])
    };
    let committed = store.commit_write(emptying, truncate).await.unwrap();
    let discarded = committed.discarded.unwrap();
    let values = [vec!["2023".to_owned(), "Ulm".to_owned()]];
    store
        .drop_partitions("sales", "orders", &values, false)
        .await
        .unwrap();
    let retired = store.retired_folders().await.unwrap();
    assert!(retired.are_in("s3://lake/orders/year=2023/city=Ulm/"));
    let refused = store.commit_write(late, commit.clone()).await;
    assert!(matches!(refused, Err(CatalogError::Changed(_))));
    let now = store.partitions("sales", "orders").await.unwrap();
    assert!(now.is_empty());
    // The files are deleted.
    store.forget_discarded(discarded.id).await.unwrap();
    store.commit_write(late, commit).await.unwrap();
    let now = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(now.len(), 1);
}

#[tokio::test]
async fn partitions_that_were_registered_meanwhile_are_emptied_with_the_others() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let table_ = orders(&store).await;
    let first = begin(&store).await;
    let commit = append(&table_, vec![at("2023", "Ulm")]);
    store.commit_write(first, commit).await.unwrap();
    let emptying = begin(&store).await;
    let new = PartitionInput::at(["2023", "Ulm"], "s3://lake/orders/year=2023/city=Ulm/new/");
    let truncate = CommitWrite {
        replaces: vec![vec!["2023".into(), "Ulm".into()]],
        empties_rest: true,
        files: 0,
        ..append(&table_, vec![new])
    };
    let meanwhile = begin(&store).await;
    let commit = append(&table_, vec![at("2024", "Ulm")]);
    store.commit_write(meanwhile, commit).await.unwrap();
    // No check has decided which users may read the files of a folder elsewhere.
    let elsewhere = PartitionInput::at(["2025", "Ulm"], "s3://lake/elsewhere/");
    store
        .add_partitions("sales", "orders", vec![elsewhere], false)
        .await
        .unwrap();
    let error = store.commit_write(emptying, truncate.clone()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, CatalogError::Changed(why) if why.contains("year=2025")),
        "{error}"
    );
    assert_eq!(store.partitions("sales", "orders").await.unwrap().len(), 3);
    let outside = [vec!["2025".to_owned(), "Ulm".to_owned()]];
    store
        .drop_partitions("sales", "orders", &outside, false)
        .await
        .unwrap();
    let committed = store.commit_write(emptying, truncate).await.unwrap();
    let discarded = committed.discarded.unwrap();
    let mut folders = discarded.locations.clone();
    folders.sort();
    assert_eq!(
        folders,
        [
            "s3://lake/orders/year=2023/city=Ulm/",
            "s3://lake/orders/year=2024/city=Ulm/"
        ]
    );
    for write in [first, meanwhile] {
        assert!(discarded.files.iter().any(|files| files.write == write));
    }
    let now = store.partitions("sales", "orders").await.unwrap();
    let mut folders: Vec<String> = now.items.iter().map(|p| p.location(&now.keys)).collect();
    folders.sort();
    assert_eq!(
        folders,
        [
            "s3://lake/orders/year=2023/city=Ulm/new/".to_owned(),
            format!("s3://lake/orders/year=2024/city=Ulm/{emptying}/"),
        ]
    );
    // A write that was planned before would add to the files that are gone.
    let late = begin(&store).await;
    let error = store
        .commit_write(late, append(&table_, vec![at("2024", "Ulm")]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another location"), "{error}");
}

#[tokio::test]
async fn several_writes_are_committed_together_or_not_at_all() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let more = table("more", &[("id", "string")], &[]);
    let more = store
        .create_table("sales", more, false)
        .await
        .unwrap()
        .value;
    let table_ = orders(&store).await;
    let writes = [begin(&store).await, begin(&store).await];
    let commits = |version: u64| {
        let mut second = append(&more, Vec::new());
        second.expected = Some(ExpectedTable {
            id: more.id,
            version,
        });
        vec![
            (writes[0], append(&table_, vec![at("2024", "Ulm")])),
            (writes[1], second),
        ]
    };
    let error = store.commit_writes(commits(more.version_id + 1)).await;
    assert!(matches!(error, Err(CatalogError::Conflict { .. })));
    assert!(
        writes
            .iter()
            .all(|id| store.open_writes().hides(&file(*id)))
    );
    assert!(
        store
            .partitions("sales", "orders")
            .await
            .unwrap()
            .is_empty()
    );
    let committed = store.commit_writes(commits(more.version_id)).await.unwrap();
    let tables: Vec<i64> = committed.iter().map(|done| done.table.id).collect();
    assert_eq!(tables, [table_.id, more.id]);
    assert!(
        writes
            .iter()
            .all(|id| !store.open_writes().hides(&file(*id)))
    );
}
