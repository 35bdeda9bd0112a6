//! RENAME TO, within a database and to another one.

use lakegate_error::Code;

use super::Lake;

#[tokio::test]
async fn renamed_table_keeps_its_grants_and_partitions() {
    let lake = Lake::with_orders().await;
    lake.ok("ALTER TABLE orders ADD PARTITION (day = '2024-01-01'); GRANT SELECT (id) ON TABLE orders TO ann").await;
    let id = lake.table("orders").await.id;
    lake.ok("ALTER TABLE orders RENAME TO purchases").await;
    assert_eq!(lake.table("purchases").await.id, id);
    assert_eq!(
        lake.text("ann", "SHOW COLUMNS IN sales.purchases").await,
        "id"
    );
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS purchases").await,
        "day=2024-01-01"
    );
    assert_eq!(
        lake.fails("ann", "SHOW COLUMNS IN sales.orders")
            .await
            .code(),
        Code::TableNotFound
    );
    assert_eq!(
        lake.fails("admin", "ALTER TABLE purchases RENAME TO purchases")
            .await
            .code(),
        Code::DuplicateTable
    );
    lake.ok("GRANT ALTER, SELECT ON TABLE purchases TO ben")
        .await;
    let error = lake
        .fails("ben", "ALTER TABLE purchases RENAME TO mine")
        .await;
    assert!(error.message().contains("CREATE_TABLE"), "{error}");
}

#[tokio::test]
async fn moved_table_keeps_its_own_grants_and_gets_those_on_its_new_database() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE shelf;
             CREATE EXTERNAL TABLE shelf.taken (a INT) STORED AS PARQUET LOCATION 's3://lake/taken/';
             ALTER TABLE orders ADD PARTITION (day = '2024-01-01');
             GRANT SELECT (id) ON TABLE orders TO ann;
             GRANT SELECT ON DATABASE sales TO ben").await;
    let old = lake.table("orders").await;
    for (name, code) in [
        ("shelf.taken", Code::DuplicateTable),
        ("none.orders", Code::SchemaNotFound),
    ] {
        let sql = format!("ALTER TABLE orders RENAME TO {name}");
        let error = lake.fails("admin", &sql).await;
        assert_eq!(error.code(), code, "{error}");
    }
    lake.ok("ALTER TABLE IF EXISTS orders RENAME TO shelf.kept")
        .await;
    let view = lake.context("admin").await.view;
    let found = view.metastore.table("shelf", "kept").await.unwrap();
    let kept = found.unwrap();
    assert_eq!(kept.id, old.id);
    assert_eq!(kept.storage_descriptor, old.storage_descriptor);
    assert_eq!(
        lake.text("admin", "SHOW PARTITIONS shelf.kept").await,
        "day=2024-01-01"
    );
    assert_eq!(lake.text("ann", "SHOW COLUMNS IN shelf.kept").await, "id");
    for gone in ["sales.orders", "shelf.kept"] {
        let error = lake.fails("ben", &format!("DESCRIBE {gone}")).await;
        assert_eq!(error.code(), Code::TableNotFound, "{gone}");
    }
    lake.ok("GRANT SELECT ON DATABASE shelf TO ben").await;
    assert_eq!(
        lake.text("ben", "SHOW COLUMNS IN shelf.kept").await,
        "id\nemail\nday"
    );
    // The database that it left can be dropped without it, and its new one not.
    lake.ok("DROP DATABASE sales").await;
    lake.fails("admin", "DROP DATABASE shelf").await;
}

#[tokio::test]
async fn a_table_is_not_moved_to_a_database_to_get_at_it() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE own; CREATE DATABASE hidden;
             CREATE EXTERNAL TABLE own.secret (a INT) STORED AS PARQUET LOCATION 's3://lake/secret/';
             GRANT ALL ON DATABASE own TO ann WITH GRANT OPTION;
             GRANT CREATE TABLE ON DATABASE own TO ben;
             GRANT ALTER, DROP ON TABLE orders TO ben").await;
    let moving = "ALTER TABLE sales.orders RENAME TO own.mine";
    let hidden = lake.fails("ann", moving).await;
    assert_eq!(hidden.code(), Code::TableNotFound);
    for (grant, needed) in [
        ("SELECT (id)", "ALTER is needed"),
        ("ALTER", "some of its columns only"),
        ("SELECT", "with grant option"),
        ("ALL", "with grant option"),
    ] {
        lake.ok(&format!("GRANT {grant} ON TABLE orders TO ann"))
            .await;
        for statement in [moving, &moving.replace("TABLE", "TABLE IF EXISTS")] {
            let error = lake.fails("ann", statement).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{grant}: {error}");
            assert!(error.message().contains(needed), "{grant}: {error}");
        }
    }
    // Without SELECT, and with every privilege but one to pass on.
    let error = lake.fails("ben", moving).await;
    assert!(error.message().contains("with grant option"), "{error}");
    lake.ok(
        "GRANT SELECT, INSERT, DELETE, ALTER, DESCRIBE ON TABLE orders TO ben WITH GRANT OPTION",
    )
    .await;
    let error = lake.fails("ben", moving).await;
    assert!(error.message().contains("with grant option"), "{error}");
    lake.ok("GRANT ALL ON TABLE orders TO ben WITH GRANT OPTION")
        .await;
    // The other database is as it is for the user.
    for (target, code) in [
        ("hidden.mine", Code::SchemaNotFound),
        ("none.mine", Code::SchemaNotFound),
        ("own.secret", Code::PermissionDenied),
    ] {
        let sql = format!("ALTER TABLE sales.orders RENAME TO {target}");
        let error = lake.fails("ben", &sql).await;
        assert_eq!(error.code(), code, "{target}: {error}");
    }
    lake.ok("GRANT DESCRIBE ON DATABASE hidden TO ben").await;
    let error = lake
        .fails("ben", "ALTER TABLE sales.orders RENAME TO hidden.mine")
        .await;
    assert!(error.message().contains("CREATE_TABLE"), "{error}");
    assert_eq!(lake.table("orders").await.version_id, 0);
    lake.ok_as("ben", moving).await;
    assert_eq!(
        lake.text("ben", "SHOW COLUMNS IN own.mine").await,
        "id\nemail\nday"
    );
}

#[tokio::test]
async fn a_table_over_the_files_of_another_is_moved_by_those_that_could_grant_both() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE lab; CREATE DATABASE own;
             CREATE EXTERNAL TABLE lab.twin (id INT, email STRING) PARTITIONED BY (day DATE) STORED AS PARQUET LOCATION 's3://lake/orders/';
             GRANT ALL ON TABLE lab.twin TO ann WITH GRANT OPTION;
             GRANT ALL ON DATABASE own TO ann;
             GRANT SELECT ON TABLE orders TO ann").await;
    let moving = "ALTER TABLE lab.twin RENAME TO own.twin";
    let error = lake.fails("ann", moving).await;
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    assert!(
        error.message().contains("belong to another table"),
        "{error}"
    );
    lake.ok("GRANT ALL ON TABLE orders TO ann WITH GRANT OPTION")
        .await;
    lake.ok_as("ann", moving).await;
}
