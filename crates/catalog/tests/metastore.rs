//! Databases and tables, as statements use them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use lakegate_catalog::CatalogError;
use lakegate_catalog::access::{Grant, Privilege, Resource};
use lakegate_catalog::model::{Column, Table};
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{Control, Metastore, SqliteStore};
use support::{database, table, with_orders, with_users};

#[tokio::test]
async fn names_are_lower_cased_and_found_in_any_case() {
    let store = SqliteStore::in_memory().unwrap();
    assert_eq!(
        store
            .create_database(database("Sales"), false)
            .await
            .unwrap()
            .value
            .name,
        "sales"
    );
    let made = store
        .create_table("SALES", table("Orders", &[("ID", "Integer")], &[]), false)
        .await
        .unwrap();
    assert!(made.created);
    assert_eq!(made.value.full_name(), "sales.orders");
    assert_eq!(
        made.value.storage_descriptor.columns,
        [Column::new("id", "int")]
    );
    assert!(store.table("Sales", "ORDERS").await.unwrap().is_some());
    assert!(store.table("sales", "nothing").await.unwrap().is_none());
    assert!(store.table("nothing", "orders").await.unwrap().is_none());
}

#[tokio::test]
async fn what_exists_is_refused_or_left_as_it_is() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let error = store
        .create_database(database("sales"), false)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "database \"sales\" already exists");
    let again = store
        .create_table("sales", table("orders", &[("other", "int")], &[]), true)
        .await
        .unwrap();
    assert!(!again.created);
    assert_eq!(again.value.column_names(), ["id", "price", "year", "city"]);
    let error = store
        .create_table("sales", table("orders", &[("other", "int")], &[]), false)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "table \"sales.orders\" already exists");
    let error = store
        .create_table("none", table("t", &[("a", "int")], &[]), true)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "database \"none\" does not exist");
}

#[tokio::test]
async fn bad_names_and_columns_are_refused_by_name() {
    let store = SqliteStore::in_memory().unwrap();
    store
        .create_database(database("sales"), false)
        .await
        .unwrap();
    for bad in ["", "a/b", "a\nb", "system", "pg_catalog", &"x".repeat(256)] {
        let error = store
            .create_database(database(bad), false)
            .await
            .unwrap_err();
        assert!(
            matches!(error, CatalogError::InvalidInput(_)),
            "{bad}: {error}"
        );
    }
    for (columns, keys, message) in [
        (
            &[("a", "int"), ("A", "int")][..],
            &[][..],
            "column \"a\" of table \"t\" is given twice",
        ),
        (
            &[("a", "int")],
            &[("a", "int")],
            "partition key \"a\" of table \"t\" is also a column; name it in only one of the two lists",
        ),
        (
            &[("a", "int")],
            &[("k", "int"), ("k", "int")],
            "partition key \"k\" of table \"t\" is given twice",
        ),
        (
            &[("a", "int")],
            &[("k", "array<int>")],
            "partition key \"k\" of table \"t\" has type array<int>; a partition key must have a primitive type",
        ),
        (&[], &[], "table \"t\" has no columns; give it at least one"),
    ] {
        let error = store
            .create_table("sales", table("t", columns, keys), false)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let error = store
        .create_table("sales", table("t", &[("a", "blob")], &[]), false)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("column \"a\" of table \"t\": \"blob\" is not a supported type"),
        "{error}"
    );
    assert_eq!(store.catalog_version(), 1, "nothing of this was stored");
}

#[tokio::test]
async fn a_database_with_tables_goes_only_with_cascade() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let error = store
        .drop_database("sales", false, false)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CatalogError::NotEmpty { tables: 1, .. }),
        "{error}"
    );
    assert!(store.drop_database("sales", false, true).await.unwrap());
    assert!(!store.drop_database("sales", true, false).await.unwrap());
    assert!(store.drop_database("sales", false, false).await.is_err());
    assert!(store.partitions("sales", "orders").await.is_err());
}

#[tokio::test]
async fn an_update_of_an_older_version_conflicts_and_versions_are_kept() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let first = store.table("sales", "orders").await.unwrap().unwrap();
    let mut input = first.to_input();
    input.parameters.insert("owner".into(), "ann".into());
    let second = store
        .update_table("sales", input.clone(), Some(first.version_id))
        .await
        .unwrap();
    assert_eq!(
        (second.id, second.version_id, second.create_time),
        (first.id, 1, first.create_time)
    );
    let error = store
        .update_table("sales", input.clone(), Some(first.version_id))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            CatalogError::Conflict {
                expected: 0,
                found: 1,
                ..
            }
        ),
        "{error}"
    );
    for _ in 0..120 {
        store
            .update_table("sales", input.clone(), None)
            .await
            .unwrap();
    }
    let versions: Vec<u64> = store
        .table_versions("sales", "orders")
        .await
        .unwrap()
        .iter()
        .map(|t| t.version_id)
        .collect();
    assert_eq!((versions.len(), versions[0], versions[100]), (101, 121, 21));
}

#[tokio::test]
async fn tables_survive_reopening_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let (before, version): (Arc<Table>, u64) = {
        let store = SqliteStore::open(&path).unwrap();
        with_orders(&store).await;
        let mut view = table("v", &[("a", "struct<x:array<int>>")], &[]);
        view.table_type = Some("VIRTUAL_VIEW".into());
        view.view_original_text = Some("SELECT \"ü\"".into());
        let view = store
            .create_table("sales", view, false)
            .await
            .unwrap()
            .value;
        assert!(view.is_view());
        (view, store.catalog_version())
    };
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.table("sales", "v").await.unwrap().unwrap(), before);
    assert_eq!(store.catalog_version(), version);
    let listed: Vec<String> = store
        .tables("sales")
        .await
        .unwrap()
        .iter()
        .map(|t| t.name.clone())
        .collect();
    assert_eq!(listed, ["orders", "v"]);
}

#[tokio::test]
async fn glue_sees_its_own_shape() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    let table = store.table("sales", "orders").await.unwrap().unwrap();
    let json = serde_json::to_value(&*table).unwrap();
    assert_eq!(json["DatabaseName"], "sales");
    assert_eq!(json["VersionId"], "0");
    assert_eq!(
        json["StorageDescriptor"]["Columns"][1]["Type"],
        "decimal(10,2)"
    );
    assert_eq!(json["PartitionKeys"][0]["Name"], "year");
    assert!(json["CreateTime"].as_f64().unwrap() > 1.7e9);
    assert!(json.get("Id").is_none());
}

#[tokio::test]
async fn dropping_a_table_drops_its_partitions_and_grants() {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    with_users(&store, &["ann"]).await;
    store
        .add_partitions(
            "sales",
            "orders",
            vec![PartitionInput::new(["2024", "a"])],
            false,
        )
        .await
        .unwrap();
    let on_table = Grant::new("ann", Privilege::Select, Resource::table("sales", "orders"));
    let on_columns = Grant::new(
        "ann",
        Privilege::Select,
        Resource::columns("sales", "orders", ["id"]),
    );
    store.grant(&[on_table, on_columns]).await.unwrap();
    let id = store.table("sales", "orders").await.unwrap().unwrap().id;
    store.drop_table("sales", "orders", false).await.unwrap();
    assert!(store.snapshot().grants.is_empty());
    let again = table("orders", &[("id", "string")], &[("year", "int")]);
    let again = store
        .create_table("sales", again, false)
        .await
        .unwrap()
        .value;
    assert!(again.id > id);
    assert!(
        store
            .partitions("sales", "orders")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!store.drop_table("sales", "nothing", true).await.unwrap());
}
