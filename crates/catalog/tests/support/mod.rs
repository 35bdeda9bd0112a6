//! What several tests need.
#![allow(dead_code)]

use std::sync::Arc;

use lakegate_catalog::access::{Access, Grant, Privilege, Resource, ScramVerifier, TableAccess};
use lakegate_catalog::model::{Column, DatabaseInput, StorageDescriptor, TableInput};
use lakegate_catalog::store::{Control, Metastore, SqliteStore};

/// A verifier that is cheap to make; tests of SCRAM itself are elsewhere.
pub(crate) fn verifier() -> ScramVerifier {
    ScramVerifier::with_iterations("secret", 1).unwrap()
}

pub(crate) fn database(name: &str) -> DatabaseInput {
    DatabaseInput {
        name: name.into(),
        ..DatabaseInput::default()
    }
}

/// A table under `s3://lake/<name>/`.
pub(crate) fn table(name: &str, columns: &[(&str, &str)], keys: &[(&str, &str)]) -> TableInput {
    let column = |(name, data_type): &(&str, &str)| Column::new(*name, *data_type);
    TableInput {
        name: name.into(),
        storage_descriptor: StorageDescriptor {
            columns: columns.iter().map(column).collect(),
            location: Some(format!("s3://lake/{name}/")),
            ..StorageDescriptor::default()
        },
        partition_keys: keys.iter().map(column).collect(),
        table_type: Some("EXTERNAL_TABLE".into()),
        ..TableInput::default()
    }
}

/// `sales.orders (id, price) partitioned by (year int, city string)`.
pub(crate) async fn with_orders(store: &SqliteStore) {
    store
        .create_database(database("sales"), false)
        .await
        .unwrap();
    let orders = table(
        "orders",
        &[("id", "string"), ("price", "decimal(10,2)")],
        &[("year", "int"), ("city", "string")],
    );
    store.create_table("sales", orders, false).await.unwrap();
}

pub(crate) async fn with_users(store: &SqliteStore, names: &[&str]) {
    for name in names {
        store.create_user(name, verifier(), false).await.unwrap();
    }
}

pub(crate) const COLUMNS: [&str; 4] = ["id", "price", "year", "city"];

/// A store with `sales.orders` and the user ann.
pub(crate) async fn store() -> SqliteStore {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    with_users(&store, &["ann"]).await;
    store
}

pub(crate) fn orders() -> Resource {
    Resource::table("sales", "orders")
}

pub(crate) fn access(store: &SqliteStore, user: &str) -> Arc<Access> {
    store.snapshot().access(user).unwrap()
}

/// What ann may do with `sales.orders`.
pub(crate) fn on_orders(store: &SqliteStore) -> Option<TableAccess> {
    access(store, "ann").table("sales", "orders", &COLUMNS)
}

pub(crate) async fn grant(
    store: &SqliteStore,
    grantee: &str,
    privilege: Privilege,
    resource: Resource,
) -> usize {
    store
        .grant(&[Grant::new(grantee, privilege, resource)])
        .await
        .unwrap()
}
