//! Rows that are added to tables of text: JSON and delimited text, in the compression of the table.

use super::*;

/// Texts that a file of lines has to escape, and NULL beside the empty text.
fn notes() -> RecordBatch {
    let notes = [
        Some("a,b\n\"c\"\\"),
        Some(""),
        None,
        Some("\\N"),
        Some("é😀"),
    ];
    batch(&[
        ("id", Values::Int(&[1, 2, 3, 4, i64::MIN])),
        (
            "note",
            Values::Array(Arc::new(StringArray::from(notes.to_vec()))),
        ),
        (
            "day",
            Values::Array(Arc::new(Date32Array::from(vec![0, 0, 1, 1, 1]))),
        ),
    ])
}

#[tokio::test]
async fn rows_are_added_to_tables_of_text() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_text");
    admin
        .run(&format!(
            "CREATE DATABASE ing_text LOCATION '{}'",
            folder.location
        ))
        .await;
    let mut flight = server.flight("admin").await;
    let delimited = r"ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\'";
    let openx = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";
    let hive = "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'";
    for (table, rows, compression, end) in [
        ("lines", delimited, "", ".txt.gz"),
        ("plain", delimited, "NONE", ".txt"),
        ("openx", openx, "ZSTD", ".json.zst"),
        ("hive", hive, "BZIP2", ".json.bz2"),
    ] {
        let properties = match compression {
            "" => String::new(),
            codec => format!("TBLPROPERTIES ('write.compression' = '{codec}')"),
        };
        admin
            .run(&format!(
                "CREATE EXTERNAL TABLE ing_text.{table} (id BIGINT, note STRING) PARTITIONED BY (day DATE)
                 {rows} STORED AS TEXTFILE LOCATION '{}{table}/' {properties}",
                folder.location
            ))
            .await;
        let append = || into(&format!("ing_text.{table}"), Mode::Append);
        for _ in 0..2 {
            let written = ingest(&mut flight, append(), vec![notes()]).await;
            assert_eq!(written.unwrap(), 5, "{table}");
        }
        let written = files(&folder.path.join(table));
        assert_eq!(written.len(), 4, "{written:?}");
        assert!(
            written.iter().all(|file| file.ends_with(end)),
            "{written:?}"
        );
        let counted = admin
            .text(&format!(
                "SELECT count(*), count(note), min(id), count(DISTINCT day),
                     sum(CASE WHEN note = 'a,b\n\"c\"\\' THEN 1 END),
                     sum(CASE WHEN note = '' THEN 1 END), sum(CASE WHEN note = '\\N' THEN 1 END),
                     max(note)
                 FROM ing_text.{table}"
            ))
            .await;
        assert_eq!(counted, format!("10|8|{}|2|2|2|2|é😀", i64::MIN), "{table}");
    }
}

#[tokio::test]
async fn value_without_a_form_in_text_is_refused_and_leaves_nothing() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_unescaped");
    admin
        .run(&format!(
            "CREATE DATABASE ing_unescaped LOCATION '{location}';
             CREATE EXTERNAL TABLE ing_unescaped.t (id BIGINT, note STRING) PARTITIONED BY (day DATE)
             ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION '{location}t/';
             CREATE EXTERNAL TABLE ing_unescaped.u (id BIGINT) STORED AS TEXTFILE LOCATION '{location}u/'
             TBLPROPERTIES ('write.compression' = 'LZO')",
            location = folder.location
        ))
        .await;
    let mut flight = server.flight("admin").await;
    let append = || into("ing_unescaped.t", Mode::Append);
    // Both partitions have a value that is not written: the error is of the first.
    for (rows, reason) in [
        (notes(), "a value with the delimiter"),
        (notes().slice(2, 3), "read as NULL"),
    ] {
        let refused = ingest(&mut flight, append(), vec![rows]).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.metadata().get("sqlstate").unwrap(), "22000");
        for part in ["\"note\"", reason, "ESCAPED BY"] {
            assert!(refused.message().contains(part), "{refused:?}");
        }
    }
    let append = into("ing_unescaped.u", Mode::Append);
    let refused = ingest(
        &mut flight,
        append,
        vec![batch(&[("id", Values::Int(&[1]))])],
    )
    .await;
    let refused = refused.unwrap_err();
    for part in ["ing_unescaped.u", "LZO", "GZIP"] {
        assert!(refused.message().contains(part), "{refused:?}");
    }
    assert!(files(&folder.path).is_empty());
}

/// A client may send decimals that have more digits than their type says.
#[tokio::test]
async fn values_that_their_columns_do_not_allow_are_refused() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_bounds");
    admin
        .run(&format!(
            "CREATE DATABASE ing_bounds LOCATION '{}'",
            folder.location
        ))
        .await;
    admin
        .run("CREATE TABLE ing_bounds.t (v VARCHAR(3), d DECIMAL(4, 2))")
        .await;
    let mut flight = server.flight("admin").await;
    let row = |text: &str, number: i128| {
        let decimals = Decimal128Array::from(vec![number]);
        let decimals = decimals.with_precision_and_scale(4, 2).unwrap();
        let texts = StringArray::from(vec![text]);
        batch(&[
            ("v", Values::Array(Arc::new(texts))),
            ("d", Values::Array(Arc::new(decimals))),
        ])
    };
    let append = || into("ing_bounds.t", Mode::Append);
    for (rows, state, column) in [
        (row("abcd", 1), "22001", "\"v\""),
        (row("a", 10_000), "22003", "\"d\""),
        (row("a", i128::MIN), "22003", "\"d\""),
    ] {
        let refused = ingest(&mut flight, append(), vec![rows]).await.unwrap_err();
        assert_eq!(refused.metadata().get("sqlstate").unwrap(), state);
        assert!(refused.message().contains(column), "{refused:?}");
    }
    let rows = vec![row("äöü  ", 9_999)];
    assert_eq!(ingest(&mut flight, append(), rows).await.unwrap(), 1);
    assert_eq!(
        admin.text("SELECT v || '.', d FROM ing_bounds.t").await,
        "äöü.|99.99"
    );
}
