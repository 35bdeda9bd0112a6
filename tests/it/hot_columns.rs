//! Columns that are read again and again are kept decoded: users see the same rows and the same
//! bytes scanned, and nothing that they may not read.

use std::fs;

use crate::harness::files::{big_batch, parquet};
use crate::harness::s3::S3;
use crate::harness::{Client, Server, lake, server};

const ROWS: u64 = 20_000;
const QUERY: &str = "SELECT sum(length(note)), sum(id) FROM hot.t";

/// The sums of [`QUERY`] over so many rows.
fn sums(rows: u64) -> String {
    format!("{}|{}", rows * 32, rows * (rows - 1) / 2)
}

async fn table(admin: &Client) {
    admin
        .run_each(&[
            "CREATE DATABASE hot",
            "CREATE EXTERNAL TABLE hot.t (id BIGINT, note STRING) STORED AS PARQUET LOCATION 's3://datalake/tests/hot/'",
            "SET result_reuse = off",
        ])
        .await;
}

/// Runs a query and returns its rows, and the bytes that it scanned and fetched.
async fn read(client: &Client, admin: &Client, sql: &str) -> (String, i64, i64) {
    let rows = client.text(sql).await;
    let of_last = async |column: &str| {
        admin
            .number(&format!(
                "SELECT {column} FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
            ))
            .await
    };
    (
        rows,
        of_last("bytes_scanned").await,
        of_last("bytes_fetched").await,
    )
}

#[tokio::test]
async fn columns_that_are_read_again_are_not_fetched_and_cost_the_same() {
    let s3 = S3::start().await;
    let file = |rows| parquet(&big_batch(rows), 5_000);
    s3.put("tests/hot/f.parquet", file(ROWS)).await;
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let (mut server, admin) = server::serving(temp.path(), &s3.root()).await;
    table(&admin).await;
    let (rows, scanned, fetched) = read(&admin, &admin, QUERY).await;
    assert_eq!(rows, sums(ROWS));
    assert!(fetched > 0);
    for _ in 0..3 {
        let again = read(&admin, &admin, QUERY).await;
        assert_eq!((again.0, again.1), (sums(ROWS), scanned));
    }
    assert_eq!(read(&admin, &admin, QUERY).await.2, 0);

    // What others read is nothing to a user that may not read it.
    admin
        .run_each(&[
            "CREATE USER narrow WITH PASSWORD 'a long enough secret'",
            "GRANT SELECT (id) ON TABLE hot.t TO narrow",
        ])
        .await;
    server.knows("narrow", "a long enough secret");
    let narrow = server.connect("narrow").await;
    narrow.run("SET result_reuse = off").await;
    assert_eq!(narrow.fails("SELECT note FROM hot.t").await.code, "42703");
    let of_ids = "SELECT sum(id) FROM hot.t";
    let (rows, of_narrow, fetched) = read(&narrow, &admin, of_ids).await;
    assert_eq!(rows, (ROWS * (ROWS - 1) / 2).to_string());
    assert!(of_narrow > 0 && of_narrow < scanned);
    assert_eq!(fetched, 0);

    // A limit on bytes counts what is kept.
    admin
        .run_each(&[
            "CREATE WORKGROUP tight WITH (bytes_scanned_cutoff_per_query = 100000)",
            "SET workgroup = 'tight'",
        ])
        .await;
    assert_eq!(admin.fails(QUERY).await.code, "54000");
    admin.run("RESET workgroup").await;

    s3.put("tests/hot/f.parquet", file(ROWS / 2)).await;
    for _ in 0..3 {
        assert_eq!(admin.text(QUERY).await, sums(ROWS / 2));
    }
}

#[tokio::test]
async fn nothing_is_kept_without_memory_for_it() {
    let server = Server::private(&[("LAKEGATE_ENGINE__COLUMN_CACHE", "0")]);
    let path = server.dir.join("tests/hot/f.parquet");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, parquet(&big_batch(ROWS), 5_000)).unwrap();
    // A file that is younger would not be kept in any case.
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let admin = server.connect("admin").await;
    table(&admin).await;
    for _ in 0..4 {
        let (rows, scanned, fetched) = read(&admin, &admin, QUERY).await;
        assert_eq!(rows, sums(ROWS));
        assert!(fetched > scanned / 2, "{fetched} of {scanned}");
    }
}
