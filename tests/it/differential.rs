//! Random queries against DuckDB and PostgreSQL on the same rows, and consistency checks of
//! Lakegate; `tests/differential/run.py` documents what is compared and how to run it for hours.

use std::fs;

use crate::harness::{Server, python};

#[test]
fn ten_thousand_random_queries_give_the_rows_that_other_engines_give() {
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
            "10000",
            // A test run shows only one small case per process.
            "--most",
            "3",
        ],
        &[],
    );
    // Shown with --nocapture, and by ./test.
    println!("{report}");
}
