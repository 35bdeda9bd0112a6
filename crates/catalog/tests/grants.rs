//! Grants are on a resource, not on its name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lakegate_catalog::access::{By, Grant, Privilege, Resource, ResourceId, WorkgroupInput};
use lakegate_catalog::store::{Control, Coordinator, Metastore, SqliteStore};
use support::{database, table, with_orders, with_users};

async fn store() -> SqliteStore {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    with_users(&store, &["ann", "ben", "eve"]).await;
    store
}

fn by(store: &SqliteStore, user: &str) -> By {
    By::User(store.snapshot().users[user].id)
}

/// To ann, on `sales.orders` and the columns of it, and on the database.
async fn grant_all(store: &SqliteStore) {
    let orders = Resource::table("sales", "orders");
    let id = Resource::columns("sales", "orders", ["id"]);
    let grants = [
        Grant::new("ann", Privilege::All, orders),
        Grant::new("ben", Privilege::Select, id),
        Grant::new(
            "eve",
            Privilege::Describe,
            Resource::Database("sales".into()),
        ),
    ];
    store.grant(&grants).await.unwrap();
}

/// Whether a user sees `sales.<name>` by its id, and by its name.
async fn sees(store: &SqliteStore, user: &str, name: &str) -> bool {
    let access = store.snapshot().access(user).unwrap();
    let table = store.table("sales", name).await.unwrap().unwrap();
    let by_id = access.on_table(&table).is_some();
    let by_name = access.table("sales", name, &table.column_names()).is_some();
    assert_eq!(by_id, by_name, "{user} on {name}");
    by_id
}

#[tokio::test]
async fn a_table_made_anew_does_not_inherit_the_grants_on_the_dropped_one() {
    for drops_through_coordinator in [true, false] {
        for maker in [By::Administrator, By::User(0)] {
            let store = store().await;
            grant_all(&store).await;
            assert!(sees(&store, "ann", "orders").await && sees(&store, "ben", "orders").await);
            match drops_through_coordinator {
                true => {
                    let orders = vec![("sales".to_owned(), "orders".to_owned())];
                    let dropped = store.drop_tables_and_grants(orders, false).await;
                    assert_eq!(dropped.unwrap(), 1);
                }
                false => assert!(store.drop_table("sales", "orders", false).await.unwrap()),
            }
            let maker = match maker {
                By::Administrator => By::Administrator,
                By::User(_) => by(&store, "eve"),
            };
            let again = table("orders", &[("id", "string")], &[]);
            store
                .create_table_by("sales", again, false, maker)
                .await
                .unwrap();
            assert!(!sees(&store, "ann", "orders").await);
            assert!(!sees(&store, "ben", "orders").await);
            // The grant on the database is on what it holds now.
            assert!(sees(&store, "eve", "orders").await);
            let on_table = |grant: &&Grant| !matches!(grant.resource, Resource::Database(_));
            let grants = store.snapshot();
            let mut left = grants.grants.iter().filter(on_table);
            assert!(left.all(|grant| grant.grantee == "eve"));
        }
    }
}

#[tokio::test]
async fn a_database_made_anew_does_not_inherit_grants_on_it_or_its_tables() {
    let store = store().await;
    grant_all(&store).await;
    store
        .drop_database_and_grants("sales", false, true)
        .await
        .unwrap();
    assert!(store.snapshot().grants.is_empty());
    with_orders(&store).await;
    for user in ["ann", "ben", "eve"] {
        assert!(!sees(&store, user, "orders").await, "{user}");
        let access = store.snapshot().access(user).unwrap();
        assert!(!access.database_visible("sales"), "{user}");
    }
}

#[tokio::test]
async fn rights_that_were_computed_before_a_table_was_made_anew_do_not_apply_to_it() {
    let store = store().await;
    grant_all(&store).await;
    let snapshot = store.snapshot();
    let old = store.table("sales", "orders").await.unwrap().unwrap();
    store.drop_table("sales", "orders", false).await.unwrap();
    let again = table("orders", &[("id", "string")], &[]);
    let eve = by(&store, "eve");
    let again = store
        .create_table_by("sales", again, false, eve)
        .await
        .unwrap()
        .value;
    for user in ["ann", "ben"] {
        let access = snapshot.access(user).unwrap();
        assert!(access.on_table(&old).is_some(), "{user}");
        assert!(access.on_table(&again).is_none(), "{user}");
    }
    // Nor do those on a database of the name.
    let access = snapshot.access("eve").unwrap();
    assert!(access.on_table(&again).is_some());
    store.drop_database("sales", false, true).await.unwrap();
    with_orders(&store).await;
    let again = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(access.on_table(&again).is_none());
}

#[tokio::test]
async fn a_renamed_table_keeps_its_grants_and_leaves_none_to_the_next_of_the_name() {
    let store = store().await;
    grant_all(&store).await;
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    store
        .rename_table(&orders, "sales", "former")
        .await
        .unwrap();
    let next = table("orders", &[("id", "string")], &[]);
    store.create_table("sales", next, false).await.unwrap();
    for user in ["ann", "ben"] {
        assert!(sees(&store, user, "former").await, "{user}");
        assert!(!sees(&store, user, "orders").await, "{user}");
    }
    let access = store.snapshot().access("ben").unwrap();
    let former = access.table("sales", "former", &["id", "price"]).unwrap();
    assert!(former.can_select("id") && !former.can_select("price"));
    let shown = &store.snapshot().grants;
    assert!(shown.contains(&Grant::new(
        "ben",
        Privilege::Select,
        Resource::columns("sales", "former", ["id"])
    )));
    // They are revoked by the new name.
    let revoked = [Grant::new(
        "ann",
        Privilege::All,
        Resource::table("sales", "former"),
    )];
    assert_eq!(store.revoke(&revoked).await.unwrap(), 6);
    assert!(!sees(&store, "ann", "former").await);
}

#[tokio::test]
async fn a_moved_table_keeps_its_grants_and_leaves_those_on_its_former_database() {
    let store = store().await;
    grant_all(&store).await;
    store
        .create_database(database("shelf"), false)
        .await
        .unwrap();
    assert!(sees(&store, "eve", "orders").await);
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    let moved = store.rename_table(&orders, "shelf", "kept").await.unwrap();
    let next = table("orders", &[("id", "string")], &[]);
    store.create_table("sales", next, false).await.unwrap();
    let snapshot = store.snapshot();
    for (user, still) in [("ann", true), ("ben", true), ("eve", false)] {
        let access = snapshot.access(user).unwrap();
        assert_eq!(access.on_table(&moved).is_some(), still, "{user}");
        assert_eq!(sees(&store, user, "orders").await, !still, "{user}");
    }
    assert!(snapshot.grants.contains(&Grant::new(
        "ben",
        Privilege::Select,
        Resource::columns("shelf", "kept", ["id"])
    )));
    store
        .drop_database_and_grants("sales", false, true)
        .await
        .unwrap();
    let access = store.snapshot().access("ann").unwrap();
    assert!(access.on_table(&moved).is_some());
    store
        .drop_database_and_grants("shelf", false, true)
        .await
        .unwrap();
    assert!(store.snapshot().grants.is_empty());
}

#[tokio::test]
async fn forgotten_resources_have_no_grants() {
    let store = store().await;
    grant_all(&store).await;
    let table = store.table("sales", "orders").await.unwrap().unwrap();
    let database = store.database("sales").await.unwrap().unwrap();
    let other = [ResourceId::Table(table.id + 1), ResourceId::Workgroup(99)];
    assert_eq!(store.forget(&other).await.unwrap(), 0);
    let version = store.snapshot().version;
    // Six privileges of ann, one column of ben.
    let forgotten = store.forget(&[ResourceId::Table(table.id)]).await.unwrap();
    assert_eq!(forgotten, 7);
    assert!(store.snapshot().version > version);
    let left = &store.snapshot().grants;
    assert!(left.iter().all(|grant| grant.grantee == "eve") && left.len() == 1);
    let database = [ResourceId::Database(database.id)];
    assert_eq!(store.forget(&database).await.unwrap(), 1);
    assert!(store.snapshot().grants.is_empty());
}

#[tokio::test]
async fn a_workgroup_made_anew_does_not_inherit_grants() {
    let store = store().await;
    let lab = || WorkgroupInput {
        name: "lab".into(),
        ..WorkgroupInput::default()
    };
    store.create_workgroup(lab(), false).await.unwrap();
    let usage = Grant::new("ann", Privilege::Usage, Resource::Workgroup("lab".into()));
    store.grant(&[usage]).await.unwrap();
    let uses = || {
        store
            .snapshot()
            .access("ann")
            .unwrap()
            .can_use_workgroup("lab")
    };
    assert!(uses());
    store.drop_workgroup("lab", false).await.unwrap();
    assert!(!store.drop_workgroup("lab", true).await.unwrap());
    store.create_workgroup(lab(), false).await.unwrap();
    assert!(!uses());
}

#[tokio::test]
async fn ids_of_a_database_and_a_table_are_not_mistaken_for_each_other() {
    let store = SqliteStore::in_memory().unwrap();
    with_users(&store, &["ann", "ben"]).await;
    // Both have the id 1.
    with_orders(&store).await;
    store
        .create_database(database("other"), false)
        .await
        .unwrap();
    let table = store.table("sales", "orders").await.unwrap().unwrap();
    assert_eq!(table.id, table.database_id);
    grant_all_to_ann_on_the_database(&store).await;
    store.drop_table("sales", "orders", false).await.unwrap();
    let access = store.snapshot().access("ann").unwrap();
    assert!(access.on_database("sales", Privilege::Drop));
}

async fn grant_all_to_ann_on_the_database(store: &SqliteStore) {
    let sales = Resource::Database("sales".into());
    let grant = Grant::new("ann", Privilege::All, sales);
    store.grant(&[grant]).await.unwrap();
}
