//! Writing with SQL: CREATE TABLE AS, INSERT and UNLOAD, with other readers, cancelled, killed,
//! limited.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::harness::folder::files;
use crate::harness::{Door, Options, Server, eventually, lake, python, through_each_door};

/// Rows enough for a write that takes some seconds.
const MANY: &str = "SELECT x AS id, md5(CAST(x AS varchar)) AS name, x % 50 AS part FROM generate_series(1, 10000000) AS t (x)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_readers_find_the_values_that_the_server_has() {
    let server = Server::private(&[]);
    let dsn = server.dsn("admin", "awsdatacatalog");
    let lake = server.dir.to_str().unwrap().to_owned();
    let printed =
        tokio::task::spawn_blocking(move || python::run("written.py", &[&dsn, &lake], &[]));
    let printed = printed.await.unwrap();
    assert!(printed.contains("all values are the same"), "{printed}");
}

async fn cancelled_write_leaves_nothing(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    let writer = door.connect(&server, "admin").await;
    admin
        .run("CREATE DATABASE stopped LOCATION 's3://datalake/tests/stopped/'")
        .await;
    let folder = server.dir.join("tests/stopped");
    for (sql, place) in [
        (
            format!("CREATE TABLE stopped.t AS {MANY}"),
            folder.join("t"),
        ),
        (
            format!("UNLOAD ({MANY}) TO 's3://datalake/tests/stopped/out/'"),
            folder.join("out"),
        ),
    ] {
        let (failure, ()) = tokio::join!(writer.fails(&sql), async {
            eventually("files are written", async || {
                (!files(&place).is_empty()).then_some(())
            })
            .await;
            let id = admin
                .value("SELECT query_id FROM system.queries WHERE query LIKE '%generate_series%' AND query NOT LIKE '%system.queries%' AND state = 'RUNNING'")
                .await;
            admin.run(&format!("KILL '{id}'")).await;
        });
        assert_eq!(failure.code, "57014", "{failure:?}");
        eventually("the files are gone", async || {
            files(&place).is_empty().then_some(())
        })
        .await;
    }
    let failure = admin.fails("SELECT * FROM stopped.t").await;
    assert_eq!(failure.code, "42P01");
    // The folders are free for another attempt.
    admin.run("CREATE TABLE stopped.t AS SELECT 1 AS id").await;
    admin
        .run("UNLOAD (SELECT 1 AS id) TO 's3://datalake/tests/stopped/out/'")
        .await;
}

async fn query_that_fails_while_rows_are_written_leaves_nothing(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    admin
        .run("CREATE DATABASE failed LOCATION 's3://datalake/tests/failed/'")
        .await;
    admin
        .run("CREATE TABLE failed.kept AS SELECT 1 AS id")
        .await;
    let folder = server.dir.join("tests/failed");
    let before = files(&folder);
    let failing = "SELECT 1000000 / (1500000 - x) AS id FROM generate_series(1, 2000000) AS t (x)";
    for sql in [
        format!("CREATE TABLE failed.t AS {failing}"),
        format!("INSERT INTO failed.kept {failing}"),
        format!("INSERT OVERWRITE failed.kept {failing}"),
        format!("CREATE OR REPLACE TABLE failed.kept AS {failing}"),
        format!("UNLOAD ({failing}) TO 's3://datalake/tests/failed/out/'"),
    ] {
        let failure = admin.fails(&sql).await;
        assert_eq!(failure.code, "22012", "{sql}: {failure:?}");
        assert_eq!(files(&folder), before, "{sql}");
        assert_eq!(admin.text("SELECT id FROM failed.kept").await, "1", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_that_is_killed_leaves_nothing_after_the_next_start() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let folder = dir.join("tests/killed");
    let mut server = Server::demo(&dir, &Options::small(), &[]);
    server
        .connect("admin")
        .await
        .run("CREATE DATABASE killed LOCATION 's3://datalake/tests/killed/'; CREATE TABLE killed.kept AS SELECT 1 AS id, 'one' AS name, 1 AS part; CREATE DATABASE killed_parts LOCATION 's3://datalake/tests/killed/parts/'; CREATE TABLE killed_parts.t WITH (partitioned_by = ARRAY['part']) AS SELECT * FROM killed.kept")
        .await;
    let before = files(&folder);
    for sql in [
        format!("CREATE TABLE killed.t AS {MANY}"),
        format!("INSERT INTO killed.kept {MANY}"),
        format!("INSERT OVERWRITE killed.kept {MANY}"),
        format!("INSERT OVERWRITE killed_parts.t SELECT id, name, 1 AS part FROM ({MANY}) AS m"),
        format!("UNLOAD ({MANY}) TO 's3://datalake/tests/killed/out/'"),
    ] {
        let writer = server.connect("admin").await;
        let writing = tokio::spawn({
            let sql = sql.clone();
            async move { writer.try_rows(&sql).await }
        });
        eventually("files are written", async || {
            (files(&folder).len() > before.len()).then_some(())
        })
        .await;
        server.kill();
        assert!(writing.await.unwrap().is_err(), "{sql}");
        server = Server::demo(&dir, &Options::small(), &[]);
        let admin = server.connect("admin").await;
        assert_eq!(
            admin.text("SELECT * FROM killed.kept").await,
            "1|one|1",
            "{sql}"
        );
        assert_eq!(
            admin.text("SELECT * FROM killed_parts.t").await,
            "1|one|1",
            "{sql}"
        );
        assert_eq!(admin.text("SHOW TABLES IN killed").await, "kept", "{sql}");
        eventually("the files are gone", async || {
            (files(&folder) == before).then_some(())
        })
        .await;
    }
}

/// A reader sees all rows of one version of the table, or all of the other.
async fn replaced_table_is_seen_whole(door: Door) {
    let server = Server::private(&[]);
    let writer = door.connect(&server, "admin").await;
    let reader = door.connect(&server, "admin").await;
    writer
        .run("CREATE DATABASE whole LOCATION 's3://datalake/tests/whole/'")
        .await;
    writer
        .run("CREATE TABLE whole.t AS SELECT 0 AS version FROM generate_series(1, 1000)")
        .await;
    let writing = async {
        for version in 1..20 {
            let rows = format!("SELECT {version} AS version FROM generate_series(1, 1000)");
            match version % 2 {
                0 => {
                    writer
                        .run(&format!("INSERT OVERWRITE whole.t {rows}"))
                        .await
                }
                _ => {
                    writer
                        .run(&format!("CREATE OR REPLACE TABLE whole.t AS {rows}"))
                        .await;
                }
            }
        }
    };
    let mut writing = std::pin::pin!(writing);
    loop {
        let seen = reader.rows("SELECT count(*), min(version), max(version) FROM whole.t");
        let seen = tokio::select! {
            biased;
            () = &mut writing => break,
            seen = seen => seen,
        };
        assert_eq!(seen[0][0].as_deref(), Some("1000"));
        assert_eq!(seen[0][1], seen[0][2]);
    }
    assert_eq!(
        reader.text("SELECT DISTINCT version FROM whole.t").await,
        "19"
    );
    // The files of earlier versions are deleted.
    eventually("one version's files are left", async || {
        (files(&server.dir.join("tests/whole")).len() == 1).then_some(())
    })
    .await;
}

/// A reader sees all rows of one version of a partition, or all of the other, and those of the other
/// partition at any time.
async fn replaced_partition_is_seen_whole(door: Door) {
    let server = Server::private(&[]);
    let writer = door.connect(&server, "admin").await;
    let reader = door.connect(&server, "admin").await;
    writer
        .run("CREATE DATABASE replaced LOCATION 's3://datalake/tests/replaced/'")
        .await;
    writer
        .run("CREATE TABLE replaced.t WITH (partitioned_by = ARRAY['part']) AS SELECT 0 AS version, x % 2 AS part FROM generate_series(1, 2000) AS t (x)")
        .await;
    let folder = server.dir.join("tests/replaced");
    // A file that was not written by the server: its rows go, and it stays.
    let written = files(&folder);
    let of_part = |path: &&PathBuf| path.to_string_lossy().contains("part=1");
    let own = written.iter().find(of_part).unwrap();
    let foreign = own.with_file_name("foreign.parquet");
    fs::copy(own, &foreign).unwrap();
    let count = "SELECT count(*) FROM replaced.t WHERE part = 1";
    eventually("the file is found", async || {
        (reader.text(count).await == "2000").then_some(())
    })
    .await;
    writer
        .run("INSERT OVERWRITE replaced.t SELECT 1 AS version, 1 AS part FROM generate_series(1, 1000)")
        .await;
    assert_eq!(reader.text(count).await, "1000");
    let writing = async {
        for version in 2..20 {
            writer
                .run(&format!("INSERT OVERWRITE replaced.t SELECT {version} AS version, 1 AS part FROM generate_series(1, 1000)"))
                .await;
        }
    };
    let mut writing = std::pin::pin!(writing);
    loop {
        let seen = reader.rows("SELECT count(*), min(version), max(version) FROM replaced.t WHERE part = 1 UNION ALL SELECT count(*), min(version), max(version) FROM replaced.t WHERE part = 0 ORDER BY 3 DESC");
        let seen = tokio::select! {
            biased;
            () = &mut writing => break,
            seen = seen => seen,
        };
        assert_eq!(seen[0][0].as_deref(), Some("1000"));
        assert_eq!(seen[0][1], seen[0][2]);
        assert_eq!(seen[1][0].as_deref(), Some("1000"));
        assert_eq!(seen[1][2].as_deref(), Some("0"));
    }
    assert_eq!(
        reader
            .text("SELECT min(version), max(version), count(*) FROM replaced.t WHERE part = 1")
            .await,
        "19|19|1000"
    );
    // Of the server's files those of both partitions are left.
    eventually("the replaced files are deleted", async || {
        (files(&folder).len() == 3).then_some(())
    })
    .await;
    assert!(foreign.exists());
}

async fn limits_of_a_workgroup_stop_writes(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE limited LOCATION 's3://datalake/tests/limited/'",
            "CREATE WORKGROUP writers WITH (bytes_written_limit_per_query = '1MB')",
            "CREATE WORKGROUP scanners WITH (bytes_scanned_cutoff_per_query = 1000)",
        ])
        .await;
    for (workgroup, query, code) in [
        (
            "writers",
            "SELECT x AS id, CAST(random() AS varchar) AS name FROM generate_series(1, 2000000) AS t (x)",
            "EXCEEDED_BYTES_WRITTEN_LIMIT",
        ),
        (
            "scanners",
            "SELECT * FROM curated.orders",
            "EXCEEDED_BYTES_SCANNED_CUTOFF",
        ),
    ] {
        admin.run(&format!("SET workgroup = '{workgroup}'")).await;
        let sql = format!("CREATE TABLE limited.t AS {query}");
        let failure = admin.fails(&sql).await;
        assert_eq!(failure.code, "54000", "{failure:?}");
        failure.names(&[workgroup]);
        admin.run("RESET workgroup").await;
        assert_eq!(
            admin
                .text(&format!("SELECT state, error_code FROM system.queries WHERE workgroup = '{workgroup}' AND query LIKE 'CREATE TABLE limited.t%'"))
                .await,
            format!("CANCELLED|{code}")
        );
        let left = files(&server.dir.join("tests/limited"));
        assert!(left.is_empty(), "{left:?}");
    }
}

async fn time_limit_stops_a_write(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    admin
        .run_each(&[
            "CREATE DATABASE timed LOCATION 's3://datalake/tests/timed/'",
            "SET statement_timeout = '300ms'",
        ])
        .await;
    let failure = admin
        .fails(&format!("CREATE TABLE timed.t AS {MANY}"))
        .await;
    assert_eq!(failure.code, "57014", "{failure:?}");
    failure.names(&["timeout"]);
    eventually("the files are gone", async || {
        files(&server.dir.join("tests/timed"))
            .is_empty()
            .then_some(())
    })
    .await;
    admin.run("RESET statement_timeout").await;
    admin.run("CREATE TABLE timed.t AS SELECT 1 AS id").await;
}

#[tokio::test]
async fn flight_counts_the_rows_of_an_update() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE counted LOCATION 's3://datalake/tests/counted/'")
        .await;
    let mut flight = server.flight("admin").await;
    for (sql, rows) in [
        (
            "CREATE TABLE counted.t AS SELECT x AS id FROM generate_series(1, 5) AS t (x)",
            5,
        ),
        (
            "INSERT INTO counted.t SELECT id + 5 FROM counted.t WHERE id < 4",
            3,
        ),
        ("CREATE TABLE IF NOT EXISTS counted.t AS SELECT 1 AS id", 0),
        (
            "UNLOAD (SELECT * FROM counted.t) TO 's3://datalake/tests/counted/out/'",
            8,
        ),
    ] {
        let updated = flight
            .sql
            .execute_update(sql.to_owned(), None)
            .await
            .unwrap();
        assert_eq!(updated, rows, "{sql}");
    }
    // As a query, a write has no rows.
    let fetched = flight.run("INSERT INTO counted.t VALUES (9)").await;
    assert!(fetched.rows().is_empty());
    assert_eq!(admin.number("SELECT count(*) FROM counted.t").await, 9);
}

#[tokio::test]
async fn rows_of_parameters_are_written_together() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE many LOCATION 's3://datalake/tests/many_rows/'; CREATE EXTERNAL TABLE many.t (n INT, s STRING) STORED AS PARQUET LOCATION 's3://datalake/tests/many_rows/t/'")
        .await;
    let mut flight = server.flight("admin").await;
    let sql = "INSERT INTO many.t VALUES (?, ?)".to_owned();
    let mut statement = flight.sql.prepare(sql, None).await.unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_500));
    let texts = (0..1_500).map(|n| (n % 2 == 0).then(|| format!("text {n}")));
    let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
    let rows = RecordBatch::try_from_iter([("1", numbers), ("2", texts)]).unwrap();
    statement.set_parameters(rows).unwrap();
    assert_eq!(statement.execute_update().await.unwrap(), 1_500);
    assert_eq!(
        admin
            .text("SELECT count(*), sum(n), count(s), max(s) FROM many.t")
            .await,
        "1500|1124250|750|text 998"
    );
    assert_eq!(
        admin
            .text("SELECT rows FROM system.queries WHERE query LIKE 'INSERT INTO many.t%' ORDER BY submitted_at")
            .await,
        "1000\n500"
    );
    assert_eq!(files(&server.dir.join("tests/many_rows")).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_goes_away_stops_its_write() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE gone LOCATION 's3://datalake/tests/gone/'")
        .await;
    let folder = server.dir.join("tests/gone");
    // The driver of this crate waits for its answer even when it is dropped.
    let script = format!(
        "import psycopg\npsycopg.connect({:?}, autocommit=True).execute({:?})",
        server.dsn("admin", "awsdatacatalog"),
        format!("CREATE TABLE gone.t AS {MANY}")
    );
    let mut writer = tokio::process::Command::new(python::program("python"))
        .args(["-c", &script])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("files are written", async || {
        (!files(&folder).is_empty()).then_some(())
    })
    .await;
    writer.kill().await.unwrap();
    eventually("the files are gone", async || {
        files(&folder).is_empty().then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(admin.fails("SELECT * FROM gone.t").await.code, "42P01");
}

through_each_door!(
    cancelled_write_leaves_nothing,
    query_that_fails_while_rows_are_written_leaves_nothing,
    replaced_table_is_seen_whole,
    replaced_partition_is_seen_whole,
    limits_of_a_workgroup_stop_writes,
    time_limit_stops_a_write,
);
