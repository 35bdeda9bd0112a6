//! Partitions as other writers create them: folders whose names spell values differently, or escape
//! their characters.

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Server};

/// Creates a table with one row `v` in each of these folders.
async fn table(name: &str, keys: &str, folders: &[&str]) -> (Client, Folder, String) {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, name);
    admin.run("CREATE DATABASE IF NOT EXISTS folders").await;
    for (row, path) in folders.iter().enumerate() {
        let row = i64::try_from(row).unwrap() + 1;
        let file = parquet(&batch(&[("v", Values::Int(&[row]))]), 10);
        folder.put(&format!("{path}/part-0.parquet"), file);
    }
    let table = format!("folders.{name}");
    admin
        .run(&format!(
            "CREATE EXTERNAL TABLE {table} (v BIGINT) PARTITIONED BY ({keys}) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ))
        .await;
    (admin, folder, table)
}

#[tokio::test]
async fn folders_that_spell_one_value_in_two_ways_are_both_read() {
    let folders = [
        "year=2024/month=01",
        "year=2024/month=1",
        "year=2024/month=012",
        "year=2023/month=01",
    ];
    let (admin, _, table) = table("spelled", "year INT, month INT", &folders).await;
    admin.run(&format!("MSCK REPAIR TABLE {table}")).await;
    for (condition, rows) in [
        ("year = 2024 AND month = 1", "1\n2"),
        ("month > 11", "3"),
        ("month IN (1, 12)", "1\n2\n3\n4"),
        ("month <> 1", "3"),
        ("CAST(month AS varchar) = '1'", "1\n2\n4"),
    ] {
        let sql = format!("SELECT v FROM {table} WHERE {condition} ORDER BY v");
        assert_eq!(admin.text(&sql).await, rows, "{condition}");
    }
    let grouped = format!("SELECT year, month, count(*) FROM {table} GROUP BY 1, 2 ORDER BY 1, 2");
    assert_eq!(admin.text(&grouped).await, "2023|1|1\n2024|1|2\n2024|12|1");
    // A second repair has nothing to do, and one that drops partitions finds none without a folder.
    for mode in ["", " SYNC PARTITIONS"] {
        let report = admin
            .text(&format!("MSCK REPAIR TABLE {table}{mode}"))
            .await;
        assert!(
            report.ends_with("0 partitions added, 0 dropped, 0 folders skipped"),
            "{report}"
        );
    }
    // The value drops the partitions of all spellings.
    admin
        .run(&format!("ALTER TABLE {table} DROP PARTITION (month = 1)"))
        .await;
    assert_eq!(admin.text(&format!("SELECT v FROM {table}")).await, "3");
}

#[tokio::test]
async fn folders_with_coded_characters_are_read_repaired_and_added() {
    let cities = [
        ("city=New York", "New York"),
        ("city=a%2Fb", "a/b"),
        ("city=12%3A30", "12:30"),
        ("city=k%3Dv", "k=v"),
        ("city=50%25", "50%"),
        ("city=a+b", "a+b"),
        ("city=it's", "it's"),
        ("city=Zürich", "Zürich"),
        ("city=%2A%3F", "*?"),
        ("city=%2E%2E%2Fup%5C", "../up\\"),
        ("city=K%C3%B6ln", "Köln"),
        ("city=%252F", "%2F"),
    ];
    let folders: Vec<&str> = cities.iter().map(|(folder, _)| *folder).collect();
    let (admin, folder, table) = table("coded", "city STRING", &folders).await;
    let report = admin.text(&format!("MSCK REPAIR TABLE {table}")).await;
    assert!(
        report.ends_with("12 partitions added, 0 dropped, 0 folders skipped"),
        "{report}"
    );
    for (row, (_, city)) in cities.iter().enumerate() {
        let quoted = city.replace('\'', "''");
        let sql = format!("SELECT v, city FROM {table} WHERE city = '{quoted}'");
        assert_eq!(admin.text(&sql).await, format!("{}|{city}", row + 1));
    }
    admin
        .run(&format!(
            "ALTER TABLE {table} DROP PARTITION (city = 'a/b')"
        ))
        .await;
    admin
        .run(&format!("ALTER TABLE {table} ADD PARTITION (city = 'a/b')"))
        .await;
    let sql = format!("SELECT v FROM {table} WHERE city = 'a/b'");
    assert_eq!(admin.text(&sql).await, "2");
    admin
        .run(&format!(
            "ALTER TABLE {table} ADD PARTITION (city = 'other') LOCATION '{}city=a%2Fb/'",
            folder.location
        ))
        .await;
    let sql = format!("SELECT v FROM {table} WHERE city = 'other'");
    assert_eq!(admin.text(&sql).await, "2");
}
