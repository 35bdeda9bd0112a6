#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use arrow::datatypes::{DataType, TimeUnit};
use lakegate_catalog::store::WriteLog;

use super::*;
use crate::testing::Lake;

fn rows(columns: &[(&str, DataType)]) -> Schema {
    let fields = columns.iter();
    let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Schema::new(fields.collect::<Vec<_>>())
}

async fn plan(lake: &Lake, user: &str, sql: &str, query: &Schema) -> Result<QueryWrite> {
    let statement = lakegate_sql::parse(sql).unwrap().remove(0).statement;
    let context = lake.context(user).await;
    context.plan_query_write(&statement, query).await
}

async fn table(lake: &Lake, user: &str, sql: &str, query: &Schema) -> Result<WritePlan> {
    match plan(lake, user, sql, query).await? {
        QueryWrite::Table(plan) => Ok(*plan),
        other => panic!("{other:?}"),
    }
}

fn orders() -> Schema {
    rows(&[
        ("a", DataType::Int64),
        ("b", DataType::Utf8View),
        ("c", DataType::Date32),
    ])
}

#[tokio::test]
async fn new_table_has_the_columns_and_the_format_of_the_statement() {
    let lake = Lake::new().await;
    let sql = "CREATE TABLE sales.t (id, name, day) COMMENT 'of a query' WITH (format = 'TEXTFILE', \
               field_delimiter = ',', partitioned_by = ARRAY['day']) AS SELECT 1";
    let made = Lake::new().await;
    let new = NewTable {
        stored: match lakegate_sql::parse(sql).unwrap().remove(0).statement {
            Statement::CreateTableAs(create) => Stored::of_table(&create.properties).unwrap(),
            other => panic!("{other:?}"),
        },
        comment: Some("of a query".to_owned()),
    };
    let names = ["id", "name", "day"].map(str::to_owned);
    let columns = check_new_columns(&names, &new.stored.partitioned_by, &orders()).unwrap();
    let context = made.context("admin").await;
    let input = context
        .define(&new, "t", &columns, "s3://lake/sales/t/")
        .unwrap();
    let serde = input.storage_descriptor.serde_info.unwrap();
    assert_eq!(
        serde.serialization_library.as_deref(),
        Some("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
    );
    assert_eq!(
        serde.parameters.get("field.delim").map(String::as_str),
        Some(",")
    );
    assert_eq!(
        input
            .parameters
            .get("write.compression")
            .map(String::as_str),
        Some("GZIP")
    );
    assert_eq!(input.description.as_deref(), Some("of a query"));
    assert_eq!(input.partition_keys.len(), 1);
    let parquet = "CREATE TABLE sales.t WITH (write_compression = 'zstd') AS SELECT 1";
    let planned = table(&lake, "admin", parquet, &orders()).await.unwrap();
    let made = &planned.target.table;
    assert_eq!(
        made.parameters
            .get("parquet.compression")
            .map(String::as_str),
        Some("ZSTD")
    );
    let types: Vec<&str> = made
        .columns()
        .map(|column| column.data_type.as_str())
        .collect();
    assert_eq!(types, ["bigint", "string", "date"]);
    assert_eq!(
        made.storage_descriptor.location.as_deref(),
        Some("s3://lake/sales/t/")
    );
}

#[tokio::test]
async fn columns_that_no_table_can_have_are_named() {
    let lake = Lake::new().await;
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for (sql, query, code, part) in [
        (
            "CREATE TABLE t AS SELECT 1",
            rows(&[("?column?", DataType::Int32)]),
            Code::InvalidName,
            "column 1 of the query has no name",
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            rows(&[("a", DataType::Int32), ("A", DataType::Int32)]),
            Code::DuplicateColumn,
            "two columns \"a\"",
        ),
        (
            "CREATE TABLE t (a) AS SELECT 1",
            orders(),
            Code::TypeMismatch,
            "1 columns are named, and the query has 3",
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            rows(&[("a", DataType::Null)]),
            Code::InvalidTable,
            "column \"a\" is of type",
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            rows(&[("a", zoned)]),
            Code::InvalidTable,
            "timestamp with time zone",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['b']) AS SELECT 1",
            orders(),
            Code::InvalidTable,
            "column \"b\", which is not in its place: the last columns of the query must be b",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['c', 'b']) AS SELECT 1",
            orders(),
            Code::InvalidTable,
            "\"c\"",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['x']) AS SELECT 1",
            orders(),
            Code::ColumnNotFound,
            "\"x\", which the query does not have",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['c', 'C']) AS SELECT 1",
            orders(),
            Code::DuplicateColumn,
            "partitioned_by names column \"c\" twice",
        ),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['a', 'b', 'c']) AS SELECT 1",
            orders(),
            Code::InvalidTable,
            "no columns beside its partition keys",
        ),
    ] {
        let error = plan(&lake, "admin", sql, &query).await.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.message().contains(part), "{sql}: {error}");
    }
}

#[tokio::test]
async fn insert_matches_by_position_with_partition_keys_last() {
    let lake = Lake::with_orders().await;
    let planned = table(&lake, "admin", "INSERT INTO orders SELECT 1", &orders())
        .await
        .unwrap();
    let names: Vec<&str> = planned
        .mapping
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["id", "email", "day"]);
    // The query's names do not matter.
    let two = rows(&[("day", DataType::Utf8), ("email", DataType::Int32)]);
    table(
        &lake,
        "admin",
        "INSERT INTO orders (email, id) SELECT 1",
        &two,
    )
    .await
    .unwrap();
    for (sql, query, code, part) in [
        (
            "INSERT INTO orders SELECT 1",
            rows(&[("id", DataType::Int32)]),
            Code::TypeMismatch,
            "column \"email\" gets no value",
        ),
        (
            "INSERT INTO orders (email, id) SELECT 1",
            rows(&[("a", DataType::Int32), ("b", DataType::Int32)]),
            Code::TypeMismatch,
            "column \"email\" of table sales.orders is of type string, and the query gives int",
        ),
        (
            "INSERT INTO orders (id, total) SELECT 1",
            two.clone(),
            Code::ColumnNotFound,
            "\"total\"",
        ),
        (
            "INSERT INTO orders (id, id) SELECT 1",
            two.clone(),
            Code::DuplicateColumn,
            "\"id\"",
        ),
        (
            "INSERT INTO none SELECT 1",
            two.clone(),
            Code::TableNotFound,
            "none",
        ),
        (
            "CREATE TABLE orders AS SELECT 1",
            orders(),
            Code::DuplicateTable,
            "already exists",
        ),
    ] {
        let error = plan(&lake, "admin", sql, &query).await.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.message().contains(part), "{sql}: {error}");
    }
}

/// The columns that an INSERT writes.
async fn targets_of(lake: &Lake, sql: &str) -> Result<String> {
    let statement = lakegate_sql::parse(sql).unwrap().remove(0).statement;
    let Statement::Insert(insert) = statement else {
        panic!("{sql}")
    };
    let columns = lake.context("admin").await.insert_columns(&insert).await?;
    let names: Vec<&str> = columns
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    Ok(names.join(" "))
}

#[tokio::test]
async fn last_columns_are_those_of_the_partition_clause_in_its_order() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE sales.t (a INT, b INT) PARTITIONED BY (x STRING, y INT, z INT) STORED AS PARQUET LOCATION 's3://lake/t/'").await;
    for (clause, columns) in [
        ("", "a b x y z"),
        ("PARTITION (y = 1)", "a b x z"),
        ("PARTITION (x, y, z)", "a b x y z"),
        ("PARTITION (z, x, y)", "a b z x y"),
        ("PARTITION (x = 'v', z, y)", "a b z y"),
        ("PARTITION (z, x = 'v', y = 1)", "a b z"),
        ("PARTITION (x = 'v', y, z) (b)", "b y z"),
        ("PARTITION (x = 'v', y, z) (z, b)", "z b y"),
    ] {
        let sql = format!("INSERT OVERWRITE t {clause} SELECT 1");
        assert_eq!(targets_of(&lake, &sql).await.unwrap(), columns, "{sql}");
    }
    for (clause, code, part) in [
        (
            "PARTITION (x, y)",
            Code::InvalidParameter,
            "leaves out \"z\"",
        ),
        (
            "PARTITION (x, y, z, x)",
            Code::DuplicateColumn,
            "\"x\" is named twice",
        ),
        (
            "PARTITION (x = 'v', y, z, x)",
            Code::DuplicateColumn,
            "\"x\" is named twice",
        ),
        (
            "PARTITION (a, x, y, z)",
            Code::InvalidParameter,
            "\"a\" is no partition key",
        ),
        (
            "PARTITION (x, y, z) (a, a)",
            Code::DuplicateColumn,
            "\"a\" is named twice",
        ),
    ] {
        let sql = format!("INSERT INTO t {clause} SELECT 1");
        let error = targets_of(&lake, &sql).await.unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.message().contains(part), "{sql}: {error}");
    }
}

#[tokio::test]
async fn overwrite_empties_what_has_the_values_unless_the_query_gives_others() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE sales.t (a INT) PARTITIONED BY (x STRING, y INT) STORED AS PARQUET LOCATION 's3://lake/t/';
             ALTER TABLE t ADD PARTITION (x = 'v', y = 1) PARTITION (x = 'w', y = 1)")
        .await;
    let one = rows(&[("a", DataType::Int32)]);
    let two = rows(&[("a", DataType::Int32), ("y", DataType::Int32)]);
    for (clause, query, emptied) in [
        ("PARTITION (x = 'v', y = 1)", &one, 1),
        ("PARTITION (x = 'v')", &two, 1),
        ("PARTITION (x = 'v', y)", &two, 0),
    ] {
        let sql = format!("INSERT OVERWRITE t {clause} SELECT 1");
        let planned = table(&lake, "admin", &sql, query).await.unwrap();
        assert_eq!(planned.emptied.len(), emptied, "{sql}");
    }
}

#[tokio::test]
async fn writes_need_their_grants() {
    let lake = Lake::with_orders().await;
    lake.ok(
        "CREATE EXTERNAL TABLE sales.flat (id INT) STORED AS PARQUET LOCATION 's3://lake/flat/';
             GRANT SELECT ON TABLE flat TO ann; GRANT SELECT ON TABLE orders TO ann",
    )
    .await;
    let one = rows(&[("id", DataType::Int32)]);
    for (sql, needed) in [
        ("INSERT INTO flat SELECT 1", "INSERT"),
        ("INSERT OVERWRITE flat SELECT 1", "DELETE"),
        ("CREATE OR REPLACE TABLE flat AS SELECT 1", "ALTER"),
        ("CREATE TABLE sales.fresh AS SELECT 1", "CREATE_TABLE"),
        ("UNLOAD (SELECT 1) TO 's3://lake/out/'", "DATA_LOCATION"),
    ] {
        let error = plan(&lake, "ann", sql, &one).await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{sql}: {error}");
        assert!(
            error.message().contains("permission denied"),
            "{sql}: {error}"
        );
        match needed {
            "DATA_LOCATION" => {
                lake.ok("GRANT DATA_LOCATION ON 's3://lake/out/' TO ann")
                    .await
            }
            "CREATE_TABLE" => lake.ok("GRANT CREATE TABLE ON DATABASE sales TO ann").await,
            other => {
                lake.ok(&format!("GRANT {other} ON TABLE flat TO ann"))
                    .await
            }
        }
        plan(&lake, "ann", sql, &one).await.unwrap();
    }
}

#[tokio::test]
async fn overwritten_table_keeps_its_definition_in_a_new_folder() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE sales.flat (id INT COMMENT 'key') STORED AS PARQUET LOCATION 's3://lake/flat/'").await;
    let one = rows(&[("x", DataType::Int64)]);
    let planned = table(&lake, "admin", "INSERT OVERWRITE flat SELECT 1", &one)
        .await
        .unwrap();
    let (old, new) = (lake.table("flat").await, &planned.target.table);
    assert_eq!(
        old.storage_descriptor.columns,
        new.storage_descriptor.columns
    );
    assert_eq!(old.parameters, new.parameters);
    assert_ne!(
        old.storage_descriptor.location,
        new.storage_descriptor.location
    );
}

#[tokio::test]
async fn overwritten_partitions_need_delete_and_no_projection() {
    let lake = Lake::with_orders().await;
    let sql = "INSERT OVERWRITE orders SELECT 1";
    let planned = table(&lake, "admin", sql, &orders()).await.unwrap();
    assert!(planned.target.replaces);
    lake.ok("GRANT SELECT, INSERT ON TABLE orders TO ann").await;
    let error = plan(&lake, "ann", sql, &orders()).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    lake.ok("GRANT DELETE ON TABLE orders TO ann").await;
    plan(&lake, "ann", sql, &orders()).await.unwrap();
    lake.ok("CREATE EXTERNAL TABLE sales.days (id INT) PARTITIONED BY (n INT) STORED AS PARQUET LOCATION 's3://lake/days/' TBLPROPERTIES ('projection.enabled' = 'true', 'projection.n.type' = 'integer', 'projection.n.range' = '1,9')").await;
    let two = rows(&[("id", DataType::Int32), ("n", DataType::Int32)]);
    let sql = "INSERT OVERWRITE days SELECT 1";
    let error = plan(&lake, "admin", sql, &two).await.unwrap_err();
    assert_eq!(error.code(), Code::NotSupported, "{error}");
    assert!(error.message().contains("sales.days"), "{error}");
}

#[tokio::test]
async fn unload_takes_an_empty_folder_that_no_other_write_has() {
    let lake = Lake::with_orders().await;
    lake.folders(&["full"]);
    std::fs::write(lake.path().join("full/a.parquet"), b"x").unwrap();
    for (location, code) in [
        ("s3://lake/full/", Code::InvalidTable),
        ("s3://other/x/", Code::LocationRefused),
    ] {
        let sql = format!("UNLOAD (SELECT 1) TO '{location}'");
        let error = plan(&lake, "admin", &sql, &orders()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let sql = "UNLOAD (SELECT 1) TO 's3://lake/out'";
    let QueryWrite::Folder(planned) = plan(&lake, "admin", sql, &orders()).await.unwrap() else {
        panic!()
    };
    assert_eq!(planned.location().unwrap(), "s3://lake/out/");
    let begin = async || {
        let folders = vec!["s3://lake/out/".to_owned()];
        lake.store
            .begin_write("unload", "out", folders)
            .await
            .unwrap()
    };
    let (first, second) = (begin().await, begin().await);
    planned.check_empty(first).await.unwrap();
    let error = planned.check_empty(second).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidTable);
    lake.store.end_write(first).await.unwrap();
    planned.check_empty(second).await.unwrap();
}

#[tokio::test]
async fn buckets_and_sort_columns_are_of_the_new_table() {
    let lake = Lake::new().await;
    let sql = "CREATE TABLE sales.t WITH (bucketed_by = ARRAY['a', 'b'], bucket_count = 8, \
               sorted_by = ARRAY['b DESC'], partitioned_by = ARRAY['c']) AS SELECT 1";
    let planned = table(&lake, "admin", sql, &orders()).await.unwrap();
    assert!(planned.order().is_some());
    let made = &planned.target.table;
    let version = made.parameters.get("bucketing_version");
    assert_eq!(version.map(String::as_str), Some("1"));
    let storage = &made.storage_descriptor;
    assert_eq!(storage.number_of_buckets, 8);
    assert_eq!(storage.bucket_columns, ["a", "b"]);
    let sorted: Vec<_> = storage
        .sort_columns
        .iter()
        .map(|sorted| (sorted.column.as_str(), sorted.sort_order))
        .collect();
    assert_eq!(sorted, [("b", 0)]);

    let plain = "CREATE TABLE sales.t WITH (partitioned_by = ARRAY['c']) AS SELECT 1";
    let planned = table(&lake, "admin", plain, &orders()).await.unwrap();
    assert!(planned.order().is_none());
    // All rows of the one file are of its bucket, in the order of the query.
    let one = "CREATE TABLE sales.t WITH (bucketed_by = ARRAY['a'], bucket_count = 1) AS SELECT 1";
    let planned = table(&lake, "admin", one, &orders()).await.unwrap();
    assert!(planned.order().is_none());

    let decimals = rows(&[("d", DataType::Decimal128(10, 2)), ("a", DataType::Int64)]);
    let sql = "CREATE TABLE sales.t WITH (bucketed_by = ARRAY['d'], bucket_count = 2) AS SELECT 1";
    let error = table(&lake, "admin", sql, &decimals).await.unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    let part = "bucketed by column \"d\" of type decimal(10,2)";
    assert!(error.message().contains(part), "{error}");
}

#[tokio::test]
async fn rows_for_a_sorted_table_are_sorted_and_those_for_buckets_refused() {
    let lake = Lake::new().await;
    lake.ok("CREATE EXTERNAL TABLE t (a BIGINT, b STRING) PARTITIONED BY (c DATE) SORTED BY (b DESC) STORED AS PARQUET LOCATION 's3://lake/t/'")
        .await;
    let insert = "INSERT INTO t SELECT 1";
    let planned = table(&lake, "admin", insert, &orders()).await.unwrap();
    assert!(planned.order().is_some());
    lake.ok("DROP TABLE t; CREATE EXTERNAL TABLE t (a BIGINT, b STRING) PARTITIONED BY (c DATE) CLUSTERED BY (a) SORTED BY (b DESC) INTO 4 BUCKETS STORED AS PARQUET LOCATION 's3://lake/t/'")
        .await;
    let error = table(&lake, "admin", insert, &orders()).await.unwrap_err();
    assert!(error.message().contains("has buckets"), "{error}");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("CREATE OR REPLACE TABLE"), "{hint}");
}
