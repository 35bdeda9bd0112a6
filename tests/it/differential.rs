//! Random queries against DuckDB and PostgreSQL on the same rows, and consistency checks of
//! Lakegate; `tests/differential/run.py` documents what is compared and how to run it for hours.

use std::{env, fs};

use crate::harness::{Server, python};

/// `LAKEGATE_RANDOM_QUERIES` is their number; 10,000 by default.
#[test]
fn random_queries_return_the_rows_that_other_engines_return() {
    let queries = env::var("LAKEGATE_RANDOM_QUERIES").unwrap_or_else(|_| "10000".to_owned());
    let server = Server::private(&[]);
    let connection_file = server.dir.with_file_name("connection.json");
    fs::write(&connection_file, server.connection().to_string()).unwrap();
    let report = python::run(
        "../differential/run.py",
        &[
            "--connection-file",
            connection_file.to_str().unwrap(),
            "--lake",
            server.dir.to_str().unwrap(),
            "--seed",
            "1",
            "--queries",
            &queries,
            // A test run shows only one small case per process.
            "--most",
            "3",
        ],
        &[],
    );
    // Shown with --nocapture, and by ./test.
    println!("{report}");
}

/// `tests/differential/functions/run.py` documents what is compared. `LAKEGATE_FUNCTIONS_SEED`
/// chooses other values.
#[test]
fn functions_return_what_those_of_duckdb_return() {
    let server = Server::private(&[]);
    let connection_file = server.dir.with_file_name("connection.json");
    fs::write(&connection_file, server.connection().to_string()).unwrap();
    let seed = env::var("LAKEGATE_FUNCTIONS_SEED").unwrap_or_else(|_| "1".to_owned());
    let report = python::run(
        "../differential/functions/run.py",
        &[
            "--connection-file",
            connection_file.to_str().unwrap(),
            "--lake",
            server.dir.to_str().unwrap(),
            "--seed",
            &seed,
        ],
        &[],
    );
    println!("{report}");
}
