#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lakegate_error::Code;

use super::super::testing::Lake;

#[tokio::test]
async fn if_exists_passes_over_a_table_that_is_not_there() {
    let lake = Lake::with_orders().await;
    for change in [
        "ADD COLUMNS (note STRING)",
        "REPLACE COLUMNS (id INT)",
        "SET TBLPROPERTIES ('a' = 'b')",
        "UNSET TBLPROPERTIES ('a')",
        "SET LOCATION 's3://lake/elsewhere/'",
        "SET SERDEPROPERTIES ('a' = 'b')",
        "ADD PARTITION (day = '2024-01-01')",
        "PARTITION (day = '2024-01-01') SET LOCATION 's3://lake/elsewhere/day/'",
        "PARTITION (day = '2024-01-01') RENAME TO PARTITION (day = '2024-01-02')",
        "DROP PARTITION (day = '2024-01-02')",
        "RENAME TO purchases",
    ] {
        for absent in ["absent", "absent.orders"] {
            lake.ok(&format!("ALTER TABLE IF EXISTS {absent} {change}"))
                .await;
            let missing = lake
                .fails("admin", &format!("ALTER TABLE {absent} {change}"))
                .await;
            assert_eq!(missing.code(), Code::TableNotFound, "{absent} {change}");
        }
        // A hidden table is treated as missing.
        lake.ok_as("ann", &format!("ALTER TABLE IF EXISTS orders {change}"))
            .await;
        lake.ok(&format!("ALTER TABLE IF EXISTS orders {change}"))
            .await;
    }
    assert_eq!(
        lake.text("admin", "SHOW COLUMNS IN purchases").await,
        "id\nday"
    );
    // IF EXISTS hides no other error of a table that exists.
    let error = lake
        .fails(
            "admin",
            "ALTER TABLE IF EXISTS purchases ADD COLUMNS (id INT)",
        )
        .await;
    assert_eq!(error.code(), Code::DuplicateColumn);
}

#[tokio::test]
async fn columns_are_added_and_replaced_but_keys_stay() {
    let lake = Lake::with_orders().await;
    lake.ok("ALTER TABLE orders ADD COLUMNS (total DECIMAL(10,2) COMMENT 'gross', note STRING)")
        .await;
    assert_eq!(
        lake.text("admin", "SHOW COLUMNS IN orders").await,
        "id\nemail\ntotal\nnote\nday"
    );
    lake.ok("ALTER TABLE orders REPLACE COLUMNS (id BIGINT, note STRING)")
        .await;
    assert_eq!(
        lake.text("admin", "DESCRIBE orders id").await,
        "id|bigint|NULL"
    );
    assert_eq!(
        lake.text("admin", "SHOW COLUMNS IN orders").await,
        "id\nnote\nday"
    );
    for sql in [
        "ALTER TABLE orders ADD COLUMNS (note INT)",
        "ALTER TABLE orders ADD COLUMNS (day INT)",
        "ALTER TABLE orders REPLACE COLUMNS (a INT, day DATE)",
    ] {
        assert_eq!(
            lake.fails("admin", sql).await.code(),
            Code::DuplicateColumn,
            "{sql}"
        );
    }
    assert_eq!(lake.table("orders").await.version_id, 2);
}

#[tokio::test]
async fn single_columns_may_have_types_of_postgres_and_exist() {
    let lake = Lake::with_orders().await;
    lake.ok("ALTER TABLE orders ADD note text COLLATE \"C\" DEFAULT NULL, ADD COLUMN at timestamp(3) without time zone;
                 ALTER TABLE orders ADD COLUMN IF NOT EXISTS note int;
                 ALTER TABLE orders ADD COLUMN IF NOT EXISTS note int, ADD IF NOT EXISTS share float;
                 ALTER TABLE orders ALTER COLUMN note TYPE varchar")
        .await;
    assert_eq!(
        lake.text("admin", "SHOW COLUMNS IN orders").await,
        "id\nemail\nnote\nat\nshare\nday"
    );
    for (column, data_type) in [("note", "string"), ("at", "timestamp"), ("share", "double")] {
        assert_eq!(
            lake.text("admin", &format!("DESCRIBE orders {column}"))
                .await,
            format!("{column}|{data_type}|NULL")
        );
    }
    for (sql, code) in [
        ("ADD COLUMN note int", Code::DuplicateColumn),
        ("ADD COLUMN at2 timestamptz", Code::InvalidTable),
        ("ADD COLUMN key int NOT NULL", Code::NotSupported),
        ("ADD COLUMN key int PRIMARY KEY", Code::NotSupported),
    ] {
        let error = lake
            .fails("admin", &format!("ALTER TABLE orders {sql}"))
            .await;
        assert_eq!(error.code(), code, "{sql}: {error}");
    }
    // A name that is hidden is no reason to succeed.
    lake.ok("GRANT SELECT (id) ON TABLE orders TO ann; GRANT ALTER ON TABLE orders TO ann")
        .await;
    let sql = "ALTER TABLE sales.orders ADD COLUMN IF NOT EXISTS email int";
    assert_eq!(lake.fails("ann", sql).await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn properties_are_set_and_unset() {
    let lake = Lake::with_orders().await;
    lake.ok(
        "ALTER TABLE orders SET TBLPROPERTIES ('comment'='ours', 'skip.header.line.count'='1')",
    )
    .await;
    assert_eq!(
        lake.table("orders").await.description.as_deref(),
        Some("ours")
    );
    assert_eq!(
        lake.text(
            "admin",
            "SHOW TBLPROPERTIES orders('skip.header.line.count')"
        )
        .await,
        "skip.header.line.count|1"
    );
    lake.ok("ALTER TABLE orders UNSET TBLPROPERTIES ('skip.header.line.count')")
        .await;
    lake.ok("ALTER TABLE orders UNSET TBLPROPERTIES IF EXISTS ('skip.header.line.count')")
        .await;
    assert_eq!(
        lake.text("admin", "SHOW TBLPROPERTIES orders").await,
        "EXTERNAL|TRUE\nclassification|parquet\ncomment|ours"
    );
    for (sql, code) in [
        (
            "ALTER TABLE orders UNSET TBLPROPERTIES ('nothing')",
            Code::UndefinedObject,
        ),
        (
            "ALTER TABLE orders SET TBLPROPERTIES ('EXTERNAL'='FALSE')",
            Code::InvalidTable,
        ),
        (
            "ALTER TABLE orders SET TBLPROPERTIES ('table_type'='iceberg')",
            Code::NotSupported,
        ),
        (
            "ALTER TABLE orders UNSET TBLPROPERTIES ('EXTERNAL')",
            Code::InvalidTable,
        ),
    ] {
        assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
    }
}

#[tokio::test]
async fn format_and_location_change_for_the_table_or_one_partition() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE t (a STRING) PARTITIONED BY (p INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://lake/t/';
                 ALTER TABLE t ADD PARTITION (p = 1) PARTITION (p = 2);
                 ALTER TABLE t SET SERDEPROPERTIES ('field.delim'=';');
                 ALTER TABLE t PARTITION (p = 1) SET SERDEPROPERTIES ('field.delim'='|');
                 ALTER TABLE t PARTITION (p = 01) SET LOCATION 's3://lake/elsewhere/';
                 ALTER TABLE t SET LOCATION 's3://lake/t2/'")
        .await;
    let detail = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.contains(name))
            .unwrap_or_default()
            .to_owned()
    };
    let table = lake.text("admin", "DESCRIBE FORMATTED t").await;
    assert_eq!(detail(&table, "field.delim"), "NULL|field.delim|;");
    assert_eq!(detail(&table, "Location"), "Location:|s3://lake/t2/|NULL");
    let one = lake
        .text("admin", "DESCRIBE FORMATTED t PARTITION (p = 1)")
        .await;
    assert_eq!(detail(&one, "field.delim"), "NULL|field.delim||");
    assert!(one.contains("Location:|s3://lake/elsewhere/"), "{one}");
    let two = lake
        .text("admin", "DESCRIBE FORMATTED t PARTITION (p = 2)")
        .await;
    assert_eq!(detail(&two, "field.delim"), "NULL|field.delim|,");
    assert!(two.contains("Location:|s3://lake/t/p=2/"), "{two}");
    for sql in [
        "ALTER TABLE t SET SERDE 'com.example.Unknown'",
        "ALTER TABLE t PARTITION (p = 1) SET SERDE 'com.example.Unknown'",
    ] {
        let error = lake.fails("admin", sql).await;
        assert!(
            error.message().contains("com.example.Unknown"),
            "{sql}: {error}"
        );
    }
    assert_eq!(
        lake.fails(
            "admin",
            "ALTER TABLE t PARTITION (p = 3) SET LOCATION 's3://lake/x/'"
        )
        .await
        .code(),
        Code::UndefinedObject
    );
}

#[tokio::test]
async fn changing_a_table_needs_alter_and_all_of_its_columns() {
    let lake = Lake::with_orders().await;
    let statements = [
        "ALTER TABLE sales.orders ADD COLUMNS (x INT)",
        "ALTER TABLE sales.orders REPLACE COLUMNS (x INT)",
        "ALTER TABLE sales.orders SET TBLPROPERTIES ('a'='b')",
        "ALTER TABLE sales.orders UNSET TBLPROPERTIES IF EXISTS ('a')",
        "ALTER TABLE sales.orders SET LOCATION 's3://lake/x/'",
        "ALTER TABLE sales.orders SET SERDEPROPERTIES ('a'='b')",
        "ALTER TABLE sales.orders RENAME TO x",
        "ALTER TABLE sales.orders ADD PARTITION (day = '2024-01-01')",
        "ALTER TABLE sales.orders DROP IF EXISTS PARTITION (day = '2024-01-01')",
        "ALTER TABLE sales.orders PARTITION (day = '2024-01-01') RENAME TO PARTITION (day = '2024-01-02')",
        "MSCK REPAIR TABLE sales.orders",
    ];
    for sql in statements {
        let hidden = lake.fails("ann", sql).await;
        assert_eq!(hidden.code(), Code::TableNotFound, "{sql}");
    }
    lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
    for sql in statements {
        let error = lake.fails("ann", sql).await;
        assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
        assert!(
            error.message().contains("ALTER is needed"),
            "{sql}: {error}"
        );
    }
    // ALTER does not reveal the columns that SELECT does not grant.
    lake.ok("GRANT ALTER ON TABLE orders TO ann").await;
    for sql in statements {
        let error = lake.fails("ann", sql).await;
        assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
        assert!(!error.to_string().contains("email"), "{sql}: {error}");
    }
    lake.ok("REVOKE SELECT (id) ON TABLE orders FROM ann").await;
    lake.ok_as("ann", "ALTER TABLE sales.orders ADD COLUMNS (x INT)")
        .await;
    assert_eq!(lake.table("orders").await.version_id, 1);
}
