//! What every metastore does alike: one suite over the embedded one and the one in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

use lakegate_catalog::CatalogError;
use lakegate_catalog::partition::{PartitionInput, PartitionPredicate};
use lakegate_catalog::store::{Metastore, TableVersion};
use support::{database, table};

/// Runs each test on both stores.
macro_rules! conformance {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let store = lakegate_catalog::store::SqliteStore::in_memory().unwrap();
                super::$name(&store).await;
            })+
        }
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&lakegate_catalog::store::MemoryMetastore::new()).await;
            })+
        }
    };
}

mod partitions;
mod statistics;

conformance!(
    names_are_folded_and_checked,
    what_exists_is_refused_or_kept,
    databases_are_changed_and_dropped,
    updates_of_tables_are_versions,
    a_renamed_table_keeps_its_id_and_partitions,
    a_moved_table_keeps_its_id_and_partitions,
    ids_are_not_used_again,
    tables_are_found_by_their_ids,
    versions_change_with_the_table_and_its_partitions,
    a_failed_change_changes_nothing,
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
