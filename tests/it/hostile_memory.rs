//! Clients that request more memory than there is. Each gets an error that says so, or its result;
//! the process stays within its limit, and other clients are not affected.

use std::time::Duration;

use futures::{StreamExt, pin_mut};

use crate::harness::memory::{MIB, Watch};
use crate::harness::{Client, Failure, Server, eventually};

async fn fails(client: &Client, sql: &str) -> Failure {
    let failed = tokio::time::timeout(Duration::from_secs(60), client.fails(sql)).await;
    let shown: String = sql.chars().take(100).collect();
    failed.unwrap_or_else(|_| panic!("nothing after a minute: {shown}"))
}

/// Builds `WITH c0 AS (first), c1 AS (step), …`, where `{}` is the previous name.
fn chain(first: &str, step: &str, steps: usize, end: &str) -> String {
    let mut sql = format!("WITH c0 AS ({first})");
    for number in 1..=steps {
        let step = step.replace("{}", &format!("c{}", number - 1));
        sql += &format!(", c{number} AS ({step})");
    }
    format!("{sql} {}", end.replace("{}", &format!("c{steps}")))
}

/// Builds a query that gathers 1.9 GB of distinct texts.
fn gathered(function: &str, value: &str) -> String {
    let text = value.replace('x', "repeat(md5(CAST(x AS varchar)), 100)");

    format!("SELECT cardinality({function}({text})) FROM generate_series(1, 600000) t(x)")
}

/// Builds a window query whose value in each row is as large as all rows, or is computed from all
/// of them.
fn windowed(function: &str, rows: u64) -> String {
    format!("SELECT count(v) FROM (SELECT {function} AS v FROM generate_series(1, {rows}) t(x)) q")
}

/// Returns statements, each with the SQLSTATE that it must fail with.
fn statements() -> Vec<(&'static str, String)> {
    let many = "FROM generate_series(1, 8192) t(x)";
    let doubling = |steps| {
        let step = "SELECT s || s AS s FROM {} LIMIT 10000";
        let first = format!("SELECT CAST(x AS varchar) || 'abcdefgh' AS s {many}");
        chain(&first, step, steps, "SELECT max(length(s)) FROM {}")
    };
    let text = |call: &str| format!("SELECT length({call})");
    vec![
        ("54000", text("repeat('x', 1500000000)")),
        ("54000", text("repeat('x', 2000000000)")),
        ("54000", text("lpad('x', 2000000000)")),
        ("54000", text("rpad('x', 2000000000, 'yz')")),
        ("54000", text("replace(repeat('x', 1000000), 'x', repeat('y', 1000000))")),
        ("54000", text("regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000000), 'g')")),
        ("54000", text("array_to_string(array_repeat('x', 1000000), repeat('y', 1000000))")),
        ("54000", text("repeat('x', 60000000) || repeat('x', 60000000)")),
        ("54000", "SELECT cardinality(array_repeat(1, 2147483647))".to_owned()),
        ("54000", "SELECT cardinality(array_resize([1], 2000000000, 0))".to_owned()),
        ("54000", "SELECT cardinality(range(1, 2000000000))".to_owned()),
        ("54000", "SELECT * FROM generate_series(1, length(repeat('x', 2000000000)))".to_owned()),
        ("54000", format!("SELECT sum(length(repeat(CAST(x AS varchar), 1000000))) {many}")),
        ("54000", format!("SELECT count(*) {many} WHERE length(lpad(CAST(x AS varchar), 1000000)) > 1")),
        ("54000", format!("SELECT x {many} ORDER BY rpad(CAST(x AS varchar), 1000000)")),
        ("54000", format!("SELECT count(*) {many} GROUP BY array_repeat(x, 1000000)")),
        ("54000", doubling(14)),
        ("54001", doubling(38)),
        (
            "54001",
            chain(
                "SELECT order_id AS s FROM curated.orders",
                "SELECT s || s AS s FROM {}",
                20,
                "SELECT count(*) FROM {} WHERE s = 'x'",
            ),
        ),
        (
            "54001",
            chain("SELECT 1 AS s", "SELECT a.s FROM {} a, {} b", 14, "SELECT count(*) FROM {}"),
        ),
        ("42601", "PREPARE a AS EXECUTE a".to_owned()),
        ("42601", "PREPARE a AS EXPLAIN EXECUTE a".to_owned()),
        ("26000", "EXECUTE a".to_owned()),
        ("42601", format!("SELECT 1 FROM t{}", ", t".repeat(50_000))),
        ("42601", format!("SELECT {}1", "(".repeat(100_000))),
        ("42601", format!("SELECT 1{}", " ".repeat(20_000_000))),
        ("42601", ";".repeat(20_000_000)),
        ("42601", format!("SELECT CAST(NULL AS {}int", "array<".repeat(30_000))),
        (
            "53200",
            "SELECT length(string_agg(repeat(md5(CAST(x AS varchar)), 100), ',')) FROM generate_series(1, 300000) t(x)".to_owned(),
        ),
        ("53200", gathered("array_agg", "x")),
        ("53200", gathered("array_agg", "make_array(x)")),
        ("53200", gathered("array_agg", "named_struct('a', x)")),
        ("53200", windowed("array_agg(x) OVER ()", 3_000_000)),
        ("53200", windowed("array_agg(x) OVER (ORDER BY x)", 300_000)),
        ("53200", windowed("array_agg(x) FILTER (WHERE x < 100000) OVER ()", 3_000_000)),
        ("53200", windowed("first_value(repeat('x', CAST(10000000 / x AS int))) OVER (ORDER BY x)", 10_000)),
        ("53200", windowed("lag(CAST(x AS varchar), 1000000, repeat('x', 1000000)) OVER (ORDER BY x)", 100_000)),
        ("22003", "SELECT CAST(repeat('1', 20000000) AS decimal(38, 0))".to_owned()),
        ("22023", "SELECT repeat('a', 20000000) LIKE repeat('%a', 20000)".to_owned()),
        ("54000", "SELECT repeat('ab', 20000000) ~ '(\\w{1,50}\\s?){1,40}\\d'".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_need_too_much_memory_fail_and_the_process_stays_within_its_limit() {
    let server = Server::private(&[
        ("LAKEGATE_ENGINE__MEMORY_LIMIT", "96MiB"),
        ("LAKEGATE_ENGINE__PROCESS_MEMORY_LIMIT", "1536MiB"),
        ("LAKEGATE_RESULTS__CACHE_SIZE", "16MiB"),
    ]);
    let watch = Watch::over(&server);
    let limit = 1536 * MIB;
    let client = server.connect("analyst").await;
    // A large but legitimate query runs. It comes first, because the allocator keeps memory that
    // the others have freed for a while.
    let joined = "SELECT length(max(concat(s, CAST(x AS varchar)))) FROM (SELECT repeat('x', 1000000) AS s, x FROM generate_series(1, 500) t(x)) q";
    assert_eq!(client.value(joined).await, "1000002");
    watch.stayed_under(limit, "large constants");
    // Matches are counted, and not gathered.
    let groups = format!("{}a{}", "(".repeat(20), ")".repeat(20));
    let counted = format!("SELECT regexp_count(repeat('a', 3000000), '{groups}')");
    assert_eq!(client.value(&counted).await, "3000000");
    watch.stayed_under(limit, "matches with groups");
    // The results of scalar subqueries are beside few rows at once.
    for (sql, expected) in [
        (
            "SELECT length(max(concat((SELECT repeat('x', 1000000) || y FROM generate_series(1, 1) u(y)), CAST(x AS varchar)))) FROM generate_series(1, 2000) t(x)",
            "1000004",
        ),
        (
            "SELECT count(*) FROM generate_series(1, 600) t(x) WHERE x <> ALL (ARRAY(SELECT y FROM generate_series(1001, 401000) u(y)))",
            "600",
        ),
        (
            "SELECT count(s) FROM (SELECT (SELECT array_agg(y) FROM generate_series(1, 40000) u(y)) AS s, x FROM generate_series(1, 8192) t(x) OFFSET 0) q WHERE cardinality(s) > x",
            "8192",
        ),
        // One that is only compared is beside as many rows as any.
        (
            "SELECT count(*) FROM generate_series(1, 500000) t(x) WHERE CAST(x AS varchar) < (SELECT repeat('x', 3000000) || y FROM generate_series(1, 1) u(y))",
            "500000",
        ),
    ] {
        assert_eq!(client.value(sql).await, expected, "{sql}");
        watch.stayed_under(limit, sql);
    }

    for (code, sql) in statements() {
        let failure = fails(&client, &sql).await;
        let shown: String = sql.chars().take(120).collect();
        assert_eq!(failure.code, code, "{shown}: {failure:?}");
        watch.stayed_under(limit, &shown);
    }
    let mut flight = server.flight("analyst").await;
    for sql in [
        "SELECT length(repeat('x', 2000000000))",
        "SELECT cardinality(array_repeat(1, 2147483647))",
        "PREPARE a AS EXECUTE a",
    ] {
        flight.fails(sql).await;
    }
    watch.stayed_under(limit, "Flight SQL");

    cursors(&client).await;
    watch.stayed_under(limit, "cursors");
    sessions(&server).await;
    watch.stayed_under(limit, "what sessions keep");

    // The history contains all of these texts by now.
    let admin = server.connect("admin").await;
    let texts = admin
        .number("SELECT count(*) FROM system.queries WHERE length(query) > 0")
        .await;
    assert!(texts > 20, "{texts}");
    admin.run("SELECT * FROM system.queries LIMIT 1").await;
    watch.stayed_under(limit, "the history");
    assert_eq!(
        client
            .value("SELECT count(*) > 0 FROM curated.orders")
            .await,
        "t"
    );
}

/// Sends 960 MB through a cursor.
async fn cursors(client: &Client) {
    let wide =
        "SELECT x, repeat(md5(CAST(x AS varchar)), 30) FROM generate_series(1, 1000000) t(x)";
    client.run("BEGIN").await;
    client.run(&format!("DECLARE wide CURSOR FOR {wide}")).await;
    client.run("MOVE 5 FROM wide").await;
    assert_eq!(client.rows("FETCH 2 FROM wide").await.len(), 2);
    client.run("MOVE ALL FROM wide").await;
    assert!(client.rows("FETCH 2 FROM wide").await.is_empty());
    client.run("CLOSE wide").await;
    client.run(&format!("DECLARE wide CURSOR FOR {wide}")).await;
    let none: [&str; 0] = [];
    let rows = client
        .raw()
        .query_raw("FETCH 300000 FROM wide", none)
        .await
        .unwrap();
    pin_mut!(rows);
    let mut taken = 0;
    while let Some(row) = rows.next().await {
        row.unwrap();
        taken += 1;
    }
    assert_eq!(taken, 300_000);
    assert_eq!(client.rows("FETCH FROM wide").await.len(), 1);
    client.run("COMMIT").await;
}

/// Checks that the state that a session keeps is bounded in bytes.
async fn sessions(server: &Server) {
    let client = server.connect("analyst").await;
    let list = vec!["1"; 60_000].join(",");
    let mut refused = None;
    for number in 0..200 {
        let sql = format!("PREPARE p{number} AS SELECT 1 WHERE 1 IN ({list})");
        if let Err(failure) = client.try_rows(&sql).await {
            refused = Some(failure);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.code, "53200");
    refused.names(&["DEALLOCATE"]);
    client.run("DEALLOCATE ALL").await;

    let value = "v".repeat(1_000);
    let mut refused = None;
    for number in 0..200 {
        if let Err(failure) = client
            .try_rows(&format!("SET a.b{number} = '{value}'"))
            .await
        {
            refused = Some(failure);
            break;
        }
    }
    assert_eq!(refused.unwrap().names(&["RESET"]).code, "53400");
    client.run("RESET ALL").await;

    let savepoints: Vec<String> = (0..2_000).map(|n| format!("SAVEPOINT s{n}")).collect();
    let all = format!("BEGIN; {}", savepoints.join("; "));
    let refused = fails(&client, &all).await;
    assert_eq!(refused.names(&["RELEASE SAVEPOINT"]).code, "53400");
    client.run("ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_query_is_cancelled_when_the_process_holds_too_much() {
    let server = Server::private(&[
        ("LAKEGATE_ENGINE__MEMORY_LIMIT", "4GiB"),
        ("LAKEGATE_ENGINE__PROCESS_MEMORY_LIMIT", "384MiB"),
        ("LAKEGATE_RESULTS__CACHE_SIZE", "16MiB"),
    ]);
    let watch = Watch::over(&server);
    let greedy = server.connect("analyst").await;
    let other = server.connect("analyst").await;
    let gathers = "SELECT cardinality(array_agg(repeat(md5(CAST(x AS varchar)), 100))) FROM generate_series(1, 600000) t(x)";
    let failure = fails(&greedy, gathers).await;
    assert_eq!(failure.code, "53200", "{failure:?}");
    failure.names(&["engine.process_memory_limit"]);
    watch.stayed_under(1024 * MIB, "a query that gathers 1.9 GB");
    // Memory that the allocator keeps does not block new queries.
    for client in [&other, &greedy] {
        eventually("the server to take queries again", async || {
            let tried = client.try_rows("SELECT count(*) FROM curated.orders").await;
            tried.is_ok().then_some(())
        })
        .await;
    }
}

/// Clients that bind large values and do not execute them hold memory that no query accounts for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_of_all_clients_have_a_limit() {
    let server = Server::private(&[
        ("LAKEGATE_ENGINE__MEMORY_LIMIT", "96MiB"),
        ("LAKEGATE_ENGINE__PROCESS_MEMORY_LIMIT", "1536MiB"),
        ("LAKEGATE_RESULTS__CACHE_SIZE", "16MiB"),
    ]);
    let watch = Watch::over(&server);
    let other = server.connect("engineer").await;
    let sql = "SELECT length($1::text)";
    let mut holders = Vec::new();
    for megabytes in [60, 60, 20] {
        holders.push((server.connect("analyst").await, "x".repeat(megabytes << 20)));
    }
    let mut waiting = Vec::new();
    for (holder, text) in &mut holders {
        let text: &String = text;
        let block = holder.raw_mut().transaction().await.unwrap();
        let statement = block.prepare(sql).await.unwrap();
        let portal = block.bind(&statement, &[text]).await.unwrap();
        waiting.push((block, portal));
    }
    let large = "x".repeat(60 << 20);
    let refused = other.raw().query_one(sql, &[&large]).await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(refused.code().code(), "53200", "{refused:?}");
    assert!(refused.message().contains("messages of all clients"));
    // Its connection goes on, and small values need no room.
    assert_eq!(other.value("SELECT 1").await, "1");
    let small = "x".repeat(100_000);
    let row = other.raw().query_one(sql, &[&small]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 100_000);
    watch.stayed_under(1536 * MIB, "large messages");
    drop(waiting);
    drop(holders);
    eventually("large messages to be taken again", async || {
        other.raw().query_one(sql, &[&large]).await.ok()
    })
    .await;
}
