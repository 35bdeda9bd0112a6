//! Partitions, as statements use them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use lakegate_catalog::CatalogError;
use lakegate_catalog::model::{Column, StorageDescriptor};
use lakegate_catalog::partition::{PartitionInput, Partitions};
use lakegate_catalog::store::{Metastore, SqliteStore};
use support::{table, with_orders};

fn names(partitions: &Partitions) -> Vec<String> {
    partitions
        .items
        .iter()
        .map(|partition| partition.name(&partitions.keys))
        .collect()
}

fn locations(partitions: &Partitions) -> Vec<String> {
    partitions
        .items
        .iter()
        .map(|partition| partition.location(&partitions.keys))
        .collect()
}

#[tokio::test]
async fn partitions_are_told_by_the_spelling_of_their_values() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    // Once before and once after the partitions are in memory.
    for cached in [false, true] {
        let (year, other) = if cached {
            ("2025", "02025")
        } else {
            ("2024", "02024")
        };
        let input = vec![
            PartitionInput::new([year, "bern"]),
            PartitionInput::at(["1999", year], "s3://old/"),
        ];
        assert_eq!(
            store
                .add_partitions("sales", "orders", input, false)
                .await
                .unwrap()
                .added,
            2
        );
        let error = store
            .add_partitions(
                "sales",
                "orders",
                vec![PartitionInput::new([year, "bern"])],
                false,
            )
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("partition \"sales.orders/year={year}/city=bern\" already exists")
        );
        let input = vec![
            PartitionInput::new([other, "bern"]),
            PartitionInput::new([other, "thun"]),
            PartitionInput::new([other, "bern"]),
        ];
        let outcome = store
            .add_partitions("sales", "orders", input, true)
            .await
            .unwrap();
        assert_eq!((outcome.added, outcome.existing), (2, vec![2]));
        let _now_in_memory = store.partitions("sales", "orders").await.unwrap();
    }
    let all = store.partitions("sales", "orders").await.unwrap();
    let expected = [
        "year=1999/city=2024",
        "year=1999/city=2025",
        "year=2024/city=bern",
        "year=02024/city=bern",
        "year=02024/city=thun",
        "year=2025/city=bern",
        "year=02025/city=bern",
        "year=02025/city=thun",
    ];
    assert_eq!(names(&all), expected);
    assert_eq!(locations(&all)[0], "s3://old/");
    assert_eq!(locations(&all)[4], "s3://lake/orders/year=02024/city=thun/");
    let shared = all
        .items
        .iter()
        .all(|p| Arc::ptr_eq(&p.storage_descriptor, &all.items[0].storage_descriptor));
    assert!(
        shared,
        "all have one descriptor, also the one that lies elsewhere"
    );
}

#[tokio::test]
async fn values_of_another_type_are_refused_and_nothing_is_added() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let input = vec![
        PartitionInput::new(["2024", "bern"]),
        PartitionInput::new(["soon", "bern"]),
    ];
    let error = store
        .add_partitions("sales", "orders", input, false)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition key \"year\": \"soon\" is not a value of type int; use a whole number from -2147483648 to 2147483647"
    );
    let error = store
        .add_partitions(
            "sales",
            "orders",
            vec![PartitionInput::new(["2024"])],
            false,
        )
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("1 value(s) where the table has 2"),
        "{error}"
    );
    assert!(
        store
            .partitions("sales", "orders")
            .await
            .unwrap()
            .is_empty()
    );
    store
        .create_table("sales", table("plain", &[("a", "int")], &[]), false)
        .await
        .unwrap();
    let error = store
        .add_partitions("sales", "plain", vec![PartitionInput::new(["1"])], false)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "table \"sales.plain\" is not partitioned"
    );
    assert!(store.partitions("sales", "plain").await.unwrap().is_empty());
}

#[tokio::test]
async fn partitions_are_dropped_renamed_and_changed_in_memory_as_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let seen = {
        let store = SqliteStore::open(&path).unwrap();
        with_orders(&store).await;
        let before = store.partitions("sales", "orders").await.unwrap();
        let input = (2020..2026)
            .map(|year| PartitionInput::new([year.to_string(), "bern".into()]))
            .collect();
        store
            .add_partitions("sales", "orders", input, false)
            .await
            .unwrap();
        let gone = [
            vec!["2020".to_owned(), "bern".to_owned()],
            vec!["02021".to_owned(), "bern".to_owned()],
        ];
        assert_eq!(
            store
                .drop_partitions("sales", "orders", &gone, false)
                .await
                .unwrap(),
            2
        );
        assert_eq!(
            store
                .drop_partitions("sales", "orders", &gone, true)
                .await
                .unwrap(),
            0
        );
        assert!(
            store
                .drop_partitions("sales", "orders", &gone, false)
                .await
                .is_err()
        );
        let from = ["2022".to_owned(), "bern".to_owned()];
        let to = ["2030".to_owned(), "thun".to_owned()];
        store
            .rename_partition("sales", "orders", &from, &to)
            .await
            .unwrap();
        assert!(
            store
                .rename_partition("sales", "orders", &from, &to)
                .await
                .is_err(),
            "it has another name now"
        );
        let taken = ["2023".to_owned(), "bern".to_owned()];
        assert!(matches!(
            store
                .rename_partition("sales", "orders", &taken, &to)
                .await
                .unwrap_err(),
            CatalogError::AlreadyExists { .. }
        ));
        let wide = StorageDescriptor {
            columns: vec![Column::new("Id", "STRING"), Column::new("new", "int")],
            ..StorageDescriptor::default()
        };
        let mut change = PartitionInput::at(["02023", "bern"], "s3://moved/here");
        change.storage_descriptor = Some(Arc::new(wide));
        change.parameters.insert("a".into(), "b".into());
        store
            .update_partitions("sales", "orders", vec![change])
            .await
            .unwrap();
        let after = store.partitions("sales", "orders").await.unwrap();
        assert!(
            before.is_empty(),
            "a set that was handed out does not change"
        );
        assert!(after.version > before.version);
        after
    };
    assert_eq!(
        names(&seen),
        [
            "year=2023/city=bern",
            "year=2024/city=bern",
            "year=2025/city=bern",
            "year=2030/city=thun"
        ]
    );
    assert_eq!(locations(&seen)[0], "s3://moved/here");
    assert_eq!(
        locations(&seen)[3],
        "s3://lake/orders/year=2022/city=bern/",
        "the files did not move"
    );
    assert_eq!(seen.items[0].storage_descriptor.columns[1].name, "new");
    let store = SqliteStore::open(&path).unwrap();
    let read = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(read.items, seen.items);
    assert_eq!(read.version, seen.version);
    assert_eq!(locations(&read), locations(&seen));
}

#[tokio::test]
async fn a_renamed_partition_keeps_its_files_and_all_else_of_it() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let text = |values: [&str; 2]| values.map(str::to_owned);
    let mut elsewhere = PartitionInput::at(["2025", "thun"], "s3://other/place/");
    elsewhere.parameters.insert("a".into(), "b".into());
    let input = vec![PartitionInput::new(["2024", "bern"]), elsewhere];
    store
        .add_partitions("sales", "orders", input, false)
        .await
        .unwrap();
    let rename = async |from: [&str; 2], to: [&str; 2]| {
        store
            .rename_partition("sales", "orders", &text(from), &text(to))
            .await
    };
    rename(["2024", "bern"], ["1999", "chur"]).await.unwrap();
    rename(["02025", "thun"], ["2026", "biel"]).await.unwrap();
    let all = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(names(&all), ["year=1999/city=chur", "year=2026/city=biel"]);
    assert_eq!(
        locations(&all),
        ["s3://lake/orders/year=2024/city=bern/", "s3://other/place/"]
    );
    let parameters = all.items[1].parameters.as_deref().unwrap();
    assert_eq!(parameters.get("a").map(String::as_str), Some("b"));
    // Back again it has the place that follows from its values, and another spelling is no other partition.
    rename(["1999", "chur"], ["2024", "bern"]).await.unwrap();
    rename(["2024", "bern"], ["02024", "bern"]).await.unwrap();
    let all = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(names(&all)[0], "year=02024/city=bern");
    assert_eq!(
        locations(&all)[0],
        "s3://lake/orders/year=2024/city=bern/",
        "the files did not move"
    );
    for (from, to) in [
        (["2000", "bern"], ["2001", "bern"]),
        (["2024", "bern"], ["2026", "biel"]),
        (["2024", "bern"], ["soon", "bern"]),
    ] {
        assert!(rename(from, to).await.is_err(), "{from:?} to {to:?}");
    }
    let after = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(after.version, all.version, "what failed changed nothing");
    assert!(
        store
            .rename_partition("sales", "absent", &text(["1", "a"]), &text(["2", "a"]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_new_table_location_leaves_partitions_where_they_are() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    store
        .add_partitions(
            "sales",
            "orders",
            vec![PartitionInput::new(["2024", "a"])],
            false,
        )
        .await
        .unwrap();
    let mut moved = store
        .table("sales", "orders")
        .await
        .unwrap()
        .unwrap()
        .to_input();
    moved.storage_descriptor.location = Some("s3://new/".into());
    store
        .update_table("sales", moved.clone(), None)
        .await
        .unwrap();
    store
        .add_partitions(
            "sales",
            "orders",
            vec![PartitionInput::new(["2024", "b"])],
            false,
        )
        .await
        .unwrap();
    let all = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(
        locations(&all),
        [
            "s3://lake/orders/year=2024/city=a/",
            "s3://new/year=2024/city=b/"
        ]
    );
    moved.partition_keys[0].data_type = "string".into();
    let error = store.update_table("sales", moved, None).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot change while it has partitions"),
        "{error}"
    );
}

#[tokio::test]
async fn ten_thousand_partitions_are_one_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    {
        let store = SqliteStore::open(&path).unwrap();
        with_orders(&store).await;
        let before = store.catalog_version();
        let input = (0..10_000)
            .map(|n| PartitionInput::new([n.to_string(), format!("city {n}")]))
            .collect();
        assert_eq!(
            store
                .add_partitions("sales", "orders", input, false)
                .await
                .unwrap()
                .added,
            10_000
        );
        assert_eq!(store.catalog_version(), before + 1);
    }
    let store = SqliteStore::open(&path).unwrap();
    let all = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(all.len(), 10_000);
    assert!(all.find(&["009999", "city 9999"]).unwrap().is_some());
}
