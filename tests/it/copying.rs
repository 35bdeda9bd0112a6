//! COPY FROM STDIN: what becomes visible and when, what is left of a COPY that does not end, and which
//! users may write.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::SinkExt;

use crate::harness::folder::files;
use crate::harness::{Client, Failure, Server, eventually};

/// Sends the pieces of a COPY, and returns its number of rows.
async fn copy(client: &Client, sql: &str, pieces: &[&str]) -> Result<u64, Failure> {
    let sink = client.raw().copy_in::<str, Bytes>(sql).await;
    let mut sink = pin!(sink.map_err(|error| Failure::of(&error))?);
    for piece in pieces {
        // A COPY that has failed takes no more; its error comes with the end.
        if sink
            .send(Bytes::copy_from_slice(piece.as_bytes()))
            .await
            .is_err()
        {
            break;
        }
    }
    sink.finish().await.map_err(|error| Failure::of(&error))
}

async fn copied(client: &Client, sql: &str, pieces: &[&str]) -> u64 {
    copy(client, sql, pieces)
        .await
        .unwrap_or_else(|failure| panic!("{sql}: {failure:?}"))
}

async fn refused(client: &Client, sql: &str, pieces: &[&str]) -> Failure {
    match copy(client, sql, pieces).await {
        Ok(rows) => panic!("{sql}: {rows} rows were copied"),
        Err(failure) => failure,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_become_visible_at_once_and_in_their_partitions() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let other = server.connect("admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE copying LOCATION 's3://datalake/tests/copying/'",
            "CREATE TABLE copying.t (a INT, b TEXT, c NUMERIC(8, 2)) PARTITIONED BY (day DATE)",
        ])
        .await;
    let sql = "COPY copying.t FROM STDIN";
    let pieces = [
        "1\tone\t1.5\t2024-01-01\n2\t\\N\t",
        "2.005\t2024-01-02\n3\tth\\tree\t\\N\t2024-01-01\n",
    ];
    assert_eq!(copied(&admin, sql, &pieces).await, 3);
    let all = "SELECT a, b, c, day FROM copying.t ORDER BY a";
    assert_eq!(
        other.text(all).await,
        "1|one|1.50|2024-01-01\n2|NULL|2.01|2024-01-02\n3|th\tree|NULL|2024-01-01"
    );
    assert_eq!(
        admin.text("SHOW PARTITIONS copying.t").await,
        "day=2024-01-01\nday=2024-01-02"
    );
    let csv = "COPY copying.t (day, a) FROM STDIN WITH (FORMAT csv, HEADER match)";
    assert_eq!(
        copied(&admin, csv, &["day,a\r\n\"2024-01-02\",4\r\n"]).await,
        1
    );
    // In a block, the rows are kept for COMMIT.
    for (end, count) in [("ROLLBACK", 4), ("COMMIT", 5)] {
        admin.run("BEGIN").await;
        assert_eq!(copied(&admin, csv, &["day,a\n2024-01-03,5\n"]).await, 1);
        let counted = "SELECT count(*) FROM copying.t";
        assert_eq!(admin.number(counted).await, 5);
        assert_eq!(other.number(counted).await, 4);
        admin.run(end).await;
        assert_eq!(other.number(counted).await, count);
    }
    assert_eq!(
        admin
            .text(
                "SELECT rows, state FROM system.queries WHERE query = 'COPY copying.t FROM STDIN'"
            )
            .await,
        "3|SUCCEEDED"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_rows_for_which_the_condition_is_true_are_copied() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE picked LOCATION 's3://datalake/tests/picked/'",
            "CREATE TABLE picked.t (a INT, b TEXT, c NUMERIC(8, 2))",
        ])
        .await;
    for (sql, rows, count) in [
        (
            "COPY picked.t (b, a) FROM STDIN WHERE a > 1 AND upper(b) <> 'C' AND c IS NULL",
            "a\t1\nb\t2\nc\t3\nd\t4\n\\N\t5\n",
            2,
        ),
        (
            "COPY picked.t FROM STDIN CSV WHERE t.b IN ('x', 'y') OR picked.t.c = 1.5",
            "7,x,\n8,z,1.50\n9,w,2\n",
            2,
        ),
        ("COPY picked.t FROM STDIN WHERE false", "1\tx\t1\n", 0),
        (
            "COPY picked.t FROM STDIN WHERE now() > '2020-01-01' AND b LIKE 'l%'",
            "10\tlast\t\\N\n",
            1,
        ),
        (
            "COPY picked.t FROM STDIN (ON_ERROR ignore) WHERE a > 1",
            "x\ty\tz\n11\tgood\t1\n1\tsmall\t1\n",
            1,
        ),
    ] {
        assert_eq!(copied(&admin, sql, &[rows]).await, count, "{sql}");
    }
    assert_eq!(
        admin.text("SELECT a, b, c FROM picked.t ORDER BY a").await,
        "2|b|NULL\n4|d|NULL\n7|x|NULL\n8|z|1.50\n10|last|NULL\n11|good|1.00"
    );
    for (condition, code) in [
        ("nope > 1", "42703"),
        ("a", "42804"),
        ("count(*) > 1", "42803"),
        ("a IN (SELECT 1)", "0A000"),
    ] {
        let sql = format!("COPY picked.t FROM STDIN WHERE {condition}");
        let client = server.connect("admin").await;
        let failure = refused(&client, &sql, &["1\tx\t1\n"]).await;
        assert_eq!(failure.code, code, "{sql}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_of_copies_see_the_rows_as_they_are_sent() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE sent LOCATION 's3://datalake/tests/sent/'",
            "CREATE TABLE sent.named (a INT NOT NULL, b TEXT)",
            "CREATE TABLE sent.parts WITH (partitioned_by = ARRAY['a']) AS SELECT 0 AS b, 0 AS a",
        ])
        .await;
    // Rows that are left out need no value.
    let sql = "COPY sent.named FROM STDIN WHERE a IS NOT NULL";
    assert_eq!(copied(&admin, sql, &["1\tx\n\\N\ty\n"]).await, 1);
    let sql = "COPY sent.named FROM STDIN WHERE b = 'y'";
    let failure = refused(&server.connect("admin").await, sql, &["\\N\ty\n"]).await;
    assert_eq!(failure.code, "23502", "{failure:?}");
    // The columns of this table are put in another order after the condition.
    let sql = "COPY sent.parts (b, a) FROM STDIN WHERE a > 1";
    assert_eq!(copied(&admin, sql, &["5\t1\n1\t5\n"]).await, 1);
    assert_eq!(
        admin.text("SELECT a, b FROM sent.parts ORDER BY a").await,
        "0|0\n5|1"
    );
    assert_eq!(admin.text("SELECT * FROM sent.named").await, "1|x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_that_fails_leaves_nothing_and_the_connection_goes_on() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE broken LOCATION 's3://datalake/tests/broken/'",
            "CREATE TABLE broken.t (a INT, b TEXT)",
        ])
        .await;
    let folder = server.dir.join("tests/broken");
    let sql = "COPY broken.t FROM STDIN";
    let many = "7\tseven\n".repeat(100_000);
    for (piece, code, part) in [
        ("x\ty\n", "22P02", "invalid input syntax for type integer"),
        ("8\n", "22P04", "missing data for column \"b\""),
        (
            "8\ty\tz\n",
            "22P04",
            "extra data after last expected column",
        ),
    ] {
        let failure = refused(&admin, sql, &[&many, piece, &many]).await;
        assert_eq!(failure.code, code, "{failure:?}");
        failure.names(&[part]);
        assert!(files(&folder).is_empty());
        assert_eq!(admin.number("SELECT count(*) FROM broken.t").await, 0);
    }
    // The client gives up: the driver sends CopyFail when the sink is dropped.
    {
        let sink = admin.raw().copy_in::<str, Bytes>(sql).await.unwrap();
        let mut sink = pin!(sink);
        sink.send(Bytes::copy_from_slice(many.as_bytes()))
            .await
            .unwrap();
    }
    assert_eq!(admin.number("SELECT count(*) FROM broken.t").await, 0);
    eventually("the files are gone", async || {
        files(&folder).is_empty().then_some(())
    })
    .await;
    // A failed COPY fails its block.
    admin.run("BEGIN").await;
    refused(&admin, sql, &["x\ty\n"]).await;
    assert_eq!(admin.fails("SELECT 1").await.code, "25P02");
    admin.run("ROLLBACK").await;
    assert_eq!(copied(&admin, sql, &["1\tone\n"]).await, 1);
    assert_eq!(admin.text("SELECT * FROM broken.t").await, "1|one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_that_waits_for_its_client_can_be_stopped() {
    let server = Server::private(&[("LAKEGATE_QUERIES__MAX_STALL", "2s")]);
    let admin = server.connect("admin").await;
    let writer = server.connect("admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE waiting LOCATION 's3://datalake/tests/waiting/'",
            "CREATE TABLE waiting.t (a INT, b TEXT)",
            "CREATE WORKGROUP copiers WITH (bytes_written_limit_per_query = '1MB')",
        ])
        .await;
    let sql = "COPY waiting.t FROM STDIN";
    let running = "SELECT query_id FROM system.queries WHERE query = 'COPY waiting.t FROM STDIN' AND state = 'RUNNING'";
    let row = || Bytes::from_static(b"1\tx\n");
    // Killed.
    {
        let sink = writer.raw().copy_in::<str, Bytes>(sql).await.unwrap();
        let mut sink = pin!(sink);
        sink.send(row()).await.unwrap();
        let id = eventually("the COPY runs", async || {
            let ids = admin.column(running).await;
            ids.into_iter().next()
        })
        .await;
        admin.run(&format!("KILL '{id}'")).await;
        let failure = Failure::of(&sink.finish().await.unwrap_err());
        assert_eq!(failure.code, "57014", "{failure:?}");
    }
    // Out of time, and stalled.
    let cancelled = "SELECT count(*) FROM system.queries WHERE query = 'COPY waiting.t FROM STDIN' AND state = 'CANCELLED'";
    for (set, count, part) in [
        ("SET statement_timeout = '300ms'", 2, "timeout"),
        ("RESET statement_timeout", 3, "did not send"),
    ] {
        writer.run(set).await;
        let sink = writer.raw().copy_in::<str, Bytes>(sql).await.unwrap();
        let mut sink = pin!(sink);
        sink.send(row()).await.unwrap();
        eventually("the COPY ends", async || {
            (admin.number(cancelled).await == count).then_some(())
        })
        .await;
        let failure = Failure::of(&sink.finish().await.unwrap_err());
        assert_eq!(failure.code, "57014", "{failure:?}");
        failure.names(&[part]);
    }
    writer.run("SET workgroup = 'copiers'").await;
    let text: String = (0..1_000_000_i64)
        .map(|n| {
            format!(
                "{n}\t{}\n",
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)
            )
        })
        .collect();
    let failure = refused(&writer, sql, &[&text]).await;
    assert_eq!(failure.code, "54000", "{failure:?}");
    failure.names(&["copiers"]);
    assert_eq!(admin.number("SELECT count(*) FROM waiting.t").await, 0);
}

#[tokio::test]
async fn copy_needs_insert_and_tells_nothing_of_hidden_tables() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let scientist = server.connect("scientist").await;
    // Each COPY that is refused has a connection of its own: tokio-postgres takes the end of one that
    // was refused at its beginning for an answer to the next.
    admin
        .run_each(&[
            "CREATE DATABASE guarded LOCATION 's3://datalake/tests/guarded/'",
            "CREATE TABLE guarded.t (a INT, b TEXT)",
        ])
        .await;
    let hidden = refused(
        &server.connect("scientist").await,
        "COPY guarded.t FROM STDIN",
        &["1\tx\n"],
    )
    .await;
    let absent = refused(
        &server.connect("scientist").await,
        "COPY guarded.u FROM STDIN",
        &["1\tx\n"],
    )
    .await;
    assert_eq!(hidden.code, absent.code, "{hidden:?}, {absent:?}");
    assert_eq!(
        hidden.message.replace("guarded.t", "guarded.u"),
        absent.message
    );
    admin
        .run("GRANT SELECT (a) ON TABLE guarded.t TO scientist")
        .await;
    let denied = refused(
        &server.connect("scientist").await,
        "COPY guarded.t FROM STDIN",
        &["1\n"],
    )
    .await;
    assert_eq!(denied.code, "42501", "{denied:?}");
    admin
        .run("GRANT INSERT ON TABLE guarded.t TO scientist")
        .await;
    // A hidden column is as one that does not exist.
    let column = refused(
        &server.connect("scientist").await,
        "COPY guarded.t (a, b) FROM STDIN",
        &["1\tx\n"],
    )
    .await;
    assert_eq!(column.code, "42703", "{column:?}");
    assert_eq!(
        column.message,
        "column \"b\" of relation \"t\" does not exist"
    );
    assert_eq!(
        copied(&scientist, "COPY guarded.t FROM STDIN", &["1\n"]).await,
        1
    );
    assert_eq!(admin.text("SELECT * FROM guarded.t").await, "1|NULL");
    for sql in [
        "COPY guarded.t FROM '/etc/passwd'",
        "COPY system.queries FROM STDIN",
    ] {
        let failure = admin.fails(sql).await;
        assert_ne!(failure.code, "none", "{sql}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn condition_that_takes_long_is_stopped() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run_each(&[
            "CREATE TEMPORARY TABLE slow (a INT, b TEXT)",
            "SET statement_timeout = '1s'",
        ])
        .await;
    let rows: String = (0..100_000).map(|row| format!("{row}\tq\n")).collect();
    let sql = r"COPY slow FROM STDIN WHERE b ~ (repeat('(\w|\d)', 30) || a)";
    let began = Instant::now();
    let failure = refused(&admin, sql, &[&rows]).await;
    assert_eq!(failure.code, "57014", "{failure:?}");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    admin.run("RESET statement_timeout").await;
    assert_eq!(admin.number("SELECT count(*) FROM slow").await, 0);
}
