#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use lakegate_error::Code;

use super::*;
use crate::testing::Lake;

async fn query(lake: &Lake, user: &str, sql: &str) -> Result<String> {
    let statement = lakegate_sql::parse(sql).unwrap().remove(0).statement;
    let Statement::Delete(delete) = statement else {
        panic!("{sql}")
    };
    let query = lake.context(user).await.delete_query(&delete).await;
    query.map(|query| query.to_string())
}

#[tokio::test]
async fn rows_are_counted_over_the_partition_keys_only() {
    let lake = Lake::with_orders().await;
    lake.ok("CREATE EXTERNAL TABLE sales.flat (id INT) STORED AS PARQUET LOCATION 's3://lake/flat/';
             CREATE EXTERNAL TABLE sales.two (id INT) PARTITIONED BY (x INT, y INT) STORED AS PARQUET LOCATION 's3://lake/two/'").await;
    for (sql, expected) in [
        (
            "DELETE FROM orders",
            "SELECT count(*) AS n FROM \"sales\".\"orders\"",
        ),
        (
            "DELETE FROM flat WHERE $1",
            "SELECT count(*) AS n FROM (SELECT 1 AS one WHERE $1) AS c CROSS JOIN \"sales\".\"flat\"",
        ),
        (
            "DELETE FROM orders WHERE orders.day = DATE '2024-01-01' OR sales.orders.\"DAY\" IS NULL",
            "SELECT k0, count(*) AS n FROM (SELECT \"day\" AS k0 FROM (SELECT \"day\" FROM \"sales\".\"orders\") AS \"orders\" WHERE day = DATE '2024-01-01' OR \"day\" IS NULL) AS found GROUP BY k0",
        ),
        (
            "DELETE FROM sales.two AS t WHERE t.x IN ($1, 2) AND Y > 0",
            "SELECT k0, k1, count(*) AS n FROM (SELECT \"x\" AS k0, \"y\" AS k1 FROM (SELECT \"x\", \"y\" FROM \"sales\".\"two\") AS \"t\" WHERE x IN ($1, 2) AND Y > 0) AS found GROUP BY k0, k1",
        ),
    ] {
        assert_eq!(query(&lake, "admin", sql).await.unwrap(), expected, "{sql}");
    }
    // Left for the planner: the relation does not have them.
    for condition in [
        "total = 1",
        "two.day IS NULL",
        "cardinality(filter(ARRAY[1], id -> id > 0)) = 1",
    ] {
        let sql = format!("DELETE FROM orders WHERE {condition}");
        query(&lake, "admin", &sql).await.unwrap();
    }
}

#[tokio::test]
async fn condition_on_another_column_is_refused_by_its_name() {
    let lake = Lake::with_orders().await;
    for (condition, column) in [
        ("id = 1", "id"),
        ("\"ID\" = 1", "id"),
        (
            "day = DATE '2024-01-01' AND lower(email) LIKE 'a%'",
            "email",
        ),
        ("o.email IS NULL", "email"),
        ("email.name = 'x'", "email"),
        ("\"$path\" LIKE '%x'", "$path"),
        ("cardinality(filter(ARRAY[1], x -> x > id)) = 1", "id"),
    ] {
        let sql = format!("DELETE FROM orders o WHERE {condition}");
        let error = query(&lake, "admin", &sql).await.unwrap_err();
        assert_eq!(error.code(), Code::NotSupported, "{sql}: {error}");
        let named = format!("column \"{column}\" of table sales.orders");
        assert!(error.message().contains(&named), "{sql}: {error}");
    }
    // Nothing is said of a table that is not seen whole.
    lake.ok("GRANT SELECT (id, day) ON TABLE orders TO ann; GRANT DELETE ON TABLE orders TO ann")
        .await;
    for column in ["id", "email", "total"] {
        let sql = format!("DELETE FROM orders WHERE {column} = 1");
        let error = query(&lake, "ann", &sql).await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{sql}: {error}");
    }
}
