//! Temporary tables and views: they belong to one session, with the memory that they take.

use crate::harness::{Client, Server, eventually};

/// A row of about 1 KiB for each of so many numbers.
fn rows(count: u32) -> String {
    format!(
        "SELECT x AS n, repeat(md5(CAST(x AS varchar)), 32) AS text FROM generate_series(1, {count}) t(x)"
    )
}

#[tokio::test]
async fn each_session_has_tables_and_views_of_its_own() {
    let server = Server::shared();
    let (one, other) = (server.connect("admin").await, server.connect("admin").await);
    one.run("CREATE TEMP TABLE mine AS SELECT 1 AS n").await;
    other
        .run("CREATE TEMP TABLE mine AS SELECT 2 AS n; INSERT INTO mine VALUES (3)")
        .await;
    one.run("CREATE TEMP VIEW chosen AS SELECT count(*) AS n FROM curated.orders")
        .await;
    other
        .run("CREATE TEMP VIEW chosen AS SELECT count(*) AS n FROM curated.users")
        .await;
    let orders = one.value("SELECT count(*) FROM curated.orders").await;
    let users = one.value("SELECT count(*) FROM curated.users").await;
    assert_ne!(orders, users);
    // The same texts, again and again: neither a plan nor a result of one serves the other.
    for _ in 0..3 {
        assert_eq!(one.value("SELECT sum(n) FROM mine").await, "1");
        assert_eq!(other.value("SELECT sum(n) FROM mine").await, "5");
        assert_eq!(one.value("SELECT n FROM chosen").await, orders);
        assert_eq!(other.value("SELECT n FROM chosen").await, users);
    }
    one.run("INSERT INTO mine VALUES (10)").await;
    assert_eq!(one.value("SELECT sum(n) FROM mine").await, "11");
    assert_eq!(other.value("SELECT sum(n) FROM mine").await, "5");
    let third = server.connect("admin").await;
    assert_eq!(third.fails("SELECT * FROM mine").await.code, "42P01");
    assert_eq!(
        third.fails("SELECT * FROM pg_temp.chosen").await.code,
        "42P01"
    );
}

#[tokio::test]
async fn plans_that_are_kept_follow_what_a_name_refers_to() {
    let server = Server::shared();
    let admin = server.connect_to("admin", "curated").await;
    let of_lake = admin.value("SELECT count(*) FROM orders").await;
    admin
        .run("PREPARE counted AS SELECT count(*) FROM orders")
        .await;
    for _ in 0..3 {
        assert_eq!(admin.value("EXECUTE counted").await, of_lake);
    }
    admin.run("CREATE TEMP TABLE orders (a int)").await;
    assert_eq!(admin.value("EXECUTE counted").await, "0");
    admin.run("BEGIN; INSERT INTO orders VALUES (1), (2)").await;
    assert_eq!(admin.value("EXECUTE counted").await, "2");
    admin.run("ROLLBACK").await;
    assert_eq!(admin.value("EXECUTE counted").await, "0");
    admin.run("DROP TABLE orders").await;
    assert_eq!(admin.value("EXECUTE counted").await, of_lake);
}

#[tokio::test]
async fn rows_that_were_copied_stay_after_a_revoke_and_views_do_not_show_them() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run(
            "CREATE USER copier WITH PASSWORD 'a long enough secret';
             GRANT SELECT (order_id) ON TABLE curated.orders TO copier",
        )
        .await;
    let copier = server
        .connect_as("copier", "a long enough secret", "curated")
        .await;
    copier
        .run("CREATE TEMP TABLE copied AS SELECT * FROM orders LIMIT 10")
        .await;
    assert_eq!(
        copier
            .column(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'copied'"
            )
            .await,
        ["order_id"]
    );
    assert_eq!(copier.fails("SELECT total FROM copied").await.code, "42703");
    copier
        .run("CREATE TEMP VIEW seen AS SELECT order_id FROM orders")
        .await;
    admin
        .run("REVOKE SELECT (order_id) ON TABLE curated.orders FROM copier")
        .await;
    assert_eq!(copier.value("SELECT count(*) FROM copied").await, "10");
    copier.fails("SELECT count(*) FROM seen").await;
}

async fn fill(client: &Client, table: &str) -> Result<(), String> {
    let sql = format!("CREATE TEMP TABLE {table} AS {}", rows(10_000));
    let made = client.try_rows(&sql).await;
    made.map(|_| ()).map_err(|failure| failure.code)
}

#[tokio::test]
async fn memory_of_tables_is_bounded_and_given_back() {
    let server = Server::private(&[
        ("LAKEGATE_ENGINE__MEMORY_LIMIT", "128MiB"),
        ("LAKEGATE_ENGINE__TEMPORARY_MEMORY", "24MiB"),
    ]);
    let one = server.connect("admin").await;
    // About 10 MiB each.
    assert_eq!(fill(&one, "a").await, Ok(()));
    assert_eq!(fill(&one, "b").await, Ok(()));
    let failure = one
        .fails(&format!("CREATE TEMP TABLE c AS {}", rows(10_000)))
        .await;
    assert_eq!(failure.code, "53200", "{failure:?}");
    failure.names(&["engine.temporary_memory"]);
    assert_eq!(one.fails("SELECT * FROM c").await.code, "42P01");
    // What a block takes back is given back.
    one.run("DROP TABLE b").await;
    one.run("BEGIN").await;
    assert_eq!(fill(&one, "c").await, Ok(()));
    one.run("ROLLBACK").await;
    assert_eq!(fill(&one, "b").await, Ok(()));
    assert_eq!(one.value("SELECT count(*) FROM b").await, "10000");
    // All sessions together have 32 MiB.
    let other = server.connect("admin").await;
    assert_eq!(fill(&other, "a").await, Ok(()));
    assert_eq!(fill(&other, "b").await, Err("53200".to_owned()));
    drop(one);
    eventually("the memory of the closed session", async || {
        fill(&other, "b").await.ok()
    })
    .await;
    other.run("DISCARD TEMP").await;
    assert_eq!(fill(&other, "a").await, Ok(()));
    assert_eq!(fill(&other, "b").await, Ok(()));
}

#[tokio::test]
async fn a_write_that_is_killed_leaves_nothing() {
    let server = Server::shared();
    let (admin, user) = (server.connect("admin").await, server.connect("admin").await);
    user.run("CREATE TEMP TABLE kept (n bigint); INSERT INTO kept VALUES (1)")
        .await;
    for (marker, write) in [
        ("killed making", "CREATE TEMP TABLE killed AS"),
        ("killed adding", "INSERT INTO kept"),
    ] {
        let sql = format!(
            "{write} SELECT /* {marker} */ count(*) AS n FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z"
        );
        let running = format!(
            "SELECT query_id FROM system.queries WHERE query LIKE '%/* {marker} */%' AND query NOT LIKE '%system.queries%' AND state = 'RUNNING'"
        );
        let (failure, ()) = tokio::join!(user.fails(&sql), async {
            let id = eventually("the write to run", async || {
                admin.column(&running).await.into_iter().next()
            })
            .await;
            admin.run(&format!("KILL '{id}'")).await;
        });
        assert_eq!(failure.code, "57014", "{sql}");
    }
    assert_eq!(user.fails("SELECT * FROM killed").await.code, "42P01");
    assert_eq!(user.value("SELECT sum(n) FROM kept").await, "1");
}
