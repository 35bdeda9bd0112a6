//! Tests of CREATE EXTERNAL TABLE and DROP TABLE.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod renames;

use lakegate_error::Code;
use lakegate_lake::format::parquet::ParquetFormat;

use super::super::testing::Lake;
use super::*;

const PARQUET: &str = "STORED AS PARQUET LOCATION 's3://lake/t/'";

#[tokio::test]
async fn table_is_stored_as_athena_stores_it() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE Orders (Id STRING COMMENT 'key', total DECIMAL(10, 2), tags ARRAY<STRUCT<a:INT>>)
             COMMENT 'all orders' PARTITIONED BY (day DATE)
             CLUSTERED BY (id) SORTED BY (total DESC) INTO 8 BUCKETS
             STORED AS PARQUET LOCATION 's3://lake/orders/' TBLPROPERTIES ('parquet.compression'='SNAPPY')")
        .await;
    let table = lake.table("orders").await;
    assert_eq!(table.table_type.as_deref(), Some(EXTERNAL_TABLE));
    assert_eq!(table.owner.as_deref(), Some("admin"));
    assert_eq!(table.description.as_deref(), Some("all orders"));
    let parameters: Vec<String> = table
        .parameters
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        parameters,
        [
            "EXTERNAL=TRUE",
            "classification=parquet",
            "comment=all orders",
            "parquet.compression=SNAPPY"
        ]
    );
    let descriptor = &table.storage_descriptor;
    assert_eq!(descriptor.location.as_deref(), Some("s3://lake/orders/"));
    let types: Vec<&str> = table
        .columns()
        .map(|column| column.data_type.as_str())
        .collect();
    assert_eq!(
        types,
        ["string", "decimal(10,2)", "array<struct<a:int>>", "date"]
    );
    assert_eq!(descriptor.number_of_buckets, 8);
    assert_eq!(descriptor.bucket_columns, ["id"]);
    assert_eq!(
        (
            descriptor.sort_columns[0].column.as_str(),
            descriptor.sort_columns[0].sort_order
        ),
        ("total", 0)
    );
    assert_eq!(
        TableFormat::detect(descriptor, &table.parameters).unwrap(),
        TableFormat::Parquet(ParquetFormat::default())
    );
    assert_eq!(
        lake.fails(
            "admin",
            &format!("CREATE EXTERNAL TABLE orders (a INT) {PARQUET}")
        )
        .await
        .code(),
        Code::DuplicateTable
    );
    lake.ok(&format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS orders (a INT) {PARQUET}"
    ))
    .await;
    assert_eq!(lake.table("orders").await.version_id, 0);
}

#[tokio::test]
async fn location_outside_the_lake_is_refused_wherever_one_is_given() {
    let lake = Lake::with_orders().await;
    for bad in [
        "file:///etc/",
        "s3://other/x/",
        "s3://lake/../x/",
        "http://lake/x/",
        "/etc",
    ] {
        for sql in [
            format!("CREATE DATABASE d LOCATION '{bad}'"),
            format!("CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET LOCATION '{bad}'"),
            format!("ALTER TABLE orders SET LOCATION '{bad}'"),
            format!("ALTER TABLE orders ADD PARTITION (day = '2024-01-01') LOCATION '{bad}'"),
        ] {
            let error = lake.fails("admin", &sql).await;
            assert_eq!(error.code(), Code::LocationRefused, "{sql}");
            assert!(error.message().contains(bad), "{sql}: {error}");
        }
    }
    assert_eq!(lake.text("admin", "SHOW TABLES").await, "orders");
    assert_eq!(lake.text("admin", "SHOW PARTITIONS orders").await, "");
}

#[tokio::test]
async fn table_without_a_location_gets_a_folder_of_its_database() {
    let lake = Lake::new().await;
    lake.ok("CREATE TABLE plain (a BIGINT, b TEXT, c DOUBLE PRECISION, d TIMESTAMP(6) WITHOUT TIME ZONE NULL, e INTEGER[], f NUMERIC(10, 2), g BYTEA)")
        .await;
    let table = lake.table("plain").await;
    let types: Vec<&str> = table.columns().map(|column| &*column.data_type).collect();
    assert_eq!(
        types,
        [
            "bigint",
            "string",
            "double",
            "timestamp",
            "array<int>",
            "decimal(10,2)",
            "binary"
        ]
    );
    let descriptor = &table.storage_descriptor;
    assert_eq!(
        descriptor.location.as_deref(),
        Some("s3://lake/sales/plain/")
    );
    let format = descriptor.input_format.as_deref().unwrap_or_default();
    assert!(format.contains("parquet"), "{format}");
    let taken = lake.fails("admin", "CREATE TABLE plain (a INT)").await;
    assert_eq!(taken.code(), Code::DuplicateTable);
    lake.ok("CREATE TABLE IF NOT EXISTS plain (a INT)").await;
    for (sql, part) in [
        ("CREATE TABLE t (a TIMESTAMPTZ)", "no column of a table has"),
        ("CREATE TABLE t (a INTERVAL)", "no column of a table has"),
        ("CREATE TABLE t", "at least one"),
    ] {
        let error = lake.fails("admin", sql).await;
        assert!(error.message().contains(part), "{sql}: {error}");
    }
    let denied = lake.fails("ann", "CREATE TABLE sales.t (a INT)").await;
    assert!(
        matches!(denied.code(), Code::PermissionDenied | Code::SchemaNotFound),
        "{denied}"
    );
}

#[tokio::test]
async fn what_is_no_external_table_is_refused_with_the_remedy() {
    let lake = Lake::new().await;
    for (sql, part) in [
        (
            "CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET",
            "LOCATION",
        ),
        (
            "CREATE TABLE t (a INT) LOCATION 's3://lake/t/'",
            "CREATE EXTERNAL TABLE",
        ),
        (
            "CREATE TABLE t (a INT) LOCATION 's3://lake/t/' TBLPROPERTIES ('table_type'='ICEBERG')",
            "Iceberg",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) STORED AS SEQUENCEFILE LOCATION 's3://lake/t/'",
            "PARQUET, ORC, AVRO, ION, TEXTFILE or JSONFILE",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' LOCATION 's3://lake/t/'",
            "input.regex",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) STORED AS AVRO LOCATION 's3://lake/t/' TBLPROPERTIES ('avro.schema.literal'='{')",
            "avro.schema.literal",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) STORED AS AVRO LOCATION 's3://lake/t/' TBLPROPERTIES ('avro.schema.url'='s3://lake/a.avsc')",
            "avro.schema.literal",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS PARQUET LOCATION 's3://lake/t/'",
            "does not go with",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (d DATE) STORED AS PARQUET LOCATION 's3://lake/t/' TBLPROPERTIES ('projection.enabled'='true')",
            "missing projection configuration: [d]",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT, a STRING) STORED AS PARQUET LOCATION 's3://lake/t/'",
            "named twice",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (a INT) STORED AS PARQUET LOCATION 's3://lake/t/'",
            "partition key",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (b ARRAY<INT>) STORED AS PARQUET LOCATION 's3://lake/t/'",
            "primitive",
        ),
        (
            "CREATE EXTERNAL TABLE t (a NUMBER) STORED AS PARQUET LOCATION 's3://lake/t/'",
            "number",
        ),
        (
            "CREATE EXTERNAL TABLE t (a ARRAY<INT>) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://lake/t/'",
            "OpenCSVSerde",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT) CLUSTERED BY (b) INTO 4 BUCKETS STORED AS PARQUET LOCATION 's3://lake/t/'",
            "CLUSTERED BY",
        ),
    ] {
        let error = lake.fails("admin", sql).await;
        assert!(error.message().contains(part), "{sql}: {error}");
        assert_ne!(error.code(), Code::Internal, "{sql}");
    }
    assert_eq!(lake.text("admin", "SHOW TABLES").await, "");
}

#[tokio::test]
async fn creating_needs_create_table_and_makes_the_table_the_creators() {
    let lake = Lake::new().await;
    let create = format!("CREATE EXTERNAL TABLE sales.t (a INT) {PARQUET}");
    assert_eq!(
        lake.fails("ann", &create).await.code(),
        Code::SchemaNotFound
    );
    lake.ok("GRANT SELECT ON DATABASE sales TO ann").await;
    let error = lake.fails("ann", &create).await;
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(error.message().contains("CREATE_TABLE"), "{error}");
    lake.ok(error.hint().unwrap().split_once("run: ").unwrap().1)
        .await;
    // The database has no folder of its own.
    let error = lake.fails("ann", &create).await;
    assert_eq!(
        error.message(),
        "permission denied for location 's3://lake/t/': DATA_LOCATION is needed"
    );
    lake.ok(error.hint().unwrap().split_once("run: ").unwrap().1)
        .await;
    lake.ok_as("ann", &create).await;
    lake.ok_as(
        "ann",
        "GRANT SELECT (a) ON TABLE sales.t TO ben; DROP TABLE sales.t",
    )
    .await;
    assert_eq!(lake.text("ben", "SHOW DATABASES").await, "");
}

#[tokio::test]
async fn table_over_the_data_of_another_is_no_way_around_its_grants() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE lab; GRANT CREATE_TABLE, ALTER, SELECT ON DATABASE lab TO ann; GRANT SELECT (id) ON TABLE sales.orders TO ann;
             GRANT DATA_LOCATION ON 's3://lake/' TO ann").await;
    for location in [
        "s3://lake/orders/",
        "s3://lake/orders/day=2024-01-01/",
        "s3://lake/",
        "S3A://lake//orders",
    ] {
        let error = lake.fails("ann", &format!("CREATE EXTERNAL TABLE lab.spy (email STRING) STORED AS PARQUET LOCATION '{location}'")).await;
        assert_eq!(error.code(), Code::PermissionDenied, "{location}");
        assert!(!error.to_string().contains("sales.orders"), "{error}");
    }
    lake.ok_as("ann", "CREATE EXTERNAL TABLE lab.own (email STRING) PARTITIONED BY (d INT) STORED AS PARQUET LOCATION 's3://lake/orders2/'").await;
    for sql in [
        "ALTER TABLE lab.own SET LOCATION 's3://lake/orders/'",
        "ALTER TABLE lab.own ADD PARTITION (d = 1) LOCATION 's3://lake/orders/day=2024-01-01/'",
    ] {
        assert_eq!(
            lake.fails("ann", sql).await.code(),
            Code::PermissionDenied,
            "{sql}"
        );
    }
    lake.ok("GRANT SELECT ON TABLE sales.orders TO ann").await;
    lake.ok_as(
        "ann",
        "ALTER TABLE lab.own SET LOCATION 's3://lake/orders/'",
    )
    .await;
}

#[tokio::test]
async fn name_of_what_is_hidden_is_refused_in_one_way() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE stock; GRANT CREATE_DATABASE ON CATALOG TO ann; GRANT CREATE TABLE ON DATABASE sales TO ben; GRANT DATA_LOCATION ON 's3://lake/free/' TO ben").await;
    let error = lake.fails("ann", "CREATE DATABASE stock").await;
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    let sql =
        "CREATE EXTERNAL TABLE sales.orders (a INT) STORED AS PARQUET LOCATION 's3://lake/free/'";
    let error = lake.fails("ben", sql).await;
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    assert_eq!(
        error.message(),
        "permission denied: the name \"sales.orders\" cannot be used for a new table"
    );
    // With IF NOT EXISTS the answer does not depend on what exists, and reveals nothing.
    let sql = sql.replace("TABLE sales", "TABLE IF NOT EXISTS sales");
    lake.ok_as("ben", &sql).await;
    lake.ok_as("ann", "CREATE DATABASE IF NOT EXISTS stock")
        .await;
    assert_eq!(lake.text("ben", "SHOW TABLES IN sales").await, "");
    assert_eq!(lake.text("ann", "SHOW DATABASES").await, "");
    lake.ok_as(
        "ben",
        "CREATE EXTERNAL TABLE sales.own (a INT) STORED AS PARQUET LOCATION 's3://lake/free/'",
    )
    .await;
    let error = lake
        .fails("ben", "ALTER TABLE sales.own RENAME TO orders")
        .await;
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    assert_eq!(lake.table("orders").await.version_id, 0);
}

#[tokio::test]
async fn unqualified_names_mean_the_first_database_of_the_path_that_has_the_table() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE DATABASE stock;
             CREATE EXTERNAL TABLE stock.orders (a INT) STORED AS PARQUET LOCATION 's3://lake/a/';
             CREATE EXTERNAL TABLE stock.items (a INT) STORED AS PARQUET LOCATION 's3://lake/b/'")
        .await;
    assert_eq!(lake.text("admin", "SHOW COLUMNS IN items").await, "a");
    assert_eq!(
        lake.text("admin", "SHOW COLUMNS IN orders").await,
        "id\nemail\nday"
    );
    // A new table is created in the first database.
    lake.ok(&format!("CREATE EXTERNAL TABLE items (b INT) {PARQUET}"))
        .await;
    assert_eq!(lake.text("admin", "SHOW COLUMNS IN items").await, "b");
    assert_eq!(lake.text("admin", "SHOW TABLES").await, "items\norders");
    lake.ok("DROP TABLE items; DROP TABLE items").await;
    assert_eq!(lake.text("admin", "SHOW TABLES IN stock").await, "orders");
    // It is created in the second database if the user sees nothing of the first.
    lake.ok("GRANT SELECT ON DATABASE stock TO ann").await;
    assert_eq!(lake.text("ann", "SHOW TABLES").await, "orders");
    assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "a");
    assert_eq!(
        lake.fails("ben", "SHOW TABLES").await.code(),
        Code::SchemaNotFound
    );
    let missing = lake.fails("ben", "DESCRIBE orders").await;
    assert_eq!(missing.message(), "relation \"orders\" does not exist");
}

#[tokio::test]
async fn dropping_needs_drop_and_hidden_tables_look_missing() {
    let lake = Lake::with_orders().await;
    let hidden = lake.fails("ann", "DROP TABLE sales.orders").await;
    let missing = lake.fails("ann", "DROP TABLE sales.orchid").await;
    assert_eq!(hidden.code(), Code::TableNotFound);
    assert_eq!(
        hidden.message().replace("orders", "orchid"),
        missing.message()
    );
    lake.ok_as("ann", "DROP TABLE IF EXISTS sales.orders").await;
    lake.ok("GRANT SELECT ON TABLE orders TO ann").await;
    assert_eq!(
        lake.fails("ann", "DROP TABLE sales.orders").await.code(),
        Code::PermissionDenied
    );
    lake.ok("GRANT DROP ON TABLE orders TO ann").await;
    lake.ok_as("ann", "DROP TABLE sales.orders").await;
    assert_eq!(lake.text("admin", "SHOW TABLES").await, "");
}

#[tokio::test]
async fn table_of_trinos_properties_is_in_a_folder_of_its_own_or_in_the_one_that_is_named() {
    let lake = Lake::new().await;
    lake.folders(&["data"]);
    lake.ok("CREATE TABLE own (a bigint NOT NULL, day date) WITH (format = 'ORC', partitioned_by = ARRAY['day']);
             CREATE TABLE named (a text) WITH (external_location = 's3://lake/data/')")
        .await;
    let own = lake.table("own").await;
    let descriptor = &own.storage_descriptor;
    assert_eq!(descriptor.location.as_deref(), Some("s3://lake/sales/own/"));
    assert_eq!(own.partition_keys.len(), 1);
    assert!(descriptor.columns[0].is_required() && !own.partition_keys[0].is_required());
    assert_eq!(
        own.parameters.get("classification").map(String::as_str),
        Some("orc")
    );
    let named = lake.table("named").await;
    let descriptor = &named.storage_descriptor;
    assert_eq!(descriptor.location.as_deref(), Some("s3://lake/data/"));
    assert_eq!(descriptor.columns[0].data_type, "string");
    lake.ok("GRANT CREATE TABLE ON DATABASE sales TO ann").await;
    let elsewhere =
        "CREATE TABLE sales.other (a text) WITH (external_location = 's3://lake/other/')";
    assert_eq!(
        lake.fails("ann", elsewhere).await.code(),
        Code::PermissionDenied
    );
    let unknown = "CREATE TABLE other (a int) WITH (fillfactor = 70)";
    assert_eq!(
        lake.fails("admin", unknown).await.code(),
        Code::InvalidParameter
    );
}
