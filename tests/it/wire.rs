//! The Postgres protocol as drivers use it: types, portals, cursors, settings, errors.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use futures::{StreamExt, TryStreamExt, pin_mut};
use tokio_postgres::types::{PgLsn, ToSql};

use crate::harness::{Failure, Server};

#[tokio::test]
async fn union_is_described_with_the_types_that_its_rows_have() {
    let admin = Server::shared().connect("admin").await;
    let statement = admin
        .raw()
        .prepare(
            "SELECT NULL AS a, 1::smallint AS b UNION ALL SELECT DATE '2024-05-05', $1::bigint",
        )
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let types: Vec<&str> = statement
        .columns()
        .iter()
        .map(|c| c.type_().name())
        .collect();
    assert_eq!(types, ["date", "int8"]);
    let rows = admin.raw().query(&statement, &[&5_i64]).await.unwrap();
    let mut values: Vec<(Option<NaiveDate>, i64)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    values.sort();
    assert_eq!(
        values,
        [(None, 1), (NaiveDate::from_ymd_opt(2024, 5, 5), 5)]
    );
}

#[tokio::test]
async fn nulls_arrays_timestamps_with_zone_and_bytes_in_binary() {
    let admin = Server::shared().connect("admin").await;
    let client = admin.raw();
    let row = client
        .query_one(
            "SELECT NULL::bigint, ARRAY['a', NULL, 'c'], ARRAY[1, 2]::bigint[], TIMESTAMP '2024-01-02 03:04:05' AT TIME ZONE 'UTC', '\\x01ff'::bytea, ''::text",
            &[],
        )
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    assert_eq!(row.get::<_, Option<i64>>(0), None);
    assert_eq!(
        row.get::<_, Vec<Option<String>>>(1),
        [Some("a".to_owned()), None, Some("c".to_owned())]
    );
    assert_eq!(row.get::<_, Vec<i64>>(2), [1, 2]);
    assert_eq!(
        row.get::<_, DateTime<Utc>>(3).to_rfc3339(),
        "2024-01-02T03:04:05+00:00"
    );
    assert_eq!(row.get::<_, Vec<u8>>(4), [1, 255]);
    assert_eq!(row.get::<_, &str>(5), "");
}

#[tokio::test]
async fn text_and_binary_results_say_the_same() {
    let admin = Server::shared().connect("admin").await;
    let sql = "SELECT order_id, quantity, order_date, created_at FROM curated.orders ORDER BY order_id LIMIT 50";
    let text = admin.rows(sql).await;
    let binary = admin.raw().query(sql, &[]).await.unwrap();
    assert_eq!(text.len(), binary.len());
    for (text, binary) in text.iter().zip(&binary) {
        assert_eq!(text[0].as_deref(), Some(binary.get::<_, &str>(0)));
        assert_eq!(
            text[1].as_deref(),
            Some(binary.get::<_, i32>(1).to_string().as_str())
        );
        assert_eq!(
            text[2].as_deref(),
            Some(binary.get::<_, NaiveDate>(2).to_string().as_str())
        );
        let at: NaiveDateTime = binary.get(3);
        assert_eq!(
            text[3].as_deref().map(|t| t
                .parse::<NaiveDateTime>()
                .ok()
                .or_else(|| NaiveDateTime::parse_from_str(t, "%Y-%m-%d %H:%M:%S%.f").ok())),
            Some(Some(at))
        );
    }
}

#[tokio::test]
async fn portal_is_read_in_pages() {
    let mut admin = Server::shared().connect("admin").await;
    let total = admin.number("SELECT count(*) FROM curated.orders").await;
    let transaction = admin.raw_mut().transaction().await.unwrap();
    let statement = transaction
        .prepare("SELECT order_id FROM curated.orders ORDER BY order_id")
        .await
        .unwrap();
    let portal = transaction.bind(&statement, &[]).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let page = transaction.query_portal(&portal, 999).await.unwrap();
        assert!(page.len() <= 999);
        seen.extend(page.iter().map(|row| row.get::<_, String>(0)));
        if page.len() < 999 {
            break;
        }
    }
    assert_eq!(i64::try_from(seen.len()).unwrap(), total);
    assert!(seen.is_sorted());
    // Another statement on the same connection while a portal is half read.
    let portal = transaction.bind(&statement, &[]).await.unwrap();
    let first = transaction.query_portal(&portal, 1).await.unwrap();
    assert_eq!(
        transaction
            .query_one("SELECT 1::int", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        1
    );
    let second = transaction.query_portal(&portal, 1).await.unwrap();
    assert_eq!(
        [first[0].get::<_, &str>(0), second[0].get::<_, &str>(0)],
        [seen[0].as_str(), seen[1].as_str()]
    );
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn literals_of_a_result_have_the_types_of_postgres() {
    let admin = Server::shared().connect("admin").await;
    let types = async |sql: &str| -> Vec<String> {
        let statement = admin.raw().prepare(sql).await.unwrap();
        let columns = statement.columns().iter();
        columns
            .map(|column| column.type_().name().to_owned())
            .collect()
    };
    assert_eq!(
        types("SELECT 1, -2 AS b, 1 + 1, 3000000000, 1.50, 0.1 + 0.2 AS c").await,
        ["int4", "int4", "int4", "int8", "numeric", "numeric"]
    );
    assert_eq!(
        types("SELECT 1 AS a, 0.5 AS b, count(*) FROM curated.orders GROUP BY a ORDER BY a").await,
        ["int4", "numeric", "int8"]
    );
    assert_eq!(
        types("SELECT 1, NULL UNION ALL SELECT 2, 3 ORDER BY 1").await,
        ["int4", "int4"]
    );
    assert_eq!(
        types("SELECT avg(quantity), avg(total), round(max(quantity), 2) FROM curated.orders")
            .await,
        ["numeric", "numeric", "numeric"]
    );
    assert_eq!(
        types("SELECT x, y, z, n, ARRAY[1], max(1) OVER () FROM (SELECT 1 AS x, 0.5 AS y) t, (VALUES (1)) v (z), generate_series(1, 3) g (n)")
            .await,
        ["int4", "numeric", "int4", "int4", "_int4", "int4"]
    );
    assert_eq!(
        types("SELECT order_id, quantity * 0.1, coalesce(quantity, 0.5) FROM curated.orders UNION ALL SELECT 'x', 1, 2")
            .await,
        ["text", "numeric", "numeric"]
    );
    let row = admin.raw().query_one("SELECT 1 + 1 AS two", &[]).await;
    assert_eq!(row.unwrap().get::<_, i32>("two"), 2);
}

#[tokio::test]
async fn cursor_in_sql_is_fetched_and_closed() {
    let admin = Server::shared().connect("admin").await;
    admin
        .run("BEGIN; DECLARE c CURSOR FOR SELECT order_id FROM curated.orders ORDER BY order_id")
        .await;
    assert_eq!(admin.rows("FETCH FORWARD 3 FROM c").await.len(), 3);
    assert_eq!(admin.rows("FETCH 2 FROM c").await.len(), 2);
    assert_eq!(admin.rows("FETCH NEXT FROM c").await.len(), 1);
    let rest = admin.rows("FETCH ALL FROM c").await.len();
    assert_eq!(admin.rows("FETCH ALL FROM c").await.len(), 0);
    admin.run("CLOSE c").await;
    assert_eq!(admin.fails("FETCH 1 FROM c").await.code, "34000");
    admin.run("ROLLBACK").await;
    assert_eq!(
        i64::try_from(rest + 6).unwrap(),
        admin.number("SELECT count(*) FROM curated.orders").await
    );
}

#[tokio::test]
async fn cursors_outlive_their_block_only_with_hold() {
    let admin = Server::shared().connect("admin").await;
    let declare = "CURSOR WITH HOLD FOR SELECT x FROM generate_series(1, 4) t(x) ORDER BY x";
    admin
        .run(&format!("BEGIN; DECLARE held {declare}; COMMIT"))
        .await;
    assert_eq!(admin.value("FETCH held").await, "1");
    admin.run("BEGIN; SELECT 1; ROLLBACK").await;
    assert_eq!(admin.value("FETCH held").await, "2");
    admin
        .run("BEGIN; SAVEPOINT s; DECLARE later CURSOR FOR SELECT 1; ROLLBACK TO s")
        .await;
    assert_eq!(admin.fails("FETCH later").await.code, "34000");
    admin.run("ROLLBACK").await;
    assert_eq!(admin.value("FETCH held").await, "3");
    admin.run("CLOSE ALL").await;
    assert_eq!(admin.fails("FETCH held").await.code, "34000");
    assert_eq!(admin.fails("SET LOCAL no_such = 1").await.code, "42704");
}

#[tokio::test]
async fn cursor_is_declared_with_parameters() {
    let mut admin = Server::shared().connect("admin").await;
    let transaction = admin.raw_mut().transaction().await.unwrap();
    let declare = transaction
        .prepare("DECLARE c CURSOR FOR SELECT x FROM generate_series(1, 10) t(x) WHERE x > $1 AND x <> $2::int ORDER BY x")
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let names: Vec<&str> = declare.params().iter().map(|t| t.name()).collect();
    assert_eq!(names, ["int4", "int4"]);
    assert!(declare.columns().is_empty());
    transaction
        .execute(&declare, &[&5_i32, &7_i32])
        .await
        .map_err(|e| Failure::of(&e))
        .unwrap();
    let rows = transaction.query("FETCH ALL FROM c", &[]).await.unwrap();
    let rows: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, [6, 8, 9, 10]);
}

#[tokio::test]
async fn columns_of_tables_are_announced_with_their_tables() {
    let admin = Server::shared().connect("admin").await;
    let oid = admin.number("SELECT 'curated.orders'::regclass::oid").await;
    let oid = u32::try_from(oid).unwrap();
    for (sql, expected) in [
        (
            "SELECT o.customer_id, order_date AS day, quantity + 1, count(*) OVER () FROM curated.orders o WHERE quantity > $1 ORDER BY 1 LIMIT 1",
            vec![Some((oid, 2)), Some((oid, 8)), None, None],
        ),
        (
            "SELECT q.quantity, count(*), max(order_id) FROM (SELECT DISTINCT order_id, quantity FROM curated.orders WHERE quantity > $1) q GROUP BY quantity",
            vec![Some((oid, 4)), None, None],
        ),
        (
            "SELECT order_id FROM curated.orders WHERE quantity > $1 UNION SELECT order_id FROM curated.orders",
            vec![None],
        ),
    ] {
        let statement = admin.raw().prepare(sql).await;
        let statement = statement.map_err(|e| (sql, Failure::of(&e))).unwrap();
        let columns = statement.columns().iter();
        let tables: Vec<_> = columns
            .map(|column| column.table_oid().zip(column.column_id()))
            .collect();
        assert_eq!(tables, expected, "{sql}");
    }
}

#[tokio::test]
async fn uuids_have_their_type() {
    let admin = Server::shared().connect("admin").await;
    let sql = "SELECT $1::uuid AS given, gen_random_uuid(), $1::uuid::text AS text, '[]'::jsonb::text AS document";
    let statement = admin.raw().prepare(sql).await;
    let statement = statement.map_err(|e| Failure::of(&e)).unwrap();
    let parameters: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
    assert_eq!(parameters, ["uuid"]);
    let columns = statement.columns().iter();
    let columns: Vec<&str> = columns.map(|column| column.type_().name()).collect();
    assert_eq!(columns, ["uuid", "uuid", "text", "text"]);
    let one = "SELECT '6BA7B810-9DAD-11D1-80B4-00C04FD430C8'::uuid";
    assert_eq!(
        admin.value(one).await,
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    );
}

#[tokio::test]
async fn types_of_the_catalog_are_types_of_results_and_parameters() {
    let admin = Server::shared().connect("admin").await;
    let sql = "SELECT 'pg_class'::regclass, 'int4'::regtype, 'array_in'::regproc, 'a'::name, 4294967295::oid, '7'::xid, '(0,1)'::tid, 'r'::\"char\", '0/A'::pg_lsn, '10.0.0.1'::inet, '10/8'::cidr, '08:00:2b:01:02:03'::macaddr, ARRAY['a'::name], ARRAY[1::oid], array_agg(x), '[1,2)'::int4range, ARRAY[daterange(NULL, NULL)] FROM (VALUES ('::1'::inet)) t(x)";
    let statement = admin.raw().prepare(sql).await;
    let statement = statement.map_err(|e| Failure::of(&e)).unwrap();
    let columns = statement.columns().iter();
    let columns: Vec<&str> = columns.map(|column| column.type_().name()).collect();
    assert_eq!(
        columns,
        [
            "regclass",
            "regtype",
            "regproc",
            "name",
            "oid",
            "xid",
            "tid",
            "char",
            "pg_lsn",
            "inet",
            "cidr",
            "macaddr",
            "_name",
            "_oid",
            "_inet",
            "int4range",
            "_daterange"
        ]
    );
    let row = admin.raw().query_one(&statement, &[]).await;
    let row = row.map_err(|e| Failure::of(&e)).unwrap();
    assert_eq!(row.get::<_, &str>(3), "a");
    assert_eq!(row.get::<_, u32>(4), u32::MAX);
    assert_eq!(row.get::<_, i8>(7), b'r' as i8);
    assert_eq!(row.get::<_, PgLsn>(8), PgLsn::from(10));
    assert_eq!(row.get::<_, IpAddr>(9), IpAddr::from([10, 0, 0, 1]));
    assert_eq!(row.get::<_, Vec<&str>>(12), ["a"]);
    assert_eq!(row.get::<_, Vec<u32>>(13), [1]);
    assert_eq!(
        row.get::<_, Vec<IpAddr>>(14),
        ["::1".parse::<IpAddr>().unwrap()]
    );

    let sql = "SELECT $1::inet << '10.0.0.0/8', $2::oid, $3::pg_lsn - '0/0'::pg_lsn > 9";
    let statement = admin.raw().prepare(sql).await;
    let statement = statement.map_err(|e| Failure::of(&e)).unwrap();
    let parameters: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
    assert_eq!(parameters, ["inet", "oid", "pg_lsn"]);
    let address = IpAddr::from([10, 0, 0, 1]);
    let position = PgLsn::from(10);
    let values: [&(dyn ToSql + Sync); 3] = [&address, &7_u32, &position];
    let row = admin.raw().query_one(&statement, &values).await;
    let row = row.map_err(|e| Failure::of(&e)).unwrap();
    assert!(row.get::<_, bool>(0) && row.get::<_, bool>(2));
    assert_eq!(row.get::<_, u32>(1), 7);
}

#[tokio::test]
async fn statements_that_do_not_exist_are_refused_before_values_are_bound() {
    let admin = Server::shared().connect("admin").await;
    for sql in [
        "UPDATE curated.orders SET quantity = $1 WHERE order_id = $2",
        "INSERT INTO curated.orders (order_id) VALUES ($1) ON CONFLICT DO NOTHING",
        "SELECT order_id FROM curated.orders WHERE quantity = $1 FOR UPDATE",
        "CALL no_such($1)",
    ] {
        let error = admin.raw().prepare(sql).await.unwrap_err();
        let failure = Failure::of(&error);
        assert_eq!(failure.code, "0A000", "{sql}: {}", failure.message);
        failure.names(&["not supported"]);
    }
}

#[tokio::test]
async fn rows_stream_while_they_are_made() {
    let admin = Server::shared().connect("admin").await;
    // Far more than any buffer: the first rows must arrive although the whole result would take
    // forever.
    let rows = admin
        .raw()
        .query_raw(
            "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)",
            Vec::<i64>::new(),
        )
        .await
        .unwrap();
    pin_mut!(rows);
    let mut seen = 0;
    while let Some(row) = rows.next().await {
        row.unwrap();
        seen += 1;
        if seen == 100_000 {
            break;
        }
    }
    assert_eq!(seen, 100_000);
    admin.cancel().await;
}

#[tokio::test]
async fn multi_statement_query_gives_each_result_in_turn() {
    use tokio_postgres::SimpleQueryMessage::{CommandComplete, Row, RowDescription};
    let admin = Server::shared().connect("admin").await;
    let messages = admin
        .raw()
        .simple_query("SELECT 1; SET application_name = 'x'; ; SELECT 2, 3")
        .await
        .unwrap();
    let shape: String = messages
        .iter()
        .map(|message| match message {
            RowDescription(columns) => format!("d{}", columns.len()),
            Row(_) => "r".to_owned(),
            CommandComplete(rows) => format!("c{rows}"),
            _ => "?".to_owned(),
        })
        .collect();
    assert_eq!(shape, "d1rc1c0d2rc1");
}

#[tokio::test]
async fn errors_carry_sqlstate_and_position() {
    let admin = Server::shared().connect("admin").await;
    for (sql, code, position) in [
        ("SELEC 1", "42601", Some(1)),
        ("SELECT * FRM t", "42601", Some(10)),
        ("SELECT no_such FROM curated.orders", "42703", Some(8)),
        (
            "SELECT order_id,\n  no_such FROM curated.orders",
            "42703",
            Some(20),
        ),
        ("SELECT 'ä', no_such FROM curated.orders", "42703", Some(13)),
        ("SELECT * FROM curated.no_such", "42P01", Some(15)),
        ("SELECT * FROM no_schema.no_such", "42P01", Some(15)),
        ("SELECT no_function(1)", "42883", Some(8)),
        (
            "SELECT 1; SELECT no_such FROM curated.orders",
            "42703",
            Some(18),
        ),
        ("SELECT CAST('x' AS INT)", "22P02", None),
        ("SELECT 1/0", "22012", None),
        ("SELECT 9223372036854775807 + 1", "22003", None),
        ("SELECT 'open", "42601", None),
        ("SELECT $1", "42P02", None),
    ] {
        let failure = admin.fails(sql).await;
        assert_eq!(failure.code, code, "{sql}: {failure:?}");
        if position.is_some() {
            assert_eq!(failure.position, position, "{sql}: {failure:?}");
        }
        assert_eq!(failure.severity, "ERROR");
        let first = failure.message.chars().next().unwrap();
        assert!(
            !first.is_uppercase() && !failure.message.ends_with('.'),
            "{sql}: {}",
            failure.message
        );
    }
}

#[tokio::test]
async fn settings_are_of_the_connection_and_can_be_reset() {
    let server = Server::shared();
    let one = server.connect("admin").await;
    let two = server.connect("admin").await;
    assert_eq!(one.value("SHOW TimeZone").await, "UTC");
    one.run("SET TimeZone = 'Europe/Berlin'; SET search_path = curated; SET application_name TO 'named'").await;
    assert_eq!(one.value("SHOW timezone").await, "Europe/Berlin");
    assert_eq!(
        one.value("SELECT current_setting('TimeZone')").await,
        "Europe/Berlin"
    );
    assert_eq!(two.value("SHOW TimeZone").await, "UTC");
    assert!(one.number("SELECT count(*) FROM products").await > 0);
    one.run("RESET TimeZone").await;
    assert_eq!(one.value("SHOW TimeZone").await, "UTC");
    one.run("RESET ALL").await;
    assert!(one.try_rows("SELECT count(*) FROM products").await.is_err());
    one.run("SET extra_float_digits = 3; SET client_min_messages TO warning; SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; DISCARD ALL").await;
    assert_eq!(one.fails("SET no_such_setting = 1").await.code, "42704");
    assert_eq!(
        one.fails("SET TimeZone = 'Mars/Olympus'").await.code,
        "22023"
    );
    assert!(
        one.value("SHOW server_version")
            .await
            .chars()
            .next()
            .unwrap()
            .is_ascii_digit()
    );
}

#[tokio::test]
async fn prepared_statements_in_sql_and_in_the_protocol() {
    let admin = Server::shared().connect("admin").await;
    admin.run("PREPARE p (int) AS SELECT $1 * 2").await;
    assert_eq!(admin.value("EXECUTE p (21)").await, "42");
    assert_eq!(admin.fails("PREPARE p AS SELECT 1").await.code, "42P05");
    admin.run("DEALLOCATE p").await;
    assert_eq!(admin.fails("EXECUTE p (1)").await.code, "26000");
    let client = admin.raw();
    let statement = client
        .prepare(
            "SELECT region, count(*) FROM curated.customers WHERE segment = $1 GROUP BY region",
        )
        .await
        .unwrap();
    for segment in admin
        .column("SELECT DISTINCT segment FROM curated.customers")
        .await
    {
        let rows = client.query(&statement, &[&segment]).await.unwrap();
        assert!(!rows.is_empty(), "{segment}");
    }
    let many: Vec<i64> = futures::stream::iter(0..50)
        .map(|i: i64| async move {
            client
                .query_one("SELECT $1::bigint", &[&i])
                .await
                .map(|row| row.get::<_, i64>(0))
        })
        .buffered(10)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(many, (0..50).collect::<Vec<i64>>(), "pipelined");
}
