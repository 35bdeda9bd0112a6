//! The two lakes: their secrets, files and tables.

use std::path::Path;

use crate::harness::files::{Values, batch, parquet, put};
use crate::harness::server::serving;
use crate::harness::{Client, Door, Server};

/// The hidden contents of one lake: words of equal length in both lakes, so that no size differs.
pub(super) struct Secret {
    pub(super) word: &'static str,
    pub(super) days: [&'static str; 2],
    pub(super) number: i64,
}

pub(super) const SECRETS: [Secret; 2] = [
    Secret {
        word: "alpha",
        days: ["2024-01-05", "2024-02-11"],
        number: 48_151_623,
    },
    Secret {
        word: "omega",
        days: ["2023-07-08", "2023-09-28"],
        number: 23_481_516,
    },
];

/// The tables with hidden columns: names, and the columns that are granted.
pub(super) const TABLES: [(&str, &[&str]); 8] = [
    ("d.facts", &["id", "amount", "region"]),
    ("d.plain", &["id", "amount"]),
    ("d.events", &["id", "amount"]),
    ("d.bad_lines", &["id", "amount"]),
    ("d.bad_values", &["id", "amount"]),
    ("d.sheet", &["id", "amount"]),
    ("d.lines", &["id", "amount"]),
    ("d.torn", &["id", "amount"]),
];

pub(super) const JSON: &str = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";
const CSV: &str = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'";
const TEXT: &str = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','";

/// A running server with its lake, and the administrator's client.
pub(super) struct Lake {
    pub(super) server: Server,
    pub(super) admin: Client,
    _dir: tempfile::TempDir,
}

impl Lake {
    pub(super) async fn with(secret: &Secret) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = dir.path().join("lake");
        write_files(&lake, secret);
        let roots = format!("[[lake.roots]]\nurl = \"s3://datalake/\"\npath = {lake:?}\n");
        let (server, admin) = serving(dir.path(), &roots).await;
        for sql in definitions(secret) {
            admin.run(&sql).await;
        }
        Self {
            server,
            admin,
            _dir: dir,
        }
    }

    pub(super) async fn eve(&self, door: Door) -> Client {
        door.connect_as(
            &self.server,
            "eve",
            "a long enough secret",
            "awsdatacatalog",
        )
        .await
    }
}

fn write_files(lake: &Path, secret: &Secret) {
    let Secret { word, number, .. } = secret;
    let words = [*word; 3];
    let facts = |ids: &[&str], amounts: &[&str]| {
        let columns = [
            ("aside", Values::Text(&words[..ids.len()])),
            ("id", Values::Text(ids)),
            ("secret", Values::Text(&words[..ids.len()])),
            ("amount", Values::Text(amounts)),
        ];
        // One row group: two would be read concurrently, and either could fail first.
        parquet(&batch(&columns), 10)
    };
    for (day, ids, amounts, region) in [
        (secret.days[0], ["A1", "B7", "X"], ["1", "0", "2.5"], "eu"),
        (secret.days[1], ["C3", "D9", "Y"], ["4", "none", "7"], "us"),
    ] {
        let folder = lake.join(format!("facts/day={day}/region={region}"));
        put(&folder.join("part-0.parquet"), &facts(&ids, &amounts));
    }
    put(
        &lake.join("plain/f.parquet"),
        &facts(&["A1", "B7"], &["1", "x"]),
    );
    let day = secret.days[0];
    let object = |id: &str, amount: &str| {
        format!(
            "{{\"aside\":\"{word}\",\"id\":\"{id}\",\"secret\":{{\"n\":{number}}},\"amount\":{amount}}}\n"
        )
    };
    let good = object("A1", "1") + &object("B7", "0");
    put(
        &lake.join(format!("events/day={day}/e.json")),
        good.as_bytes(),
    );
    let torn = format!("{good}{{\"aside\":\"{word}\" \"id\":\"C3\"}}\n");
    put(
        &lake.join(format!("bad_lines/day={day}/e.json")),
        torn.as_bytes(),
    );
    let misfit = format!("{good}{}", object("C3", "\"much\""));
    put(
        &lake.join(format!("bad_values/day={day}/e.json")),
        misfit.as_bytes(),
    );
    let sheet = format!("{word},A1,{number},1\n{word},B7,{number},0\n");
    put(
        &lake.join(format!("sheet/day={day}/s.csv")),
        sheet.as_bytes(),
    );
    put(
        &lake.join(format!("lines/day={day}/l.txt")),
        sheet.as_bytes(),
    );
    put(
        &lake.join(format!("torn/day={day}/{word}.parquet")),
        b"PAR1 no more of it PAR1",
    );
}

fn definitions(secret: &Secret) -> Vec<String> {
    let [first, second] = secret.days;
    let word = secret.word;
    let mut statements = vec![
        "CREATE DATABASE d".to_owned(),
        "CREATE USER eve WITH PASSWORD 'a long enough secret'".to_owned(),
        format!("CREATE EXTERNAL TABLE d.facts (aside STRING, id STRING, secret STRING, amount STRING) PARTITIONED BY (day DATE, region STRING)
                 CLUSTERED BY (secret) INTO 4 BUCKETS STORED AS PARQUET LOCATION 's3://datalake/facts/' TBLPROPERTIES ('of.secret'='{word}')"),
        format!("ALTER TABLE d.facts ADD PARTITION (day = '{first}', region = 'eu') PARTITION (day = '{second}', region = 'us')"),
        "CREATE EXTERNAL TABLE d.plain (aside STRING, id STRING, secret STRING, amount STRING) STORED AS PARQUET LOCATION 's3://datalake/plain/'".to_owned(),
    ];
    for (name, columns, format) in [
        (
            "events",
            "aside STRING, id STRING, secret STRUCT<n:INT>, amount INT",
            JSON,
        ),
        (
            "bad_lines",
            "aside STRING, id STRING, secret STRUCT<n:INT>, amount INT",
            JSON,
        ),
        (
            "bad_values",
            "aside STRING, id STRING, secret STRUCT<n:INT>, amount INT",
            JSON,
        ),
        (
            "sheet",
            "aside STRING, id STRING, secret INT, amount STRING",
            CSV,
        ),
        (
            "lines",
            "aside STRING, id STRING, secret INT, amount STRING",
            TEXT,
        ),
        (
            "torn",
            "aside STRING, id STRING, secret INT, amount STRING",
            "STORED AS PARQUET",
        ),
    ] {
        statements.push(format!("CREATE EXTERNAL TABLE d.{name} ({columns}) PARTITIONED BY (day DATE) {format} LOCATION 's3://datalake/{name}/'"));
        statements.push(format!(
            "ALTER TABLE d.{name} ADD PARTITION (day = '{first}')"
        ));
    }
    for (table, columns) in TABLES {
        let columns = columns.join(", ");
        statements.push(format!("GRANT SELECT ({columns}) ON TABLE {table} TO eve"));
    }
    for table in ["d.facts", "d.plain"] {
        statements.push(format!("ANALYZE {table}"));
    }
    statements
}
