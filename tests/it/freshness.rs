//! The result cache: never stale, never another user's, and one run for concurrent equal queries.

use std::time::Duration;

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Door, Server, through_each_door};

fn rows(ids: &[i64]) -> Vec<u8> {
    parquet(&batch(&[("id", Values::Int(ids))]), 100)
}

/// Creates a table of the test's own, `fresh_{door}.{name}`, with one file.
async fn cached(door: Door, name: &str) -> (&'static Server, Client, Folder) {
    let server = Server::shared();
    let admin = door.connect(server, "admin").await;
    let folder = Folder::new(server, name);
    folder.put("p=1/a.parquet", rows(&[1]));
    admin
        .run(&format!("CREATE DATABASE IF NOT EXISTS fresh_{door}"))
        .await;
    create(&admin, &format!("fresh_{door}.{name}"), &folder).await;
    (server, admin, folder)
}

async fn create(admin: &Client, table: &str, folder: &Folder) {
    admin
        .run_each(&[
            &format!(
                "CREATE EXTERNAL TABLE {table} (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}'",
                folder.location
            ),
            &format!("MSCK REPAIR TABLE {table}"),
        ])
        .await;
}

/// Returns the newest record of exactly this text.
async fn record(client: &Client, sql: &str) -> String {
    let sql = sql.replace('\'', "''");
    client
        .text(&format!(
            "SELECT cache_hit, bytes_scanned > 0, state FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
        ))
        .await
}

async fn second_time_is_a_hit_that_scans_nothing(door: Door) {
    let (_, admin, _) = cached(door, "hit").await;
    let sql = format!("SELECT sum(id) AS hit_sum FROM fresh_{door}.hit");
    assert_eq!(admin.value(&sql).await, "1");
    assert_eq!(record(&admin, &sql).await, "f|t|SUCCEEDED");
    assert_eq!(admin.value(&sql).await, "1");
    assert_eq!(record(&admin, &sql).await, "t|f|SUCCEEDED");
    // A different text with the same plan.
    let otherwise = format!("select   sum( id ) as hit_sum from fresh_{door}.hit");
    assert_eq!(admin.value(&otherwise).await, "1");
    assert_eq!(record(&admin, &otherwise).await, "t|f|SUCCEEDED");
    admin.run("SET result_reuse = off").await;
    assert_eq!(admin.value(&sql).await, "1");
    assert_eq!(record(&admin, &sql).await, "f|t|SUCCEEDED");
}

async fn changed_added_and_removed_files_are_seen_at_once(door: Door) {
    let (_, admin, folder) = cached(door, "files").await;
    let sql = &format!("SELECT sum(id) FROM fresh_{door}.files");
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
        .run(&format!(
            "ALTER TABLE fresh_{door}.files ADD PARTITION (p = 2)"
        ))
        .await;
    assert_eq!(admin.value(sql).await, "110", "a partition was added");
    admin
        .run(&format!(
            "ALTER TABLE fresh_{door}.files DROP PARTITION (p = 1)"
        ))
        .await;
    assert_eq!(admin.value(sql).await, "100", "a partition was dropped");
}

async fn hidden_columns_are_those_of_the_files_as_they_are(door: Door) {
    let (_, admin, folder) = cached(door, "hidden").await;
    let table = format!("fresh_{door}.hidden");
    let names = &format!(
        "SELECT regexp_replace(\"$path\", '.*/', '') FROM {table} WHERE \"$file_size\" > 0 ORDER BY 1"
    );
    let times = &format!("SELECT max(\"$file_modified_time\") FROM {table}");
    let old = std::time::SystemTime::now() - Duration::from_secs(60);
    let aged = |name: &str, back: u64| {
        let path = folder.path.join(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(old - Duration::from_secs(back)).unwrap();
    };
    aged("p=1/a.parquet", 9);
    for _ in 0..2 {
        assert_eq!(admin.text(names).await, "a.parquet");
    }
    assert_eq!(record(&admin, names).await, "t|f|SUCCEEDED");
    folder.put("p=1/b.parquet", rows(&[1]));
    aged("p=1/b.parquet", 8);
    assert_eq!(admin.text(names).await, "a.parquet\nb.parquet");
    let before = admin.value(times).await;
    aged("p=1/b.parquet", 7);
    assert_ne!(admin.value(times).await, before, "the file was touched");
    folder.remove("p=1/a.parquet");
    assert_eq!(admin.text(names).await, "b.parquet");
    let partitions = &format!("SELECT count(*) FROM fresh_{door}.\"hidden$partitions\"");
    assert_eq!(admin.value(partitions).await, "1");
    let add = format!("ALTER TABLE {table} ADD PARTITION (p = 5)");
    admin.run(&add).await;
    assert_eq!(admin.value(partitions).await, "2");
}

async fn file_replaced_within_the_tick_of_its_clock_is_seen(door: Door) {
    let (_, admin, folder) = cached(door, "tick").await;
    let sql = &format!("SELECT sum(id) FROM fresh_{door}.tick");
    let path = folder.path.join("p=1/a.parquet");
    for id in [3, 4, 5, 6] {
        // Overwritten in place just now: same name, same size, possibly the same modification time.
        std::fs::write(&path, rows(&[id])).unwrap();
        assert_eq!(admin.value(sql).await, id.to_string());
    }
}

async fn redefined_table_gives_its_own_answer(door: Door) {
    let (server, admin, folder) = cached(door, "again").await;
    let sql = &format!("SELECT sum(id) FROM fresh_{door}.again");
    assert_eq!(admin.value(sql).await, "1");
    let other = Folder::new(server, "again_other");
    other.put("p=1/a.parquet", rows(&[50]));
    let table = format!("fresh_{door}.again");
    admin.run(&format!("DROP TABLE {table}")).await;
    create(&admin, &table, &other).await;
    assert_eq!(admin.value(sql).await, "50");
    drop(folder);
}

async fn revoked_and_other_users_never_get_another_ones_result(door: Door) {
    let (server, admin, _) = cached(door, "grants").await;
    let secret = "a long enough secret";
    let (a, b) = (format!("fresh_a_{door}"), format!("fresh_b_{door}"));
    let table = format!("TABLE fresh_{door}.grants");
    admin
        .run_each(&[
            &format!("CREATE USER {a} WITH PASSWORD '{secret}'"),
            &format!("CREATE USER {b} WITH PASSWORD '{secret}'"),
            &format!("GRANT SELECT ON {table} TO {a}"),
        ])
        .await;
    let revoke = format!("REVOKE SELECT ON {table} FROM {a}");
    let grant_one = format!("GRANT SELECT (p) ON {table} TO {a}");
    let a = door.connect_as(server, &a, secret, "awsdatacatalog").await;
    let b = door.connect_as(server, &b, secret, "awsdatacatalog").await;
    let sql = &format!("SELECT sum(id) FROM fresh_{door}.grants");
    for _ in 0..2 {
        assert_eq!(a.value(sql).await, "1");
        assert_eq!(b.fails(sql).await.code, "42P01");
    }
    admin.run(&revoke).await;
    assert_eq!(a.fails(sql).await.code, "42P01");
    // With one column fewer, SELECT * is a different query.
    admin.run(&grant_one).await;
    let all = &format!("SELECT * FROM fresh_{door}.grants");
    assert_eq!(a.columns(all).await, ["p"]);
    assert_eq!(admin.columns(all).await, ["id", "p"]);
}

async fn volatile_queries_and_session_settings_are_not_mixed_up(door: Door) {
    let (_, admin, _) = cached(door, "volatile").await;
    let random = &format!("SELECT random() FROM fresh_{door}.volatile");
    assert_ne!(admin.value(random).await, admin.value(random).await);
    let zone = &format!(
        "SELECT CAST(TIMESTAMP '2024-06-01 00:00:00' AS TIMESTAMP WITH TIME ZONE) = TIMESTAMP WITH TIME ZONE '2024-06-01 00:00:00+00', id FROM fresh_{door}.volatile"
    );
    let utc = admin.text(zone).await;
    assert_eq!(utc, "t|1");
    admin.run("SET TimeZone = 'Asia/Tokyo'").await;
    assert_eq!(admin.text(zone).await, "f|1");
    admin.run("RESET TimeZone").await;
    assert_eq!(admin.text(zone).await, utc);
}

async fn identical_queries_in_flight_run_once(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let sql = "SELECT count(*) FROM curated.orders a JOIN curated.orders b ON a.quantity <= b.quantity JOIN curated.products p ON a.total + b.total > p.price";
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(door.connect(&server, "admin").await);
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

through_each_door!(
    second_time_is_a_hit_that_scans_nothing,
    changed_added_and_removed_files_are_seen_at_once,
    hidden_columns_are_those_of_the_files_as_they_are,
    file_replaced_within_the_tick_of_its_clock_is_seen,
    redefined_table_gives_its_own_answer,
    revoked_and_other_users_never_get_another_ones_result,
    volatile_queries_and_session_settings_are_not_mixed_up,
    identical_queries_in_flight_run_once,
);
