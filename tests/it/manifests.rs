//! Tables of manifests, as Delta Lake writes them for engines that do not read its log.

use crate::harness::Server;
use crate::harness::files::{Folder, Values, batch, parquet};

const MANIFESTS: &str = "STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat' \
     OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'";

#[tokio::test]
async fn manifests_of_delta_tables_name_the_files_that_are_read() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "delta");
    let other = Folder::new(server, "other");
    let location = &folder.location;
    let row = |id| parquet(&batch(&[("id", Values::Int(&[id]))]), 10);
    folder.put("day=1/a.parquet", row(1));
    folder.put("day=1/old.parquet", row(9));
    folder.put("day=2/b.parquet", row(2));
    other.put("secret.parquet", row(7));
    folder.put(
        "_symlink_format_manifest/day=1/manifest",
        format!("{location}day=1/a.parquet\n"),
    );
    folder.put(
        "_symlink_format_manifest/day=2/manifest",
        format!("{location}day=2/b.parquet"),
    );
    admin
        .run(&format!(
            "CREATE DATABASE IF NOT EXISTS manifests;
             CREATE EXTERNAL TABLE manifests.delta (id BIGINT) PARTITIONED BY (day INT)
             ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' {MANIFESTS}
             LOCATION '{location}_symlink_format_manifest/';
             MSCK REPAIR TABLE manifests.delta"
        ))
        .await;
    let rows = "SELECT id, day FROM manifests.delta ORDER BY id";
    assert_eq!(admin.text(rows).await, "1|1\n2|2");
    let paths = admin
        .text("SELECT \"$path\" FROM manifests.delta WHERE day = 2")
        .await;
    assert_eq!(paths, format!("{location}day=2/b.parquet"));
    // The next query reads what the manifest says then.
    folder.put(
        "_symlink_format_manifest/day=1/manifest",
        format!("{location}day=1/a.parquet\n{location}day=1/old.parquet\n"),
    );
    assert_eq!(admin.text(rows).await, "1|1\n2|2\n9|1");

    for (line, part) in [
        (
            format!("{}secret.parquet", other.location),
            "secret.parquet",
        ),
        ("file:///etc/passwd".to_owned(), "passwd"),
        (format!("{location}../other/secret.parquet"), ".."),
    ] {
        folder.put("_symlink_format_manifest/day=2/manifest", &line);
        let failure = admin.fails(rows).await;
        assert_eq!(failure.code, "42501", "{line}: {failure:?}");
        failure.names(&["day=2/manifest", part, "no file below"]);
    }
    folder.put(
        "_symlink_format_manifest/day=2/manifest",
        format!("{location}day=2/gone.parquet"),
    );
    admin
        .fails(rows)
        .await
        .names(&["gone.parquet", "does not exist"]);
}
