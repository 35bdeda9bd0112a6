//! DELETE and TRUNCATE, with other readers, killed, and over files of others.

use std::fs;
use std::time::Duration;

use crate::harness::folder::files;
use crate::harness::{Door, Options, Server, eventually, lake, through_each_door};

/// A reader sees all rows that are removed, or none, and the others at any time; and they do not
/// come back with new ones.
async fn removed_rows_go_at_once(door: Door) {
    let server = Server::private(&[]);
    let writer = door.connect(&server, "admin").await;
    let reader = door.connect(&server, "admin").await;
    let rows = "SELECT x AS id, x % 4 AS part FROM generate_series(1, 4000) AS t (x)";
    writer
        .run("CREATE DATABASE removed LOCATION 's3://datalake/tests/removed/'")
        .await;
    for table in ["t", "u"] {
        writer
            .run(&format!(
                "CREATE TABLE removed.{table} WITH (partitioned_by = ARRAY['part']) AS {rows}"
            ))
            .await;
    }
    let folder = server.dir.join("tests/removed");
    let writing = async {
        for round in 0..12 {
            if round % 2 == 0 {
                writer.run("DELETE FROM removed.t WHERE part < 3").await;
                writer.run("TRUNCATE removed.u").await;
            } else {
                writer
                    .run(&format!(
                        "INSERT INTO removed.t SELECT * FROM ({rows}) AS r WHERE part < 3"
                    ))
                    .await;
                writer.run(&format!("INSERT INTO removed.u {rows}")).await;
            }
        }
    };
    let mut writing = std::pin::pin!(writing);
    loop {
        let seen = reader.rows("SELECT count(CASE WHEN part < 3 THEN 1 END), count(CASE WHEN part = 3 THEN 1 END) FROM removed.t UNION ALL SELECT count(*), 0 FROM removed.u ORDER BY 2 DESC");
        let seen = tokio::select! {
            biased;
            () = &mut writing => break,
            seen = seen => seen,
        };
        let cell = |row: usize, column: usize| seen[row][column].as_deref().unwrap();
        assert!(["0", "3000"].contains(&cell(0, 0)), "{seen:?}");
        assert_eq!(cell(0, 1), "1000", "{seen:?}");
        assert!(["0", "4000"].contains(&cell(1, 0)), "{seen:?}");
    }
    assert_eq!(
        reader
            .text("SELECT (SELECT count(*) FROM removed.t), (SELECT count(*) FROM removed.u)")
            .await,
        "4000|4000"
    );
    eventually("the removed files are deleted", async || {
        (files(&folder).len() == 8).then_some(())
    })
    .await;
}

/// While a query runs, the files that it may read are not deleted yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_rows_do_not_come_back_while_a_query_runs() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let reader = server.connect("admin").await;
    admin
        .run("CREATE DATABASE back LOCATION 's3://datalake/tests/back/'; CREATE TABLE back.t WITH (partitioned_by = ARRAY['part']) AS SELECT 1 AS id, 1 AS part")
        .await;
    let endless = "SELECT count(*) FROM generate_series(1, 1000000) AS a (x), generate_series(1, 1000000) AS b (y)";
    let removing = async {
        eventually("the query runs", async || {
            let running = "SELECT count(*) FROM system.queries WHERE query LIKE '%AS b (y)' AND state = 'RUNNING'";
            (admin.value(running).await == "1").then_some(())
        })
        .await;
        for (round, sql) in [
            "TRUNCATE back.t",
            // Registered again by the INSERT.
            "TRUNCATE back.t\nALTER TABLE back.t DROP PARTITION (part = 1)",
            "DELETE FROM back.t",
            "DELETE FROM back.t WHERE part = 1",
            "INSERT OVERWRITE back.t PARTITION (part = 1) SELECT id FROM back.t WHERE id < 0",
        ]
        .into_iter()
        .enumerate()
        {
            for statement in sql.lines() {
                admin.run(statement).await;
            }
            let count = admin.value("SELECT count(*) FROM back.t").await;
            assert_eq!(count, "0", "{sql}");
            admin
                .run(&format!("INSERT INTO back.t VALUES ({round}, 1)"))
                .await;
            let left = admin.text("SELECT * FROM back.t").await;
            assert_eq!(left, format!("{round}|1"), "{sql}");
        }
        reader.cancel().await;
    };
    let (ended, ()) = tokio::join!(reader.try_rows(endless), removing);
    assert_eq!(ended.unwrap_err().code, "57014");
    eventually("the removed files are deleted", async || {
        (files(&server.dir.join("tests/back")).len() == 1).then_some(())
    })
    .await;
    assert_eq!(admin.text("SELECT * FROM back.t").await, "4|1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removal_that_is_killed_is_whole_or_did_nothing() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let folder = dir.join("tests/undone/t");
    let rows = "SELECT x AS id, x % 50 AS part FROM generate_series(1, 5000) AS t (x)";
    let mut server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE undone LOCATION 's3://datalake/tests/undone/'")
        .await;
    admin
        .run(&format!(
            "CREATE TABLE undone.t WITH (partitioned_by = ARRAY['part']) AS {rows}"
        ))
        .await;
    admin.run(&format!("CREATE TABLE undone.u AS {rows}")).await;
    drop(admin);
    for (wait, sql) in [
        (1, "TRUNCATE undone.t, undone.u"),
        (5, "DELETE FROM undone.t WHERE part >= 0"),
        (15, "TRUNCATE undone.t, undone.u"),
        (40, "DELETE FROM undone.t WHERE part >= 0"),
        (80, "TRUNCATE undone.t, undone.u"),
    ] {
        let writer = server.connect("admin").await;
        let removing = tokio::spawn(async move { writer.try_rows(sql).await });
        tokio::time::sleep(Duration::from_millis(wait)).await;
        server.kill();
        let acknowledged = removing.await.unwrap().is_ok();
        server = Server::demo(&dir, &Options::small(), &[]);
        let admin = server.connect("admin").await;
        let left = admin.number("SELECT count(*) FROM undone.t").await;
        let other = admin.number("SELECT count(*) FROM undone.u").await;
        let case = format!("{sql}, killed after {wait} ms: {left} and {other} rows");
        assert!(left == 0 || left == 5_000, "{case}");
        assert!(!acknowledged || left == 0, "{case}");
        let both = if sql.starts_with("TRUNCATE") {
            left
        } else {
            5_000
        };
        assert_eq!(other, both, "{case}");
        if left == 0 {
            eventually("the removed files are deleted", async || {
                files(&folder).is_empty().then_some(())
            })
            .await;
            admin.run(&format!("INSERT INTO undone.t {rows}")).await;
        }
        if other == 0 {
            admin.run(&format!("INSERT INTO undone.u {rows}")).await;
        }
        let filled = "SELECT (SELECT count(*) FROM undone.t), (SELECT count(*) FROM undone.u)";
        assert_eq!(admin.text(filled).await, "5000|5000", "{case}");
    }
}

/// Files that others wrote are not rows any more, and stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_others_stay_when_rows_are_removed() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE foreign_rows LOCATION 's3://datalake/tests/foreign_rows/'; CREATE TABLE foreign_rows.t WITH (partitioned_by = ARRAY['part']) AS SELECT x AS id, x % 2 AS part FROM generate_series(1, 10) AS t (x)")
        .await;
    let folder = server.dir.join("tests/foreign_rows");
    let mut others = Vec::new();
    for own in files(&folder) {
        let other = own.with_file_name("other.parquet");
        fs::copy(&own, &other).unwrap();
        others.push(other);
    }
    let count = "SELECT count(*) FROM foreign_rows.t";
    eventually("the files are found", async || {
        (admin.value(count).await == "20").then_some(())
    })
    .await;
    let mut flight = server.flight("admin").await;
    for (sql, removed, left) in [
        ("DELETE FROM foreign_rows.t WHERE part = 7", 0, "20"),
        ("DELETE FROM foreign_rows.t WHERE part = 0", 10, "10"),
        ("DELETE FROM foreign_rows.t", 10, "0"),
    ] {
        let updated = flight.sql.execute_update(sql.to_owned(), None).await;
        assert_eq!(updated.unwrap(), removed, "{sql}");
        assert_eq!(admin.value(count).await, left, "{sql}");
    }
    eventually("the files of the server are deleted", async || {
        (files(&folder).len() == others.len()).then_some(())
    })
    .await;
    assert!(others.iter().all(|other| other.exists()));
    admin
        .run("INSERT INTO foreign_rows.t VALUES (1, 0), (2, 1)")
        .await;
    assert_eq!(admin.value(count).await, "2");
}

#[tokio::test]
async fn tag_of_a_delete_counts_rows() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE tagged LOCATION 's3://datalake/tests/tagged/'; CREATE TABLE tagged.t WITH (partitioned_by = ARRAY['part']) AS SELECT x AS id, CAST(x % 3 AS varchar) AS part FROM generate_series(1, 30) AS t (x)")
        .await;
    let raw = admin.raw();
    let deleted = raw
        .execute("DELETE FROM tagged.t WHERE part = $1", &[&"2"])
        .await;
    assert_eq!(deleted.unwrap(), 10);
    let deleted = raw.execute("DELETE FROM tagged.t", &[]).await;
    assert_eq!(deleted.unwrap(), 20);
    let deleted = raw.execute("DELETE FROM tagged.t WHERE part = '1'", &[]);
    assert_eq!(deleted.await.unwrap(), 0);
}

through_each_door!(removed_rows_go_at_once);
