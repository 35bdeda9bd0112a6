//! Results that may be slightly old, if the workgroup allows it and the session requests it.

use std::time::Duration;

use crate::harness::files::{Folder, Values, batch, parquet};
use crate::harness::{Client, Server};

const PASSWORD: &str = "a long enough secret";

/// Returns a Parquet file of one row.
pub(crate) fn one_row(id: i64) -> Vec<u8> {
    parquet(&batch(&[("id", Values::Int(&[id]))]), 100)
}

/// Creates a table of one row, `1`, and a workgroup of the same name that allows this staleness.
pub(crate) async fn stale(name: &str, allowed: &str) -> (&'static Server, Client, Folder) {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, name);
    folder.put("p=1/a.parquet", one_row(1));
    admin
        .run(&format!(
            "CREATE DATABASE IF NOT EXISTS stale;
             CREATE EXTERNAL TABLE stale.{name} (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE stale.{name};
             CREATE WORKGROUP {name} WITH (max_staleness = '{allowed}');
             SET workgroup = '{name}'",
            folder.location
        ))
        .await;
    (server, admin, folder)
}

#[tokio::test]
async fn changed_files_are_not_seen_until_the_result_is_too_old() {
    let (_, admin, folder) = stale("stale_files", "10min").await;
    let sql = "SELECT sum(id) FROM stale.stale_files";
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=1/b.parquet", one_row(10));
    admin.run("SET staleness = '10min'").await;
    assert_eq!(admin.value(sql).await, "1", "the stored result");
    let hit = admin
        .text(&format!(
            "SELECT cache_hit, bytes_scanned FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
        ))
        .await;
    assert_eq!(hit, "t|0");
    // Other queries of the table have no stored result.
    assert_eq!(
        admin.value("SELECT max(id) FROM stale.stale_files").await,
        "10"
    );
    // A session that did not request staleness sees the current files; afterwards, so do sessions
    // that did.
    admin.run("RESET staleness").await;
    assert_eq!(admin.value(sql).await, "11");
    admin.run("SET staleness = '10min'").await;
    assert_eq!(admin.value(sql).await, "11");
    folder.put("p=1/c.parquet", one_row(100));
    admin.run("SET result_reuse = fresh").await;
    assert_eq!(
        admin.value(sql).await,
        "111",
        "fresh runs whatever is stored"
    );
    admin.run("RESET result_reuse").await;
    folder.put("p=1/d.parquet", one_row(1000));
    admin.run("SET staleness = '100ms'").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        admin.value(sql).await,
        "1111",
        "the stored result is too old"
    );
}

/// A result that was verified as unchanged is as young as the verification.
#[tokio::test]
async fn age_is_that_of_the_last_listing_that_found_nothing_changed() {
    let (_, admin, folder) = stale("stale_age", "10min").await;
    let sql = "SELECT sum(id) FROM stale.stale_age";
    assert_eq!(admin.value(sql).await, "1");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=1/b.parquet", one_row(10));
    admin.run("SET staleness = '2s'").await;
    assert_eq!(admin.value(sql).await, "1");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(admin.value(sql).await, "11");
}

#[tokio::test]
async fn what_the_catalog_says_is_always_of_now() {
    let (server, admin, folder) = stale("stale_catalog", "10min").await;
    let sql = "SELECT sum(id) FROM stale.stale_catalog";
    admin.run("SET staleness = '10min'").await;
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=2/b.parquet", one_row(10));
    admin
        .run("ALTER TABLE stale.stale_catalog ADD PARTITION (p = 2)")
        .await;
    assert_eq!(admin.value(sql).await, "11", "a partition was added");
    admin
        .run("ALTER TABLE stale.stale_catalog DROP PARTITION (p = 1)")
        .await;
    assert_eq!(admin.value(sql).await, "10", "a partition was dropped");
    let other = Folder::new(server, "stale_catalog_other");
    other.put("p=2/a.parquet", one_row(50));
    admin
        .run(&format!(
            "DROP TABLE stale.stale_catalog;
             CREATE EXTERNAL TABLE stale.stale_catalog (id BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE stale.stale_catalog",
            other.location
        ))
        .await;
    assert_eq!(admin.value(sql).await, "50", "the table is another");
}

#[tokio::test]
async fn grants_are_always_those_of_now() {
    let (server, admin, folder) = stale("stale_grants", "10min").await;
    admin
        .run(&format!(
            "CREATE USER stale_ann WITH PASSWORD '{PASSWORD}';
             GRANT USAGE ON WORKGROUP stale_grants TO stale_ann;
             GRANT SELECT ON TABLE stale.stale_grants TO stale_ann;
             SET staleness = '10min'"
        ))
        .await;
    let ann = server
        .connect_as("stale_ann", PASSWORD, "awsdatacatalog")
        .await;
    ann.run("SET workgroup = 'stale_grants'; SET staleness = '10min'")
        .await;
    let sql = "SELECT sum(id) FROM stale.stale_grants";
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=1/a.parquet", one_row(2));
    assert_eq!(
        ann.value(sql).await,
        "1",
        "a user with the same rights reads the same result"
    );
    admin
        .run("REVOKE SELECT ON TABLE stale.stale_grants FROM stale_ann; GRANT SELECT (p) ON TABLE stale.stale_grants TO stale_ann")
        .await;
    assert_eq!(ann.fails(sql).await.code, "42703");
    let count = "SELECT count(*) FROM stale.stale_grants";
    assert_eq!(admin.value(count).await, "1");
    folder.put("p=1/b.parquet", one_row(3));
    assert_eq!(
        ann.value(count).await,
        "2",
        "a user with fewer rights does not read that result"
    );
}

#[tokio::test]
async fn workgroup_says_how_much() {
    let (_server, admin, folder) = stale("stale_limit", "1min").await;
    let refused = admin.fails("SET staleness = '2min'").await;
    refused.names(&["2min", "stale_limit", "1min", "max_staleness"]);
    assert_eq!(refused.code, "22023");
    admin.run("SET staleness = '60s'").await;
    assert_eq!(admin.value("SHOW staleness").await, "1min");
    assert_eq!(admin.fails("SET staleness = 'a while'").await.code, "22023");
    // The workgroup's current limit decides, whatever was set before.
    let sql = "SELECT sum(id) FROM stale.stale_limit";
    assert_eq!(admin.value(sql).await, "1");
    folder.put("p=1/a.parquet", one_row(2));
    admin.run("SET workgroup = 'primary'").await;
    assert_eq!(admin.value(sql).await, "2");
    let refused = admin.fails("SET staleness = '1s'").await;
    refused.names(&["primary", "which is 0"]);
    admin.run("SET workgroup = 'stale_limit'").await;
    folder.put("p=1/a.parquet", one_row(3));
    admin
        .run("ALTER WORKGROUP stale_limit RESET (max_staleness)")
        .await;
    assert_eq!(admin.value(sql).await, "3");
}
