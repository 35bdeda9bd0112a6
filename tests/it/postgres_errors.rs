//! Errors of wrong statements are those of PostgreSQL 15: code, message and position.
//!
//! `tests/data/postgres_errors.tsv` has what PostgreSQL answered for each statement, over the same
//! tables.

use crate::harness::Server;

const RECORDED: &str = include_str!("../data/postgres_errors.tsv");

const TABLES: [&str; 5] = [
    "CREATE DATABASE errs LOCATION 's3://datalake/tests/errs/'",
    "CREATE TABLE errs.a AS SELECT CAST(id AS int) AS id, name, CAST(n AS int) AS n FROM (VALUES (1, 'x', 10), (2, 'y', 20)) AS t (id, name, n)",
    "CREATE TABLE errs.b AS SELECT CAST(id AS int) AS id, name, CAST(n AS int) AS n, v FROM (VALUES (1, 'x', 10, 'p'), (2, 'y', 20, 'q')) AS t (id, name, n, v)",
    r"CREATE TABLE errs.t AS SELECT 1::int AS i, 2::bigint AS bi, 3::smallint AS si, 1.50::numeric(10, 2) AS num, 1.5::real AS r, 2.5::double precision AS d, true AS b, 'a'::text AS tx, date '2024-01-01' AS dt, timestamp '2024-01-01 10:00' AS ts, '\x01'::bytea AS by, ARRAY[1::int, 2::int] AS arr",
    "PREPARE p AS SELECT $1::int",
];

/// What an error of a statement says, as a line of the file.
fn line(code: &str, position: &str, message: &str, sql: &str) -> String {
    [code, position, message, sql].join("\t")
}

#[tokio::test]
async fn wrong_statements_fail_as_in_postgres() {
    let admin = Server::shared().connect("admin").await;
    admin.run_each(&TABLES).await;
    let mut differ = Vec::new();
    let mut compared = 0;
    for recorded in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = recorded.splitn(4, '\t').collect();
        let [_, expected, _, sql] = parts[..] else {
            panic!("not a line of four parts: {recorded}");
        };
        compared += 1;
        let Err(failure) = admin.try_rows(sql).await else {
            differ.push(format!("{recorded}\n  succeeds"));
            continue;
        };
        let position = match expected {
            "-" => "-".to_owned(),
            _ => failure.position.unwrap_or(0).to_string(),
        };
        let found = line(&failure.code, &position, &failure.message, sql);
        if found != recorded {
            differ.push(format!("{recorded}\n{found}"));
        }
    }
    admin.run("DROP DATABASE errs CASCADE").await;
    assert!(compared > 700, "{compared}");
    assert!(
        differ.is_empty(),
        "{} of {compared} errors differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
}
