//! What every metastore does alike: one suite over the embedded one and the one in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lakegate_catalog::CatalogError;
use lakegate_catalog::model::{
    BinaryStatistics, ColumnStatistics, ColumnStatisticsData, TableStatistics, now,
};
use lakegate_catalog::partition::{
    Comparison, HIVE_DEFAULT_PARTITION, PartitionInput, PartitionPredicate,
};
use lakegate_catalog::store::{MemoryMetastore, Metastore, SqliteStore, TableVersion};
use support::{database, table};

macro_rules! conformance {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::SqliteStore::in_memory().unwrap()).await;
            })+
        }
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::MemoryMetastore::new()).await;
            })+
        }
    };
}

conformance!(
    names_are_folded_and_checked,
    what_exists_is_refused_or_kept,
    databases_are_changed_and_dropped,
    updates_of_tables_are_versions,
    a_renamed_table_keeps_its_id_and_partitions,
    a_moved_table_keeps_its_id_and_partitions,
    ids_are_not_used_again,
    tables_are_found_by_their_ids,
    partitions_are_added_all_or_none,
    partitions_are_dropped_and_changed,
    a_renamed_partition_keeps_its_files,
    partitions_are_found_by_predicate,
    versions_change_with_the_table_and_its_partitions,
    a_failed_change_changes_nothing,
    partitions_outside_of_the_folder_are_claimed,
    statistics_go_with_the_table_and_its_columns,
    statistics_of_partitions_go_with_them,
);

/// `sales.orders (id) partitioned by (year int, city string)` under `s3://lake/orders/`.
async fn with_orders(store: &dyn Metastore) {
    store
        .create_database(database("sales"), false)
        .await
        .unwrap();
    let keys = [("year", "int"), ("city", "string")];
    let orders = table("orders", &[("id", "string")], &keys);
    store.create_table("sales", orders, false).await.unwrap();
}

async fn add(store: &dyn Metastore, partitions: &[[&str; 2]]) {
    let partitions = partitions.iter().map(|values| PartitionInput::new(*values));
    store
        .add_partitions("sales", "orders", partitions.collect(), false)
        .await
        .unwrap();
}

/// The names of the partitions that a predicate finds.
async fn found(store: &dyn Metastore, predicate: PartitionPredicate) -> Vec<String> {
    let found = store.partitions_matching("sales", "orders", &predicate);
    let found = found.await.unwrap();
    found.items.iter().map(|p| p.name(&found.keys)).collect()
}

async fn all(store: &dyn Metastore) -> Vec<String> {
    found(store, PartitionPredicate::all()).await
}

async fn version(store: &dyn Metastore) -> TableVersion {
    let version = store.table_version("Sales", "ORDERS").await.unwrap();
    version.unwrap()
}

fn values(values: [&str; 2]) -> Vec<String> {
    values.map(str::to_owned).to_vec()
}

async fn names_are_folded_and_checked(store: &dyn Metastore) {
    with_orders(store).await;
    let found = store.table("SALES", "Orders").await.unwrap().unwrap();
    let sales = store.database("Sales").await.unwrap().unwrap();
    assert_eq!(found.full_name(), "sales.orders");
    assert_eq!(found.database_id, sales.id);
    assert!(store.table("sales", "none").await.unwrap().is_none());
    assert!(store.table("none", "orders").await.unwrap().is_none());
    assert!(store.table_version("none", "t").await.unwrap().is_none());
    for bad in ["", "a/b", "system"] {
        let made = store.create_database(database(bad), false).await;
        assert!(matches!(made, Err(CatalogError::InvalidInput(_))), "{bad}");
    }
    let blob = table("t", &[("a", "blob")], &[]);
    assert!(store.create_table("sales", blob, false).await.is_err());
    for missing in [
        store.tables("none").await.err(),
        store.partitions("sales", "none").await.err(),
        store.table_versions("sales", "none").await.err(),
        store
            .create_table("none", table("t", &[("a", "int")], &[]), true)
            .await
            .err(),
    ] {
        assert!(
            matches!(missing, Some(CatalogError::NotFound { .. })),
            "{missing:?}"
        );
    }
}

async fn tables_are_found_by_their_ids(store: &dyn Metastore) {
    with_orders(store).await;
    let names = async |ids: &[i64]| {
        let found = store.tables_of_ids(&ids.iter().copied().collect()).await;
        let mut names: Vec<String> = found.unwrap().iter().map(|t| t.full_name()).collect();
        names.sort();
        names
    };
    let users = table("users", &[("id", "string")], &[]);
    let orders = store.table("sales", "orders").await.unwrap().unwrap().id;
    assert_eq!(names(&[orders, orders + 1_000]).await, ["sales.orders"]);
    // Not as they were found before.
    let created = store.create_table("sales", users, false).await.unwrap();
    let users = created.value.id;
    assert_eq!(
        names(&[orders, users]).await,
        ["sales.orders", "sales.users"]
    );
    store.drop_table("sales", "orders", false).await.unwrap();
    assert_eq!(names(&[orders, users]).await, ["sales.users"]);
    store.drop_database("sales", false, true).await.unwrap();
    assert!(names(&[orders, users]).await.is_empty());
    assert!(names(&[]).await.is_empty());
}

async fn what_exists_is_refused_or_kept(store: &dyn Metastore) {
    with_orders(store).await;
    let error = store.create_database(database("Sales"), false).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "database \"sales\" already exists"
    );
    let kept = store
        .create_database(database("sales"), true)
        .await
        .unwrap();
    assert!(!kept.created);
    let other = || table("Orders", &[("other", "int")], &[]);
    let error = store.create_table("sales", other(), false).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "table \"sales.orders\" already exists"
    );
    let kept = store.create_table("sales", other(), true).await.unwrap();
    assert!(!kept.created);
    assert_eq!(kept.value.column_names(), ["id", "year", "city"]);
}

async fn databases_are_changed_and_dropped(store: &dyn Metastore) {
    with_orders(store).await;
    let old = store.database("sales").await.unwrap().unwrap();
    let mut input = old.to_input();
    input.description = Some("of the year".into());
    let new = store.update_database(input).await.unwrap();
    assert_eq!((new.id, new.create_time), (old.id, old.create_time));
    assert_eq!(new.description.as_deref(), Some("of the year"));
    let error = store.update_database(database("none")).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { .. }));
    let error = store.drop_database("sales", true, false).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotEmpty { tables: 1, .. }));
    assert!(store.drop_database("SALES", false, true).await.unwrap());
    assert!(!store.drop_database("sales", true, true).await.unwrap());
    assert!(store.drop_database("sales", false, true).await.is_err());
    assert!(store.databases().await.unwrap().is_empty());
}

async fn updates_of_tables_are_versions(store: &dyn Metastore) {
    with_orders(store).await;
    let first = store.table("sales", "orders").await.unwrap().unwrap();
    let mut input = first.to_input();
    input.description = Some("changed".into());
    let second = store
        .update_table("sales", input.clone(), Some(first.version_id))
        .await
        .unwrap();
    assert_eq!(
        (second.id, second.create_time),
        (first.id, first.create_time)
    );
    let stale = store
        .update_table("sales", input.clone(), Some(first.version_id))
        .await;
    assert!(matches!(stale, Err(CatalogError::Conflict { .. })));
    for _ in 0..120 {
        store
            .update_table("sales", input.clone(), None)
            .await
            .unwrap();
    }
    let versions = store.table_versions("sales", "orders").await.unwrap();
    assert_eq!(versions.len(), 101);
    let ids = versions.iter().map(|table| table.version_id);
    assert!(ids.eq((21..=121).rev()));
    assert!(versions.iter().all(|table| table.id == first.id));
    // Keys are fixed while there are partitions.
    add(store, &[["2024", "Ulm"]]).await;
    input.partition_keys.pop();
    let refused = store.update_table("sales", input.clone(), None).await;
    assert!(matches!(refused, Err(CatalogError::InvalidInput(_))));
    let gone = [values(["2024", "Ulm"])];
    store
        .drop_partitions("sales", "orders", &gone, false)
        .await
        .unwrap();
    store.update_table("sales", input, None).await.unwrap();
    let partitions = store.partitions("sales", "orders").await.unwrap();
    assert_eq!(partitions.keys.len(), 1);
}

async fn a_renamed_table_keeps_its_id_and_partitions(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Ulm"]]).await;
    let old = store.table("sales", "orders").await.unwrap().unwrap();
    let other = table("other", &[("a", "int")], &[]);
    store.create_table("sales", other, false).await.unwrap();
    let taken = store.rename_table(&old, "sales", "OTHER").await;
    assert!(matches!(taken, Err(CatalogError::AlreadyExists { .. })));
    let new = store.rename_table(&old, "sales", "New").await.unwrap();
    assert_eq!((new.id, new.name.as_str()), (old.id, "new"));
    assert_eq!(new.version_id, old.version_id + 1);
    assert!(store.table("sales", "orders").await.unwrap().is_none());
    // The name goes to another table, which is not the one that was found.
    let next = table("orders", &[("a", "int")], &[]);
    store.create_table("sales", next, false).await.unwrap();
    let refused = store.rename_table(&old, "sales", "older").await;
    assert!(matches!(refused, Err(CatalogError::NotFound { .. })));
    store.drop_table("sales", "orders", false).await.unwrap();
    assert_eq!(store.partitions("sales", "new").await.unwrap().len(), 1);
    let versions = store.table_versions("sales", "new").await.unwrap();
    let names: Vec<&str> = versions.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["new", "orders"]);
}

async fn a_moved_table_keeps_its_id_and_partitions(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Ulm"]]).await;
    let shelf = store.create_database(database("shelf"), false).await;
    let shelf = shelf.unwrap().value;
    let taken = table("taken", &[("a", "int")], &[]);
    store.create_table("shelf", taken, false).await.unwrap();
    let old = store.table("sales", "orders").await.unwrap().unwrap();
    let refused = store.rename_table(&old, "none", "orders");
    assert!(matches!(refused.await, Err(CatalogError::NotFound { .. })));
    let refused = store.rename_table(&old, "shelf", "taken");
    assert!(matches!(
        refused.await,
        Err(CatalogError::AlreadyExists { .. })
    ));
    assert_eq!(
        store.table("sales", "orders").await.unwrap().unwrap(),
        old,
        "nothing is moved by half"
    );
    let new = store.rename_table(&old, "Shelf", "Kept").await.unwrap();
    assert_eq!(new.full_name(), "shelf.kept");
    assert_eq!((new.id, new.database_id), (old.id, shelf.id));
    assert_eq!(new.version_id, old.version_id + 1);
    assert_eq!(new.storage_descriptor, old.storage_descriptor);
    assert!(store.tables("sales").await.unwrap().is_empty());
    let found = store.table("shelf", "kept").await.unwrap();
    assert_eq!(found.unwrap(), new);
    assert_eq!(store.partitions("shelf", "kept").await.unwrap().len(), 1);
    let added = vec![PartitionInput::new(["2025", "Ulm"])];
    store
        .add_partitions("shelf", "kept", added, false)
        .await
        .unwrap();
    let versions = store.table_versions("shelf", "kept").await.unwrap();
    let names: Vec<String> = versions.iter().map(|table| table.full_name()).collect();
    assert_eq!(names, ["shelf.kept", "sales.orders"]);
    // It goes with its new database, not with the one that it was in.
    store.drop_database("sales", false, true).await.unwrap();
    assert_eq!(store.partitions("shelf", "kept").await.unwrap().len(), 2);
    store.drop_database("shelf", false, true).await.unwrap();
    store
        .create_database(database("shelf"), false)
        .await
        .unwrap();
    assert!(store.table("shelf", "kept").await.unwrap().is_none());
}

async fn ids_are_not_used_again(store: &dyn Metastore) {
    with_orders(store).await;
    let first = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(store.drop_table("sales", "Orders", false).await.unwrap());
    assert!(!store.drop_table("sales", "orders", true).await.unwrap());
    assert!(store.drop_table("sales", "orders", false).await.is_err());
    let again = table("orders", &[("id", "string")], &[]);
    let again = store.create_table("sales", again, false).await.unwrap();
    assert!(again.value.id > first.id);
    store.drop_database("sales", false, true).await.unwrap();
    let next = store.create_database(database("sales"), false).await;
    assert!(next.unwrap().value.id > first.database_id);
}

async fn partitions_are_added_all_or_none(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Ulm"], ["02023", "Bonn"]]).await;
    let inputs = |years: [&str; 3]| {
        let inputs = years.map(|year| PartitionInput::new([year, "Ulm"]));
        inputs.to_vec()
    };
    let error = store
        .add_partitions("sales", "orders", inputs(["2025", "soon", "2026"]), true)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition key \"year\": \"soon\" is not a value of type int; use a whole number from -2147483648 to 2147483647"
    );
    let error = store
        .add_partitions("sales", "orders", inputs(["2025", "2024", "2026"]), false)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition \"sales.orders/year=2024/city=Ulm\" already exists"
    );
    let added = store
        .add_partitions("sales", "orders", inputs(["2025", "2024", "2025"]), true)
        .await
        .unwrap();
    assert_eq!((added.added, added.existing), (1, vec![1, 2]));
    assert_eq!(
        all(store).await,
        [
            "year=02023/city=Bonn",
            "year=2024/city=Ulm",
            "year=2025/city=Ulm"
        ]
    );
    let plain = table("plain", &[("a", "int")], &[]);
    store.create_table("sales", plain, false).await.unwrap();
    let refused = store
        .add_partitions("sales", "plain", vec![PartitionInput::new(["1"])], false)
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "table \"sales.plain\" is not partitioned"
    );
    assert!(store.partitions("sales", "plain").await.unwrap().is_empty());
}

async fn partitions_are_dropped_and_changed(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2022", "Ulm"], ["02023", "Ulm"], ["2024", "Ulm"]]).await;
    // Values are compared by their type.
    let gone = [values(["2023", "Ulm"])];
    let dropped = store.drop_partitions("sales", "orders", &gone, false);
    assert_eq!(dropped.await.unwrap(), 1);
    let error = store.drop_partitions("sales", "orders", &gone, false);
    assert!(matches!(error.await, Err(CatalogError::NotFound { .. })));
    let none = store.drop_partitions("sales", "orders", &gone, true);
    assert_eq!(none.await.unwrap(), 0);
    let dropped = [values(["2022", "Ulm"]), values(["1999", "Ulm"])];
    let added = ["2024", "2025"].map(|year| PartitionInput::new([year, "Ulm"]));
    let (dropped, added) = store
        .change_partitions("sales", "orders", &dropped, added.to_vec())
        .await
        .unwrap();
    assert_eq!((dropped, added.added, added.existing), (1, 1, vec![0]));
    assert_eq!(
        all(store).await,
        ["year=2024/city=Ulm", "year=2025/city=Ulm"]
    );
    let moved = PartitionInput::at(["02024", "Ulm"], "s3://lake/orders/moved/");
    store
        .update_partitions("sales", "orders", vec![moved])
        .await
        .unwrap();
    let partitions = store.partitions("sales", "orders").await.unwrap();
    let moved = partitions.get(&["2024", "Ulm"]).unwrap().unwrap();
    assert_eq!(moved.location(&partitions.keys), "s3://lake/orders/moved/");
    let missing = vec![PartitionInput::new(["1999", "Ulm"])];
    let error = store.update_partitions("sales", "orders", missing).await;
    assert!(matches!(error, Err(CatalogError::NotFound { .. })));
}

async fn a_renamed_partition_keeps_its_files(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2023", "Ulm"], ["2024", "Ulm"]]).await;
    let (from, to) = (values(["2023", "Ulm"]), values(["2024", "Ulm"]));
    let taken = store.rename_partition("sales", "orders", &from, &to).await;
    assert!(matches!(taken, Err(CatalogError::AlreadyExists { .. })));
    let to = values(["2022", "Ulm"]);
    let missing = store.rename_partition("sales", "orders", &to, &from).await;
    assert!(matches!(missing, Err(CatalogError::NotFound { .. })));
    store
        .rename_partition("sales", "orders", &from, &to)
        .await
        .unwrap();
    let partitions = store.partitions("sales", "orders").await.unwrap();
    let renamed = partitions.get(&to).unwrap().unwrap();
    assert_eq!(
        renamed.location(&partitions.keys),
        "s3://lake/orders/year=2023/city=Ulm/"
    );
    assert!(partitions.get(&from).unwrap().is_none());
}

async fn partitions_are_found_by_predicate(store: &dyn Metastore) {
    with_orders(store).await;
    add(
        store,
        &[
            ["998", "Ulm"],
            ["2023", "Bonn"],
            ["02024", "Ulm"],
            [HIVE_DEFAULT_PARTITION, "Ulm"],
        ],
    )
    .await;
    let year = |op, value: &str| PartitionPredicate::all().and("Year", op, value);
    let since = found(store, year(Comparison::GreaterOrEqual, "2023")).await;
    assert_eq!(since, ["year=2023/city=Bonn", "year=02024/city=Ulm"]);
    let before = found(
        store,
        year(Comparison::Less, "2024").and("city", Comparison::Equal, "Ulm"),
    );
    assert_eq!(before.await, ["year=998/city=Ulm"]);
    let either = PartitionPredicate::all().and_in("year", ["2024", "1999"]);
    assert_eq!(found(store, either).await, ["year=02024/city=Ulm"]);
    assert_eq!(all(store).await.len(), 4);
    let unknown = PartitionPredicate::all().and("month", Comparison::Equal, "1");
    let refused = store.partitions_matching("sales", "orders", &unknown).await;
    assert!(matches!(refused, Err(CatalogError::InvalidInput(_))));
    // A part has the version of the whole.
    let one = year(Comparison::Equal, "998");
    let part = store.partitions_matching("sales", "orders", &one);
    let part = part.await.unwrap();
    assert_eq!(part.len(), 1);
    assert_eq!(part.version, version(store).await.partitions);
}

async fn versions_change_with_the_table_and_its_partitions(store: &dyn Metastore) {
    with_orders(store).await;
    let other = table("other", &[("a", "int")], &[("k", "int")]);
    store.create_table("sales", other, false).await.unwrap();
    let mut last = version(store).await;
    let table = store.table("sales", "orders").await.unwrap().unwrap();
    assert_eq!((last.id, last.table), (table.id, table.version_id));

    // Of another table, none of this one's.
    let one = vec![PartitionInput::new(["1"])];
    let catalog = store.catalog_version();
    store
        .add_partitions("sales", "other", one, false)
        .await
        .unwrap();
    assert!(store.catalog_version() > catalog);
    assert_eq!(version(store).await, last);

    add(store, &[["2023", "Ulm"], ["2024", "Ulm"]]).await;
    for step in 0..5 {
        let (from, to) = (values(["2023", "Ulm"]), values(["2022", "Ulm"]));
        match step {
            0 => {}
            1 => {
                let change = store.rename_partition("sales", "orders", &from, &to);
                change.await.unwrap();
            }
            2 => {
                let moved = PartitionInput::at(["2022", "Ulm"], "s3://lake/orders/x/");
                let change = store.update_partitions("sales", "orders", vec![moved]);
                change.await.unwrap();
            }
            3 => {
                let gone = [to];
                let change = store.drop_partitions("sales", "orders", &gone, false);
                change.await.unwrap();
            }
            _ => {
                let change = store.update_table("sales", table.to_input(), None);
                change.await.unwrap();
            }
        }
        let now = version(store).await;
        let partitions = store.partitions("sales", "orders").await.unwrap();
        assert_eq!(now.partitions, partitions.version, "{step}");
        match step {
            4 => assert_eq!(
                (now.table, now.partitions),
                (last.table + 1, last.partitions)
            ),
            _ => assert_eq!(
                (now.table, now.partitions),
                (last.table, last.partitions + 1)
            ),
        }
        last = now;
    }
}

async fn a_failed_change_changes_nothing(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Ulm"]]).await;
    let before = (store.catalog_version(), version(store).await);
    let mixed = ["2025", "soon"].map(|year| PartitionInput::new([year, "Ulm"]));
    let add = store.add_partitions("sales", "orders", mixed.to_vec(), false);
    assert!(add.await.is_err());
    let gone = [values(["2024", "Ulm"])];
    let change = store.change_partitions("sales", "orders", &gone, mixed.to_vec());
    assert!(change.await.is_err());
    let gone = [values(["2024", "Ulm"]), values(["1999", "Ulm"])];
    let drop = store.drop_partitions("sales", "orders", &gone, false);
    assert!(drop.await.is_err());
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    let rename = store.rename_table(&orders, "sales", "a/b");
    assert!(rename.await.is_err());
    assert!(store.drop_table("sales", "none", false).await.is_err());
    assert_eq!((store.catalog_version(), version(store).await), before);
    assert_eq!(all(store).await, ["year=2024/city=Ulm"]);
}

async fn partitions_outside_of_the_folder_are_claimed(store: &dyn Metastore) {
    with_orders(store).await;
    let add = |input| store.add_partitions("sales", "orders", vec![input], false);
    let inside = PartitionInput::at(["2023", "Ulm"], "s3://lake/orders/elsewhere/");
    add(inside).await.unwrap();
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(orders.outer_claim.is_none());
    let outside = PartitionInput::at(["2024", "Ulm"], "s3://lake/orders-2/");
    add(outside).await.unwrap();
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(
        orders
            .outer_claim
            .is_some_and(|claim| claim.by_administrator)
    );
}

async fn statistics_go_with_the_table_and_its_columns(store: &dyn Metastore) {
    with_orders(store).await;
    let analyzed = |columns: &[(&str, &str)]| TableStatistics {
        row_count: 3,
        file_bytes: 10,
        version: 0,
        analyzed_time: now(),
        columns: columns
            .iter()
            .map(|(name, data_type)| ColumnStatistics {
                column_name: (*name).to_owned(),
                column_type: (*data_type).to_owned(),
                analyzed_time: now(),
                statistics_data: ColumnStatisticsData::Binary {
                    data: BinaryStatistics {
                        maximum_length: Some(4),
                        average_length: Some(2.5),
                        number_of_nulls: 1,
                    },
                },
            })
            .collect(),
    };
    let known = async |name: &str| {
        let Some(table) = store.table("sales", name).await.unwrap() else {
            return (false, Vec::new());
        };
        let known = store.table_statistics(&table).await.unwrap();
        let columns = known.iter().flat_map(|known| &known.columns);
        let columns: Vec<String> = columns.map(|known| known.column_name.clone()).collect();
        (known.is_some(), columns)
    };
    assert_eq!(known("orders").await, (false, Vec::new()));
    assert_eq!(known("none").await, (false, Vec::new()));
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    for columns in [
        [("id", "string"), ("year", "int")].as_slice(),
        &[("year", "int"), ("gone", "int")],
    ] {
        store
            .update_table_statistics(&orders, analyzed(columns))
            .await
            .unwrap();
    }
    let both = vec!["year".to_owned(), "id".to_owned()];
    assert_eq!(known("orders").await, (true, both.clone()));
    let now = version(store).await;
    assert_eq!((now.table, now.analyzed), (0, 2));

    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    store
        .rename_table(&orders, "sales", "bought")
        .await
        .unwrap();
    assert_eq!(known("orders").await, (false, Vec::new()));
    assert_eq!(known("bought").await, (true, both));
    let bought = store.table("sales", "bought").await.unwrap().unwrap();
    let mut input = bought.to_input();
    input.storage_descriptor.columns[0].data_type = "int".to_owned();
    store
        .update_table("sales", input.clone(), None)
        .await
        .unwrap();
    assert_eq!(known("bought").await, (true, vec!["year".to_owned()]));
    // Files elsewhere are others.
    input.storage_descriptor.location = Some("s3://lake/elsewhere/".to_owned());
    store.update_table("sales", input, None).await.unwrap();
    assert_eq!(known("bought").await, (false, Vec::new()));

    store.drop_table("sales", "bought", false).await.unwrap();
    let keys = [("year", "int"), ("city", "string")];
    let another = table("bought", &[("id", "string")], &keys);
    store.create_table("sales", another, false).await.unwrap();
    let refused = store.update_table_statistics(&bought, analyzed(&[])).await;
    assert!(matches!(refused, Err(CatalogError::NotFound { .. })));
    assert_eq!(known("bought").await, (false, Vec::new()));
    assert_eq!(store.table_statistics(&bought).await.unwrap(), None);
}

async fn statistics_of_partitions_go_with_them(store: &dyn Metastore) {
    with_orders(store).await;
    add(store, &[["2024", "Bern"], ["2025", "Bern"]]).await;
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    let counted = |row_count| TableStatistics {
        row_count,
        file_bytes: 10,
        version: 0,
        analyzed_time: now(),
        columns: Vec::new(),
    };
    let known = async |year: &str| {
        let values = values([year, "Bern"]);
        let found = store.partition_statistics(&orders, &values).await;
        found.unwrap().map(|known| known.row_count)
    };
    let before = version(store).await;
    for (year, rows) in [("2024", 3), ("2025", 4), ("2024", 5)] {
        store
            .update_partition_statistics(&orders, vec![(values([year, "Bern"]), counted(rows))])
            .await
            .unwrap();
    }
    let none = values(["2026", "Bern"]);
    // Of all or of none.
    let several = vec![
        (values(["2024", "Bern"]), counted(9)),
        (none.clone(), counted(1)),
    ];
    let refused = store.update_partition_statistics(&orders, several);
    assert!(matches!(refused.await, Err(CatalogError::NotFound { .. })));
    assert_eq!(
        (known("2024").await, known("2025").await),
        (Some(5), Some(4))
    );
    assert_eq!(known("2026").await, None);
    let after = version(store).await;
    assert_eq!(after.analyzed, before.analyzed + 3);
    let unchanged = TableVersion {
        analyzed: before.analyzed,
        ..after
    };
    assert_eq!(unchanged, before);
    let all = store.all_partition_statistics(&orders, 2).await.unwrap();
    let rows: Vec<u64> = all.values().map(|known| known.row_count).collect();
    assert_eq!(rows, [5, 4]);
    let too_many = store.all_partition_statistics(&orders, 1).await;
    assert!(too_many.unwrap().is_empty());
    assert_eq!(store.table_statistics(&orders).await.unwrap(), None);

    // A name changes nothing, other files do.
    let (from, to) = (values(["2025", "Bern"]), none);
    store
        .rename_partition("sales", "orders", &from, &to)
        .await
        .unwrap();
    assert_eq!((known("2025").await, known("2026").await), (None, Some(4)));
    let moved = PartitionInput::at(to, "s3://lake/elsewhere/".to_owned());
    store
        .update_partitions("sales", "orders", vec![moved])
        .await
        .unwrap();
    assert_eq!(known("2026").await, None);

    // A new column does not make it wrong, a column of another type may.
    let mut input = orders.to_input();
    let column = lakegate_catalog::model::Column::new("note", "string");
    input.storage_descriptor.columns.push(column);
    store
        .update_table("sales", input.clone(), None)
        .await
        .unwrap();
    assert_eq!(known("2024").await, Some(5));
    input.storage_descriptor.columns[0].data_type = "int".to_owned();
    store.update_table("sales", input, None).await.unwrap();
    assert_eq!(known("2024").await, None);

    store
        .update_partition_statistics(&orders, vec![(values(["2024", "Bern"]), counted(1))])
        .await
        .unwrap();
    let dropped = [values(["2024", "Bern"])];
    store
        .drop_partitions("sales", "orders", &dropped, false)
        .await
        .unwrap();
    add(store, &[["2024", "Bern"]]).await;
    assert_eq!(known("2024").await, None);
}
