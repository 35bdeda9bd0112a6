//! A LOCATION lies under a lake root or is refused by name.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::Server;
use crate::harness::files::{Folder, Values, batch, parquet};

#[tokio::test]
async fn locations_outside_the_lake_are_refused_by_name() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin.run("CREATE DATABASE refused").await;
    for location in [
        "file:///etc/",
        "/etc/",
        "s3://datalake/../../etc/",
        "s3://datalake/curated/../../../etc/",
        "s3://datalake/%2e%2e/%2e%2e/etc/",
        "s3://datalake2/curated/orders/",
        "s3://other-bucket/curated/",
        "S3://OTHER/curated/",
        "http://example.com/data/",
        "https://datalake.s3.amazonaws.com/curated/",
        "s3a://other-bucket/x/",
        "hdfs://namenode/x/",
        "s3://",
        "s3:///curated/",
        "s3://datalake@other-bucket/x/",
        "s3://other-bucket:datalake/x/",
        "nonsense",
        "",
    ] {
        let sql = format!(
            "CREATE EXTERNAL TABLE refused.t (id INT) STORED AS PARQUET LOCATION '{location}'"
        );
        let failure = admin.fails(&sql).await;
        assert!(
            ["42501", "22023", "42P16"].contains(&failure.code.as_str()),
            "{location}: {failure:?}"
        );
        failure.names(&[location]);
    }
    assert_eq!(admin.text("SHOW TABLES IN refused").await, "");
    let server_dir = server.dir.display();
    admin
        .fails(&format!("CREATE EXTERNAL TABLE refused.t (id INT) STORED AS PARQUET LOCATION 'file://{server_dir}/../'"))
        .await;
}

#[tokio::test]
async fn every_statement_that_takes_a_location_refuses_one_outside() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "inside");
    admin
        .run(&format!(
            "CREATE DATABASE refused_later;
             CREATE EXTERNAL TABLE refused_later.t (id INT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{}';
             ALTER TABLE refused_later.t ADD PARTITION (p = 1)",
            folder.location
        ))
        .await;
    for sql in [
        "ALTER TABLE refused_later.t SET LOCATION 's3://other-bucket/x/'",
        "ALTER TABLE refused_later.t PARTITION (p = 1) SET LOCATION 's3://other-bucket/x/'",
        "ALTER TABLE refused_later.t ADD PARTITION (p = 2) LOCATION 's3://other-bucket/x/'",
        "CREATE DATABASE refused_db LOCATION 's3://other-bucket/x/'",
    ] {
        admin.fails(sql).await.names(&["s3://other-bucket/x/"]);
    }
}

#[tokio::test]
async fn links_that_lead_out_of_the_lake_are_not_followed() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let outside = tempfile::tempdir().unwrap();
    let secret = parquet(&batch(&[("id", Values::Int(&[666]))]), 10);
    fs::write(outside.path().join("secret.parquet"), &secret).unwrap();
    fs::create_dir(outside.path().join("deep")).unwrap();
    fs::write(outside.path().join("deep/secret.parquet"), &secret).unwrap();

    let folder = Folder::new(server, "links");
    folder.put(
        "file/honest.parquet",
        parquet(&batch(&[("id", Values::Int(&[1]))]), 10),
    );
    symlink(
        outside.path().join("secret.parquet"),
        folder.path.join("file/link.parquet"),
    )
    .unwrap();
    folder.put(
        "folder/honest.parquet",
        parquet(&batch(&[("id", Values::Int(&[1]))]), 10),
    );
    symlink(outside.path(), folder.path.join("folder/link")).unwrap();
    symlink(outside.path(), folder.path.join("itself")).unwrap();

    admin.run("CREATE DATABASE links").await;
    for name in ["file", "folder", "itself", "itself/deep"] {
        let table = name.replace('/', "_");
        let create = format!(
            "CREATE EXTERNAL TABLE links.{table} (id BIGINT) STORED AS PARQUET LOCATION '{}{name}/'",
            folder.location
        );
        // Refused at once, or when it is read; never answered with what lies outside.
        if admin.try_rows(&create).await.is_ok()
            && let Ok(rows) = admin
                .try_rows(&format!("SELECT id FROM links.{table}"))
                .await
        {
            assert!(
                !format!("{rows:?}").contains("666"),
                "{name} leads out: {rows:?}"
            );
        }
    }
}

#[tokio::test]
async fn table_functions_and_file_names_do_not_open_files() {
    let admin = Server::shared().connect("admin").await;
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/lakegate-copy.csv'",
        "COPY curated.orders FROM '/etc/passwd'",
        "CREATE TABLE x AS SELECT * FROM '/etc/passwd'",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    ] {
        admin.fails(sql).await;
    }
}
