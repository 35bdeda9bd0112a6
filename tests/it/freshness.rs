//! The result cache: never stale, never another's, and one run for many who ask the same.

use std::time::Duration;

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Server};

fn rows(ids: &[i64]) -> Vec<u8> {
    parquet(&batch(&[("id", Values::Int(ids))]), 100)
}

async fn cached(name: &str) -> (&'static Server, Client, Folder) {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, name);
    folder.put("p=1/a.parquet", rows(&[1]));
    admin
        .run(&format!(
            "CREATE DATABASE IF NOT EXISTS fresh;
             CREATE EXTERNAL TABLE fresh.{name} (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE fresh.{name}",
            folder.location
        ))
        .await;
    (server, admin, folder)
}

/// The newest record of this very text.
async fn record(client: &Client, sql: &str) -> String {
    client
        .text(&format!(
            "SELECT cache_hit, bytes_scanned > 0, state FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
        ))
        .await
}

#[tokio::test]
async fn second_time_is_a_hit_that_scans_nothing() {
    let (_, admin, _) = cached("hit").await;
    let sql = "SELECT sum(id) AS hit_sum FROM fresh.hit";
    assert_eq!(admin.value(sql).await, "1");
    assert_eq!(record(&admin, sql).await, "f|t|SUCCEEDED");
    assert_eq!(admin.value(sql).await, "1");
    assert_eq!(record(&admin, sql).await, "t|f|SUCCEEDED");
    // Written otherwise, the plan is the same.
    let otherwise = "select   sum( id ) as hit_sum from fresh.hit";
    assert_eq!(admin.value(otherwise).await, "1");
    assert_eq!(record(&admin, otherwise).await, "t|f|SUCCEEDED");
    admin.run("SET result_reuse = off").await;
    assert_eq!(admin.value(sql).await, "1");
    assert_eq!(record(&admin, sql).await, "f|t|SUCCEEDED");
}

#[tokio::test]
async fn changed_added_and_removed_files_are_seen_at_once() {
    let (_, admin, folder) = cached("files").await;
    let sql = "SELECT sum(id) FROM fresh.files";
    assert_eq!(admin.value(sql).await, "1");
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=1/a.parquet", rows(&[2]));
    assert_eq!(
        admin.value(sql).await,
        "2",
        "a file of the same size and name was replaced"
    );
    folder.put("p=1/b.parquet", rows(&[10]));
    assert_eq!(admin.value(sql).await, "12", "a file was added");
    folder.remove("p=1/a.parquet");
    assert_eq!(admin.value(sql).await, "10", "a file was removed");
    folder.put("p=2/c.parquet", rows(&[100]));
    admin
        .run("ALTER TABLE fresh.files ADD PARTITION (p = 2)")
        .await;
    assert_eq!(admin.value(sql).await, "110", "a partition was added");
    admin
        .run("ALTER TABLE fresh.files DROP PARTITION (p = 1)")
        .await;
    assert_eq!(admin.value(sql).await, "100", "a partition was dropped");
}

#[tokio::test]
async fn file_replaced_within_the_tick_of_its_clock_is_seen() {
    let (_, admin, folder) = cached("tick").await;
    let sql = "SELECT sum(id) FROM fresh.tick";
    let path = folder.path.join("p=1/a.parquet");
    for id in [3, 4, 5, 6] {
        // Written just now, in place: same name, same size, maybe the same modification time.
        std::fs::write(&path, rows(&[id])).unwrap();
        assert_eq!(admin.value(sql).await, id.to_string());
    }
}

#[tokio::test]
async fn redefined_table_gives_its_own_answer() {
    let (server, admin, folder) = cached("again").await;
    let sql = "SELECT sum(id) FROM fresh.again";
    assert_eq!(admin.value(sql).await, "1");
    let other = Folder::new(server, "again_other");
    other.put("p=1/a.parquet", rows(&[50]));
    admin
        .run(&format!(
            "DROP TABLE fresh.again;
             CREATE EXTERNAL TABLE fresh.again (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE fresh.again",
            other.location
        ))
        .await;
    assert_eq!(admin.value(sql).await, "50");
    drop(folder);
}

#[tokio::test]
async fn revoked_and_other_users_never_get_another_ones_result() {
    let (server, admin, _) = cached("grants").await;
    admin.run("CREATE USER fresh_a WITH PASSWORD 'a long enough secret'; CREATE USER fresh_b WITH PASSWORD 'a long enough secret'").await;
    admin
        .run("GRANT SELECT ON TABLE fresh.grants TO fresh_a")
        .await;
    let a = server
        .connect_as("fresh_a", "a long enough secret", "awsdatacatalog")
        .await;
    let b = server
        .connect_as("fresh_b", "a long enough secret", "awsdatacatalog")
        .await;
    let sql = "SELECT sum(id) FROM fresh.grants";
    for _ in 0..2 {
        assert_eq!(a.value(sql).await, "1");
        assert_eq!(b.fails(sql).await.code, "42P01");
    }
    admin
        .run("REVOKE SELECT ON TABLE fresh.grants FROM fresh_a")
        .await;
    assert_eq!(a.fails(sql).await.code, "42P01");
    // One column fewer: SELECT * is another query now.
    admin
        .run("GRANT SELECT (p) ON TABLE fresh.grants TO fresh_a")
        .await;
    assert_eq!(a.columns("SELECT * FROM fresh.grants").await, ["p"]);
    assert_eq!(
        admin.columns("SELECT * FROM fresh.grants").await,
        ["id", "p"]
    );
}

#[tokio::test]
async fn volatile_queries_and_session_settings_are_not_mixed_up() {
    let (_, admin, _) = cached("volatile").await;
    let random = "SELECT random() FROM fresh.volatile";
    assert_ne!(admin.value(random).await, admin.value(random).await);
    let zone = "SELECT CAST(TIMESTAMP '2024-06-01 00:00:00' AT TIME ZONE 'UTC' AS VARCHAR), id FROM fresh.volatile";
    let utc = admin.text(zone).await;
    admin.run("SET TimeZone = 'Asia/Tokyo'").await;
    let tokyo = admin.text(zone).await;
    admin.run("RESET TimeZone").await;
    assert_eq!(admin.text(zone).await, utc);
    drop(tokyo);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_queries_in_flight_run_once() {
    let server = Server::private(&[]);
    let admin = server.connect("admin").await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let sql = "SELECT count(*) FROM curated.orders a JOIN curated.orders b ON a.quantity <= b.quantity JOIN curated.products p ON a.total + b.total > p.price";
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(server.connect("admin").await);
    }
    let answers = futures::future::join_all(clients.iter().map(|client| client.value(sql))).await;
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    let ran = admin
        .number(&format!(
            "SELECT count(*) FROM system.queries WHERE query = '{sql}' AND bytes_scanned > 0"
        ))
        .await;
    assert_eq!(
        ran,
        1,
        "{}",
        admin
            .text(&format!(
                "SELECT cache_hit, bytes_scanned FROM system.queries WHERE query = '{sql}'"
            ))
            .await
    );
    let hits = admin
        .number(&format!(
            "SELECT count(*) FROM system.queries WHERE query = '{sql}' AND cache_hit"
        ))
        .await;
    assert_eq!(hits, 5);
}
