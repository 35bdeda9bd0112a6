//! Changes of the catalog and of tables in transaction blocks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::folder::files;
use crate::harness::{Client, Options, Server, eventually, lake};

/// Waits until there are as many files below a folder.
async fn has_files(folder: &Path, count: usize) {
    eventually("the files of a block are deleted", || async {
        (files(folder).len() == count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_of_two_tables_while_they_are_swapped() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let reader = server.connect("admin").await;
    admin
        .run("CREATE DATABASE swapped LOCATION 's3://datalake/tests/swapped/'")
        .await;
    admin
        .run("CREATE TABLE swapped.x AS SELECT 0 AS round FROM generate_series(1, 3) AS t (n)")
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let reading = tokio::spawn(async move {
        let mut rounds = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let rows = reader.rows("SELECT round, count(*) FROM swapped.x GROUP BY round");
            let rows = rows.await;
            assert_eq!(rows.len(), 1, "{rows:?}");
            rounds.push(format!("{rows:?}"));
        }
        rounds.dedup();
        rounds
    });
    for round in 1..=10 {
        for sql in [
            "BEGIN".to_owned(),
            format!(
                r#"create table "swapped"."x__dbt_tmp" as (select {round} as round from generate_series(1, 3) as t (n))"#
            ),
            r#"alter table "swapped"."x" rename to "x__dbt_backup""#.to_owned(),
            r#"alter table "swapped"."x__dbt_tmp" rename to "x""#.to_owned(),
            "COMMIT".to_owned(),
            r#"drop table if exists "swapped"."x__dbt_backup" cascade"#.to_owned(),
        ] {
            admin.run(&sql).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = reading.await.unwrap();
    let mut distinct = rounds.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(rounds.len(), distinct.len(), "an old table came back");
    assert_eq!(admin.value("SELECT min(round) FROM swapped.x").await, "10");
    assert_eq!(admin.column("SHOW TABLES IN swapped").await, ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_see_nothing_of_a_block_and_a_rollback_leaves_nothing() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let other = server.connect("admin").await;
    admin
        .run("CREATE DATABASE kept LOCATION 's3://datalake/tests/kept/'")
        .await;
    admin.run("CREATE TABLE kept.x AS SELECT 1 AS v").await;
    let folder = server.dir.join("tests/kept");
    let before = files(&folder).len();
    let count = "SELECT count(*) FROM kept.x";
    assert_eq!(other.value(count).await, "1");
    for end in ["ROLLBACK", "COMMIT"] {
        for sql in [
            "BEGIN",
            "INSERT INTO kept.x VALUES (2), (3)",
            "CREATE TABLE kept.y AS SELECT 1 AS v",
            "INSERT INTO kept.y VALUES (2)",
            "CREATE VIEW kept.w AS SELECT v FROM kept.y",
            "CREATE DATABASE kept_too",
        ] {
            admin.run(sql).await;
        }
        assert_eq!(admin.value(count).await, "3");
        assert_eq!(admin.value("SELECT count(*) FROM kept.w").await, "2");
        assert_eq!(admin.column("SHOW TABLES IN kept").await, ["w", "x", "y"]);
        // The block's result of the same query is not the others'.
        assert_eq!(other.value(count).await, "1");
        assert_eq!(
            other.fails("SELECT * FROM kept.y").await.code,
            "42P01",
            "{end}"
        );
        let listed = "SELECT count(*) FROM pg_catalog.pg_class WHERE relname IN ('y', 'w')";
        assert_eq!(other.value(listed).await, "0");
        assert_eq!(admin.value(listed).await, "2");
        assert!(
            !other
                .column("SHOW DATABASES")
                .await
                .contains(&"kept_too".to_owned())
        );
        admin.run(end).await;
        if end == "ROLLBACK" {
            assert_eq!(admin.value(count).await, "1");
            assert_eq!(admin.fails("SELECT * FROM kept.y").await.code, "42P01");
            has_files(&folder, before).await;
        }
    }
    assert_eq!(other.value(count).await, "3");
    assert_eq!(other.value("SELECT sum(v) FROM kept.w").await, "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_blocks_and_lost_clients_leave_nothing() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE gone LOCATION 's3://datalake/tests/gone/'")
        .await;
    let folder = server.dir.join("tests/gone");
    let lost = server.connect("admin").await;
    for client in [&admin, &lost] {
        client.run("BEGIN").await;
        client.run("CREATE TABLE gone.t AS SELECT 1 AS v").await;
    }
    assert_eq!(files(&folder).len(), 2);
    admin.fails("SELECT 1/0").await;
    admin.run("COMMIT").await;
    drop(lost);
    has_files(&folder, 0).await;
    assert!(admin.column("SHOW TABLES IN gone").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn savepoints_take_changes_back() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE saved LOCATION 's3://datalake/tests/saved/'")
        .await;
    for sql in [
        "BEGIN",
        "CREATE TABLE saved.a AS SELECT 1 AS v",
        "SAVEPOINT s",
        "INSERT INTO saved.a VALUES (2)",
        "CREATE TABLE saved.b AS SELECT 1 AS v",
    ] {
        admin.run(sql).await;
    }
    admin.fails("SELECT 1/0").await;
    admin.run("ROLLBACK TO SAVEPOINT s").await;
    assert_eq!(admin.value("SELECT count(*) FROM saved.a").await, "1");
    assert_eq!(admin.fails("SELECT * FROM saved.b").await.code, "42P01");
    admin.run("ROLLBACK TO SAVEPOINT s").await;
    admin.run("INSERT INTO saved.a VALUES (3)").await;
    admin.run("COMMIT").await;
    assert_eq!(admin.value("SELECT sum(v) FROM saved.a").await, "4");
    assert_eq!(admin.column("SHOW TABLES IN saved").await, ["a"]);
    has_files(&server.dir.join("tests/saved"), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_blocks_that_create_one_table_the_second_fails() {
    let server = Server::private(&[]);
    let first = server.connect("admin").await;
    let second = server.connect("admin").await;
    first
        .run("CREATE DATABASE twice LOCATION 's3://datalake/tests/twice/'")
        .await;
    first.run("CREATE TABLE twice.x AS SELECT 1 AS v").await;
    for (client, value) in [(&first, 1), (&second, 2)] {
        client.run("BEGIN").await;
        client
            .run(&format!("CREATE TABLE twice.t AS SELECT {value} AS v"))
            .await;
    }
    first.run("COMMIT").await;
    let failure = second.fails("COMMIT").await;
    assert_eq!(failure.code, "40001", "{failure:?}");
    failure.names(&["twice.t"]);
    assert_eq!(second.value("SELECT v FROM twice.t").await, "1");
    // A statement of the block finds it, too.
    second.run("BEGIN").await;
    second.run("CREATE TABLE twice.u AS SELECT 2 AS v").await;
    first.run("CREATE TABLE twice.u AS SELECT 1 AS v").await;
    assert_eq!(second.fails("SELECT 1").await.code, "40001");
    assert_eq!(second.fails("SELECT 1").await.code, "25P02");
    second.run("ROLLBACK").await;
    // What does not concern the block's tables does not.
    second.run("BEGIN").await;
    second.run("INSERT INTO twice.x VALUES (2)").await;
    first.run("INSERT INTO twice.x VALUES (4)").await;
    first.run("DROP TABLE twice.u").await;
    assert_eq!(second.value("SELECT sum(v) FROM twice.x").await, "7");
    second.run("COMMIT").await;
    assert_eq!(first.value("SELECT sum(v) FROM twice.x").await, "7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_there_is_all_of_a_block_or_nothing() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    for (round, end) in ["", "COMMIT"].into_iter().enumerate() {
        let mut server = Server::demo(&dir, &Options::small(), &[]);
        let admin = server.connect("admin").await;
        let database = format!("killed_{round}");
        let folder = dir.join("tests").join(&database);
        for sql in [
            "BEGIN".to_owned(),
            format!("CREATE DATABASE {database} LOCATION 's3://datalake/tests/{database}/'"),
            format!("CREATE TABLE {database}.t AS SELECT 1 AS v"),
            format!("INSERT INTO {database}.t VALUES (2)"),
            format!("ALTER TABLE {database}.t RENAME TO u"),
        ] {
            admin.run(&sql).await;
        }
        if end == "COMMIT" {
            admin.run(end).await;
        }
        assert_eq!(files(&folder).len(), 2);
        server.kill();
        let server = Server::demo(&dir, &Options::small(), &[]);
        let admin = server.connect("admin").await;
        if end == "COMMIT" {
            let sum = format!("SELECT sum(v) FROM {database}.u");
            assert_eq!(admin.value(&sum).await, "3");
            assert_eq!(files(&folder).len(), 2);
        } else {
            assert!(!admin.column("SHOW DATABASES").await.contains(&database));
            has_files(&folder, 0).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_a_block_belongs_to_its_creator_within_the_block() {
    let mut server = Server::private(&[]);
    let admin = server.connect("admin").await;
    admin
        .run("CREATE DATABASE owned LOCATION 's3://datalake/tests/owned/'")
        .await;
    admin
        .run("CREATE USER maker WITH PASSWORD 'a long enough secret'")
        .await;
    admin
        .run("GRANT CREATE_TABLE ON DATABASE owned TO maker")
        .await;
    server.knows("maker", "a long enough secret");
    let maker = server.connect("maker").await;
    for end in ["ROLLBACK", "COMMIT"] {
        maker.run("BEGIN").await;
        maker.run("CREATE TABLE owned.t AS SELECT 1 AS v").await;
        assert_eq!(maker.value("SELECT v FROM owned.t").await, "1");
        maker.run("ALTER TABLE owned.t RENAME TO u").await;
        maker.run("INSERT INTO owned.u VALUES (2)").await;
        maker.run(end).await;
    }
    assert_eq!(maker.value("SELECT sum(v) FROM owned.u").await, "3");
    // Not granted in a block either.
    maker.run("BEGIN").await;
    assert_eq!(
        maker.fails("CREATE DATABASE other").await.code,
        "42501",
        "only tables"
    );
    maker.run("ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_add_until_the_commit_of_a_removal_goes_with_it() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let other = server.connect("admin").await;
    admin
        .run("CREATE DATABASE cleared LOCATION 's3://datalake/tests/cleared/'")
        .await;
    let count = "SELECT count(*) FROM cleared.t";
    for (round, removal) in ["TRUNCATE cleared.t", "DELETE FROM cleared.t"]
        .into_iter()
        .enumerate()
    {
        admin.run("CREATE TABLE cleared.t WITH (partitioned_by = ARRAY['part']) AS SELECT x AS id, x % 2 AS part FROM generate_series(1, 10) AS t (x)").await;
        admin.run("BEGIN").await;
        admin.run(removal).await;
        assert_eq!(other.value(count).await, "10", "{removal}");
        // In a partition that there was, and in one that is new.
        other
            .run("INSERT INTO cleared.t VALUES (11, 1), (12, 7)")
            .await;
        assert_eq!(other.value(count).await, "12", "{removal}");
        assert_eq!(admin.value(count).await, "0", "{removal}");
        admin.run("COMMIT").await;
        assert_eq!(other.value(count).await, "0", "{removal}");
        other.run("INSERT INTO cleared.t VALUES (13, 7)").await;
        assert_eq!(admin.value(count).await, "1", "{removal}");
        // The folder of a partition that lies elsewhere was not considered.
        admin.run("BEGIN").await;
        admin.run(removal).await;
        other
            .run(&format!("ALTER TABLE cleared.t ADD PARTITION (part = 8) LOCATION 's3://datalake/tests/cleared_{round}/'"))
            .await;
        let failure = admin.fails("COMMIT").await;
        assert_eq!(failure.code, "40001", "{failure:?}");
        assert_eq!(other.value(count).await, "1", "{removal}");
        admin.run(removal).await;
        assert_eq!(other.value(count).await, "0", "{removal}");
        admin.run("DROP TABLE cleared.t").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_removed_and_written_anew_in_one_block() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let other = server.connect("admin").await;
    admin
        .run("CREATE DATABASE anew LOCATION 's3://datalake/tests/anew/'")
        .await;
    admin.run("CREATE TABLE anew.t WITH (partitioned_by = ARRAY['part']) AS SELECT x AS id, x % 3 AS part FROM generate_series(1, 9) AS t (x)").await;
    let folder = server.dir.join("tests/anew");
    let seen = "SELECT count(*), sum(id) FROM anew.t";
    for (end, after) in [("ROLLBACK", "9|45"), ("COMMIT", "4|115")] {
        for sql in [
            "BEGIN",
            "DELETE FROM anew.t WHERE part IN (0, 1)",
            "SAVEPOINT s",
            "DELETE FROM anew.t",
            "ROLLBACK TO SAVEPOINT s",
            "INSERT INTO anew.t VALUES (100, 1), (101, 5)",
            "DELETE FROM anew.t WHERE part = 5",
            "DELETE FROM anew.t WHERE part = 9",
        ] {
            admin.run(sql).await;
        }
        // The part that stays has 2, 5 and 8.
        assert_eq!(admin.text(seen).await, "4|115", "{end}");
        assert_eq!(other.text(seen).await, "9|45", "{end}");
        admin.run(end).await;
        assert_eq!(other.text(seen).await, after, "{end}");
        assert_eq!(admin.text(seen).await, after, "{end}");
    }
    has_files(&folder, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_is_dropped_in_a_block() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    let other = server.connect("admin").await;
    let shows = async |client: &Client| {
        let databases = client.column("SHOW DATABASES").await;
        databases.contains(&"leaving".to_owned())
    };
    admin
        .run("CREATE DATABASE leaving LOCATION 's3://datalake/tests/leaving/'")
        .await;
    admin.run("CREATE TABLE leaving.t AS SELECT 1 AS v").await;
    admin.run("BEGIN").await;
    assert_eq!(admin.fails("DROP DATABASE leaving").await.code, "2BP01");
    admin.run("ROLLBACK").await;
    for end in ["ROLLBACK", "COMMIT"] {
        admin.run("BEGIN").await;
        admin.run("DROP DATABASE leaving CASCADE").await;
        assert!(!shows(&admin).await && shows(&other).await, "{end}");
        assert_eq!(other.value("SELECT v FROM leaving.t").await, "1", "{end}");
        admin.run(end).await;
        assert_eq!(shows(&other).await, end == "ROLLBACK");
    }
    // Another one takes its place.
    admin
        .run("CREATE DATABASE leaving LOCATION 's3://datalake/tests/leaving/'")
        .await;
    admin.run("CREATE TABLE leaving.u AS SELECT 2 AS v").await;
    for sql in [
        "BEGIN",
        "DROP DATABASE leaving CASCADE",
        "CREATE DATABASE leaving LOCATION 's3://datalake/tests/leaving/'",
        "CREATE TABLE leaving.t AS SELECT 3 AS v",
        "COMMIT",
    ] {
        admin.run(sql).await;
    }
    assert_eq!(other.value("SELECT v FROM leaving.t").await, "3");
    assert_eq!(other.column("SHOW TABLES IN leaving").await, ["t"]);
    // A table that others make meanwhile is dropped with it.
    admin.run("BEGIN").await;
    admin.run("DROP DATABASE leaving CASCADE").await;
    other
        .run("CREATE TABLE leaving.late AS SELECT 4 AS v")
        .await;
    admin.run("COMMIT").await;
    assert!(!shows(&other).await);
}
