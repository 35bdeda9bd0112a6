//! The golden files of `tests/sql`, on a lake of local files through each door, and on one on S3
//! through one door each, in turn: what a door does with rows does not depend on where their files
//! are. Those that read and write no files, and `athena_saved_queries.slt`, which reads more of the
//! lake than is on S3, run on local files only.
//!
//! A statement runs as `admin` on the catalog's database unless its first line says otherwise, such
//! as `-- as scientist` or `-- as analyst in curated`. Statements for one protocol only are marked
//! `onlyif postgres` or `onlyif flight`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Normalizer, Runner, default_validator};

use crate::harness::s3::S3;
use crate::harness::{Client, Door, Failure, Options, Server, lake, server, through_each_door};

/// The connections that a golden file uses, by user and database.
struct Connections<'a> {
    door: Door,
    server: &'a Server,
    open: HashMap<(String, String), Client>,
}

#[derive(Debug)]
struct Refused(Failure);

impl std::error::Error for Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.text())
    }
}

fn who(sql: &str) -> (String, String) {
    let words: Vec<&str> = sql
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    match words[..] {
        ["--", "as", user] => (user.to_owned(), "awsdatacatalog".to_owned()),
        ["--", "as", user, "in", database] => (user.to_owned(), database.to_owned()),
        _ => ("admin".to_owned(), "awsdatacatalog".to_owned()),
    }
}

#[async_trait::async_trait]
impl AsyncDB for Connections<'_> {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let key = who(sql);
        if !self.open.contains_key(&key) {
            let password = match key.0.as_str() {
                "admin" | "engineer" | "analyst" | "scientist" => self.server.password(&key.0),
                _ => "a long enough secret",
            };
            let client = self
                .door
                .try_connect(self.server, &key.0, password, &key.1)
                .await
                .map_err(Refused)?;
            self.open.insert(key.clone(), client);
        }
        let rows = self.open[&key].try_rows(sql).await.map_err(Refused)?;
        let types = vec![DefaultColumnType::Text; rows.first().map_or(1, Vec::len)];
        let explains = sql.lines().any(|line| line.starts_with("EXPLAIN"));
        let cell = |cell: Option<String>| match cell {
            None => "NULL".to_owned(),
            Some(line) if explains => plan_line(&line).replace('\n', "\\n"),
            Some(text) if text.is_empty() => "(empty)".to_owned(),
            // A cell with several lines, such as EXPLAIN's, is still written in one line.
            Some(text) => text.replace('\n', "\\n"),
        };
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().map(cell).collect())
            .collect();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {
        self.open.clear();
    }

    fn engine_name(&self) -> &str {
        match self.door {
            Door::Postgres => "postgres",
            Door::Flight => "flight",
        }
    }

    fn error_sql_state(error: &Refused) -> Option<String> {
        Some(error.0.code.clone())
    }
}

/// Returns whether rows are the expected ones, where numbers may have other digits at their end: a column
/// of Flight SQL has one number of fractional digits, and one of PostgreSQL has one for each value.
fn same_but_for_digits(
    normalizer: Normalizer,
    actual: &[Vec<String>],
    expected: &[String],
) -> bool {
    if default_validator(normalizer, actual, expected) {
        return true;
    }
    let is_same = |(actual, expected): (&Vec<String>, &String)| {
        let (actual, expected) = (normalizer(&actual.join(" ")), normalizer(expected));
        let (actual, expected): (Vec<&str>, Vec<&str>) =
            (actual.split(' ').collect(), expected.split(' ').collect());
        actual.len() == expected.len()
            && actual
                .iter()
                .zip(&expected)
                .all(|(a, b)| a == b || same_number(a, b))
    };
    actual.len() == expected.len() && actual.iter().zip(expected).all(is_same)
}

/// The fractional digits that a number has at least if it is rounded.
const ROUNDED_DIGITS: usize = 10;

/// Returns whether two numbers are the same, or are rounded to different numbers of digits.
fn same_number(a: &str, b: &str) -> bool {
    let parts = |text: &str| -> Option<(String, usize)> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        Some((format!("{whole}{fraction}"), fraction.len()))
            .filter(|(digits, _)| digits.parse::<i128>().is_ok())
    };
    let (Some((one, places)), Some((other, other_places))) = (parts(a), parts(b)) else {
        return false;
    };
    if places > other_places {
        return same_number(b, a);
    }
    let (kept, dropped) = other.split_at(other.len() - (other_places - places));
    let is_exact = dropped.bytes().all(|digit| digit == b'0');
    let (Ok(one), Ok(kept)) = (one.parse::<i128>(), kept.parse::<i128>()) else {
        return false;
    };
    match is_exact {
        true => one == kept,
        false => places >= ROUNDED_DIGITS && one.abs_diff(kept) <= 1,
    }
}

#[test]
fn numbers_are_compared_without_the_digits_at_their_end() {
    for (a, b, expected) in [
        ("1.5", "1.5000000000", true),
        ("2", "2.0000", true),
        ("0.6666666666666667", "0.66666666666666666667", true),
        ("-0.3333333333333333", "-0.33333333333333333333", true),
        ("1.5", "1.51", false),
        ("1.5", "-1.5", false),
        ("x", "1.5", false),
        ("33333.333333333333", "33333.3333333333333333", true),
    ] {
        assert_eq!(same_number(a, b), expected, "{a} {b}");
        assert_eq!(same_number(b, a), expected, "{b} {a}");
    }
}

/// Returns a line of a plan without the parts that differ between lakes and runs: paths, numbers,
/// measurements.
fn plan_line(line: &str) -> String {
    static PARTS: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
        [
            (r"metrics=\[[^\]]*\]", "metrics=[]"),
            (r"file_groups=\{[^}]*\[[^}]*\}", "file_groups={PATHS}"),
            // The position of a column, after an @, is kept.
            (r"(^|[^@\d])\d+", "${1}N"),
        ]
        .map(|(pattern, word)| (Regex::new(pattern).unwrap(), word))
    });
    let mut shown = line.to_owned();
    for (pattern, word) in PARTS.iter() {
        shown = pattern.replace_all(&shown, *word).into_owned();
    }
    shown
}

/// Returns whether a golden file reads the lake, or writes files.
fn uses_files(golden: &Path) -> bool {
    static FILES: LazyLock<Regex> = LazyLock::new(|| {
        let lake = r"\b(curated|raw|analytics)\b|s3://|^-- as \w+ in ";
        let writes = r"^(create|insert|copy|unload)\b";
        Regex::new(&format!("(?im){lake}|{writes}")).unwrap()
    });
    FILES.is_match(&std::fs::read_to_string(golden).unwrap())
}

fn files(label: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let chosen = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            let is_local = name.starts_with("docs_") || name == "athena_saved_queries.slt";
            name.ends_with(".slt") && (label == "files" || !is_local && uses_files(file))
        })
    };
    files.retain(chosen);
    files.sort();
    assert!(files.len() > 40, "{files:?}");
    files
}

/// Runs all files, each through the next of the doors, then reports all differences at once.
async fn every_file_passes(doors: &[Door], server: &Server, label: &str) {
    let update = std::env::var_os("LAKEGATE_UPDATE_GOLDEN").is_some()
        && doors == [Door::Postgres]
        && label == "files";
    let mut failures = Vec::new();
    for (file, &door) in files(label).iter().zip(doors.iter().cycle()) {
        let mut runner = Runner::new(|| async {
            Ok(Connections {
                door,
                server,
                open: HashMap::new(),
            })
        });
        runner.add_label(label);
        if door == Door::Flight {
            runner.with_validator(same_but_for_digits);
        }
        let result = if update {
            runner
                .update_test_file(
                    file,
                    " ",
                    sqllogictest::default_validator,
                    sqllogictest::default_normalizer,
                    sqllogictest::default_column_validator,
                )
                .await
                .map_err(|error| error.to_string())
        } else {
            runner
                .run_file_async(file)
                .await
                .map_err(|error| error.to_string())
        };
        if let Err(error) = result {
            failures.push(format!("by {door}: {error}"));
        }
        runner.shutdown_async().await;
    }
    assert!(
        failures.is_empty(),
        "{} of the golden files differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

async fn golden_files_pass_on_local_files(door: Door) {
    let server = Server::copied(&Options::default(), &[]);
    every_file_passes(&[door], &server, "files").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_files_pass_on_s3() {
    let s3 = S3::start().await;
    let lake = lake::copy(&Options::default());
    let dir = lake.path().join("lake");
    // One day of the eight thousand hours of raw orders is enough: the golden files query no more.
    let uploaded = s3
        .upload(&dir, |key| {
            let zone = ["curated/", "analytics/", "raw/users/", "raw/products/"]
                .iter()
                .any(|zone| key.starts_with(zone));
            zone || key.starts_with("raw/orders/year=2024/month=12/day=31/")
        })
        .await;
    assert!(uploaded > 700, "{uploaded}");
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let (mut server, admin) = server::serving(temp.path(), &s3.root()).await;
    let mut options = lakegate_demo::DemoOptions::new(&dir);
    options.scale = 0.01;
    for statement in lakegate_demo::setup_sql(&options) {
        admin.run(&statement).await;
    }
    for user in lakegate_demo::demo_users() {
        if user.name != "admin" {
            admin
                .run(&format!(
                    "CREATE USER {} WITH PASSWORD 'a long enough secret'",
                    user.name
                ))
                .await;
            for role in user.roles {
                admin.run(&format!("GRANT {role} TO {}", user.name)).await;
            }
            server.knows(user.name, "a long enough secret");
        }
    }
    every_file_passes(&[Door::Postgres, Door::Flight], &server, "s3").await;
}

through_each_door!(golden_files_pass_on_local_files);
