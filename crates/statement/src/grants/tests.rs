#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lakegate_error::Code;

use super::super::testing::Lake;

#[tokio::test]
async fn grants_are_made_shown_and_taken_back() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE ROLE readers; GRANT readers TO ann;
                 GRANT SELECT (id, email) ON TABLE orders TO readers;
                 GRANT SELECT, DESCRIBE ON DATABASE sales TO ann WITH GRANT OPTION;
                 GRANT ALTER ON orders TO ben; GRANT USAGE ON WORKGROUP primary TO ben; GRANT CREATE_DATABASE ON CATALOG TO ben").await;
    let of_ann = "ann|USER|SELECT|DATABASE|sales|NULL|true\nann|USER|DESCRIBE|DATABASE|sales|NULL|true\nreaders|ROLE|SELECT|TABLE|sales.orders|email, id|false";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        sorted(&lake.text("ann", "SHOW GRANTS").await),
        sorted(of_ann)
    );
    assert_eq!(
        sorted(&lake.text("admin", "SHOW GRANTS FOR ann").await),
        sorted(of_ann)
    );
    assert_eq!(
        lake.text("ben", "SHOW GRANTS ON TABLE orders").await,
        "ben|USER|ALTER|TABLE|sales.orders|NULL|false"
    );
    assert_eq!(lake.text("admin", "SHOW GRANTS").await.lines().count(), 6);
    assert_eq!(
        lake.fails("ben", "SHOW GRANTS FOR ann").await.code(),
        Code::PermissionDenied
    );
    lake.ok("REVOKE SELECT (email) ON TABLE orders FROM readers")
        .await;
    assert_eq!(
        lake.text("admin", "SHOW GRANTS FOR readers").await,
        "readers|ROLE|SELECT|TABLE|sales.orders|id|false"
    );
    lake.ok("REVOKE ALL ON TABLE orders FROM ben").await;
    assert!(!lake.text("ben", "SHOW GRANTS").await.contains("orders"));
}

#[tokio::test]
async fn revoke_of_what_comes_from_elsewhere_says_so() {
    let lake = Lake::with_orders().await;
    lake.ok("GRANT SELECT ON DATABASE sales TO ann").await;
    let error = lake
        .fails("admin", "REVOKE SELECT ON TABLE orders FROM ann")
        .await;
    assert_eq!(error.code(), Code::UndefinedObject);
    assert!(
        error.hint().unwrap().contains("SHOW GRANTS FOR ann"),
        "{error}"
    );
    for sql in [
        "REVOKE GRANT OPTION FOR SELECT ON DATABASE sales FROM ann",
        "GRANT administrators TO ann WITH ADMIN OPTION",
    ] {
        assert_eq!(
            lake.fails("admin", sql).await.code(),
            Code::NotSupported,
            "{sql}"
        );
    }
}

#[tokio::test]
async fn granting_on_needs_the_grant_option() {
    let lake = Lake::with_orders().await;
    assert_eq!(
        lake.fails("ann", "GRANT SELECT ON TABLE sales.orders TO ben")
            .await
            .code(),
        Code::TableNotFound
    );
    lake.ok("GRANT SELECT (id) ON TABLE orders TO ann WITH GRANT OPTION; GRANT DESCRIBE ON TABLE orders TO ann").await;
    lake.ok_as("ann", "GRANT SELECT (id) ON TABLE sales.orders TO ben")
        .await;
    assert_eq!(lake.text("ben", "SHOW COLUMNS IN orders").await, "id");
    for sql in [
        "GRANT SELECT ON TABLE sales.orders TO ben",
        "GRANT SELECT (email) ON TABLE sales.orders TO ben",
        "GRANT DESCRIBE ON TABLE sales.orders TO ben",
        "GRANT ALL ON DATABASE sales TO ann",
        "GRANT CREATE_DATABASE ON CATALOG TO ann",
    ] {
        assert_eq!(
            lake.fails("ann", sql).await.code(),
            Code::PermissionDenied,
            "{sql}"
        );
    }
    // A hidden column and a missing one give the same error.
    let hidden = lake
        .fails("ann", "GRANT SELECT (email) ON TABLE sales.orders TO ben")
        .await;
    let missing = lake
        .fails("ann", "GRANT SELECT (e_ail) ON TABLE sales.orders TO ben")
        .await;
    assert_eq!(
        hidden.message().replace("email", "e_ail"),
        missing.message()
    );
    lake.ok_as("ann", "REVOKE SELECT (id) ON TABLE sales.orders FROM ben")
        .await;
    assert_eq!(lake.text("ben", "SHOW GRANTS").await, "");
}

#[tokio::test]
async fn folders_are_granted_shown_and_taken_back() {
    let lake = Lake::new().await;
    lake.ok("GRANT DATA_LOCATION ON 's3://lake//raw' TO ann WITH GRANT OPTION")
        .await;
    let of_ann = "ann|USER|DATA_LOCATION|DATA_LOCATION|s3://lake/raw/|NULL|true";
    assert_eq!(lake.text("ann", "SHOW GRANTS").await, of_ann);
    // The grantor may grant on a subfolder, but not on the parent folder.
    lake.ok_as(
        "ann",
        "GRANT DATA_LOCATION ON LOCATION 's3://lake/raw/deep/' TO ben",
    )
    .await;
    for sql in [
        "GRANT DATA_LOCATION ON 's3://lake/' TO ben",
        "GRANT DATA_LOCATION ON 's3://lake/rawer/' TO ben",
    ] {
        assert_eq!(
            lake.fails("ann", sql).await.code(),
            Code::PermissionDenied,
            "{sql}"
        );
    }
    assert_eq!(
        lake.fails("ben", "GRANT DATA_LOCATION ON 's3://lake/raw/deep/' TO ben")
            .await
            .code(),
        Code::PermissionDenied
    );
    assert_eq!(
        lake.text("admin", "SHOW GRANTS ON 's3://lake/raw/deep/er/'")
            .await,
        format!("{of_ann}\nben|USER|DATA_LOCATION|DATA_LOCATION|s3://lake/raw/deep/|NULL|false")
    );
    for (sql, code) in [
        (
            "GRANT DATA_LOCATION ON 's3://elsewhere/' TO ann",
            Code::LocationRefused,
        ),
        (
            "GRANT SELECT ON 's3://lake/raw/' TO ann",
            Code::InvalidParameter,
        ),
        (
            "GRANT DATA_LOCATION ON DATABASE sales TO ann",
            Code::InvalidParameter,
        ),
    ] {
        assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
    }
    lake.ok("REVOKE ALL ON 's3a://lake/raw/' FROM ann; REVOKE DATA_LOCATION ON 's3://lake/raw/deep/' FROM ben").await;
    assert_eq!(lake.text("admin", "SHOW GRANTS").await, "");
}

#[tokio::test]
async fn others_than_administrators_take_back_what_they_gave() {
    let lake = Lake::with_orders().await;
    lake.ok("GRANT SELECT ON TABLE orders TO ann WITH GRANT OPTION; GRANT SELECT ON TABLE orders TO ben").await;
    let error = lake
        .fails("ann", "REVOKE SELECT ON TABLE orders FROM ben")
        .await;
    assert_eq!(error.code(), Code::UndefinedObject);
    // The error does not say whether the user exists.
    let nobody = lake
        .fails("ann", "REVOKE SELECT ON TABLE orders FROM bob")
        .await;
    assert_eq!(nobody.message(), error.message().replace("ben", "bob"));
    assert_eq!(
        lake.text("ben", "SHOW COLUMNS IN orders").await,
        "id\nemail\nday"
    );
    // A privilege granted by two grantors is gone when both have revoked it.
    lake.ok_as(
        "ann",
        "GRANT SELECT ON TABLE orders TO ben; REVOKE SELECT ON TABLE orders FROM ben",
    )
    .await;
    assert_eq!(
        lake.text("ben", "SHOW COLUMNS IN orders").await,
        "id\nemail\nday"
    );
    lake.ok_as("ann", "GRANT SELECT ON TABLE orders TO ben")
        .await;
    lake.ok("REVOKE SELECT ON TABLE orders FROM ben").await;
    assert_eq!(lake.text("ben", "SHOW GRANTS").await, "");
    // A column grant by an administrator counts too.
    lake.ok("GRANT SELECT (id) ON TABLE orders TO ben").await;
    for sql in [
        "REVOKE SELECT ON TABLE orders FROM ben",
        "REVOKE SELECT (id) ON TABLE orders FROM ben",
    ] {
        assert_eq!(
            lake.fails("ann", sql).await.code(),
            Code::UndefinedObject,
            "{sql}"
        );
    }
}

#[tokio::test]
async fn grant_to_nobody_tells_nothing() {
    let lake = Lake::with_orders().await;
    lake.ok("GRANT SELECT ON TABLE orders TO ann WITH GRANT OPTION")
        .await;
    lake.ok_as(
        "ann",
        "GRANT SELECT ON TABLE orders TO bob, ben; GRANT SELECT ON TABLE orders TO ROLE readers",
    )
    .await;
    lake.ok("CREATE USER bob WITH PASSWORD 'a long secret'; CREATE ROLE readers")
        .await;
    assert_eq!(lake.text("bob", "SHOW GRANTS").await, "");
    assert_eq!(lake.text("admin", "SHOW GRANTS FOR readers").await, "");
    assert_eq!(
        lake.text("ben", "SHOW COLUMNS IN orders").await,
        "id\nemail\nday"
    );
    assert_eq!(
        lake.fails("admin", "GRANT SELECT ON TABLE orders TO bill")
            .await
            .code(),
        Code::UndefinedObject
    );
}

#[tokio::test]
async fn grant_on_a_column_ends_with_the_column() {
    let lake = Lake::with_orders().await;
    lake.ok("GRANT SELECT (email), DESCRIBE ON TABLE orders TO ann; ALTER TABLE orders REPLACE COLUMNS (id INT)").await;
    // Columns outside the grant stay hidden.
    assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "");
    assert_eq!(
        lake.text("ann", "SHOW GRANTS").await.lines().next(),
        Some("ann|USER|DESCRIBE|TABLE|sales.orders|NULL|false")
    );
    lake.ok("ALTER TABLE orders ADD COLUMNS (email STRING)")
        .await;
    assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "");
    assert!(
        lake.text("ann", "SHOW GRANTS")
            .await
            .contains("email (dropped)")
    );
    lake.ok("GRANT SELECT (email) ON TABLE orders TO ann").await;
    assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "email");
    lake.ok("REVOKE SELECT (email) ON TABLE orders FROM ann")
        .await;
    assert_eq!(
        lake.text("ann", "SHOW COLUMNS IN orders").await,
        "id\nemail\nday"
    );
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused_by_name() {
    let lake = Lake::with_orders().await;
    for (sql, code) in [
        (
            "GRANT SELECT (x) ON TABLE orders TO ann",
            Code::ColumnNotFound,
        ),
        ("GRANT SELECT ON TABLE missing TO ann", Code::TableNotFound),
        (
            "GRANT SELECT ON DATABASE missing TO ann",
            Code::SchemaNotFound,
        ),
        (
            "GRANT SELECT ON TABLE orders TO nobody",
            Code::UndefinedObject,
        ),
        (
            "GRANT USAGE ON WORKGROUP missing TO ann",
            Code::UndefinedObject,
        ),
        (
            "GRANT SELECT ON TABLE orders TO ROLE ann",
            Code::UndefinedObject,
        ),
    ] {
        assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
    }
    assert_eq!(lake.text("admin", "SHOW GRANTS").await, "");
}
