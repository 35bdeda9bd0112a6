//! Granting and revoking, roles, administrators and workgroups.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use lakegate_catalog::access::{
    ADMINISTRATORS, Authentication, Grant, Privilege, Resource, WorkgroupInput,
};
use lakegate_catalog::store::{Control, SqliteStore};
use support::{COLUMNS, access, grant, on_orders, orders, store, with_users};

async fn revoke(
    store: &SqliteStore,
    grantee: &str,
    privilege: Privilege,
    resource: Resource,
) -> usize {
    store
        .revoke(&[Grant::new(grantee, privilege, resource)])
        .await
        .unwrap()
}

#[tokio::test]
async fn rights_come_through_roles_of_roles_and_go_with_them() {
    let store = store().await;
    for role in ["readers", "analysts"] {
        store.create_role(role, false).await.unwrap();
    }
    grant(&store, "readers", Privilege::Select, orders()).await;
    assert!(store.grant_role("readers", "analysts").await.unwrap());
    assert!(store.grant_role("analysts", "ann").await.unwrap());
    assert!(
        !store.grant_role("analysts", "ann").await.unwrap(),
        "she is in it already"
    );
    assert!(on_orders(&store).unwrap().selects_all());
    assert_eq!(access(&store, "ann").roles().len(), 2);
    for (role, member) in [("analysts", "readers"), ("readers", "readers")] {
        let error = store.grant_role(role, member).await.unwrap_err();
        assert!(
            error.to_string().contains("is itself a member of"),
            "{error}"
        );
    }
    assert!(store.revoke_role("readers", "analysts").await.unwrap());
    assert!(on_orders(&store).is_none());
    store.grant_role("readers", "ann").await.unwrap();
    store.drop_role("readers", false).await.unwrap();
    assert!(on_orders(&store).is_none() && store.snapshot().grants.is_empty());
}

#[tokio::test]
async fn all_is_every_privilege_and_one_of_them_can_be_revoked() {
    let store = store().await;
    assert_eq!(grant(&store, "ann", Privilege::All, orders()).await, 6);
    assert_eq!(grant(&store, "ann", Privilege::All, orders()).await, 0);
    assert_eq!(revoke(&store, "ann", Privilege::Insert, orders()).await, 1);
    let rights = on_orders(&store).unwrap();
    assert!(rights.selects_all() && rights.delete && !rights.insert);
    assert_eq!(revoke(&store, "ann", Privilege::All, orders()).await, 5);
    assert!(on_orders(&store).is_none());
}

#[tokio::test]
async fn revoking_select_on_the_table_takes_the_columns_too() {
    let store = store().await;
    assert_eq!(
        grant(
            &store,
            "ann",
            Privilege::Select,
            Resource::columns("sales", "orders", ["id", "city"])
        )
        .await,
        2
    );
    assert_eq!(
        revoke(
            &store,
            "ann",
            Privilege::Select,
            Resource::columns("sales", "orders", ["id", "price"])
        )
        .await,
        1
    );
    assert_eq!(on_orders(&store).unwrap().visible_columns(), ["city"]);
    assert_eq!(revoke(&store, "ann", Privilege::Select, orders()).await, 1);
    assert!(on_orders(&store).is_none());
    // A column cannot be taken out of a grant on the whole table: the caller learns it from the
    // count.
    grant(&store, "ann", Privilege::Select, orders()).await;
    assert_eq!(
        revoke(
            &store,
            "ann",
            Privilege::Select,
            Resource::columns("sales", "orders", ["id"])
        )
        .await,
        0
    );
}

#[tokio::test]
async fn grants_need_what_they_name_and_a_privilege_that_fits() {
    let store = store().await;
    for (privilege, resource, message) in [
        (
            Privilege::Select,
            Resource::Database("none".into()),
            "database \"none\" does not exist",
        ),
        (
            Privilege::Select,
            Resource::table("sales", "none"),
            "table \"sales.none\" does not exist",
        ),
        (
            Privilege::Select,
            Resource::columns("sales", "orders", ["none"]),
            "column \"sales.orders.none\" does not exist",
        ),
        (
            Privilege::Usage,
            Resource::Workgroup("none".into()),
            "workgroup \"none\" does not exist",
        ),
        (
            Privilege::Insert,
            Resource::columns("sales", "orders", ["id"]),
            "INSERT cannot be granted on columns (id) of table sales.orders; use SELECT",
        ),
        (
            Privilege::Select,
            Resource::Workgroup("primary".into()),
            "SELECT cannot be granted on workgroup primary; use USAGE",
        ),
        (
            Privilege::All,
            Resource::columns("sales", "orders", ["id"]),
            "ALL cannot be granted on columns (id) of table sales.orders; use SELECT",
        ),
        (
            Privilege::DataLocation,
            Resource::Location("s3://lake/orders".into()),
            "location 's3://lake/orders' of a grant is not the URL of a folder; it must be one such as s3://bucket/folder/",
        ),
        (
            Privilege::DataLocation,
            Resource::Location("lake/orders/".into()),
            "location 'lake/orders/' of a grant is not the URL of a folder; it must be one such as s3://bucket/folder/",
        ),
    ] {
        let error = store
            .grant(&[Grant::new("ann", privilege, resource)])
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // One that fails takes the others with it.
    let mixed = [
        Grant::new("ann", Privilege::Select, orders()),
        Grant::new("nobody", Privilege::Select, orders()),
    ];
    assert_eq!(
        store.grant(&mixed).await.unwrap_err().to_string(),
        "user or role \"nobody\" does not exist"
    );
    assert!(store.snapshot().grants.is_empty());
}

#[tokio::test]
async fn grant_option_lets_pass_on_what_it_covers() {
    let store = store().await;
    let own = Grant {
        with_grant_option: true,
        ..Grant::new(
            "ann",
            Privilege::Select,
            Resource::columns("sales", "orders", ["id", "city"]),
        )
    };
    store.grant(&[own]).await.unwrap();
    let ann = access(&store, "ann");
    assert!(ann.can_grant(
        Privilege::Select,
        &Resource::columns("sales", "orders", ["id"])
    ));
    assert!(!ann.can_grant(
        Privilege::Select,
        &Resource::columns("sales", "orders", ["id", "price"])
    ));
    assert!(!ann.can_grant(Privilege::Select, &orders()));
    // Granting again without the option takes nothing away.
    grant(
        &store,
        "ann",
        Privilege::Select,
        Resource::columns("sales", "orders", ["id"]),
    )
    .await;
    assert!(access(&store, "ann").can_grant(
        Privilege::Select,
        &Resource::columns("sales", "orders", ["id"])
    ));
    // ALL is each of them.
    let one = Grant {
        with_grant_option: true,
        ..Grant::new("ann", Privilege::Select, orders())
    };
    store.grant(&[one]).await.unwrap();
    let ann = access(&store, "ann");
    assert!(ann.can_grant(Privilege::Select, &orders()));
    assert!(!ann.can_grant(Privilege::All, &orders()));
    let all = Grant {
        with_grant_option: true,
        ..Grant::new("ann", Privilege::All, Resource::Database("sales".into()))
    };
    store.grant(&[all]).await.unwrap();
    let ann = access(&store, "ann");
    assert!(
        ann.can_grant(Privilege::All, &orders())
            && ann.can_grant(Privilege::CreateTable, &Resource::Database("sales".into()))
    );
    assert!(
        !ann.can_grant(Privilege::Select, &Resource::Catalog)
            && !ann.can_grant(Privilege::Select, &Resource::Database("hr".into()))
    );
}

#[tokio::test]
async fn administrators_may_do_everything_and_the_last_one_stays() {
    let store = store().await;
    with_users(&store, &["root"]).await;
    store.create_role("chiefs", false).await.unwrap();
    store.grant_role(ADMINISTRATORS, "chiefs").await.unwrap();
    store.grant_role("chiefs", "root").await.unwrap();
    let root = access(&store, "root");
    assert!(root.is_administrator() && root.can_create_database() && root.database_visible("any"));
    assert!(
        root.table("sales", "orders", &COLUMNS)
            .unwrap()
            .selects_all()
            && root.can_use_workgroup("any")
    );
    let last =
        "this would leave no administrator; make another user a member of administrators first";
    assert_eq!(
        store
            .drop_user("root", false)
            .await
            .unwrap_err()
            .to_string(),
        last
    );
    assert_eq!(
        store
            .drop_role("chiefs", false)
            .await
            .unwrap_err()
            .to_string(),
        last
    );
    assert_eq!(
        store
            .revoke_role("chiefs", "root")
            .await
            .unwrap_err()
            .to_string(),
        last
    );
    assert_eq!(
        store
            .revoke_role(ADMINISTRATORS, "chiefs")
            .await
            .unwrap_err()
            .to_string(),
        last
    );
    assert!(
        store
            .drop_role(ADMINISTRATORS, false)
            .await
            .unwrap_err()
            .to_string()
            .contains("built in")
    );
    assert_eq!(store.snapshot().administrators(), ["root"]);
    store.grant_role(ADMINISTRATORS, "ann").await.unwrap();
    assert!(store.drop_user("root", false).await.unwrap());
    assert_eq!(store.snapshot().administrators(), ["ann"]);
}

#[tokio::test]
async fn users_and_roles_share_their_names() {
    let store = store().await;
    assert_eq!(
        store
            .create_role("Ann", true)
            .await
            .unwrap_err()
            .to_string(),
        "user \"ann\" already exists"
    );
    assert!(
        !store
            .create_user("ANN", support::verifier(), true)
            .await
            .unwrap()
            .created
    );
    assert!(
        store
            .create_user("public", support::verifier(), false)
            .await
            .is_err()
    );
    assert!(!store.drop_user("nobody", true).await.unwrap());
    assert_eq!(
        store.drop_role("ann", false).await.unwrap_err().to_string(),
        "role \"ann\" does not exist"
    );
}

#[tokio::test]
async fn grant_option_on_folders_and_workgroups_is_for_those_that_it_is_on() {
    let store = store().await;
    let workgroup = |name: &str| Resource::Workgroup(name.into());
    let location = |folder: &str| Resource::Location(format!("s3://lake/{folder}/"));
    for name in ["theirs", "others"] {
        let input = WorkgroupInput {
            name: name.into(),
            ..WorkgroupInput::default()
        };
        store.create_workgroup(input, false).await.unwrap();
    }
    for (privilege, resource, with_grant_option) in [
        (Privilege::Usage, workgroup("theirs"), true),
        (Privilege::Usage, workgroup("others"), false),
        (Privilege::DataLocation, location("theirs"), true),
        (Privilege::DataLocation, location("others"), false),
    ] {
        let grant = Grant {
            with_grant_option,
            ..Grant::new("ann", privilege, resource)
        };
        store.grant(&[grant]).await.unwrap();
    }
    let ann = access(&store, "ann");
    for (privilege, resource, held, grantable) in [
        (Privilege::Usage, workgroup("theirs"), true, true),
        (Privilege::Usage, workgroup("others"), true, false),
        (Privilege::Usage, workgroup("none"), false, false),
        (Privilege::DataLocation, location("theirs"), true, true),
        (Privilege::DataLocation, location("theirs/deep"), true, true),
        (Privilege::DataLocation, location("others"), true, false),
        (Privilege::DataLocation, location("none"), false, false),
    ] {
        let holds = match &resource {
            Resource::Workgroup(name) => ann.can_use_workgroup(name),
            Resource::Location(folder) => ann.can_use_location(folder),
            _ => false,
        };
        assert_eq!(holds, held, "{resource}");
        assert_eq!(ann.can_grant(privilege, &resource), grantable, "{resource}");
    }
}

#[tokio::test]
async fn what_is_shown_for_a_name_of_nobody_is_of_a_secret_of_the_store() {
    let (store, other) = (store().await, store().await);
    let shown = |store: &SqliteStore| store.snapshot().scram_verifier("nobody");
    assert_eq!(shown(&store), shown(&store));
    assert_ne!(shown(&store), shown(&other));
}

#[tokio::test]
async fn a_dropped_user_leaves_nothing_to_the_next_of_the_name() {
    let store = store().await;
    store.create_role("readers", false).await.unwrap();
    store.grant_role("readers", "ann").await.unwrap();
    grant(&store, "ann", Privilege::Select, orders()).await;
    let id = store.snapshot().users["ann"].id;
    assert!(store.drop_user("ann", false).await.unwrap());
    with_users(&store, &["ann"]).await;
    assert!(store.snapshot().users["ann"].id > id);
    assert!(on_orders(&store).is_none() && access(&store, "ann").roles().is_empty());
}

#[tokio::test]
async fn workgroups_are_used_where_granted() {
    let store = store().await;
    let input = WorkgroupInput {
        name: "Etl".into(),
        bytes_scanned_cutoff_per_query: Some(1 << 20),
        max_staleness: Duration::from_secs(60),
        ..WorkgroupInput::default()
    };
    let made = store.create_workgroup(input.clone(), false).await.unwrap();
    assert_eq!(made.value.max_staleness, Duration::from_secs(60));
    assert_eq!(
        (
            made.value.name.as_str(),
            made.value.bytes_scanned_cutoff_per_query
        ),
        ("etl", Some(1 << 20))
    );
    assert!(store.create_workgroup(input.clone(), false).await.is_err());
    assert!(
        !store
            .create_workgroup(
                WorkgroupInput {
                    bytes_scanned_cutoff_per_query: None,
                    ..input.clone()
                },
                true
            )
            .await
            .unwrap()
            .created
    );
    assert_eq!(
        store.snapshot().workgroups["etl"].bytes_scanned_cutoff_per_query,
        Some(1 << 20)
    );
    for bytes in [0, u64::MAX] {
        let wrong = WorkgroupInput {
            bytes_scanned_cutoff_per_query: Some(bytes),
            ..input.clone()
        };
        assert!(store.update_workgroup(wrong).await.is_err(), "{bytes}");
    }
    assert!(!access(&store, "ann").can_use_workgroup("etl"));
    grant(
        &store,
        "ann",
        Privilege::Usage,
        Resource::Workgroup("etl".into()),
    )
    .await;
    assert!(access(&store, "ann").can_use_workgroup("etl"));
    store.set_user_workgroup("ann", Some("ETL")).await.unwrap();
    assert_eq!(
        store.snapshot().users["ann"].default_workgroup.as_deref(),
        Some("etl")
    );
    assert!(store.set_user_workgroup("ann", Some("none")).await.is_err());
    let authentication = || store.snapshot().users["ann"].authentication;
    assert_eq!(authentication(), Authentication::Scram);
    for method in [
        Authentication::Password,
        Authentication::OAuth,
        Authentication::Scram,
    ] {
        store.set_user_authentication("ANN", method).await.unwrap();
        assert_eq!(authentication(), method);
        assert_eq!(Authentication::of_name(method.name()), Some(method));
    }
    let absent = store.set_user_authentication("none", Authentication::Scram);
    assert!(absent.await.is_err());
    assert!(store.drop_workgroup("etl", false).await.unwrap());
    assert_eq!(store.snapshot().users["ann"].default_workgroup, None);
    assert!(store.snapshot().grants.is_empty());
    assert!(
        store
            .drop_workgroup("primary", false)
            .await
            .unwrap_err()
            .to_string()
            .contains("built in")
    );
}
