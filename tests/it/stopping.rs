//! A stopped query stops working, measured as processor time of the server's threads.

mod planning;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Client, Door, Options, Server, eventually, lake, python, through_each_door};

/// The limit for the threads of a stopped query, each of which ends within a second. As processor
/// time, it is the sum of two threads. As a client's waiting time, the second half absorbs
/// disturbances of the test machine.
const SOON: Duration = Duration::from_secs(2);

/// Many rows with few keys, `a` and `b`, from which a join produces more rows than its result has.
const MANY: &str = "WITH a AS (SELECT x, x % 7 AS k FROM generate_series(1, 2000000) AS s(x)), \
                    b AS (SELECT x, x % 7 AS k FROM generate_series(1, 2000000) AS s(x)) ";

/// Each runs for hours, most of it in one operator.
const EXPLODING: &[(&str, &str)] = &[
    ("hash join", "SELECT count(*) FROM a JOIN b ON a.k = b.k"),
    (
        "hash join with a condition",
        "SELECT count(*) FROM a JOIN b ON a.k = b.k AND a.x + b.x < 0",
    ),
    (
        "semi join",
        "SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE a.k = b.k AND a.x + b.x < 0)",
    ),
    ("nested loop", "SELECT count(*) FROM a, b WHERE a.x < b.x"),
    (
        "nested loop without a pair",
        "SELECT count(*) FROM a LEFT JOIN b ON a.x + b.x < 0",
    ),
    ("cross join", "SELECT sum(a.x * b.x % 3) FROM a, b"),
    (
        "correlated subquery",
        "SELECT max((SELECT b.x FROM b WHERE b.x < a.x ORDER BY b.x DESC LIMIT 1)) FROM a",
    ),
    (
        "lateral join",
        "SELECT max(l.n) FROM a, LATERAL (SELECT count(*) AS n, max(b.x) AS m FROM b WHERE b.x < a.x) AS l",
    ),
    (
        "sort",
        "SELECT s FROM (SELECT a.x * b.x % 3 AS s FROM a, b) AS t ORDER BY s LIMIT 5",
    ),
    (
        "window",
        "SELECT max(r) FROM (SELECT row_number() OVER () AS r FROM a, b) AS t",
    ),
    (
        "union",
        "SELECT sum(s) FROM (SELECT a.x + b.x AS s FROM a, b UNION ALL SELECT a.x - b.x FROM a, b) AS t",
    ),
    (
        "grouping",
        "SELECT max(n) FROM (SELECT a.k, count(*) AS n FROM a JOIN b ON a.k = b.k GROUP BY a.k) AS t",
    ),
    (
        "function",
        "SELECT sum(length(regexp_replace(repeat(chr(97 + CAST(k AS int)), 20000), '(a|b|c)*d$', ''))) FROM a",
    ),
    (
        "aggregate over a window",
        "SELECT max(m) FROM (SELECT median(x) OVER (ORDER BY x ROWS BETWEEN 200000 PRECEDING AND CURRENT ROW) AS m FROM a) AS t",
    ),
    (
        "aggregate over a window of all rows",
        "SELECT max(m), max(n) FROM (SELECT median(x) OVER w AS m, ntile(7) OVER w AS n FROM a WINDOW w AS (ORDER BY x ROWS BETWEEN 200000 PRECEDING AND CURRENT ROW)) AS t",
    ),
    (
        "window function",
        "SELECT max(m) FROM (SELECT lag(x, 1000000) IGNORE NULLS OVER (ORDER BY x) AS m FROM a) AS t",
    ),
    (
        "function of a window",
        "SELECT max(s) FROM (SELECT sum(regexp_count(md5(CAST(x AS varchar)), '([a-f0-9]{1,5}){1,5}z')) OVER () AS s FROM a) AS t",
    ),
    (
        "sort by a function",
        "SELECT x FROM a ORDER BY regexp_replace(repeat(chr(97 + CAST(k AS int)), 20000), '(a|b|c)*d$', '') LIMIT 1",
    ),
    (
        "search of one text",
        "SELECT length(regexp_replace(repeat('ab', 200000 + CAST(x AS int)), '.*c|a', '', 'g')) FROM generate_series(1, 1) AS s(x)",
    ),
];

/// Marks a query with `/* name */`, which identifies it in the history.
fn marked(name: &str, sql: &str) -> String {
    format!(
        "{MANY}{}",
        sql.replacen("SELECT", &format!("SELECT /* {name} */"), 1)
    )
}

async fn ids(client: &Client, name: &str, state: &str) -> Vec<String> {
    client
        .column(&format!("SELECT query_id FROM system.queries WHERE query LIKE '%/* {name} */%' AND query NOT LIKE '%system.queries%' AND state = '{state}'"))
        .await
}

async fn in_state(client: &Client, name: &str, state: &str) -> String {
    eventually(&format!("{name} to be {state}"), async || {
        ids(client, name, state).await.into_iter().next()
    })
    .await
}

/// Runs a query until it is stopped, in a task of its own.
fn run(client: &Arc<Client>, sql: String) -> tokio::task::JoinHandle<String> {
    let client = Arc::clone(client);
    tokio::spawn(async move { client.fails(&sql).await.code })
}

async fn ends_soon(server: &Server, admin: &Client, name: &str) {
    let worked = server.quiet().await;
    println!("{name}: {worked:?} of processor time after its end");
    assert!(worked < SOON, "{name}: threads worked for {worked:?}");
    in_state(admin, name, "CANCELLED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_of_each_operator_end_when_its_query_is_cancelled() {
    let server = Server::private(&[("LAKEGATE_ENGINE__THREADS", "2")]);
    let admin = server.connect("admin").await;
    let victim = Arc::new(server.connect("admin").await);
    for (name, sql) in EXPLODING {
        let running = run(&victim, marked(name, sql));
        in_state(&admin, name, "RUNNING").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = Instant::now();
        victim.cancel().await;
        assert_eq!(running.await.unwrap(), "57014", "{name}");
        assert!(before.elapsed() < SOON, "{name}: {:?}", before.elapsed());
        ends_soon(&server, &admin, name).await;
    }
}

/// Runs a query and disconnects. The driver of the Postgres door waits for its answer even when it
/// is dropped, so there a process is killed.
async fn vanish(
    door: Door,
    server: &Server,
    admin: &Client,
    client: Arc<Client>,
    name: &str,
    sql: String,
) {
    if door == Door::Flight {
        let running = run(&client, sql);
        in_state(admin, name, "RUNNING").await;
        drop(client);
        running.abort();
        return;
    }
    let dsn = server.dsn("admin", "awsdatacatalog");
    let script =
        format!("import psycopg\npsycopg.connect({dsn:?}, autocommit=True).execute({sql:?})");
    let mut process = tokio::process::Command::new(python::program("python"))
        .args(["-c", &script])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    in_state(admin, name, "RUNNING").await;
    process.kill().await.unwrap();
}

async fn threads_end_in_whatever_way_a_query_is_stopped(door: Door) {
    let server = Server::private(&[("LAKEGATE_ENGINE__THREADS", "2")]);
    let admin = door.connect(&server, "admin").await;
    for (kind, sql) in [&EXPLODING[0], &EXPLODING[4]] {
        let victim = Arc::new(door.connect(&server, "admin").await);

        let name = &format!("{kind} killed");
        let running = run(&victim, marked(name, sql));
        let id = in_state(&admin, name, "RUNNING").await;
        admin.run(&format!("KILL QUERY '{id}'")).await;
        assert_eq!(running.await.unwrap(), "57014");
        ends_soon(&server, &admin, name).await;

        let name = &format!("{kind} out of time");
        victim.run("SET statement_timeout = '300ms'").await;
        assert_eq!(victim.fails(&marked(name, sql)).await.code, "57014");
        victim.run("SET statement_timeout = 0").await;
        ends_soon(&server, &admin, name).await;

        let name = &format!("{kind} left alone");
        vanish(door, &server, &admin, victim, name, marked(name, sql)).await;
        ends_soon(&server, &admin, name).await;
    }
}

/// The longest response times while queries keep the machine busy: of the median answer, and of
/// each.
const MEDIAN: Duration = Duration::from_millis(200);
/// One second on an idle machine; the rest is for builds and other tests on the same processors.
const WORST: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalog_kill_and_health_answer_while_joins_explode() {
    let full = [
        ("LAKEGATE_ENGINE__THREADS", "2"),
        ("LAKEGATE_SERVER__MAX_CONNECTIONS", "14"),
        ("LAKEGATE_SERVER__RESERVED_CONNECTIONS", "6"),
        ("LAKEGATE_SERVER__MAX_CONNECTIONS_PER_USER", "8"),
    ];
    let server = Server::private(&full);
    let (one, other) = (
        Arc::new(server.connect("analyst").await),
        Arc::new(server.connect("analyst").await),
    );
    let mut idle = Vec::new();
    while let Ok(client) = server
        .try_connect("analyst", server.password("analyst"), "awsdatacatalog")
        .await
    {
        idle.push(client);
        assert!(idle.len() < 14, "the limit of connections is not reached");
    }
    let admin = server.connect("admin").await;
    let first = run(&one, marked("first", EXPLODING[0].1));
    let second = run(&other, marked("second", EXPLODING[4].1));
    in_state(&admin, "first", "RUNNING").await;
    let id = in_state(&admin, "second", "RUNNING").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut waits = Vec::new();
    for _ in 0..8 {
        for sql in [
            "SELECT 1",
            "SELECT count(*) FROM system.queries WHERE state = 'RUNNING'",
            "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
            "SHOW DATABASES",
        ] {
            let before = Instant::now();
            admin.rows(sql).await;
            waits.push((before.elapsed(), sql));
        }
        let before = Instant::now();
        assert_eq!(server.http_get("/health/live").0, 200);
        waits.push((before.elapsed(), "health"));
        let before = Instant::now();
        drop(server.connect("admin").await);
        waits.push((before.elapsed(), "a connection"));
    }
    let before = Instant::now();
    admin.run(&format!("KILL QUERY '{id}'")).await;
    waits.push((before.elapsed(), "KILL"));
    assert_eq!(second.await.unwrap(), "57014");
    waits.sort();
    let (median, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("median {median:?}, worst {worst:?}");
    assert!(median.0 < MEDIAN, "{median:?} at the median");
    assert!(worst.0 < WORST, "{worst:?} at the worst");
    one.cancel().await;
    assert_eq!(first.await.unwrap(), "57014");
    ends_soon(&server, &admin, "first").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_stops_what_explodes_and_does_not_wait_for_it() {
    let grace = [
        ("LAKEGATE_ENGINE__THREADS", "2"),
        ("LAKEGATE_SERVER__GRACE_PERIOD", "1s"),
    ];
    let mut server = Server::private(&grace);
    let admin = server.connect("admin").await;
    let busy = Arc::new(server.connect("admin").await);
    let running = run(&busy, marked("at shutdown", EXPLODING[4].1));
    in_state(&admin, "at shutdown", "RUNNING").await;
    let before = Instant::now();
    server.signal("TERM");
    assert!(server.wait().success(), "{}", server.log());
    let took = before.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_cannot_keep_the_catalog_from_others() {
    let server = Server::private(&[("LAKEGATE_ENGINE__THREADS", "2")]);
    let admin = server.connect("admin").await;
    let exploding = "SELECT /* built-in */ count(*) FROM pg_catalog.pg_type a, pg_catalog.pg_type b, pg_catalog.pg_type c, pg_catalog.pg_type d WHERE a.oid + b.oid + c.oid < d.oid - 1000000000";
    let mut running = Vec::new();
    for _ in 0..6 {
        let client = Arc::new(server.connect("analyst").await);
        running.push(run(&client, exploding.to_owned()));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..5 {
        let before = Instant::now();
        admin.number("SELECT count(*) FROM system.queries").await;
        assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
    }
    for query in running {
        query.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repair_of_a_table_obeys_its_timeout() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    for i in 0..2_000 {
        std::fs::create_dir_all(dir.join(format!("tests/many/p={i}"))).unwrap();
    }
    let server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE many; CREATE EXTERNAL TABLE many.t (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION 's3://datalake/tests/many/'")
        .await;
    admin.run("SET statement_timeout = '1ms'").await;
    let failure = admin.fails("MSCK REPAIR TABLE many.t").await;
    assert_eq!(failure.code, "57014");
    admin.run("SET statement_timeout = 0").await;
    let states = admin
        .column("SELECT DISTINCT state FROM system.queries WHERE query LIKE 'MSCK%many.t%'")
        .await;
    assert_eq!(states, ["CANCELLED"]);
    assert!(admin.rows("SHOW PARTITIONS many.t").await.is_empty());
    admin.run("MSCK REPAIR TABLE many.t").await;
    assert_eq!(admin.rows("SHOW PARTITIONS many.t").await.len(), 2_000);
}

/// KILL stops the repair before it has changed anything, or comes too late and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_falls_into_a_repair() {
    const FOLDERS: usize = 4_000;
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    for i in 0..FOLDERS {
        std::fs::create_dir_all(dir.join(format!("tests/killed/p={i}"))).unwrap();
    }
    let server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    let owner = Arc::new(server.connect("admin").await);
    admin.run("CREATE DATABASE killed").await;
    for round in 0..20 {
        admin
            .run(&format!("CREATE EXTERNAL TABLE killed.t{round} (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION 's3://datalake/tests/killed/'"))
            .await;
        let repair = format!("MSCK REPAIR TABLE killed.t{round}");
        let repairing = tokio::spawn({
            let (owner, repair) = (Arc::clone(&owner), repair.clone());
            async move { owner.try_rows(&repair).await }
        });
        let found = format!("SELECT query_id FROM system.queries WHERE query = '{repair}'");
        let id = eventually("the repair", async || admin.column(&found).await.pop()).await;
        let killed = admin.try_rows(&format!("KILL QUERY '{id}'")).await;
        let repaired = repairing.await.unwrap();
        let state = admin
            .value(&format!(
                "SELECT state FROM system.queries WHERE query_id = '{id}'"
            ))
            .await;
        let partitions = admin
            .rows(&format!("SHOW PARTITIONS killed.t{round}"))
            .await;
        match repaired {
            Err(failure) => {
                assert_eq!(failure.code, "57014", "{failure:?}");
                assert_eq!(state, "CANCELLED");
                assert!(killed.is_ok(), "{killed:?}");
                assert!(partitions.is_empty(), "{}", partitions.len());
                return;
            }
            Ok(_) => {
                assert_eq!(state, "SUCCEEDED");
                assert!(killed.is_err(), "it says that it killed what went on");
                assert_eq!(partitions.len(), FOLDERS);
            }
        }
        admin.run(&format!("DROP TABLE killed.t{round}")).await;
    }
    panic!("no KILL of twenty fell into a repair");
}

through_each_door!(threads_end_in_whatever_way_a_query_is_stopped);
