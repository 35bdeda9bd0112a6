//! Two lakes that differ only in what a user may not see return the same answers to that user:
//! rows, plans, listings and errors, byte for byte.

use std::path::Path;

use regex::Regex;

use crate::harness::files::{Values, batch, parquet, put};
use crate::harness::server::serving;
use crate::harness::{Client, Door, Server};

/// The hidden contents of one lake: words of equal length in both lakes, so that no size differs.
struct Secret {
    word: &'static str,
    days: [&'static str; 2],
    number: i64,
}

const SECRETS: [Secret; 2] = [
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
const TABLES: [(&str, &[&str]); 8] = [
    ("d.facts", &["id", "amount", "region"]),
    ("d.plain", &["id", "amount"]),
    ("d.events", &["id", "amount"]),
    ("d.bad_lines", &["id", "amount"]),
    ("d.bad_values", &["id", "amount"]),
    ("d.sheet", &["id", "amount"]),
    ("d.lines", &["id", "amount"]),
    ("d.torn", &["id", "amount"]),
];

/// Expressions over a column `{c}`. Most of them fail for some of its values, with the value in the
/// error.
const EXPRESSIONS: [&str; 10] = [
    "CAST({c} AS int)",
    "1 / CAST({c} AS int)",
    "CAST({c} AS date)",
    "{c} || missing",
    "CAST({c} AS smallint) / 0",
    "CAST({c} AS timestamp)",
    "CAST({c} AS decimal(2, 1))",
    "CAST({c} AS boolean)",
    "date_trunc({c}, now())",
    "no_such({c})",
];

const JSON: &str = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'";
const CSV: &str = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'";
const TEXT: &str = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','";

/// A running server with its lake, and the administrator's client.
struct Lake {
    server: Server,
    admin: Client,
    _dir: tempfile::TempDir,
}

impl Lake {
    async fn with(secret: &Secret) -> Self {
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

    async fn eve(&self, door: Door) -> Client {
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

/// Returns statements that probe for hidden data. The order of their rows and errors is fixed:
/// several files are read only by queries that sort and do not fail.
fn statements() -> Vec<String> {
    let mut asked = Vec::new();
    for (table, columns) in TABLES {
        let one_file = match columns.contains(&"region") {
            true => "AND region = 'eu'",
            false => "",
        };
        let mut queries = vec![
            format!("SELECT * FROM {table} ORDER BY id"),
            format!("SELECT count(*) FROM {table}"),
            format!("SELECT * FROM {table} WHERE amount > '1' {one_file}"),
            format!("SELECT * FROM {table} ORDER BY id DESC LIMIT 1"),
            format!("SELECT a.id FROM {table} a JOIN {table} b ON a.id = b.amount"),
            format!("SELECT id, count(*) FROM {table} GROUP BY id ORDER BY id"),
            format!("SELECT amount, row_number() OVER (ORDER BY id) FROM {table} WHERE id > 'A'"),
        ];
        // All expressions on tables with intact data; some on the others.
        let whole = ["d.facts", "d.plain", "d.bad_values"].contains(&table);
        let (expressions, explained) = if whole { (10, 5) } else { (4, 2) };
        for column in columns {
            for expression in EXPRESSIONS.iter().take(expressions) {
                let expression = expression.replace("{c}", column);
                queries.push(format!(
                    "SELECT {expression} FROM {table} WHERE (id = 'X' OR id = 'A1') {one_file}"
                ));
                queries.push(format!(
                    "SELECT id FROM {table} WHERE {expression} IS NOT NULL {one_file} ORDER BY id"
                ));
            }
        }
        for (at, query) in queries.iter().take(explained).enumerate() {
            for explain in [
                "EXPLAIN",
                "EXPLAIN VERBOSE",
                "EXPLAIN ANALYZE",
                "EXPLAIN ANALYZE VERBOSE",
                "EXPLAIN (FORMAT TEXT)",
                "EXPLAIN (FORMAT JSON)",
                "EXPLAIN (ANALYZE, FORMAT JSON)",
                "EXPLAIN (TYPE DISTRIBUTED)",
                "EXPLAIN (ANALYZE, TYPE DISTRIBUTED)",
                "EXPLAIN (TYPE IO)",
            ] {
                // Queries with dynamic filters read different amounts from run to run.
                if at < 3 || !explain.contains("ANALYZE") {
                    asked.push(format!("{explain} {query}"));
                }
            }
        }
        asked.append(&mut queries);
        for hidden in [
            "secret",
            "aside",
            "day",
            "sekret",
            "facts.secret",
            "\"secret\"",
            "\"$path\"",
            "\"$file_size\"",
            "\"$file_modified_time\"",
            "\"$partition\"",
        ] {
            asked.push(format!("SELECT {hidden} FROM {table}"));
            asked.push(format!("SELECT id FROM {table} ORDER BY {hidden}"));
            asked.push(format!(
                "EXPLAIN SELECT id FROM {table} WHERE {hidden} = 'alpha'"
            ));
            asked.push(format!("DESCRIBE {table} {hidden}"));
            asked.push(format!("GRANT SELECT ({hidden}) ON TABLE {table} TO eve"));
        }
        let partitions = format!("\"{}$partitions\"", table.replace("d.", ""));
        asked.push(format!("SELECT * FROM d.{partitions}"));
        asked.push(format!("SELECT count(*), min(day) FROM d.{partitions}"));
        asked.push(format!("SELECT *, \"$path\" FROM {table}"));
        for rest in [
            "DESCRIBE {t}",
            "DESCRIBE EXTENDED {t}",
            "DESCRIBE FORMATTED {t}",
            "DESCRIBE FORMATTED {t} PARTITION (day = '2024-01-05')",
            "DESCRIBE {t} PARTITION (day = '2024-01-05', region = 'eu')",
            "SHOW COLUMNS IN {t}",
            "SHOW CREATE TABLE {t}",
            "SHOW TBLPROPERTIES {t}",
            "SHOW TBLPROPERTIES {t}('of.secret')",
            "SHOW PARTITIONS {t}",
            "SHOW PARTITIONS {t} PARTITION (day = '2024-01-05')",
            "SHOW PARTITIONS {t} PARTITION (region = 'eu')",
            "SHOW GRANTS ON TABLE {t}",
            "SHOW STATS FOR {t}",
            "ANALYZE {t}",
            "ANALYZE {t} (secret)",
            "COMMENT ON COLUMN {t}.secret IS 'known'",
            "ALTER TABLE {t} RENAME COLUMN secret TO known",
            "ALTER TABLE {t} DROP COLUMN IF EXISTS secret",
            "CREATE TABLE {t}_like (LIKE {t})",
            "ALTER TABLE {t} ADD PARTITION (day = '2024-01-05')",
            "ALTER TABLE {t} DROP PARTITION (day = '2024-01-05')",
            "ALTER TABLE {t} SET LOCATION 's3://datalake/facts/'",
            "ALTER TABLE {t} ADD COLUMNS (secret STRING)",
            "MSCK REPAIR TABLE {t}",
            "DROP TABLE {t}",
            "INSERT INTO {t} VALUES (1)",
            "CREATE EXTERNAL TABLE {t} (a INT) STORED AS PARQUET LOCATION 's3://datalake/x/'",
            "REVOKE SELECT ON TABLE {t} FROM eve",
        ] {
            asked.push(rest.replace("{t}", table));
        }
    }
    for all in [
        "SHOW DATABASES",
        "SHOW TABLES IN d",
        "SHOW GRANTS",
        "SHOW USERS",
        "SHOW ROLES",
        "SELECT * FROM information_schema.tables WHERE table_schema = 'd' ORDER BY table_name",
        "SELECT * FROM information_schema.columns WHERE table_schema = 'd' ORDER BY table_name, ordinal_position",
        "SELECT * FROM information_schema.column_privileges ORDER BY table_name, column_name",
        "SELECT relname, relnatts, reltuples, relpages FROM pg_class WHERE relnamespace = 'd'::regnamespace ORDER BY relname",
        "SELECT attrelid::regclass, attname, attnum FROM pg_attribute WHERE attrelid = 'd.facts'::regclass ORDER BY attnum",
        "SELECT count(*) FROM pg_attribute",
        "SELECT pg_total_relation_size('d.facts'), pg_relation_size('d.torn')",
        "SELECT col_description('d.facts'::regclass, 1)",
        "SELECT * FROM pg_stats ORDER BY tablename, attname",
        "SELECT has_column_privilege('d.facts', 'secret', 'SELECT')",
        "SELECT query, state, rows, error_code, error_message FROM system.queries ORDER BY query, error_message",
    ] {
        asked.push(all.to_owned());
    }
    asked
}

/// Masks text that changes from run to run and reveals nothing.
pub(crate) struct Mask {
    volatile: Vec<(Regex, &'static str)>,
    metrics: Regex,
    digits: Regex,
}

impl Mask {
    pub(crate) fn new() -> Self {
        let of = |pattern: &str| Regex::new(pattern).unwrap();
        Self {
            volatile: vec![
                (
                    of("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
                    "ID",
                ),
                (of(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
                (of(r"\b\d{10}\b"), "SECONDS"),
                (of(r"CPU time: [\d.]+ ms"), "CPU time"),
                (of(r"(Planning|Execution) Time: [\d.]+ ms"), "time"),
                (of(r"actual time=[\d.]+ "), "actual time"),
                (
                    of(r#""(Planning Time|Execution Time|Actual \w+ Time)": [\d.]+"#),
                    "time",
                ),
            ],
            metrics: of(r"metrics=\[[^\]]*\]"),
            digits: of(r"[\d.]+ ?(µs|ns|ms|s|KB|MB|B|K|M)?"),
        }
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (pattern, word) in &self.volatile {
            masked = pattern.replace_all(&masked, *word).into_owned();
        }
        // Durations, and how the threads shared the work.
        let metrics = self
            .metrics
            .replace_all(&masked, |found: &regex::Captures<'_>| {
                self.digits.replace_all(&found[0], "N").into_owned()
            });
        metrics.into_owned()
    }
}

/// Returns the whole answer: every cell, or every part of the error.
pub(crate) async fn answer(client: &Client, sql: &str) -> String {
    match client.try_rows(sql).await {
        Ok(rows) => {
            let lines = rows.into_iter().map(|row| {
                let cells = row
                    .into_iter()
                    .map(|cell| cell.unwrap_or("NULL".to_owned()));
                cells.collect::<Vec<_>>().join("|")
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("{error:#?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lakes_that_differ_in_what_is_hidden_answer_alike() {
    let [left, right] = &SECRETS;
    let (a, b) = tokio::join!(Lake::with(left), Lake::with(right));
    let mask = Mask::new();
    let mut differ = Vec::new();
    for door in [Door::Postgres, Door::Flight] {
        let (left_eve, right_eve) = (a.eve(door).await, b.eve(door).await);
        // The doors share the code that answers. At the second door, every fourth statement and the
        // history are enough.
        let every = if door == Door::Postgres { 1 } else { 4 };
        let asked = statements();
        let last = asked.len() - 1;
        let asked = asked.into_iter().enumerate();
        for (_, sql) in asked.filter(|(at, _)| at % every == 0 || *at == last) {
            let (one, other) = tokio::join!(answer(&left_eve, &sql), answer(&right_eve, &sql));
            let (one, other) = (mask.apply(&one), mask.apply(&other));
            if one != other {
                differ.push(format!("{door}: {sql}\n{one}\n----\n{other}"));
                continue;
            }
            let echoes = sql.contains("system.queries");
            let number = left.number.to_string();
            for hidden in [
                left.word,
                left.days[0],
                left.days[1],
                number.as_str(),
                "secret",
                "aside",
            ] {
                if one.contains(hidden) && !sql.contains(hidden) && !echoes {
                    differ.push(format!("{door}: {sql}\ntells {hidden}\n{one}"));
                }
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{} answers:\n{}",
        differ.len(),
        differ.join("\n\n")
    );

    // Granted data is read correctly, whatever hidden data precedes it.
    let eve = a.eve(Door::Postgres).await;
    for (sql, rows) in [
        (
            "SELECT * FROM d.facts WHERE region = 'us' ORDER BY id",
            "C3|4|us\nD9|none|us\nY|7|us",
        ),
        ("SELECT * FROM d.plain ORDER BY id", "A1|1\nB7|x"),
        ("SELECT * FROM d.events ORDER BY id", "A1|1\nB7|0"),
        ("SELECT * FROM d.sheet ORDER BY id", "A1|1\nB7|0"),
        ("SELECT amount, id FROM d.lines ORDER BY id", "1|A1\n0|B7"),
        ("SELECT count(*) FROM d.lines", "2"),
    ] {
        assert_eq!(eve.text(sql).await, rows, "{sql}");
    }

    // The administrator sees the file's name, and the log has it for the query that the other user
    // ran.
    let failure = a.admin.fails("SELECT id FROM d.torn").await;
    failure.names(&["day=2024-01-05", "alpha.parquet"]);
    let id = a
        .admin
        .value("SELECT max(query_id) FROM system.queries WHERE user_name = 'eve' AND query = 'SELECT count(*) FROM d.torn' AND state = 'FAILED'")
        .await;
    let log = a.server.log();
    let line = log.lines().find(|line| line.contains(&id));
    assert!(
        line.is_some_and(|line| line.contains("day=2024-01-05")),
        "{id} is not in the log with its file:\n{log}"
    );
}

#[tokio::test]
async fn hidden_column_that_cannot_be_read_does_not_keep_the_others_from_being_read() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = crate::harness::files::Folder::new(server, "unreadable");
    let file = batch(&[
        ("id", Values::Int(&[1, 2])),
        ("hidden", Values::Text(&["x", "y"])),
    ]);
    folder.put("f.parquet", parquet(&file, 10));
    let json = crate::harness::files::Folder::new(server, "unreadable_json");
    json.put(
        "f.json",
        "{\"id\": 1, \"hidden\": \"x\"}\n{\"id\": 2, \"hidden\": {}}\n",
    );
    for sql in [
        "CREATE DATABASE unreadable".to_owned(),
        "CREATE USER unreadable_reader WITH PASSWORD 'a long enough secret'".to_owned(),
        format!(
            "CREATE EXTERNAL TABLE unreadable.p (hidden INT, id BIGINT) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ),
        format!(
            "CREATE EXTERNAL TABLE unreadable.j (hidden INT, id BIGINT) {JSON} LOCATION '{}'",
            json.location
        ),
        "GRANT SELECT (id) ON TABLE unreadable.p TO unreadable_reader".to_owned(),
        "GRANT SELECT (id) ON TABLE unreadable.j TO unreadable_reader".to_owned(),
    ] {
        admin.run(&sql).await;
    }
    let reader = server
        .connect_as("unreadable_reader", "a long enough secret", "unreadable")
        .await;
    for table in ["p", "j"] {
        assert_eq!(
            reader.value(&format!("SELECT sum(id) FROM {table}")).await,
            "3"
        );
        assert_eq!(
            reader
                .text(&format!("SELECT * FROM {table} ORDER BY 1"))
                .await,
            "1\n2"
        );
        admin
            .fails(&format!("SELECT * FROM unreadable.{table}"))
            .await;
    }
}
