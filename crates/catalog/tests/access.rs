//! What grants make visible and allow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lakegate_catalog::access::{ColumnSelection, Privilege, Resource};
use lakegate_catalog::store::{Control, Metastore};
use support::{COLUMNS, access, database, grant, on_orders, orders, store, table, with_users};

#[tokio::test]
async fn without_a_grant_nothing_is_visible() {
    let store = store().await;
    let ann = access(&store, "ann");
    assert!(!ann.database_visible("sales"));
    assert!(on_orders(&store).is_none());
    assert!(
        !ann.can_create_database() && !ann.can_create_table("sales") && !ann.is_administrator()
    );
    assert!(ann.can_use_workgroup("primary") && !ann.can_use_workgroup("other"));
    assert!(store.snapshot().access("nobody").is_none());
}

#[tokio::test]
async fn a_column_that_is_not_granted_is_absent() {
    let store = store().await;
    grant(
        &store,
        "ann",
        Privilege::Select,
        Resource::columns("sales", "orders", ["CITY", "id"]),
    )
    .await;
    let rights = on_orders(&store).unwrap();
    assert_eq!(
        rights.visible_columns(),
        ["id", "city"],
        "in the table's order"
    );
    assert!(rights.can_select("id") && !rights.can_select("price") && !rights.is_visible("price"));
    grant(&store, "ann", Privilege::Describe, orders()).await;
    grant(&store, "ann", Privilege::Insert, orders()).await;
    let rights = on_orders(&store).unwrap();
    assert_eq!(
        rights.visible_columns(),
        ["id", "city"],
        "other rights do not show the rest"
    );
    assert!(rights.describe && rights.insert && !rights.alter);
    grant(&store, "ann", Privilege::Select, orders()).await;
    assert_eq!(
        on_orders(&store).unwrap().visible_columns(),
        COLUMNS,
        "SELECT on the table does"
    );
    assert!(access(&store, "ann").database_visible("sales"));
}

#[tokio::test]
async fn columns_that_are_gone_give_nothing() {
    let store = store().await;
    grant(
        &store,
        "ann",
        Privilege::Select,
        Resource::columns("sales", "orders", ["price"]),
    )
    .await;
    let ann = access(&store, "ann");
    assert!(
        ann.table("sales", "orders", &["id", "year", "city"])
            .is_none()
    );
    grant(&store, "ann", Privilege::Describe, orders()).await;
    let rights = access(&store, "ann")
        .table("sales", "orders", &["id", "year", "city"])
        .unwrap();
    assert!(
        rights.visible_columns().is_empty(),
        "nor do they open the rest of the table"
    );
}

#[tokio::test]
async fn describe_lists_all_columns_and_selects_none() {
    for privilege in [
        Privilege::Describe,
        Privilege::Insert,
        Privilege::Delete,
        Privilege::Alter,
        Privilege::Drop,
    ] {
        let store = store().await;
        grant(&store, "ann", privilege, orders()).await;
        let rights = on_orders(&store).unwrap();
        assert_eq!(rights.visible_columns(), COLUMNS, "{privilege}");
        assert_eq!(rights.select, ColumnSelection::None);
        assert!(rights.is_visible("id") && !rights.can_select("id"));
        let held = [
            rights.describe,
            rights.insert,
            rights.delete,
            rights.alter,
            rights.drop,
        ];
        assert_eq!(
            held.iter().filter(|held| **held).count(),
            1,
            "{privilege} is no other right"
        );
    }
}

#[tokio::test]
async fn a_grant_on_a_database_covers_tables_to_come_and_no_other_database() {
    let store = store().await;
    store.create_database(database("hr"), false).await.unwrap();
    grant(
        &store,
        "ann",
        Privilege::Select,
        Resource::Database("Sales".into()),
    )
    .await;
    store
        .create_table("sales", table("later", &[("a", "int")], &[]), false)
        .await
        .unwrap();
    let ann = access(&store, "ann");
    assert!(ann.table("sales", "later", &["a"]).unwrap().selects_all());
    assert!(ann.table("hr", "later", &["a"]).is_none() && !ann.database_visible("hr"));
    assert!(!ann.on_database("sales", Privilege::Alter) && !ann.can_create_table("sales"));
}

#[tokio::test]
async fn a_grant_on_the_catalog_covers_every_database() {
    let store = store().await;
    grant(&store, "ann", Privilege::CreateDatabase, Resource::Catalog).await;
    let ann = access(&store, "ann");
    assert!(
        ann.can_create_database() && !ann.database_visible("sales"),
        "creating databases shows none"
    );
    grant(&store, "ann", Privilege::All, Resource::Catalog).await;
    let ann = access(&store, "ann");
    assert!(
        ann.database_visible("sales")
            && ann.can_create_table("sales")
            && ann.on_database("sales", Privilege::Drop)
    );
    assert!(on_orders(&store).unwrap().drop && !ann.is_administrator());
}

#[tokio::test]
async fn the_read_digest_tells_views_apart_and_only_those() {
    let store = store().await;
    with_users(&store, &["bob"]).await;
    store.create_role("readers", false).await.unwrap();
    store.grant_role("readers", "bob").await.unwrap();
    let digest = |user: &str| {
        access(&store, user)
            .table("sales", "orders", &COLUMNS)
            .unwrap()
            .read_digest()
    };
    grant(
        &store,
        "ann",
        Privilege::Select,
        Resource::columns("sales", "orders", ["id", "city"]),
    )
    .await;
    grant(
        &store,
        "readers",
        Privilege::Select,
        Resource::columns("sales", "orders", ["id"]),
    )
    .await;
    assert_ne!(digest("ann"), digest("bob"));
    grant(
        &store,
        "bob",
        Privilege::Select,
        Resource::columns("sales", "orders", ["city"]),
    )
    .await;
    assert_eq!(
        digest("ann"),
        digest("bob"),
        "however the same view came about"
    );
    grant(&store, "bob", Privilege::Alter, orders()).await;
    assert_eq!(digest("ann"), digest("bob"), "no right to read");
    let hex: String = digest("ann")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex, "602ce43f07c850bf0582e3103aac4ebc442424c75dab983f59c60b6272588056",
        "the same in every process"
    );
}
