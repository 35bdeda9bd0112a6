//! Predicates on partition columns determine which folders are listed and which files are opened;
//! EXPLAIN shows the outcome.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array};

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Server};

/// Parses `partitions: 31 of 366` of an EXPLAIN as (31, 366).
async fn partitions(client: &Client, sql: &str) -> (u64, u64) {
    let plan = client.text(&format!("EXPLAIN {sql}")).await;
    counts(&plan, "partitions: ")
        .unwrap_or_else(|| panic!("no 'partitions: n of m' for {sql} in\n{plan}"))
}

fn counts(plan: &str, label: &str) -> Option<(u64, u64)> {
    let (_, rest) = plan.split_once(label)?;
    let mut words = rest
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let some = words.next()?.parse().ok()?;
    (words.next()? == "of").then_some(())?;
    Some((some, words.next()?.parse().ok()?))
}

#[tokio::test]
async fn explain_shows_the_partitions_that_a_predicate_on_a_date_leaves() {
    let admin = Server::shared().connect("admin").await;
    for (predicate, expected) in [
        (
            "order_date BETWEEN DATE '2024-01-01' AND DATE '2024-01-31'",
            31,
        ),
        ("order_date = DATE '2024-02-29'", 1),
        ("order_date = '2024-02-29'", 1),
        ("order_date <> DATE '2024-02-29'", 365),
        ("order_date >= DATE '2024-12-30'", 2),
        ("order_date < DATE '2024-01-03'", 2),
        ("DATE '2024-01-03' > order_date", 2),
        (
            "order_date IN (DATE '2024-01-01', DATE '2024-07-01', DATE '2031-01-01')",
            2,
        ),
        (
            "order_date NOT IN (DATE '2024-01-01', DATE '2024-07-01')",
            364,
        ),
        (
            "order_date NOT BETWEEN DATE '2024-01-02' AND DATE '2024-12-31'",
            1,
        ),
        ("order_date IS NULL", 0),
        ("order_date IS NOT NULL", 366),
        (
            "order_date = DATE '2024-01-01' OR order_date = DATE '2024-06-01'",
            2,
        ),
        ("NOT (order_date > DATE '2024-01-01')", 1),
        ("order_date = DATE '2024-01-01' AND quantity > 2", 1),
        ("order_date = DATE '2024-01-01' OR quantity > 2", 366),
        (
            "(order_date = DATE '2024-01-01' AND quantity > 2) OR (order_date = DATE '2024-01-05' AND total > 1)",
            2,
        ),
        ("order_date >= DATE '2024-12-31' - INTERVAL '7' DAY", 8),
        ("order_date >= CAST('2024-12-31' AS DATE)", 1),
        ("extract(month FROM order_date) = 2", 29),
        ("date_trunc('month', order_date) = DATE '2024-03-01'", 31),
        ("order_date > CURRENT_DATE + INTERVAL '1' DAY", 0),
        ("order_date >= DATE '2024-12-31' - INTERVAL '12' HOUR", 1),
        (
            "CAST(order_date AS TIMESTAMP) < TIMESTAMP '2024-01-02 00:00:01'",
            2,
        ),
        ("order_date = TIMESTAMP '2024-01-02 12:00:00'", 0),
        ("order_date >= now() - INTERVAL '7' DAY", 0),
        (
            "order_date = date_trunc('day', TIMESTAMP WITH TIME ZONE '2024-01-02 10:00:00+00')",
            1,
        ),
        (
            "order_date = DATE '2024-01-01' AND order_date = DATE '2024-01-02'",
            0,
        ),
        ("false", 0),
    ] {
        let sql = format!("SELECT count(*), max(total) FROM curated.orders WHERE {predicate}");
        // A plan that is recognised as empty need not name the table at all.
        if expected == 0
            && !admin
                .text(&format!("EXPLAIN {sql}"))
                .await
                .contains("partitions:")
        {
            assert_eq!(admin.text(&sql).await, "0|NULL", "{predicate}");
            continue;
        }
        assert_eq!(
            partitions(&admin, &sql).await,
            (expected, 366),
            "{predicate}"
        );
    }
}

#[tokio::test]
async fn explain_shows_files_and_bytes_beside_the_partitions() {
    let admin = Server::shared().connect("admin").await;
    let plan = admin
        .text("EXPLAIN SELECT * FROM curated.orders WHERE order_date = DATE '2024-02-29'")
        .await;
    let bytes = std::fs::read_dir(
        Server::shared()
            .dir
            .join("curated/orders/order_date=2024-02-29"),
    )
    .unwrap()
    .map(|file| file.unwrap().metadata().unwrap().len())
    .sum::<u64>();
    assert_eq!(counts(&plan, "files: "), Some((1, 1)), "{plan}");
    assert!(plan.contains(&format!("bytes: {bytes}")), "{plan}");
}

#[tokio::test]
async fn files_whose_footers_exclude_a_match_are_not_opened() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "bounds");
    let mut sizes = Vec::new();
    for first in [0, 10, 20] {
        let ids: Vec<i64> = (first..first + 10).collect();
        let file = parquet(&batch(&[("ID", Values::Int(&ids))]), 5);
        sizes.push(file.len());
        folder.put(&format!("from{first}.parquet"), file);
    }
    admin
        .run(&format!(
            "CREATE DATABASE pruning_bounds;
             CREATE EXTERNAL TABLE pruning_bounds.t (id BIGINT) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ))
        .await;
    for (predicate, files, rows) in [
        ("id >= 20", 1, 10),
        ("id > 15", 2, 14),
        ("id = 7 OR id = 27", 2, 2),
        ("id IN (3, 4)", 1, 2),
        ("id BETWEEN 5 AND 25", 3, 21),
        ("id > 1000", 0, 0),
        ("id IS NOT NULL", 3, 30),
        ("id % 10 = 3", 3, 3),
    ] {
        let sql = format!("SELECT id FROM pruning_bounds.t WHERE {predicate}");
        let plan = admin.text(&format!("EXPLAIN {sql}")).await;
        assert_eq!(counts(&plan, "files: "), Some((files, 3)), "{plan}");
        assert_eq!(admin.rows(&sql).await.len(), rows, "{predicate}");
    }
    let plan = admin
        .text("EXPLAIN SELECT id FROM pruning_bounds.t WHERE id >= 20")
        .await;
    assert!(plan.contains(&format!("bytes: {}", sizes[2])), "{plan}");
}

#[tokio::test]
async fn files_are_ruled_out_by_comparisons_of_dates_with_times() {
    let server = Server::shared();
    let folder = Folder::new(server, "dates");
    // The days from 2024-02-01 to 2024-03-01, in three files.
    for first in [19_754, 19_764, 19_774] {
        let days: ArrayRef = Arc::new(Date32Array::from_iter_values(first..first + 10));
        let file = parquet(&batch(&[("d", Values::Array(days))]), 10);
        folder.put(&format!("from{first}.parquet"), file);
    }
    let admin = server.connect("admin").await;
    admin
        .run(&format!(
            "CREATE DATABASE pruning_dates;
             CREATE EXTERNAL TABLE pruning_dates.t (d DATE) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ))
        .await;
    for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
        admin.run(&format!("SET TimeZone = '{zone}'")).await;
        for (predicate, files, rows) in [
            ("d >= date '2024-01-21' + interval '1 month'", 1, 10),
            ("d > date '2024-02-20' + interval '1 hour'", 1, 10),
            ("interval '1 hour' + date '2024-02-10' >= d", 1, 10),
            (
                "CAST(d AS timestamp) < timestamp '2024-02-10 00:00:01'",
                1,
                10,
            ),
            (
                "d BETWEEN timestamp '2024-02-10 00:00:01' AND timestamp '2024-02-20 23:00:00'",
                1,
                10,
            ),
            (
                "d >= timestamptz '2024-02-29 12:00:00' - interval '1 day'",
                1,
                2,
            ),
            (
                "d = date_trunc('month', timestamptz '2024-02-29 12:00:00')",
                1,
                1,
            ),
            ("date_trunc('month', d) = date '2024-03-01'", 1, 1),
            ("date_trunc('week', d) <= '2024-01-31'", 1, 4),
            ("d > now() - interval '7 days'", 0, 0),
            ("d < current_date - interval '1 month'", 3, 30),
            (
                "d IN (timestamp '2024-02-01', timestamp '2024-02-21 12:00:00')",
                1,
                1,
            ),
            ("d <> timestamp '2024-02-01 12:00:00'", 3, 30),
        ] {
            let sql = format!("SELECT d FROM pruning_dates.t WHERE {predicate}");
            let plan = admin.text(&format!("EXPLAIN {sql}")).await;
            // A plan that is recognised as empty need not name the table at all.
            if rows > 0 || plan.contains("files: ") {
                assert_eq!(counts(&plan, "files: "), Some((files, 3)), "{zone}: {plan}");
            }
            let found = admin.rows(&sql).await.len();
            assert_eq!(found, rows, "{zone}: {predicate}");
        }
        let noon = "SELECT d FROM pruning_dates.t WHERE d = timestamptz '2024-02-29 12:00:00'";
        assert!(admin.rows(noon).await.is_empty(), "{zone}");
    }
}

#[tokio::test]
async fn filters_that_cannot_be_decided_early_still_filter() {
    let admin = Server::shared().connect("admin").await;
    for (early, late) in [
        (
            "order_date = DATE '2024-01-01'",
            "CAST(order_date AS VARCHAR) || order_id LIKE '2024-01-01%'",
        ),
        (
            "order_date < DATE '2024-01-03'",
            "CAST(created_at AS DATE) < DATE '2024-01-03'",
        ),
    ] {
        let count =
            |predicate: &str| format!("SELECT count(*) FROM curated.orders WHERE {predicate}");
        assert_eq!(
            admin.value(&count(early)).await,
            admin.value(&count(late)).await
        );
    }
}

#[tokio::test]
async fn every_type_of_partition_column_is_compared_as_its_type() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "types");
    let row = parquet(&batch(&[("id", Values::Int(&[1]))]), 10);
    for i in ["9", "10", "-3"] {
        for s in ["a", "B%20c", "__HIVE_DEFAULT_PARTITION__"] {
            folder.put(&format!("i={i}/s={s}/f.parquet"), &row);
        }
    }
    admin
        .run(&format!(
            "CREATE DATABASE pruning_types;
             CREATE EXTERNAL TABLE pruning_types.t (id BIGINT) PARTITIONED BY (i INT, s STRING) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE pruning_types.t",
            folder.location
        ))
        .await;
    for (predicate, expected) in [
        ("i > 9", 3),
        ("i < 0", 3),
        ("i BETWEEN 9 AND 10", 6),
        ("i = 9.0", 3),
        ("i + 1 = 10", 3),
        ("i % 3 = 0", 6),
        ("s = 'B c'", 3),
        ("s LIKE 'B%'", 3),
        ("s NOT LIKE 'B%'", 3),
        ("s IS NULL", 3),
        ("s IS NOT NULL AND i = 10", 2),
        ("upper(s) = 'A'", 3),
        ("coalesce(s, 'none') = 'none'", 3),
        ("s > 'Z'", 3),
        ("s IN ('a', 'x') OR i = -3", 5),
        ("(i, s) = (9, 'a')", 1),
        ("NOT (s = 'a')", 3),
        ("CASE WHEN i = 9 THEN s END = 'a'", 1),
    ] {
        let sql = format!("SELECT id FROM pruning_types.t WHERE {predicate}");
        assert_eq!(partitions(&admin, &sql).await, (expected, 9), "{predicate}");
        assert_eq!(
            admin.rows(&sql).await.len(),
            usize::try_from(expected).unwrap(),
            "{predicate}"
        );
    }
}

#[tokio::test]
async fn partition_that_cannot_match_is_neither_listed_nor_opened() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "pruned");
    folder.put(
        "p=1/good.parquet",
        parquet(&batch(&[("id", Values::Int(&[7]))]), 10),
    );
    folder.put("p=2/broken.parquet", b"PAR1 this is no Parquet file PAR1");
    folder.put("p=3/later_gone.parquet", b"");
    admin
        .run(&format!(
            "CREATE DATABASE pruning_lazy;
             CREATE EXTERNAL TABLE pruning_lazy.t (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE pruning_lazy.t",
            folder.location
        ))
        .await;
    for predicate in [
        "\"$path\" LIKE '%good.parquet'",
        "\"$path\" LIKE '%good.parquet' AND id > 0",
        "\"$file_size\" <> 33",
        "\"$partition\" = 'p=1'",
    ] {
        let sql = format!("SELECT id FROM pruning_lazy.t WHERE {predicate}");
        assert_eq!(admin.value(&sql).await, "7", "{predicate}");
    }
    let every = "SELECT id FROM pruning_lazy.t WHERE \"$path\" LIKE '%.parquet'";
    admin.fails(every).await.names(&["broken.parquet"]);
    // Listing a folder that is a link out of the lake is refused, so a query that succeeds has not
    // listed it.
    fs::remove_dir_all(folder.path.join("p=3")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path.join("p=3")).unwrap();

    assert_eq!(
        admin
            .value("SELECT id FROM pruning_lazy.t WHERE p = 1")
            .await,
        "7"
    );
    assert_eq!(
        admin
            .value("SELECT id FROM pruning_lazy.t WHERE \"$partition\" = 'p=1'")
            .await,
        "7"
    );
    admin
        .fails("SELECT id FROM pruning_lazy.t WHERE p = 2")
        .await
        .names(&["broken.parquet"]);
    admin
        .fails("SELECT id FROM pruning_lazy.t WHERE p = 3")
        .await;
}

#[tokio::test]
async fn pruning_shows_in_the_bytes_that_a_query_scans() {
    let admin = Server::shared().connect("admin").await;
    admin.run("SET result_reuse = off").await;
    let scanned = async |predicate: &str| {
        let marker = uuid::Uuid::new_v4().simple().to_string();
        admin
            .run(&format!(
                "SELECT sum(total) AS x{marker} FROM curated.orders WHERE {predicate}"
            ))
            .await;
        admin.number(&format!(
            "SELECT max(bytes_scanned) FROM system.queries WHERE query LIKE '%x{marker}%' AND query NOT LIKE '%system.queries%'"
        )).await
    };
    let day = scanned("order_date = DATE '2024-05-05'").await;
    let file = scanned("\"$path\" LIKE '%/order_date=2024-05-05/%'").await;
    assert_eq!(file, day);
    let year = scanned("order_date > DATE '2023-01-01'").await;
    assert!(
        day > 0 && year > 100 * day,
        "a day: {day} bytes, the year: {year}"
    );
}

#[tokio::test]
async fn hours_of_raw_orders_are_pruned_over_four_columns() {
    let admin = Server::shared().connect("admin").await;
    let table = "raw.orders";
    let all = admin.rows(&format!("SHOW PARTITIONS {table}")).await.len();
    let first = admin.rows(&format!("SHOW PARTITIONS {table}")).await[0][0]
        .clone()
        .unwrap();
    // year=2024/month=01/day=01/hour=00: integers, however they are written in the path.
    let predicate: Vec<String> = first
        .split('/')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            format!("{name} = {}", value.parse::<i32>().unwrap())
        })
        .collect();
    let sql = format!(
        "SELECT count(*) FROM {table} WHERE {}",
        predicate.join(" AND ")
    );
    assert_eq!(
        partitions(&admin, &sql).await,
        (1, u64::try_from(all).unwrap())
    );
    assert!(admin.number(&sql).await > 0);
}
