//! A workgroup's cutoff stops a running scan, for every format and store.

use std::fs;
use std::io::Write;

use crate::harness::files::{big_batch, parquet, through};
use crate::harness::s3::S3;
use crate::harness::{Client, Door, Server, lake, server, through_each_door};

const CUTOFF: u64 = 1 << 20;
const ROWS: u64 = 200_000;
/// The largest request to a store for one stream, in bytes.
const PIECE: u64 = 512 * 1024;

/// Returns the bytes that may be read beyond the cutoff: the current piece of each stream. The
/// servers have a query thread per core, and a scan has a stream per query thread.
fn overshoot() -> u64 {
    let streams = std::thread::available_parallelism().map_or(2, usize::from);
    PIECE * u64::try_from(streams).unwrap()
}

/// Returns the same rows, more than eight megabytes, as Parquet (many row groups), JSON lines and
/// CSV; about half that size when gzipped.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let rows = big_batch(ROWS);
    let ids = rows
        .column(0)
        .as_any()
        .downcast_ref::<arrow::array::Int64Array>()
        .unwrap();
    let notes = rows
        .column(1)
        .as_any()
        .downcast_ref::<arrow::array::StringArray>()
        .unwrap();
    let (mut json, mut csv) = (Vec::new(), Vec::new());
    for i in 0..rows.num_rows() {
        writeln!(
            json,
            "{{\"id\":{},\"note\":\"{}\"}}",
            ids.value(i),
            notes.value(i)
        )
        .unwrap();
        writeln!(csv, "{},{}", ids.value(i), notes.value(i)).unwrap();
    }
    vec![
        ("parquet/f.parquet", parquet(&rows, 5_000)),
        ("json_gz/f.json.gz", through("gzip", &json)),
        ("json/f.json", json),
        ("csv/f.csv", csv),
    ]
}

const OPENX: &str = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";

const TABLES: [(&str, &str); 4] = [
    ("parquet", "STORED AS PARQUET"),
    ("json", OPENX),
    ("json_gz", OPENX),
    ("csv", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"),
];

async fn tables(admin: &Client) {
    admin.run("CREATE DATABASE big").await;
    for (name, format) in TABLES {
        admin
            .run(&format!(
                "CREATE EXTERNAL TABLE big.{name} (id BIGINT, note STRING) {format} LOCATION 's3://datalake/tests/big/{name}/'"
            ))
            .await;
    }
    admin
        .run(&format!(
            "CREATE WORKGROUP small WITH (bytes_scanned_cutoff_per_query = {CUTOFF})"
        ))
        .await;
    admin.run("SET result_reuse = off").await;
}

/// Checks that every format stops soon after the cutoff with an error that has both numbers, and
/// does not stop without the workgroup.
async fn every_format_stops(admin: &Client, sizes: &[(&str, u64)]) {
    for (name, _) in TABLES {
        let sql = format!("SELECT sum(length(note)) FROM big.{name}");
        assert_eq!(admin.number(&sql).await, i64::try_from(ROWS * 32).unwrap());
        let all = last_scanned(admin, &sql).await;
        let size = sizes.iter().find(|(format, _)| *format == name).unwrap().1;
        assert!(
            all > size / 2 && all <= size + (1 << 20),
            "{name}: {all} bytes scanned of a file of {size}"
        );

        admin.run("SET workgroup = 'small'").await;
        let failure = admin.fails(&sql).await;
        assert_eq!(failure.code, "54000", "{failure:?}");
        failure.names(&[&CUTOFF.to_string()]);
        let stopped = last_scanned(admin, &sql).await;
        assert!(
            (CUTOFF / 2..=CUTOFF).contains(&stopped),
            "{name}: stopped after {stopped} of {all} bytes"
        );
        let fetched = last(admin, "bytes_fetched", &sql).await;
        assert!(
            fetched <= CUTOFF + overshoot(),
            "{name}: {fetched} bytes were read"
        );
        failure.names(&[&stopped.to_string()]);
        // A query that needs less than the cutoff still runs.
        assert_eq!(admin.value("SELECT 1").await, "1");
        admin.run("RESET workgroup").await;
    }
}

async fn last_scanned(admin: &Client, sql: &str) -> u64 {
    last(admin, "bytes_scanned", sql).await
}

/// Returns a numeric column of the last record of a query.
async fn last(admin: &Client, column: &str, sql: &str) -> u64 {
    let number = admin
        .number(&format!(
            "SELECT {column} FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
        ))
        .await;
    u64::try_from(number).unwrap()
}

async fn cutoff_stops_every_format_on_local_files(door: Door) {
    let server = Server::private(&[]);
    let mut sizes = Vec::new();
    for (name, bytes) in files() {
        let path = server.dir.join("tests/big").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &bytes).unwrap();
        sizes.push((
            name.split('/').next().unwrap(),
            u64::try_from(bytes.len()).unwrap(),
        ));
    }
    let admin = door.connect(&server, "admin").await;
    tables(&admin).await;
    every_format_stops(&admin, &sizes).await;
}

async fn cutoff_stops_every_format_on_s3(door: Door) {
    let s3 = S3::start().await;
    let mut sizes = Vec::new();
    for (name, bytes) in files() {
        sizes.push((
            name.split('/').next().unwrap(),
            u64::try_from(bytes.len()).unwrap(),
        ));
        s3.put(&format!("tests/big/{name}"), bytes).await;
    }
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let (server, _) = server::serving(temp.path(), &s3.root()).await;
    let admin = door.connect(&server, "admin").await;
    tables(&admin).await;
    every_format_stops(&admin, &sizes).await;
    drop(server);
}

async fn workgroup_must_be_granted_and_is_set_for_a_user_or_a_session(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    admin
        .run_each(&[
            "CREATE WORKGROUP tiny WITH (bytes_scanned_cutoff_per_query = 10)",
            "CREATE WORKGROUP roomy",
        ])
        .await;
    let analyst = door.connect(&server, "analyst").await;
    analyst.run("SET result_reuse = off").await;
    let sql = "SELECT sum(total) FROM curated.orders";
    let refused = analyst.fails("SET workgroup = 'tiny'").await;
    assert_eq!(
        refused.message.replace("tiny", "x"),
        analyst
            .fails("SET workgroup = 'nosuch'")
            .await
            .message
            .replace("nosuch", "x")
    );
    admin.run("GRANT USAGE ON WORKGROUP tiny TO analyst").await;
    analyst.run("SET workgroup = 'tiny'").await;
    assert_eq!(analyst.fails(sql).await.code, "54000");
    analyst.run("RESET workgroup").await;
    analyst.run(sql).await;

    admin.run("ALTER USER analyst SET WORKGROUP tiny").await;
    let next = door.connect(&server, "analyst").await;
    next.run("SET result_reuse = off").await;
    assert_eq!(next.value("SHOW workgroup").await, "tiny");
    assert_eq!(next.fails(sql).await.code, "54000");
    admin
        .run("ALTER WORKGROUP tiny SET (bytes_scanned_cutoff_per_query = 1000000000)")
        .await;
    next.run(sql).await;
    assert!(admin.text("SHOW WORKGROUPS").await.contains("tiny"));
    admin.run("DROP WORKGROUP roomy").await;
    assert!(!admin.text("SHOW WORKGROUPS").await.contains("roomy"));
}

async fn cached_result_passes_any_cutoff(door: Door) {
    let server = Server::private(&[]);
    let admin = door.connect(&server, "admin").await;
    admin
        .run("CREATE WORKGROUP tiny WITH (bytes_scanned_cutoff_per_query = 10)")
        .await;
    // The demo's files must be older than two seconds; younger ones are not cached.
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let sql = "SELECT sum(total) FROM curated.orders";
    let first = admin.value(sql).await;
    admin.run("SET workgroup = 'tiny'").await;
    assert_eq!(admin.value(sql).await, first);
    admin.run("SET result_reuse = off").await;
    assert_eq!(admin.fails(sql).await.code, "54000");
}

through_each_door!(
    cutoff_stops_every_format_on_local_files,
    cutoff_stops_every_format_on_s3,
    workgroup_must_be_granted_and_is_set_for_a_user_or_a_session,
    cached_result_passes_any_cutoff,
);
