//! What belongs together is one commit: what a user makes and the grant on it, all memberships, all partitions. And what was a user's
//! is nobody's of the same name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lakegate_catalog::CatalogError;
use lakegate_catalog::access::{
    ADMINISTRATORS, By, Grant, Membership, Privilege, Resource, WorkgroupInput,
};
use lakegate_catalog::model::Claim;
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{
    CommitWrite, Control, Coordinator, Metastore, SqliteStore, WriteLog,
};
use support::{database, table, verifier, with_orders, with_users};

async fn store() -> SqliteStore {
    let store = SqliteStore::in_memory().unwrap();
    with_orders(&store).await;
    with_users(&store, &["ann", "ben"]).await;
    store
}

fn id(store: &SqliteStore, user: &str) -> i64 {
    store.snapshot().users[user].id
}

fn by(store: &SqliteStore, user: &str) -> By {
    By::User(id(store, user))
}

#[tokio::test]
async fn table_and_database_come_with_their_makers_grants_or_not_at_all() {
    let store = store().await;
    let ann = by(&store, "ann");
    let folder = "s3://lake/lab/".to_owned();
    store
        .create_database_by(database("lab"), false, ann, Some(folder.clone()))
        .await
        .unwrap();
    let made = store
        .create_table_by("lab", table("t", &[("a", "int")], &[]), false, ann)
        .await
        .unwrap();
    assert!(!made.value.claim.by_administrator);
    let access = store.snapshot().access("ann").unwrap();
    assert!(access.can_grant(Privilege::Drop, &Resource::Database("lab".into())));
    assert!(access.can_grant(Privilege::All, &Resource::table("lab", "t")));
    assert!(access.can_use_location("s3://lake/lab/deep/"));
    assert!(!access.can_use_location("s3://lake/laboratory/"));
    assert!(!access.can_grant(Privilege::DataLocation, &Resource::Location(folder.clone())));

    // The maker is gone before the commit.
    let nobody = By::User(4_711);
    let made = store.create_table_by("lab", table("u", &[("a", "int")], &[]), false, nobody);
    assert!(matches!(made.await, Err(CatalogError::NotFound { .. })));
    let made = store.create_database_by(database("other"), false, nobody, None);
    assert!(matches!(made.await, Err(CatalogError::NotFound { .. })));
    let write = store.begin_write("lab", "u", Vec::new()).await.unwrap();
    let commit = CommitWrite {
        database: "lab".into(),
        table: "u".into(),
        expected: None,
        definition: Some(table("u", &[("a", "int")], &[])),
        partitions: Vec::new(),
        files: 0,
        discard: Vec::new(),
        replaces: Vec::new(),
        empties_rest: false,
        by: nobody,
    };
    let made = store.commit_write(write, commit).await;
    assert!(matches!(made, Err(CatalogError::NotFound { .. })));
    assert!(store.table("lab", "u").await.unwrap().is_none());
    assert!(store.database("other").await.unwrap().is_none());
    assert_eq!(store.unfinished_writes().await.unwrap().len(), 1);

    // The folder goes with the database, but for what was granted on it otherwise.
    let grant = Grant::new("ben", Privilege::DataLocation, Resource::Location(folder));
    store.grant(&[grant]).await.unwrap();
    store.drop_database("lab", false, true).await.unwrap();
    let snapshot = store.snapshot();
    assert!(
        !snapshot
            .access("ann")
            .unwrap()
            .can_use_location("s3://lake/lab/")
    );
    assert!(
        snapshot
            .access("ben")
            .unwrap()
            .can_use_location("s3://lake/lab/")
    );
}

#[tokio::test]
async fn memberships_and_grants_are_made_all_or_none() {
    let store = store().await;
    for role in ["a", "b"] {
        store.create_role(role, false).await.unwrap();
    }
    let membership = |role: &str, member: &str| Membership {
        role: role.into(),
        member: member.into(),
    };
    let circle = [
        membership("a", "ann"),
        membership("a", "b"),
        membership("b", "a"),
    ];
    assert!(store.grant_roles(&circle).await.is_err());
    assert!(store.snapshot().memberships.is_empty());
    let both = [
        membership("a", "ann"),
        membership("A", "Ben"),
        membership("a", "ann"),
    ];
    assert_eq!(store.grant_roles(&both).await.unwrap(), 2);
    let missing = [membership("a", "ann"), membership("nothing", "ann")];
    assert!(store.revoke_roles(&missing).await.is_err());
    assert_eq!(store.snapshot().memberships.len(), 2);
    assert_eq!(store.revoke_roles(&both).await.unwrap(), 2);

    let orders = Resource::table("sales", "orders");
    let grants = ["ann", "nobody"].map(|who| Grant::new(who, Privilege::Select, orders.clone()));
    assert!(store.grant(&grants).await.is_err());
    assert!(store.snapshot().grants.is_empty());

    store
        .create_administrator("root", verifier())
        .await
        .unwrap();
    store.create_administrator("ann", verifier()).await.unwrap();
    assert_eq!(store.snapshot().administrators(), ["ann", "root"]);
    assert!(store.create_administrator("a", verifier()).await.is_err());
    assert!(store.snapshot().roles.contains_key(ADMINISTRATORS));
}

#[tokio::test]
async fn partitions_are_dropped_and_added_in_one_commit() {
    let store = store().await;
    let partition = |year: &str| PartitionInput::new([year, "Ulm"]);
    let values = |year: &str| vec![year.to_owned(), "Ulm".to_owned()];
    let known = ["2022", "2023"].map(partition).to_vec();
    store
        .add_partitions("sales", "orders", known, false)
        .await
        .unwrap();
    store.partitions("sales", "orders").await.unwrap();
    let bad = store
        .change_partitions(
            "sales",
            "orders",
            &[values("2022")],
            vec![partition("soon")],
        )
        .await;
    assert!(bad.is_err());
    assert_eq!(store.partitions("sales", "orders").await.unwrap().len(), 2);
    let version = store.catalog_version();
    let gone = [values("2022"), values("1999")];
    let new = vec![partition("2024"), partition("2023")];
    let (dropped, added) = store
        .change_partitions("sales", "orders", &gone, new)
        .await
        .unwrap();
    assert_eq!((dropped, added.added, added.existing), (1, 1, vec![1]));
    assert_eq!(store.catalog_version(), version + 1);
    let partitions = store.partitions("sales", "orders").await.unwrap();
    let names: Vec<String> = partitions
        .items
        .iter()
        .map(|partition| partition.name(&partitions.keys))
        .collect();
    assert_eq!(names, ["year=2023/city=Ulm", "year=2024/city=Ulm"]);
}

#[tokio::test]
async fn user_of_a_dropped_ones_name_starts_with_nothing() {
    let store = store().await;
    let orders = Resource::table("sales", "orders");
    let lab = WorkgroupInput {
        name: "lab".into(),
        ..WorkgroupInput::default()
    };
    store.create_workgroup(lab, false).await.unwrap();
    store.create_role("readers", false).await.unwrap();
    store.grant_role("readers", "ann").await.unwrap();
    store.set_user_workgroup("ann", Some("lab")).await.unwrap();
    let folder = Resource::Location("s3://lake/".into());
    let select = |who: &str| Grant {
        with_grant_option: true,
        ..Grant::new(who, Privilege::Select, orders.clone())
    };
    let location = Grant::new("ann", Privilege::DataLocation, folder);
    store.grant(&[select("ann"), location]).await.unwrap();
    let old = by(&store, "ann");
    assert_eq!(store.grant_by(&[select("ben")], old).await.unwrap(), 1);
    store
        .create_table_by("sales", table("anns", &[("a", "int")], &[]), false, old)
        .await
        .unwrap();

    store.drop_user("ann", false).await.unwrap();
    with_users(&store, &["ann"]).await;
    let new = by(&store, "ann");
    assert_ne!(old, new);
    let snapshot = store.snapshot();
    assert!(snapshot.grants.iter().all(|grant| grant.grantee == "ben"));
    assert!(snapshot.roles_of("ann").is_empty());
    assert_eq!(snapshot.users["ann"].default_workgroup, None);
    let access = snapshot.access("ann").unwrap();
    assert!(access.table("sales", "anns", &["a"]).is_none());
    assert!(access.table("sales", "orders", &["id"]).is_none());
    assert!(!access.can_use_location("s3://lake/"));
    // What the old one granted is not the new one's to take back.
    assert_eq!(store.revoke_by(&[select("ben")], new).await.unwrap(), 0);
    assert_eq!(store.revoke(&[select("ben")]).await.unwrap(), 1);
}

#[tokio::test]
async fn each_folder_is_claimed_when_and_by_whom_it_is_registered() {
    let store = store().await;
    let ann = by(&store, "ann");
    let orders = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(orders.claim.by_administrator && orders.outer_claim.is_none());
    // What is in the table's folder is not a claim of its own.
    let inside = PartitionInput::at(["2024", "Ulm"], "s3://lake/orders/elsewhere/");
    let add = |partition| store.add_partitions_by("sales", "orders", vec![partition], false, ann);
    add(inside).await.unwrap();
    let now = store.table("sales", "orders").await.unwrap().unwrap();
    assert!(now.outer_claim.is_none());
    add(PartitionInput::at(["2025", "Ulm"], "s3://lake/orders-2/"))
        .await
        .unwrap();
    let now = store.table("sales", "orders").await.unwrap().unwrap();
    assert_eq!(now.claim, orders.claim);
    assert!(!now.outer_claim.unwrap().by_administrator);
    // A table that moves claims its new folder anew, and keeps the other claims.
    let mut input = now.to_input();
    input.description = Some("the same place".into());
    let same = store
        .update_table_by("sales", input.clone(), None, ann)
        .await
        .unwrap();
    assert_eq!(same.claim, orders.claim);
    input.storage_descriptor.location = Some("s3://lake/moved/".into());
    let moved = store
        .update_table_by("sales", input, None, ann)
        .await
        .unwrap();
    assert!(!moved.claim.by_administrator && moved.claim.since >= orders.claim.since);

    let claim = |since, by_administrator| Claim {
        since,
        by_administrator,
    };
    for (one, other) in [
        (claim(9, true), claim(1, false)),
        (claim(1, false), claim(2, false)),
        (claim(1, true), claim(2, true)),
    ] {
        assert!(one.goes_before(&other) && !other.goes_before(&one));
        assert_eq!(
            one.with(other),
            claim(
                one.since.max(other.since),
                one.by_administrator && other.by_administrator
            )
        );
    }
    assert!(claim(1, true).goes_before(&claim(1, true)));
}
