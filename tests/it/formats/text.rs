//! JSON, CSV and other text, plain and compressed.

use super::table;
use crate::harness::Server;
use crate::harness::files::{Folder, through};

const OPENX: &str = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";
const HCATALOG: &str = "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'";
const OPEN_CSV: &str = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'";

#[tokio::test]
async fn json_lines_with_missing_extra_duplicate_and_upper_case_keys() {
    let lake = table(
        "json_keys",
        "id BIGINT, name STRING, tags ARRAY<STRING>, at STRUCT<x:INT,y:INT>",
        OPENX,
    )
    .await;
    lake.folder.put(
        "f.json",
        br#"{"id": 1, "name": "one", "tags": ["a", "b"], "at": {"x": 1, "y": 2}}
{"id": 2, "extra": {"deep": [1, 2]}}
{"ID": 3, "Name": "upper"}
{"id": 4, "name": null, "tags": [], "at": {"x": 5}}

{"id": 5, "name": "first", "name": "last"}
"#,
    );
    assert_eq!(
        lake.admin
            .text(&format!("SELECT id, name FROM {} ORDER BY id", lake.table))
            .await,
        "1|one\n2|NULL\n3|upper\n4|NULL\n5|last"
    );
    assert_eq!(
        lake.admin
            .value(&format!("SELECT at.y FROM {} WHERE id = 1", lake.table))
            .await,
        "2"
    );
    assert_eq!(
        lake.admin
            .value(&format!("SELECT tags[2] FROM {} WHERE id = 1", lake.table))
            .await,
        "b"
    );
}

#[tokio::test]
async fn malformed_json_fails_and_names_the_file_unless_the_serde_ignores_it() {
    let text = b"{\"id\": 1}\nthis is no JSON\n{\"id\": 3}\n";
    for (name, serde) in [("malformed_openx", OPENX), ("malformed_hcatalog", HCATALOG)] {
        let lake = table(name, "id BIGINT", serde).await;
        lake.folder.put("rows.json", text);
        lake.admin
            .fails(&format!("SELECT * FROM {}", lake.table))
            .await
            .names(&["rows.json"]);
    }
    let ignoring = format!("{OPENX} WITH SERDEPROPERTIES ('ignore.malformed.json'='true')");
    let lake = table("malformed_ignored", "id BIGINT", &ignoring).await;
    lake.folder.put("rows.json", text);
    // The row is kept with NULL columns, as by the openx SerDe.
    assert_eq!(lake.all().await, "1\n3\nNULL");
}

#[tokio::test]
async fn csv_with_header_quotes_and_delimiters() {
    let quoted = format!(
        "{OPEN_CSV} WITH SERDEPROPERTIES ('separatorChar'=';','quoteChar'='\\'') STORED AS TEXTFILE"
    );
    let lake = table("csv_quoted", "id STRING, name STRING", &quoted).await;
    lake.folder.put("f.csv", b"1;'a;b'\n2;plain\n");
    assert_eq!(lake.all().await, "1|a;b\n2|plain");

    let server = Server::shared();
    let folder = Folder::new(server, "csv_header");
    folder.put(
        "f.csv",
        b"id,name\n1,\"Smith, John\"\n2,\"say \"\"hi\"\"\"\n",
    );
    lake.admin
        .run(&format!(
            "CREATE EXTERNAL TABLE formats.csv_header (id INT, name STRING) {OPEN_CSV} STORED AS TEXTFILE LOCATION '{}'
             TBLPROPERTIES ('skip.header.line.count'='1')",
            folder.location
        ))
        .await;
    assert_eq!(
        lake.admin
            .text("SELECT id + 1, name FROM formats.csv_header ORDER BY id")
            .await,
        "2|Smith, John\n3|say \"hi\""
    );
}

#[tokio::test]
async fn tab_separated_text_with_its_own_null() {
    let lake = table(
        "tsv",
        "id INT, name STRING, price DECIMAL(10,2), day DATE, ok BOOLEAN",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' NULL DEFINED AS 'nil' STORED AS TEXTFILE",
    )
    .await;
    lake.folder.put(
        "f.tsv",
        b"1\tone\t1.50\t2024-02-29\ttrue\n2\tnil\tnil\tnil\tnil\n3\t\t2\t2024-01-01\tfalse\n",
    );
    assert_eq!(
        lake.all().await,
        "1|one|1.50|2024-02-29|t\n2|NULL|NULL|NULL|NULL\n3||2.00|2024-01-01|f"
    );
}

#[tokio::test]
async fn lazy_simple_text_that_does_not_parse_is_null() {
    let lake = table(
        "lazy",
        "id INT, price DOUBLE",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE",
    )
    .await;
    lake.folder.put("f.csv", b"1,1.5\n2,many\n3\n4,2.5,extra\n");
    assert_eq!(lake.all().await, "1|1.5\n2|NULL\n3|NULL\n4|2.5");
}

#[tokio::test]
async fn json_and_csv_are_read_through_gzip_bzip2_and_zstd() {
    let json = table("packed_json", "id BIGINT", OPENX).await;
    let csv = table(
        "packed_csv",
        "id BIGINT",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE",
    )
    .await;
    for (i, (program, suffix)) in [("gzip", "gz"), ("bzip2", "bz2"), ("zstd", "zst")]
        .into_iter()
        .enumerate()
    {
        json.folder.put(
            &format!("f{i}.json.{suffix}"),
            through(program, format!("{{\"id\": {i}}}\n").as_bytes()),
        );
        csv.folder.put(
            &format!("f{i}.csv.{suffix}"),
            through(program, format!("{i}\n").as_bytes()),
        );
    }
    json.folder.put("plain.json", b"{\"id\": 9}");
    assert_eq!(json.all().await, "0\n1\n2\n9");
    assert_eq!(csv.all().await, "0\n1\n2");
}

#[tokio::test]
async fn damaged_gzip_is_an_error_that_names_the_file() {
    let lake = table("cut_gzip", "id BIGINT", OPENX).await;
    let lines: String = (0..10_000).map(|i| format!("{{\"id\": {i}}}\n")).collect();
    let packed = through("gzip", lines.as_bytes());
    lake.folder.put("cut.json.gz", &packed[..packed.len() / 2]);
    lake.admin
        .fails(&format!("SELECT count(id) FROM {}", lake.table))
        .await
        .names(&["cut.json.gz"]);
}

#[tokio::test]
async fn row_longer_than_the_bound_is_an_error_and_not_memory() {
    let server = Server::private(&[("LAKEGATE_LAKE__MAX_ROW_SIZE", "64KiB")]);
    let admin = server.connect("admin").await;
    let folder = Folder::new(&server, "long_row");
    folder.put(
        "f.json",
        format!("{{\"id\": 1, \"note\": \"{}\"}}\n", "x".repeat(100_000)),
    );
    admin.run("CREATE DATABASE formats").await;
    admin
        .run(&format!(
            "CREATE EXTERNAL TABLE formats.long_row (id INT, note STRING) {OPENX} LOCATION '{}'",
            folder.location
        ))
        .await;
    admin
        .fails("SELECT * FROM formats.long_row")
        .await
        .names(&["row", "f.json"]);
}
