//! Parameters of the Postgres protocol: their types, and their values in binary.

use std::net::IpAddr;

use chrono::{NaiveDate, NaiveDateTime};
use tokio_postgres::types::Type;

use crate::harness::{Failure, Server};

#[tokio::test]
async fn typed_parameters_go_in_and_typed_values_come_out_in_binary() {
    let admin = Server::shared().connect("admin").await;
    let client = admin.raw();
    let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let at: NaiveDateTime = date.and_hms_micro_opt(12, 34, 56, 789_012).unwrap();
    let row = client
        .query_one(
            "SELECT $1::bigint + 1, $2::int, $3::smallint, $4::text || '!', $5::double precision, $6::real, $7::boolean, $8::date, $9::timestamp",
            &[&41_i64, &7_i32, &3_i16, &"text", &1.5_f64, &2.5_f32, &true, &date, &at],
        )
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 42);
    assert_eq!(row.get::<_, i32>(1), 7);
    assert_eq!(row.get::<_, i16>(2), 3);
    assert_eq!(row.get::<_, &str>(3), "text!");
    assert!((row.get::<_, f64>(4) - 1.5).abs() < f64::EPSILON);
    assert!((row.get::<_, f32>(5) - 2.5).abs() < f32::EPSILON);
    assert!(row.get::<_, bool>(6));
    assert_eq!(row.get::<_, NaiveDate>(7), date);
    assert_eq!(row.get::<_, NaiveDateTime>(8), at);
}

#[tokio::test]
async fn parameters_name_no_columns_and_tell_types() {
    let admin = Server::shared().connect("admin").await;
    let client = admin.raw();
    let statement = client
        .prepare("SELECT $1, $2::int, coalesce($3, 1), $4 AS a")
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let columns = statement.columns().iter();
    let names: Vec<&str> = columns.map(|column| column.name()).collect();
    assert_eq!(names, ["?column?", "int4", "coalesce", "a"]);
    let row = client
        .query_one(
            "SELECT $1, coalesce($2::int[], '{3}'), coalesce($2::int[], '{4,5}')",
            &[&"x", &None::<Vec<i32>>],
        )
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    assert_eq!(row.columns()[0].name(), "?column?");
    assert_eq!(row.get::<_, &str>(0), "x");
    assert_eq!(row.get::<_, Vec<i32>>(1), [3]);
    assert_eq!(row.get::<_, Vec<i32>>(2), [4, 5]);
}

#[tokio::test]
async fn parameter_types_are_inferred_from_columns() {
    let admin = Server::shared().connect("admin").await;
    let client = admin.raw();
    let statement = client
        .prepare("SELECT count(*) FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND order_id <> $3 AND created_at > $4")
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let names: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
    assert_eq!(names, ["date", "int4", "text", "timestamp"]);
    assert_eq!(statement.columns()[0].type_().name(), "int8");
    let date = NaiveDate::from_ymd_opt(2024, 5, 5).unwrap();
    let before = date.and_hms_opt(0, 0, 0).unwrap() - chrono::Duration::days(2);
    let count: i64 = client
        .query_one(&statement, &[&date, &1_i32, &"none", &before])
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        count,
        admin
            .number("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'")
            .await
    );
    let none: Option<NaiveDate> = None;
    let count: i64 = client
        .query_one(&statement, &[&none, &1_i32, &"none", &before])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 0);
}

#[tokio::test]
async fn parameters_take_the_types_of_their_places() {
    let admin = Server::shared().connect("admin").await;
    for (query, types) in [
        (
            "SELECT 1 FROM curated.orders WHERE $1 AND NOT $2",
            "bool bool",
        ),
        (
            "SELECT CASE WHEN $1 THEN quantity ELSE $2 END FROM curated.orders",
            "bool int4",
        ),
        (
            "SELECT coalesce($1, order_date), nullif(quantity, $2), ARRAY[order_id, $3] FROM curated.orders",
            "date int4 text",
        ),
        (
            "SELECT CASE quantity WHEN $1 THEN order_date ELSE $2 END FROM curated.orders",
            "int4 date",
        ),
        (
            "SELECT left(order_id, $1), $2 || $3 FROM curated.orders",
            "int4 text text",
        ),
        (
            "SELECT substring('abc' FROM $1 FOR $2), repeat('a', $3)",
            "int4 int4 int4",
        ),
        (
            "SELECT count(*) FROM curated.orders WHERE quantity = $1 OR $1 IS NULL",
            "int4",
        ),
        (
            "SELECT count(*) FROM curated.orders WHERE created_at >= $1 AND created_at < $1 + INTERVAL '1 day'",
            "timestamp",
        ),
        (
            "SELECT 1 FROM curated.orders LIMIT $1 OFFSET $2",
            "int8 int8",
        ),
        ("SELECT n FROM generate_series(1, $1) t(n)", "int8"),
        (
            "SELECT sum(quantity) OVER (ORDER BY order_id ROWS BETWEEN $1 PRECEDING AND $2 FOLLOWING), ntile($3) OVER w FROM curated.orders WINDOW w AS (ORDER BY order_id GROUPS $4 PRECEDING)",
            "int8 int8 int4 int8",
        ),
        (
            "SELECT sum(CASE WHEN order_id = $1 THEN $2 ELSE 0 END) FROM curated.orders",
            "text int8",
        ),
        (
            "SELECT $1, $2 IS NULL, coalesce($3, NULL)",
            "text text text",
        ),
        ("SELECT $1::text::int", "text"),
    ] {
        let statement = admin.raw().prepare(query).await;
        let statement = statement.map_err(|e| (query, Failure::of(&e))).unwrap();
        let names: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
        assert_eq!(names.join(" "), types, "{query}");
    }
    let count = "SELECT count(*) FROM curated.orders WHERE (quantity = $1 OR $1 IS NULL) AND $2";
    for (quantity, counted) in [(None, "true"), (Some(2_i32), "quantity = 2")] {
        let row = admin.raw().query_one(count, &[&quantity, &true]).await;
        let row = row.map_err(|e| Failure::of(&e)).unwrap();
        let expected = format!("SELECT count(*) FROM curated.orders WHERE {counted}");
        assert_eq!(row.get::<_, i64>(0), admin.number(&expected).await);
    }
    let row = admin
        .raw()
        .query_one(
            "SELECT left('abc', $1), coalesce($2, 5::int)",
            &[&2_i32, &None::<i32>],
        )
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1)), ("ab", 5));
    let error = admin.raw().prepare("SELECT left(no_such, $1)").await;
    assert_eq!(Failure::of(&error.unwrap_err()).code, "42703");
}

#[tokio::test]
async fn parameters_have_the_types_of_postgres_that_values_beside_them_have() {
    let admin = Server::shared().connect("admin").await;
    for (query, types) in [
        (
            "SELECT x = $1, x IN ($2), coalesce(x, $3), x @> $4, x || $5 FROM (VALUES ('1'::jsonb)) t(x)",
            "jsonb jsonb jsonb jsonb jsonb",
        ),
        (
            "SELECT x = $1, x IN ($2), x || $3, x = ANY ($4), $5 IN (SELECT gen_random_uuid()) FROM (VALUES (gen_random_uuid())) t(x)",
            "uuid uuid text _uuid uuid",
        ),
        (
            "SELECT x = $1, x IN ($2, $3), x IN ($4), x BETWEEN $5 AND $6 FROM (VALUES ('10/8'::cidr)) t(x)",
            "inet cidr cidr inet inet inet",
        ),
        (
            "SELECT oid FROM pg_class WHERE oid = $1 AND relname = $2 AND relkind = ANY ($3)",
            "oid name _char",
        ),
        (
            "SELECT quantity FROM curated.orders UNION ALL SELECT $1",
            "int4",
        ),
        (
            "SELECT array_append(ARRAY[quantity], $1), ARRAY[quantity] || $2, order_date || $3 FROM curated.orders",
            "int4 _int4 text",
        ),
    ] {
        let statement = admin.raw().prepare(query).await;
        let statement = statement.map_err(|e| (query, Failure::of(&e))).unwrap();
        let names: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
        assert_eq!(names.join(" "), types, "{query}");
    }
}

#[tokio::test]
async fn declared_types_of_postgres_count_in_all_places() {
    let admin = Server::shared().connect("admin").await;
    let sql = "SELECT $1, x IN ($1, '::1'), coalesce($1, x) FROM (VALUES ('10.0.0.1'::inet)) t(x)";
    let statement = admin.raw().prepare_typed(sql, &[Type::INET]).await;
    let statement = statement.map_err(|e| Failure::of(&e)).unwrap();
    let columns = statement.columns().iter();
    let types: Vec<&str> = columns.map(|column| column.type_().name()).collect();
    assert_eq!(types, ["inet", "bool", "inet"]);
    let address = IpAddr::from([10, 0, 0, 1]);
    let row = admin.raw().query_one(&statement, &[&address]).await;
    let row = row.map_err(|e| Failure::of(&e)).unwrap();
    assert_eq!(row.get::<_, IpAddr>(0), address);
    assert!(row.get::<_, bool>(1));
    assert_eq!(row.get::<_, IpAddr>(2), address);
}

#[tokio::test]
async fn parameters_of_a_with_that_nothing_reads_are_described() {
    let admin = Server::shared().connect("admin").await;
    let client = admin.raw();
    let statement = client
        .prepare("WITH unread AS (SELECT $2 || 'x') SELECT $1::bigint + 1")
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let names: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
    assert_eq!(names, ["int8", "text"]);
    let row = client.query_one(&statement, &[&4_i64, &"y"]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 5);
}

#[tokio::test]
async fn parameters_of_any_are_arrays_of_what_they_are_compared_with() {
    let admin = Server::shared().connect("admin").await;
    let client = admin.raw();
    let statement = client
        .prepare("SELECT $1 = ANY($2)")
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let names: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
    assert_eq!(names, ["text", "_text"]);
    for (wanted, found) in [("b", true), ("x", false)] {
        let row = client
            .query_one(&statement, &[&wanted, &vec!["a", "b"]])
            .await
            .map_err(|e| Failure::of(&e))
            .unwrap();
        assert_eq!(row.get::<_, bool>(0), found);
    }
    let statement = client
        .prepare(
            "SELECT count(*) FROM curated.orders WHERE order_date = ANY($1) AND quantity = ANY($2)",
        )
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let names: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
    assert_eq!(names, ["_date", "_int4"]);
    let dates = vec![
        NaiveDate::from_ymd_opt(2024, 5, 5).unwrap(),
        NaiveDate::from_ymd_opt(2024, 5, 6).unwrap(),
    ];
    let count: i64 = client
        .query_one(&statement, &[&dates, &vec![1_i32, 2]])
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap()
        .get(0);
    assert_eq!(
        count,
        admin
            .number("SELECT count(*) FROM curated.orders WHERE order_date IN (DATE '2024-05-05', DATE '2024-05-06') AND quantity IN (1, 2)")
            .await
    );
}

#[tokio::test]
async fn set_config_takes_parameters() {
    let admin = Server::shared().connect("admin").await;
    for (name, value, statement) in [
        (
            "TimeZone",
            "Europe/Berlin",
            "SELECT set_config('TimeZone', $1, false)",
        ),
        (
            "search_path",
            "curated",
            "SELECT set_config('search_path', $1, false)",
        ),
    ] {
        let prepared = admin.raw().prepare(statement).await;
        let prepared = prepared.map_err(|e| Failure::of(&e)).unwrap();
        assert_eq!(prepared.params()[0].name(), "text");
        let row = admin.raw().query_one(&prepared, &[&value]).await;
        let row = row.map_err(|e| Failure::of(&e)).unwrap();
        assert_eq!(row.get::<_, &str>(0), value);
        assert_eq!(admin.value(&format!("SHOW {name}")).await, value);
    }
    assert!(admin.number("SELECT count(*) FROM orders").await > 0);
    let noon = "SELECT (TIMESTAMPTZ '2024-07-01 10:00:00Z')::text";
    assert_eq!(admin.value(noon).await, "2024-07-01 12:00:00+02");
}

#[tokio::test]
async fn wrong_number_and_wrong_type_of_parameters_are_errors_and_the_connection_goes_on() {
    let admin = Server::shared().connect("admin").await;
    let error = admin
        .raw()
        .query("SELECT $1::int", &[&"text"])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("serializing"), "{error}");
    let statement = admin
        .raw()
        .prepare("SELECT * FROM curated.orders WHERE order_date = $1")
        .await
        .unwrap();
    assert_eq!(statement.params().len(), 1);
    assert_eq!(admin.value("SELECT 1").await, "1");
}
