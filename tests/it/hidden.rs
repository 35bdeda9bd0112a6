//! Two lakes that differ only in what a user may not see return the same answers to that user:
//! rows, plans, listings and errors, byte for byte.

mod lake;

use lake::{JSON, Lake, SECRETS, TABLES};
use regex::Regex;

use crate::harness::files::{Values, batch, parquet};
use crate::harness::{Client, Door, Server};

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
        "SELECT pg_describe_object(1259, oid, 2) FROM pg_class WHERE relnamespace = 'd'::regnamespace ORDER BY relname",
        "SELECT o.* FROM generate_series(1, 9) n, LATERAL pg_identify_object(1259, 'd.facts'::regclass, n) o ORDER BY n",
        "SELECT o.* FROM pg_identify_object_as_address(1259, 'd.torn'::regclass, 1) o",
        "SELECT has_sequence_privilege('d.facts', 'USAGE')",
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
